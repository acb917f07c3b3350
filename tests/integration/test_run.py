"""A run from folder to folder, on the fake engine: real files, real ledger."""

from __future__ import annotations

import errno
import shutil
import signal
import sqlite3
import struct
from collections import deque
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import structlog

from batch_converter.api import convert
from batch_converter.config import STATE_DIR_NAME, Settings
from batch_converter.engines.base import Failed, Gone, NotReady
from batch_converter.errors import (
    AccountRefusedError,
    CorruptResultError,
    ErrorCode,
    ExitCode,
    LedgerWriteError,
    NetworkError,
    RejectedError,
    SubmitUnknownError,
    TaskTimeoutError,
)
from batch_converter.ledger import LedgerReader
from batch_converter.models import FileStatus, Price
from batch_converter.orchestrator import Cancelling, Run, StopReason
from batch_converter.report import write_html_report
from batch_converter.testing import FakeTaskService
from tests.support.bundles import bundle_of, pages
from tests.support.clocks import LeapingClock
from tests.support.djvu_files import chunk, info, page
from tests.support.pdfs import djvu_bytes, make_archive, pdf_bytes
from tests.support.runs import Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from batch_converter.events import RunEvent
    from batch_converter.testing import FakeConverter

    OpenedRun = AbstractAsyncContextManager[tuple[Run, FakeTaskService | FakeConverter]]

INDIRECT: Final = Path(__file__).parents[1] / "data/indirect"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    source = tmp_path / "scans"
    source.mkdir()
    return Stage(source, tmp_path / "out", Settings(), LeapingClock())


def with_settings(stage: Stage, **sections: dict[str, object]) -> None:
    stage.settings = Settings.model_validate(sections)


async def test_a_folder_becomes_a_folder_of_pdfs(stage: Stage) -> None:
    make_archive(stage.source / "a" / "b", 3)
    summary = await stage.convert()
    assert summary.exit_code == ExitCode.OK
    assert (summary.totals.found, summary.totals.converted) == (3, 3)
    assert (summary.api_calls.submit, summary.api_calls.poll) == (3, 3)
    assert (stage.output / "a/b/00000.pdf").read_bytes() == pdf_bytes()
    assert [file.attempts for file in (await stage.files()).values()] == [1, 1, 1]


async def test_a_second_run_converts_nothing_and_calls_nothing(stage: Stage) -> None:
    make_archive(stage.source, 3)
    await stage.convert()
    summary = await stage.convert()
    assert summary.totals.skipped == 3
    assert summary.api_calls.billed == 0
    assert summary.exit_code == ExitCode.OK


async def test_changed_added_and_removed_files_are_noticed(stage: Stage) -> None:
    first, second, third = make_archive(stage.source, 3)
    await stage.convert()
    first.write_bytes(djvu_bytes(mark=b"other"))
    second.unlink()
    (stage.source / "new.djvu").write_bytes(djvu_bytes(mark=b"new"))
    summary = await stage.convert()
    files = await stage.files()
    assert summary.totals.found == 3
    assert files[first.name].status is FileStatus.CONVERTED
    assert files["new.djvu"].status is FileStatus.CONVERTED
    assert files[third.name].status is FileStatus.SKIPPED
    assert second.name not in files
    assert (stage.output / "00001.pdf").exists()


