"""Runs on the ledgers of shards, when an archive is divided otherwise than before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter import ExitCode, FileStatus, Settings, merge
from batch_converter.events import RunShardChanged
from batch_converter.opening import open_run
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.events import RunEvent
    from batch_converter.models import RunSummary


async def convert(
    folder: Path, shard: str | None, state: str, *, adopt: bool = False
) -> tuple[RunSummary, list[RunShardChanged]]:
    """Run a shard on its own state directory."""
    told: list[RunShardChanged] = []

    def observe(event: RunEvent) -> None:
        if isinstance(event, RunShardChanged):
            told.append(event)

    settings = Settings.model_validate(
        {
            "engine": "fake",
            "input": {"shard": shard},
            "output": {"dir": folder / "pdfs", "state_dir": folder / state, "adopt": adopt},
        }
    )
    opening = open_run(
        settings,
        Sources(paths=(str(folder / "scans"),)),
        on_event=observe,
        engines=[FakeConverter("fake").spec],
    )
    async with opening as (run, opened):
        return await run.execute(opened.found, opened.roots), told


async def test_an_archive_that_is_divided_anew_is_told_of_and_adopted(tmp_path: Path) -> None:
    make_archive(tmp_path / "scans", 24)
    first, _ = await convert(tmp_path, "1/2", "one")
    second, told = await convert(tmp_path, "2/2", "two")
    assert first.totals.converted + second.totals.converted == 24
    assert not told
    _, told = await convert(tmp_path, "1/2", "one")
    assert not told

    strange, told = await convert(tmp_path, "1/3", "one")
    assert [(event.before, event.now) for event in told] == [("1/2", "1/3")]
    assert strange.exit_code == ExitCode.SOME_FAILED
    assert strange.totals.converted == 0  # nothing is paid for again, nothing is replaced
    _, told = await convert(tmp_path, "1/3", "one")
    assert not told
    ended = [
        (await convert(tmp_path, f"{k}/3", state, adopt=True))[0]
        for k, state in enumerate(("one", "two", "three"), 1)
    ]
    assert [summary.totals.converted for summary in ended] == [0, 0, 0]
    assert sum(summary.totals.skipped for summary in ended) == 24
    await anyio.to_thread.run_sync(check_merged, tmp_path)
    _, told = await convert(tmp_path, None, "three")
    assert [(event.before, event.now) for event in told] == [("3/3", None)]


def check_merged(folder: Path) -> None:
    """Look at what the three ledgers say together: the first still knows what it once converted."""
    with merge([folder / state for state in ("one", "two", "three")]) as merged:
        assert merged.is_complete
        assert {file.status for file in merged.files()} == {FileStatus.SKIPPED}
        assert len(list(merged.files())) == len(list(merged.converted())) == 24
