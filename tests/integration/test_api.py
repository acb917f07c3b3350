"""The public Python API on the embedded engine."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from batch_converter import (
    ConfigError,
    ErrorCode,
    ExitCode,
    FileStatus,
    LedgerError,
    LedgerWriteError,
    OutputError,
    Settings,
    StateLockedError,
    UsageError,
    convert,
)
from batch_converter.api import dry_run, write_reports
from batch_converter.config import ReportSettings
from batch_converter.diagnosis import diagnose
from batch_converter.engines.registry import check_means
from batch_converter.ledger import Ledger, connection
from batch_converter.logs import configure_logging
from batch_converter.redaction import Redactor
from batch_converter.sources import Sources
from batch_converter.state import held_state_dir, require_ledger
from tests.support.djvu_files import SAMPLES


def settings_for(output: Path) -> Settings:
    return Settings.model_validate(
        {"engine": "local", "output": {"dir": output}, "report": {"file": output / "report.json"}}
    )


async def test_a_program_converts_a_folder_and_gets_the_report(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(SAMPLES / "bitonal.djvu", scans)
    (scans / "broken.djvu").write_bytes(b"no DjVu")
    report = await convert([scans], settings_for(tmp_path / "pdfs"))
    files = {file.source: file for file in await anyio.to_thread.run_sync(list, report.files())}
    assert report.summary.exit_code == ExitCode.SOME_FAILED
    assert files["bitonal.djvu"].status is FileStatus.CONVERTED
    error = files["broken.djvu"].error
    assert error is not None
    assert error.code is ErrorCode.NOT_DJVU
    failed = await anyio.to_thread.run_sync(list, report.failed_paths())
    assert failed == [str(scans / "broken.djvu")]
    assert (tmp_path / "pdfs/report.json").read_bytes().startswith(b'{"schema": 1')


async def test_bad_usage_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        await convert([tmp_path / "nowhere"], settings_for(tmp_path / "pdfs"))
    assert not (tmp_path / "pdfs").exists()


@pytest.mark.parametrize(
    "which", ["file", "html_file", "csv_file", "metrics_file", "manifest", "failed_list"]
)
async def test_a_report_that_could_not_be_written_starts_nothing(
    tmp_path: Path, which: str
) -> None:
    occupied = tmp_path / "occupied"
    occupied.touch()
    wanted = {"engine": "local", "output": {"dir": tmp_path / "pdfs"}}
    settings = Settings.model_validate({**wanted, "report": {which: occupied / "report"}})
    with pytest.raises(UsageError, match="cannot write"):
        await convert([SAMPLES], settings)
    assert not (tmp_path / "pdfs").exists()


async def test_a_second_run_beside_the_first_is_kept_out(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "pdfs")
    async with held_state_dir(settings):
        with pytest.raises(StateLockedError):
            await convert([SAMPLES], settings)


async def test_a_run_that_cannot_be_recorded_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recover(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("batch_converter.ledger.runs.recovery.recover", recover)
    output = tmp_path / "pdfs"
    with pytest.raises(LedgerError, match="nothing was started: the ledger could not be written"):
        await convert([SAMPLES], settings_for(output))
    assert [path.name for path in output.iterdir()] == [".batch-converter"]


async def test_a_move_that_cannot_be_recorded_stops_a_run_with_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_moves(_: Ledger) -> None:
        raise LedgerWriteError("it is full")

    monkeypatch.setattr(Ledger, "open_moves", open_moves)
    output = tmp_path / "pdfs"
    report = await convert([SAMPLES], settings_for(output))
    assert report.summary.exit_code is ExitCode.SOME_FAILED
    assert report.summary.causes == ("it is full",)
    told = json.loads((output / "report.json").read_text())
    assert (told["exit_code"], told["totals"]["converted"]) == (1, 0)


@pytest.mark.parametrize(
    "which", ["file", "html_file", "csv_file", "metrics_file", "manifest", "failed_list"]
)
async def test_a_report_file_that_fails_in_the_end_costs_neither_report_nor_the_others(
    tmp_path: Path, which: str
) -> None:
    """Opened, `/dev/full` says nothing; written, it is a disk without room."""
    every = ("file", "html_file", "csv_file", "metrics_file", "manifest", "failed_list")
    wanted = {name: tmp_path / name for name in every} | {which: Path("/dev/full")}
    settings = Settings.model_validate(
        {"engine": "local", "output": {"dir": tmp_path / "pdfs"}, "report": wanted}
    )
    (tmp_path / "broken.djvu").write_bytes(b"no DjVu")
    sources = [SAMPLES / "bitonal.djvu", tmp_path / "broken.djvu"]
    report = await convert(sources, settings)
    assert report.summary.totals.converted == 1
    assert report.summary.exit_code is ExitCode.SOME_FAILED
    [error] = report.unwritten
    assert isinstance(error, OutputError)
    assert "/dev/full: No space left on device" in str(error)
    written = {name for name in every if await anyio.Path(tmp_path / name).exists()}
    assert written == set(every) - {which}


async def test_the_exit_code_tells_of_a_missing_file_where_nothing_is_worse(
    tmp_path: Path,
) -> None:
    settings = settings_for(tmp_path / "pdfs")
    ended = await convert([SAMPLES / "bitonal.djvu"], settings)
    file = tmp_path / "report.json"
    for code, expected in {
        ExitCode.OK: 1,
        ExitCode.SOME_FAILED: 1,
        ExitCode.STOPPED_EARLY: 4,
        ExitCode.UNAVAILABLE: 6,
        ExitCode.SIGINT: 130,
    }.items():
        for manifest, told in ((tmp_path / "sums", code), (Path("/dev/full"), expected)):
            wanted = ReportSettings(file=file, manifest=manifest)
            report = await anyio.to_thread.run_sync(
                write_reports,
                replace(ended, summary=replace(ended.summary, exit_code=code)),
                settings.model_copy(update={"report": wanted}),
            )
            written = json.loads(await anyio.to_thread.run_sync(file.read_bytes))
            assert report.summary.exit_code == written["exit_code"] == told
            assert len(report.unwritten) == (manifest == Path("/dev/full"))


async def test_a_ledger_that_vanishes_costs_its_files_and_not_the_totals(tmp_path: Path) -> None:
    report = await convert([SAMPLES / "bitonal.djvu"], settings_for(tmp_path / "pdfs"))
    report.ledger.write_bytes(b"no ledger at all")
    assert report.summary.totals.converted == 1
    with pytest.raises(LedgerError):
        await anyio.to_thread.run_sync(list, report.files())


async def test_the_ledger_is_checked_once_a_run_and_again_by_who_did_not_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def traced(database: str, *, uri: bool = False) -> sqlite3.Connection:
        opened = connect_untraced(database, uri=uri)
        opened.set_trace_callback(told.append)
        return opened

    def checks() -> int:
        return sum("quick_check" in statement for statement in told)

    connect_untraced = connection._connection
    monkeypatch.setattr(connection, "_connection", traced)
    formats = ["file", "html_file", "csv_file", "metrics_file", "manifest", "failed_list"]
    settings = settings_for(tmp_path / "pdfs").model_copy(
        update={
            "report": ReportSettings.model_validate({name: tmp_path / name for name in formats})
        }
    )
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(SAMPLES / "bitonal.djvu", scans)
    await convert([scans], settings)
    told.clear()
    report = await convert([scans], settings)  # the first found no ledger that it could check
    assert checks() == 1
    assert all((tmp_path / name).exists() for name in formats)
    for rows in (report.paths(), report.left_paths(), report.paths_of_many_files()):
        await anyio.to_thread.run_sync(list, rows)
    assert checks() == 1
    await anyio.to_thread.run_sync(require_ledger, settings)
    assert checks() == 2


def test_a_run_of_a_program_is_logged_from_beginning_to_end(tmp_path: Path) -> None:
    stream = io.StringIO()
    with configure_logging(stream=stream, log_format="json", run_id="the program's"):
        report = anyio.run(convert, [SAMPLES / "bitonal.djvu"], settings_for(tmp_path / "pdfs"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    events = [line["event"] for line in lines]
    assert (events[0], events[-1]) == ("run.started", "run.finished")
    assert events.count("run.finished") == 1
    assert (lines[-1]["converted"], lines[-1]["exit_code"]) == (1, 0)
    assert {line["run_id"] for line in lines} == {report.summary.run_id}


ACCOUNT = {"client_id": "id", "client_secret": "secret"}
MISSING_MEANS = [
    ({"engine": "local", "local": {"ocr": "tlh"}}, "local.ocr = 'tlh'"),
    (
        {"aspose": {**ACCOUNT, "client_cert_file": "no.pem"}},
        "client_cert_file no.pem cannot be read",
    ),
    ({"aspose": {**ACCOUNT, "ca_file": "no.pem"}}, "ca_file no.pem cannot be used"),
    ({"aspose": {**ACCOUNT, "proxy": "socks5://proxy"}}, "proxy"),
]


@pytest.mark.parametrize(("given", "told"), MISSING_MEANS)
async def test_a_dry_run_finds_what_a_run_could_not_begin_without(
    tmp_path: Path, given: dict[str, object], told: str
) -> None:
    settings = Settings.model_validate({"output": {"dir": tmp_path / "pdfs"}, **given})
    with pytest.raises(ConfigError, match=told):
        await dry_run(Sources(paths=(str(SAMPLES),)), settings)


async def test_a_dry_run_looks_at_the_places_of_reports_and_makes_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    output, sources = {"engine": "local", "output": {"dir": tmp_path / "pdfs"}}, str(SAMPLES)
    wanted = {**output, "report": {"file": tmp_path / "file" / "report.json"}}
    with pytest.raises(UsageError, match=r"cannot write the report .*Not a directory"):
        await dry_run(Sources(paths=(sources,)), Settings.model_validate(wanted))
    wanted = {**output, "report": {"file": tmp_path / "new" / "report.json"}}
    await dry_run(Sources(paths=(sources,)), Settings.model_validate(wanted))
    assert not await anyio.Path(tmp_path / "new").exists()
    assert not await anyio.Path(tmp_path / "pdfs").exists()


@pytest.mark.parametrize(("given", "told"), MISSING_MEANS)
def test_the_means_of_the_engine_that_would_be_used_are_checked_alone(
    given: dict[str, object], told: str
) -> None:
    settings = Settings.model_validate(given)
    with pytest.raises(ConfigError, match=told):
        check_means(settings)
    other = "local" if "aspose" in given else "aspose"
    check_means(settings.model_copy(update={"engine": other}))


async def test_doctor_finds_the_programs_that_the_embedded_engine_lacks(tmp_path: Path) -> None:
    wanted = {"engine": "local", "local": {"ocr": "tlh"}, "output": {"dir": tmp_path}}
    findings = await diagnose(Settings.model_validate(wanted), Redactor())
    [lack] = [finding for finding in findings if not finding.is_good]
    assert lack.text.startswith("local.ocr = 'tlh'")
    assert lack.exit_code is ExitCode.USAGE