async def test_a_touched_file_is_not_converted_again(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    await stage.convert()
    path.touch()
    assert (await stage.convert()).totals.skipped == 1


async def test_a_missing_pdf_is_made_again(stage: Stage) -> None:
    make_archive(stage.source, 1)
    await stage.convert()
    (stage.output / "00000.pdf").unlink()
    assert (await stage.convert()).totals.converted == 1


async def test_other_options_convert_again(stage: Stage) -> None:
    make_archive(stage.source, 1)
    await stage.convert()
    stage.options = "1"
    assert (await stage.convert()).totals.converted == 1


async def test_a_pdf_that_is_not_ours_is_never_overwritten_silently(stage: Stage) -> None:
    make_archive(stage.source, 1)
    stage.output.mkdir()
    (stage.output / "00000.pdf").write_bytes(b"precious")
    summary = await stage.convert()
    (file,) = (await stage.files()).values()
    assert file.error is not None
    assert file.error.code is ErrorCode.OUTPUT_ERROR
    assert summary.exit_code == ExitCode.SOME_FAILED
    assert summary.api_calls.billed == 0
    assert (stage.output / "00000.pdf").read_bytes() == b"precious"


@pytest.mark.parametrize(("mode", "content"), [("always", pdf_bytes()), ("never", b"precious")])
async def test_overwrite_says_what_becomes_of_it(stage: Stage, mode: str, content: bytes) -> None:
    make_archive(stage.source, 1)
    stage.output.mkdir()
    (stage.output / "00000.pdf").write_bytes(b"precious")
    with_settings(stage, output={"overwrite": mode})
    assert (await stage.convert()).exit_code == ExitCode.OK
    assert (stage.output / "00000.pdf").read_bytes() == content


async def test_what_is_no_djvu_fails_before_any_call(stage: Stage) -> None:
    (stage.source / "text.djvu").write_bytes(b"not a DjVu")
    (stage.source / "cut.djvu").write_bytes(djvu_bytes()[:-4])
    summary = await stage.convert()
    assert {file.error and file.error.code for file in (await stage.files()).values()} == {
        ErrorCode.NOT_DJVU
    }
    assert summary.api_calls.billed == 0
    assert summary.exit_code == ExitCode.SOME_FAILED


async def test_a_lasting_failure_is_not_tried_again_until_asked(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.submits[path.name].append(RejectedError("no"))
        await stage.execute(run)
    summary = await stage.convert()
    (file,) = (await stage.files()).values()
    assert (file.status, file.attempts) == (FileStatus.FAILED, 0)
    assert file.error is not None
    assert file.error.code is ErrorCode.REJECTED
    assert (summary.exit_code, summary.api_calls.billed) == (ExitCode.SOME_FAILED, 0)
    with_settings(stage, report={"ignore_known_failures": True})
    assert (await stage.convert()).exit_code == ExitCode.OK
    with_settings(stage, retry={"retry_failed": True})
    assert (await stage.convert()).totals.converted == 1


async def test_a_passing_failure_is_taken_up_by_the_next_run(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name].append(NetworkError("weather"))
        assert (await stage.execute(run)).exit_code == ExitCode.SOME_FAILED
    summary = await stage.convert()
    assert summary.totals.converted == 1
    assert summary.api_calls.submit == 0  # the task was still at the service


async def test_pending_tasks_are_asked_again_as_planned(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name].extend([NotReady(status="Pending"), NotReady(status="Odd")])
        summary = await stage.execute(run)
    assert summary.api_calls.poll == 3
    assert (await stage.files())[path.name].polls == 3


async def test_a_task_that_never_ends_times_out_and_is_fetched_later(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    with_settings(stage, polling={"interval": 10, "task_timeout_s": 25})
    async with stage.run() as (run, engine):
        engine.fetches[path.name].extend([NotReady(status="Pending")] * 9)
        await stage.execute(run)
    file = (await stage.files())[path.name]
    assert file.error is not None
    assert file.error.code is ErrorCode.TIMEOUT
    assert file.polls == 3  # at 10, 20 and at the limit
    summary = await stage.convert()
    assert (summary.api_calls.submit, summary.totals.converted) == (0, 1)


async def test_a_lost_task_is_submitted_again_within_the_attempts(stage: Stage) -> None:
    one, two = make_archive(stage.source, 2)
    async with stage.run() as (run, engine):
        engine.fetches[one.name].append(Gone(status="NotExist"))
        engine.fetches[two.name].extend([Gone(status="NotExist")] * 3)
        summary = await stage.execute(run)
    files = await stage.files()
    assert (files[one.name].status, files[one.name].attempts) == (FileStatus.CONVERTED, 2)
    error = files[two.name].error
    assert error is not None
    assert (error.code, files[two.name].attempts) == (ErrorCode.EXPIRED, 3)
    assert summary.api_calls.submit == 5


async def test_a_lost_answer_is_counted_and_submitted_again(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.submits[path.name].append(SubmitUnknownError("no answer"))
        summary = await stage.execute(run)
    assert (summary.submit_unknown, summary.api_calls.submit) == (1, 2)
    assert (await stage.files())[path.name].attempts == 2


async def test_a_source_that_changes_while_it_is_sent_is_taken_up_by_the_next_run(
    stage: Stage,
) -> None:
    (path,) = make_archive(stage.source, 1)
    later = djvu_bytes(mark=b"written while the other was sent")
    async with stage.run() as (run, engine):
        engine.hold_uploads = anyio.Event()

        async def change_it(hold: anyio.Event) -> None:
            await engine.uploading.wait()
            path.write_bytes(later)
            hold.set()

        async with anyio.create_task_group() as group:
            group.start_soon(change_it, engine.hold_uploads)
            summary = await stage.execute(run)
    assert summary.totals.converted == 1
    async with stage.run() as (run, engine):
        summary = await stage.execute(run)
    assert (summary.totals.converted, engine.submitted[path.name]) == (1, 1)
    assert (await stage.convert()).totals.skipped == 1


async def test_an_unusable_result_is_asked_for_once_more_then_submitted_again(
    stage: Stage,
) -> None:
    corrupt, no_pdf = make_archive(stage.source, 2)
    async with stage.run() as (run, engine):
        engine.fetches[corrupt.name].extend([CorruptResultError("cut"), CorruptResultError("cut")])
        engine.fetches[no_pdf.name].extend([b"no PDF"] * 6)
        summary = await stage.execute(run)
    files = await stage.files()
    assert (files[corrupt.name].attempts, files[corrupt.name].polls) == (2, 3)
    error = files[no_pdf.name].error
    assert error is not None
    assert (error.code, files[no_pdf.name].polls) == (ErrorCode.BAD_PDF, 6)
    assert summary.totals.converted == 1
    assert not (stage.output / "00001.pdf").exists()


@pytest.mark.parametrize(("allowed", "converted"), [(0, 0), (1, 1)])
async def test_a_reported_error_is_final_unless_resubmission_is_allowed(
    stage: Stage, allowed: int, converted: int
) -> None:
    (path,) = make_archive(stage.source, 1)
    with_settings(stage, retry={"resubmit_on_error": allowed})
    async with stage.run() as (run, engine):
        engine.fetches[path.name].append(Failed(messages=("bad scan",)))
        summary = await stage.execute(run)
    assert summary.totals.converted == converted
    if not converted:
        error = (await stage.files())[path.name].error
        assert error is not None
        assert "bad scan" in error.message


async def test_a_refused_account_stops_the_run_and_loses_nothing(stage: Stage) -> None:
    paths = make_archive(stage.source, 20)
    with_settings(stage, concurrency={"max_in_flight": 4})
    async with stage.run() as (run, engine):
        engine.submits[paths[5].name].append(AccountRefusedError("payment required"))
        summary = await stage.execute(run)
    assert summary.exit_code == ExitCode.ACCOUNT_REFUSED
    assert summary.totals.remaining + summary.totals.converted == 20
    assert summary.totals.remaining > 0
    assert (await stage.convert()).exit_code == ExitCode.OK


async def test_never_more_in_flight_than_allowed(stage: Stage) -> None:
    make_archive(stage.source, 40)
    with_settings(stage, concurrency={"max_in_flight": 7})
    async with stage.run() as (run, engine):
        await stage.execute(run)
    assert engine.peak_in_flight <= 7


@pytest.mark.parametrize(("calls", "converted"), [(0, 0), (1, 0), (6, 3), (7, 3)])
async def test_the_budget_is_never_overrun(stage: Stage, calls: int, converted: int) -> None:
    make_archive(stage.source, 10)
    with_settings(stage, budget={"max_api_calls": calls})
    summary = await stage.convert()
    assert summary.api_calls.billed <= calls
    assert summary.totals.converted == converted
    assert summary.totals.remaining == 10 - converted
    assert summary.exit_code == ExitCode.STOPPED_EARLY


async def test_a_poll_never_eats_another_documents_fetch(stage: Stage) -> None:
    slow, quick = make_archive(stage.source, 2)
    with_settings(stage, budget={"max_api_calls": 4})
    async with stage.run() as (run, engine):
        engine.fetches[slow.name].extend([NotReady(status="Pending")] * 5)
        summary = await stage.execute(run)
    files = await stage.files()
    assert files[quick.name].status is FileStatus.CONVERTED
    assert files[slow.name].status is FileStatus.REMAINING
    assert summary.api_calls.billed == 4
    summary = await stage.convert()
    assert (summary.totals.converted, summary.api_calls.submit) == (1, 0)


async def test_a_document_that_is_not_let_in_any_more_keeps_no_call(stage: Stage) -> None:
    polled, failing, in_line = make_archive(stage.source, 3)
    async with stage.run() as (run, engine):
        for path in (polled, failing, in_line):
            engine.fetches[path.name].append(NetworkError("weather"))
        await stage.execute(run)
    budget: dict[str, object] = {"max_api_calls": 6 + 3, "max_errors": 1}
    with_settings(stage, budget=budget, concurrency={"max_in_flight": 2})
    async with stage.run() as (run, engine):
        pending = NotReady(status="Pending")
        engine.fetches[polled.name].extend([pending] * 5)
        engine.fetches[failing.name].extend([pending, pending, NetworkError("weather")])
        summary = await stage.execute(run)
        assert engine.fetched == {polled.name: 6, failing.name: 3}
    totals = summary.totals
    assert (totals.converted, totals.failed, totals.remaining) == (1, 1, 1)


async def test_too_many_errors_stop_admission(stage: Stage) -> None:
    paths = make_archive(stage.source, 30)
    with_settings(stage, budget={"max_errors": 2}, concurrency={"max_in_flight": 1})
    async with stage.run() as (run, engine):
        for path in paths:
            engine.submits[path.name].append(RejectedError("no"))
        summary = await stage.execute(run)
    assert summary.exit_code == ExitCode.STOPPED_EARLY
    assert 2 <= summary.totals.failed <= 3


async def test_a_signal_stops_polling_and_the_next_run_fetches(stage: Stage) -> None:
    paths = make_archive(stage.source, 4)
    async with stage.run() as (run, engine):
        for path in paths:
            engine.fetches[path.name].extend([NotReady(status="Pending")] * 1_000)
        async with anyio.create_task_group() as group:
            group.start_soon(stop_when, run, lambda: all(engine.fetched[p.name] for p in paths))
            summary = await stage.execute(run)
            group.cancel_scope.cancel()
    assert summary.exit_code == ExitCode.SIGTERM
    assert summary.totals.remaining == 4
    summary = await stage.convert()
    assert (summary.totals.converted, summary.api_calls.submit) == (4, 0)


async def test_an_upload_under_way_brings_its_id_home(stage: Stage) -> None:
    make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.hold_uploads = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(stop_during_upload, run, engine.uploading, engine.hold_uploads)
            summary = await stage.execute(run)
    assert summary.totals.remaining == 1
    summary = await stage.convert()
    assert (summary.totals.converted, summary.api_calls.submit) == (1, 0)


async def test_tasks_older_than_a_day_are_known_to_be_gone(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name].append(NetworkError("weather"))
        await stage.execute(run)
    stage.clock.at_s += 25 * 3600
    summary = await stage.convert()
    assert (summary.api_calls.submit, summary.api_calls.poll) == (1, 1)


async def test_the_embedded_engine_needs_no_calls(stage: Stage) -> None:
    make_archive(stage.source, 3)
    summary = await stage.convert_directly()
    assert summary.totals.converted == 3
    assert summary.api_calls.billed == 0


async def test_auto_leaves_what_another_engine_converted_or_holds(stage: Stage) -> None:
    one, two = make_archive(stage.source, 2)
    async with stage.run() as (run, engine):
        engine.fetches[two.name].append(NetworkError("weather"))
        await stage.execute(run)
    stage.asked_by_name = False
    await stage.convert_directly()
    files = await stage.files()
    assert files[one.name].status is FileStatus.SKIPPED
    assert files[two.name].attempts == 1  # its task is the other engine's
    stage.asked_by_name = True
    assert (await stage.convert_directly()).totals.converted == 1


async def stop_when(run: Run, condition: Callable[[], bool]) -> None:
    while not condition():
        await anyio.lowlevel.checkpoint()
    run.stop(StopReason.of_signal(signal.SIGTERM))


async def stop_during_upload(run: Run, uploading: anyio.Event, held: anyio.Event) -> None:
    await uploading.wait()
    run.stop(StopReason.of_signal(signal.SIGINT))
    held.set()


@pytest.mark.parametrize("pages", [0, 2])
async def test_other_pages_fail_for_good_and_nothing_more_is_paid(stage: Stage, pages: int) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.deliver(path.name, *[pdf_bytes(pages)] * 9)
        summary = await stage.execute(run)
        assert (engine.submitted[path.name], engine.fetched[path.name]) == (1, 1)
    file = (await stage.files())[path.name]
    assert file.error is not None
    assert file.error.code is ErrorCode.BAD_PDF
    assert f"the PDF has {pages} pages, the DjVu 1" in file.error.message
    assert (file.pages, file.bytes_out) == (1, 0)
    assert (summary.totals.failed, summary.totals.with_warnings) == (1, 0)
    assert not (stage.output / "00000.pdf").exists()

    stage.settings = with_output(stage.settings, page_mismatch="warn")
    async with stage.run() as (run, engine):
        summary = await stage.execute(run)
        assert not engine.submitted
    assert (summary.totals.failed, summary.api_calls.billed) == (1, 0)


async def test_other_pages_fail_for_good_where_a_converter_made_them(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.direct_run() as (run, converter):
        converter.deliver(path.name, pdf_bytes(2), pdf_bytes(2))
        summary = await stage.execute(run)
        assert converter.converted[path.name] == 1
    file = (await stage.files())[path.name]
    assert file.error is not None
    assert (summary.totals.converted, file.error.code) == (0, ErrorCode.BAD_PDF)
    assert "the PDF has 2 pages, the DjVu 1" in file.error.message


@pytest.mark.parametrize("open_run", [Stage.run, Stage.direct_run])
async def test_other_pages_are_published_with_a_warning_where_that_is_wanted(
    stage: Stage, open_run: Callable[[Stage], OpenedRun]
) -> None:
    one, two = make_archive(stage.source, 2)
    stage.settings = with_output(stage.settings, page_mismatch="warn")
    async with open_run(stage) as (run, engine):
        engine.deliver(one.name, pdf_bytes(2))
        with structlog.testing.capture_logs() as told:
            summary = await stage.execute(run)
    files, said = await stage.files(), "the PDF has 2 pages, the DjVu 1"
    assert (summary.totals.converted, summary.totals.with_warnings) == (2, 1)
    assert (files[one.name].warnings, files[two.name].warnings) == ((said,), ())
    assert (files[one.name].pages, summary.totals.pages) == (1, 2)
    assert (stage.output / "00000.pdf").read_bytes() == pdf_bytes(2)
    [line] = [line for line in told if line["event"] == "file.warned"]
    assert (line["log_level"], line["source"], line["warnings"]) == ("warning", one.name, (said,))
    assert stage.clock.counters.with_warnings == 1

    async with open_run(stage) as (run, _):
        again = await stage.execute(run)
    assert (again.totals.skipped, again.totals.with_warnings) == (2, 0)


def with_output(settings: Settings, **changes: object) -> Settings:
    """Return the settings with others for the output."""
    return settings.model_copy(update={"output": settings.output.model_copy(update=changes)})


async def test_a_result_that_is_asked_for_again_may_have_other_pages(stage: Stage) -> None:
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name] += [b"no PDF", pdf_bytes(2), pdf_bytes(1)]
        await stage.execute(run)
        assert (engine.submitted[path.name], engine.fetched[path.name]) == (1, 2)
    error = (await stage.files())[path.name].error
    assert error is not None
    assert "the PDF has 2 pages, the DjVu 1" in error.message


async def test_pages_of_a_task_that_is_out_are_counted_again_when_its_pdf_is_there(
    stage: Stage,
) -> None:
    """An earlier version may have counted them in another way."""
    (path,) = make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches[path.name].append(NotReady(status="Processing"))
        async with anyio.create_task_group() as group:
            group.start_soon(stop_when, run, lambda: engine.fetched[path.name] == 1)
            await stage.execute(run)
    state = stage.output / STATE_DIR_NAME / "ledger.sqlite3"
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("UPDATE document SET pages = 7")
    summary = await stage.convert()
    assert (summary.totals.converted, summary.totals.with_warnings) == (1, 0)


async def test_where_the_pages_of_a_damaged_directory_are_a_guess_none_is_held_against_the_pdf(
    stage: Stage,
) -> None:
    one = page(info())[4:]
    table = struct.pack(">BHII", 0x81, 2, 48, 8)  # the second leads to no component
    data = b"AT&T" + chunk("FORM", b"DJVM" + chunk("DIRM", table + b"no such names") + one)
    await anyio.Path(stage.source / "x.djvu").write_bytes(data)
    async with stage.run() as (run, engine):
        engine.fetches["x.djvu"].append(pdf_bytes(5))
        summary = await stage.execute(run)
    assert summary.totals.converted == 1
    assert (await stage.files())["x.djvu"].pages == summary.totals.pages == 5


async def test_names_that_are_damaged_hide_no_page_that_can_be_counted(stage: Stage) -> None:
    data = bundle_of(pages(3), names=b"no such names")
    await anyio.Path(stage.source / "x.djvu").write_bytes(data)
    async with stage.run() as (run, engine):
        engine.fetches["x.djvu"].append(pdf_bytes(2))
        await stage.execute(run)
    error = (await stage.files())["x.djvu"].error
    assert error is not None
    assert "the PDF has 2 pages, the DjVu 3" in error.message


async def test_what_is_amiss_in_a_djvu_that_was_out_is_told_by_the_run_that_fetches_it(
    stage: Stage,
) -> None:
    data = bundle_of(pages(3), names=b"no such names")
    await anyio.Path(stage.source / "x.djvu").write_bytes(data)
    async with stage.run() as (run, engine):
        engine.fetches["x.djvu"].append(NotReady(status="Processing"))
        async with anyio.create_task_group() as group:
            group.start_soon(stop_when, run, lambda: engine.fetched["x.djvu"] == 1)
            await stage.execute(run)
    async with stage.run() as (run, engine):
        engine.fetches["x.djvu"].append(pdf_bytes(3))
        await stage.execute(run)
    file = (await stage.files())["x.djvu"]
    assert file.status is FileStatus.CONVERTED
    assert "the page directory is damaged: names and titles of pages are lost" in file.warnings


async def test_a_djvu_that_went_while_it_was_out_is_compared_by_what_the_ledger_knows(
    stage: Stage,
) -> None:
    one, two = make_archive(stage.source, 2)
    async with stage.run() as (run, engine):
        engine.fetches[one.name].append(pdf_bytes(2))
        hold = anyio.Event()
        engine.hold_uploads = hold
        async with anyio.create_task_group() as group:
            group.start_soon(remove_during_upload, engine, hold, one, two)
            await stage.execute(run)
    files = await stage.files()
    assert files[one.name].status is FileStatus.FAILED
    assert files[two.name].status is FileStatus.CONVERTED


async def remove_during_upload(engine: FakeTaskService, hold: anyio.Event, *paths: Path) -> None:
    while len(engine.submitted) < len(paths):
        await anyio.lowlevel.checkpoint()
    for path in paths:
        path.unlink()
    hold.set()


@pytest.mark.parametrize("verify", ["full", "quick"])
async def test_sizes_and_text_are_compared_where_a_service_made_the_pdf(
    stage: Stage, verify: str
) -> None:
    text = chunk("TXTa", b"\0\0\1x\1")
    small, turned, silent, same = (
        page(info(width=width, height=100, dpi=dpi, flags=flags), *chunks)
        for width, dpi, flags, chunks in (
            (103, 300, 1, []),
            (200, 300, 6, []),
            (100, 0, 1, [text]),
            (100, 300, 1, []),
        )
    )
    for number, data in enumerate((small, turned, silent, same)):
        (stage.source / f"{number}.djvu").write_bytes(data)
    stage.settings = with_output(stage.settings, verify=verify)
    for billed in (True, False):
        summary = await (stage.convert() if billed else stage.convert_directly())
        warnings = {name: file.warnings for name, file in (await stage.files()).items()}
        if billed and verify == "full":
            assert summary.totals.with_warnings == 3
            assert warnings["0.djvu"] == (SIZES + "24 x 24 instead of 24.72 x 24 points",)
            assert warnings["1.djvu"] == (SIZES + "24 x 24 instead of 24 x 48 points",)
            assert warnings["2.djvu"] == ("the PDF has no text, and the DjVu has a text layer",)
        else:
            assert summary.totals.with_warnings == 0
        assert warnings["3.djvu"] == ()


SIZES = "a page of the PDF has another size than in the DjVu, page 1: "


async def test_a_pdf_is_compared_with_what_was_sent_though_that_is_gone(stage: Stage) -> None:
    text = chunk("TXTa", b"\0\0\1x\1")
    wide, silent = stage.source / "wide.djvu", stage.source / "silent.djvu"
    wide.write_bytes(page(info(width=103, height=100)))
    silent.write_bytes(page(info(width=100, height=100), text))  # whether it has words is not known
    async with stage.run() as (run, engine):
        hold = anyio.Event()
        engine.hold_uploads = hold
        async with anyio.create_task_group() as group:
            group.start_soon(remove_during_upload, engine, hold, wide, silent)
            await stage.execute(run)
    warnings = {name: file.warnings for name, file in (await stage.files()).items()}
    assert warnings[wide.name] == (SIZES + "24 x 24 instead of 24.72 x 24 points",)
    assert warnings[silent.name] == ()


async def test_a_run_tells_what_happens_in_order(stage: Stage) -> None:
    make_archive(stage.source, 1)
    told: list[RunEvent] = []
    service = FakeTaskService()
    settings = stage.settings.model_copy(
        update={"output": stage.settings.output.model_copy(update={"dir": stage.output})}
    )
    await convert([stage.source], settings, on_event=told.append, engines=[service.spec])
    assert [event.name for event in told] == [
        "run.started",
        "budget.set",
        "file.discovered",
        "run.planned",
        "file.admitted",
        "call.counted",
        "file.submitted",
        "call.counted",
        "file.polled",
        "file.converted",
        "file.released",
        "run.finished",
    ]


async def test_the_ledger_has_what_each_document_did_when(stage: Stage) -> None:
    """From when it was taken up to its outcome, without gaps, whatever it ended in."""
    for name in ("plain", "again", "lost", "bad"):
        (stage.source / f"{name}.djvu").write_bytes(djvu_bytes(mark=name.encode()))
    (stage.source / "text.djvu").write_bytes(b"not a DjVu")
    async with stage.run() as (run, engine):
        engine.fetches["again.djvu"].extend([NotReady(status="Pending"), b"no PDF", pdf_bytes()])
        engine.submits["lost.djvu"].append(SubmitUnknownError("no answer"))
        engine.fetches["bad.djvu"].append(Failed(messages=("no",)))
        began_at = stage.clock.now()
        summary = await stage.execute(run)
    files = await stage.files()
    told = {
        name.removesuffix(".djvu"): [phase.value for phase, _ in file.timeline.phases]
        for name, file in files.items()
        if file.timeline is not None
    }
    usual = ["queued", "uploading", "at_service", "downloading", "checking"]
    assert told == {
        "plain": usual,
        "again": [*usual, "at_service", "downloading", "checking"],
        "lost": ["queued", "uploading", *usual],
        "bad": ["queued", "uploading", "at_service"],
        "text": ["queued"],
    }
    for file in files.values():
        assert file.timeline is not None
        assert file.timeline.began_at >= began_at
        lasted = timedelta(seconds=sum(seconds for _, seconds in file.timeline.phases))
        assert summary.finished_at is not None
        assert file.timeline.began_at + lasted <= summary.finished_at
        if file.completed_at is not None:
            assert file.timeline.began_at + lasted == file.completed_at


async def test_what_an_earlier_run_left_at_the_service_is_there_at_first(stage: Stage) -> None:
    make_archive(stage.source, 1)
    async with stage.run() as (run, engine):
        engine.fetches["00000.djvu"].append(TaskTimeoutError("later"))
        await stage.execute(run)
    await stage.convert()
    (file,) = (await stage.files()).values()
    assert file.timeline is not None
    assert [phase.value for phase, _ in file.timeline.phases] == [
        "at_service",
        "downloading",
        "checking",
    ]


async def test_an_engine_without_tasks_converts_and_checks(stage: Stage) -> None:
    make_archive(stage.source, 1)
    summary = await stage.convert_directly()
    (file,) = (await stage.files()).values()
    assert file.timeline is not None
    assert [phase.value for phase, _ in file.timeline.phases] == [
        "queued",
        "converting",
        "checking",
    ]
    settings = {each.key: each for each in summary.settings}
    assert settings["engine"].value == '"fake-converter"'
    assert not settings["engine"].is_default
    assert settings["retry.max_attempts"].is_default
    assert not any(key.startswith("serve.") for key in settings)


async def test_a_run_that_stops_keeps_why(stage: Stage) -> None:
    make_archive(stage.source, 3)
    with_settings(stage, budget={"max_api_calls": 2})
    summary = await stage.convert()
    (cause,) = summary.causes
    assert "2" in cause

    def read() -> tuple[str, ...]:
        with LedgerReader(stage.output / STATE_DIR_NAME / "ledger.sqlite3") as reader:
            return reader.run().causes

    assert await anyio.to_thread.run_sync(read) == summary.causes


async def test_the_page_of_a_run_can_be_written_again_from_the_ledger(stage: Stage) -> None:
    make_archive(stage.source, 2)
    (stage.source / "text.djvu").write_bytes(b"not a DjVu")
    first, again = stage.output.parent / "first.html", stage.output.parent / "again.html"
    settings = Settings.model_validate(
        {"output": {"dir": stage.output}, "report": {"html_file": first}}
    )
    service = FakeTaskService()
    await convert([stage.source], settings, engines=[service.spec])

    def write_again() -> None:
        with LedgerReader(stage.output / STATE_DIR_NAME / "ledger.sqlite3") as reader:
            write_html_report(again, reader.run(), reader.files, price=Price())
        text = first.read_text("utf-8")
        assert again.read_text("utf-8") == text
        assert "1 failure: <code>not_djvu</code>" in text
        assert "at the service" in text
        assert str(stage.output) in text

    await anyio.to_thread.run_sync(write_again)


@pytest.mark.parametrize("step", ["out_at_service", "released"])
async def test_a_ledger_that_is_lost_ends_a_cancellation_as_such(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """And not as a fault of ours: of many deletions under way each would raise it."""
    make_archive(stage.source, 3)
    with_settings(stage, polling={"interval": 10, "task_timeout_s": 5})
    async with stage.run() as (run, service):
        service.fetches.update(
            {f"{n:05}.djvu": deque([NotReady(status="Pending")]) for n in range(3)}
        )
        assert (await stage.execute(run)).totals.failed == 3

        async def lose(*_: object, **__: object) -> None:
            raise LedgerWriteError("the ledger could not be written")

        monkeypatch.setattr(run._context.ledger, step, lose)
        cancelling = Cancelling(run._context, service)
        with pytest.raises(LedgerWriteError):
            await cancelling.execute()
    assert cancelling.cancelled == 0


async def test_a_bundle_that_a_failing_disk_keeps_fails_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(INDIRECT, stage.source, dirs_exist_ok=True)
    with_settings(stage, output={"page_mismatch": "warn"})  # the fake PDFs have one page
    unlink, kept = Path.unlink, []

    def refuse(path: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002  # pathlib's
        if not path.name.startswith("bundle-"):
            unlink(path, missing_ok=missing_ok)
            return
        kept.append(path)
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    summary = await stage.convert_directly()
    assert summary.exit_code == ExitCode.OK
    assert summary.totals.converted == summary.totals.found > 0
    assert kept
