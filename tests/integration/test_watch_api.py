"""`batch_converter.watch`: a program's own watch, with an engine that only counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from batch_converter import convert, watch
from batch_converter.config import Settings
from batch_converter.testing import FakeConverter
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.api import RunReport
    from batch_converter.events import RunEvent


async def test_a_program_is_told_each_batch_and_ends_the_watch_by_cancelling_it(
    tmp_path: Path,
) -> None:
    source, converter = tmp_path / "in", FakeConverter("fake")
    make_archive(source, 2)
    settings = Settings.model_validate({"engine": "fake", "output": {"dir": tmp_path / "out"}})
    reports: list[RunReport] = []
    events: list[RunEvent] = []
    first, second = anyio.Event(), anyio.Event()

    def tell(report: RunReport) -> None:
        reports.append(report)
        (second if first.is_set() else first).set()

    async def watched() -> None:
        await watch(
            [source],
            settings,
            settle_s=0,
            on_event=events.append,
            on_report=tell,
            engines=[converter.spec],
        )

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watched)
            await first.wait()
            (source / "late.djvu").write_bytes(djvu_bytes(mark=b"late"))
            await second.wait()
            tasks.cancel_scope.cancel()
    assert [report.summary.totals.converted for report in reports] == [2, 1]
    assert (tmp_path / "out/late.pdf").exists()
    names = [event.name for event in events]
    assert names[0] == "watch.started"
    assert names.count("file.converted") == 3
    again = await convert([source], settings, engines=[converter.spec])
    assert again.summary.totals.skipped == 3  # nobody holds the state directory any more
