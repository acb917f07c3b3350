"""Sources that are moved at the end of a run that is stopped while it does so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from batch_converter import ExitCode, Settings
from batch_converter.errors import UsageError
from batch_converter.events import FileMoved
from batch_converter.ledger import LedgerReader
from batch_converter.opening import open_run
from batch_converter.orchestrator import StopReason
from batch_converter.sources import Sources
from batch_converter.testing import FakeConverter
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_converter.events import RunEvent
    from batch_converter.models import RunSummary
    from batch_converter.orchestrator import Run

COUNT: Final = 300


@pytest.fixture
def source(tmp_path: Path) -> Path:
    make_archive(tmp_path / "scans", COUNT)
    return tmp_path / "scans"


def there(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


async def convert(
    source: Path, *, stopped_by: int | None = None, by_name: Sequence[str] = ()
) -> RunSummary:
    """Convert and move all, or what is named; a signal comes once the first file was moved."""
    base = source.parent
    settings = Settings.model_validate(
        {
            "engine": "fake",
            "output": {"dir": base / "pdfs"},
            "input": {"after": f"move:{base / 'done'}"},
        }
    )
    runs: list[Run] = []

    def observe(event: RunEvent) -> None:
        if isinstance(event, FileMoved) and stopped_by is not None:
            runs[0].stop(StopReason.of_signal(stopped_by))

    opening = open_run(
        settings,
        Sources(paths=tuple(str(source / name) for name in by_name) or (str(source),)),
        on_event=observe,
        engines=[FakeConverter("fake").spec],
    )
    async with opening as (run, opened):
        runs.append(run)
        return await run.execute(opened.found, opened.roots)


async def test_a_signal_ends_the_moving_and_the_next_run_goes_on(source: Path) -> None:
    names, done = there(source), source.parent / "done"
    stopped = await convert(source, stopped_by=15)
    assert stopped.exit_code == ExitCode.SIGTERM
    assert 0 < stopped.totals.moved < COUNT // 4
    assert len(there(done)) == stopped.totals.moved
    assert sorted([*there(source), *there(done)]) == names

    rest = await convert(source)
    assert (rest.exit_code, rest.totals.converted) == (ExitCode.OK, 0)
    assert rest.totals.moved == COUNT - stopped.totals.moved
    assert (there(source), there(done)) == ([], names)


async def test_named_files_that_were_moved_are_looked_up_by_one_reader(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = there(source)[:5]
    await convert(source, by_name=names)
    opened = []

    class Counted(LedgerReader):
        def __init__(self, path: Path) -> None:
            super().__init__(path)
            opened.append(path)

    monkeypatch.setattr("batch_converter.state.LedgerReader", Counted)
    again = await convert(source, by_name=[*names, there(source)[0]])
    assert (again.exit_code, again.totals.converted) == (ExitCode.OK, 1)
    assert len(opened) == 1


async def test_a_ledger_is_not_opened_for_named_files_that_are_there(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = there(source)[:2]
    await convert(source, by_name=names[:1])
    monkeypatch.delattr("batch_converter.state.LedgerReader")
    assert (await convert(source, by_name=names[1:])).totals.converted == 1


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_a_name_that_never_was_is_refused(source: Path, *, has_ledger: bool) -> None:
    if has_ledger:
        await convert(source, by_name=there(source)[:1])
    with pytest.raises(UsageError, match="no-such-file"):
        await convert(source, by_name=["no-such-file"])
