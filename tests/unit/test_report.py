from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat
import subprocess
import threading
import tracemalloc
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.config import Settings
from batch_converter.discovery import read_files_from
from batch_converter.errors import ErrorCode, ExitCode, OutputError, UsageError
from batch_converter.logs import printable
from batch_converter.models import (
    ApiCalls,
    Failure,
    FileReport,
    FileStatus,
    Price,
    RunSummary,
    Totals,
)
from batch_converter.report import (
    check_report_files,
    ensure_writable,
    human_summary,
    summary_json,
    write_csv_report,
    write_failed_list,
    write_json_report,
    write_manifest,
)
from batch_converter.report.manifest import _line
from tests.support.summaries import START, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterator

FREE = Price()
FULL_DISK = Path("/dev/full")
CONVERTED = FileReport(
    source=os.fsdecode(b"a/caf\xe9.djvu"),
    source_root="scans",
    output=os.fsdecode(b"a/caf\xe9.pdf"),
    status=FileStatus.CONVERTED,
    attempts=1,
    polls=2,
    task_id="t1",
    bytes_in=10,
    bytes_out=20,
    pages=3,
    sha256="ab" * 32,
    submitted_at=START.astimezone(timezone(timedelta(hours=2))),
    completed_at=START + timedelta(seconds=1.25),
    warnings=("page 2 is empty",),
)
FAILED = FileReport(
    source="b.djvu",
    source_root="scans",
    output=None,
    status=FileStatus.FAILED,
    error=Failure(code=ErrorCode.NOT_DJVU, message="no AT&TFORM at the start"),
)
PASSING_AND_LASTING = (
    "What failed in passing is tried again by the next run; the rest waits until the file"
    " changes, or for --retry-failed."
)
RUN_KEYS = [
    "schema",
    "run_id",
    "started_at",
    "finished_at",
    "engine",
    "exit_code",
    "totals",
    "api_calls",
    "submit_unknown",
    "cost",
    "currency",
]


def report_of(path: Path, *files: FileReport, summary: RunSummary = SUMMARY) -> dict[str, Any]:
    write_json_report(path, summary, iter(files), price=FREE)
    text = path.read_text("ascii")
    assert text.endswith("\n")
    report: dict[str, Any] = json.loads(text)
    return report


def test_the_report_is_the_contract_word_for_word(tmp_path: Path) -> None:
    report = report_of(tmp_path / "report.json", CONVERTED, FAILED)
    assert list(report) == [*RUN_KEYS, "files"]
    assert list(report.items())[:-1] == list(
        {
            "schema": 1,
            "run_id": "r1",
            "started_at": "2024-05-01T12:00:00.000Z",
            "finished_at": "2024-05-01T12:01:23.500Z",
            "engine": "aspose",
            "exit_code": 1,
            "totals": {
                "found": 15,
                "converted": 12,
                "skipped": 1,
                "failed": 1,
                "remaining": 1,
                "with_warnings": 2,
                "bytes_in": 1536,
                "bytes_out": 3145728,
                "pages": 34,
            },
            "api_calls": {"token": 1, "submit": 13, "poll": 14, "cancel": 2, "billed": 29},
            "submit_unknown": 1,
            "cost": None,
            "currency": None,
        }.items()
    )
    assert report["files"] == [
        {
            "source": "a/caf\udce9.djvu",
            "source_root": "scans",
            "output": "a/caf\udce9.pdf",
            "status": "converted",
            "attempts": 1,
            "polls": 2,
            "task_id": "t1",
            "bytes_in": 10,
            "bytes_out": 20,
            "pages": 3,
            "sha256": "ab" * 32,
            "source_sha256": None,
            "submitted_at": "2024-05-01T12:00:00.000Z",
            "completed_at": "2024-05-01T12:00:01.250Z",
            "error": None,
            "warnings": ["page 2 is empty"],
            "moved_to": None,
        },
        {
            "source": "b.djvu",
            "source_root": "scans",
            "output": None,
            "status": "failed",
            "attempts": 0,
            "polls": 0,
            "task_id": None,
            "bytes_in": 0,
            "bytes_out": 0,
            "pages": None,
            "sha256": None,
            "source_sha256": None,
            "submitted_at": None,
            "completed_at": None,
            "error": {"code": "not_djvu", "message": "no AT&TFORM at the start"},
            "warnings": [],
            "moved_to": None,
        },
    ]


def test_keys_keep_the_contracts_order(tmp_path: Path) -> None:
    (entry,) = report_of(tmp_path / "r", CONVERTED)["files"]
    assert " ".join(entry) == (
        "source source_root output status attempts polls task_id bytes_in bytes_out pages sha256"
        " source_sha256 submitted_at completed_at error warnings moved_to"
    )


def test_each_file_has_its_line_so_that_grep_and_diff_work(tmp_path: Path) -> None:
    report_of(tmp_path / "r", CONVERTED, FAILED)
    lines = (tmp_path / "r").read_text().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[1].rstrip(","))["source"].endswith(".djvu")


def test_a_run_that_lasts_and_has_no_files_is_a_report_too(tmp_path: Path) -> None:
    running = RunSummary(
        run_id="r",
        started_at=START,
        finished_at=None,
        engine="local",
        exit_code=None,
        totals=Totals(),
        api_calls=ApiCalls(),
    )
    report = report_of(tmp_path / "r", summary=running)
    assert (report["finished_at"], report["exit_code"], report["files"]) == (None, None, [])


def test_the_summary_is_the_report_without_files_on_one_line(tmp_path: Path) -> None:
    text = summary_json(SUMMARY, price=FREE)
    assert "\n" not in text
    report = report_of(tmp_path / "r", CONVERTED)
    del report["files"]
    assert json.loads(text) == report


def test_a_price_makes_the_billed_calls_a_sum() -> None:
    report = json.loads(summary_json(SUMMARY, price=Price(per_call=0.5, currency="EUR")))
    assert (report["cost"], report["currency"]) == (14.5, "EUR")


def test_many_files_need_no_more_memory_than_few(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        write_json_report(tmp_path / "r", SUMMARY, (CONVERTED for _ in range(5_000)), price=FREE)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "r").stat().st_size > 1_500_000
    assert peak_bytes < 300_000


@given(source=st.binary(min_size=1), message=st.text(), warnings=st.lists(st.text(), max_size=3))
@settings(max_examples=50)
def test_whatever_names_and_messages_hold_the_report_is_json(
    tmp_path_factory: pytest.TempPathFactory, source: bytes, message: str, warnings: list[str]
) -> None:
    file = FileReport(
        source=os.fsdecode(source),
        source_root="",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=ErrorCode.REJECTED, message=message),
        warnings=tuple(warnings),
    )
    path = tmp_path_factory.getbasetemp() / "any.json"
    (entry,) = report_of(path, file)["files"]
    assert os.fsencode(entry["source"]) == source
    assert (entry["error"]["message"], entry["warnings"]) == (message, warnings)


def table_of(path: Path, *files: FileReport) -> list[dict[str, str]]:
    write_csv_report(path, iter(files))
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def test_the_table_has_the_names_and_values_of_the_report(tmp_path: Path) -> None:
    failed = FileReport(
        source='two\nlines, "quoted".djvu',
        source_root="=1+1",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=ErrorCode.REJECTED, message="caf\u00e9 \u2014 no"),
        warnings=("one", "two, three"),
    )
    entries = report_of(tmp_path / "r", CONVERTED, failed)["files"]
    rows = table_of(tmp_path / "t", CONVERTED, failed)

    assert list(rows[0]) == list(entries[0])
    assert rows[1]["source"] == failed.source
    assert rows[1]["source_root"] == "=1+1"  # a name, and not for us to change
    assert rows[1]["output"] == ""
    assert json.loads(rows[1]["error"]) == entries[1]["error"]
    assert json.loads(rows[1]["warnings"]) == entries[1]["warnings"]
    assert rows[0]["source"] == "a/caf\\udce9.djvu"
    assert rows[0]["error"] == ""
    assert table_of(tmp_path / "t", replace(CONVERTED, warnings=()))[0]["warnings"] == ""
    plain = {name for name, value in entries[0].items() if isinstance(value, int)}
    assert {name: rows[0][name] for name in plain} == {n: str(entries[0][n]) for n in plain}
    assert rows[0]["status"] == "converted"
    assert rows[0]["completed_at"] == (entries[0]["completed_at"] or "")


def test_lines_of_the_table_end_as_the_rfc_says_and_the_head_is_always_there(
    tmp_path: Path,
) -> None:
    assert table_of(tmp_path / "t") == []
    head = (tmp_path / "t").read_bytes()
    assert head.startswith(b"source,source_root,output,status,")
    assert head.count(b"\r\n") == head.count(b"\n") == 1
    assert head.endswith(b"\r\n")


@given(source=st.binary(min_size=1), message=st.text(), warnings=st.lists(st.text(), max_size=3))
@settings(max_examples=50)
def test_whatever_names_and_messages_hold_the_table_is_csv(
    tmp_path_factory: pytest.TempPathFactory, source: bytes, message: str, warnings: list[str]
) -> None:
    file = FileReport(
        source=os.fsdecode(source),
        source_root="",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=ErrorCode.REJECTED, message=message),
        warnings=tuple(warnings),
    )
    (row,) = table_of(tmp_path_factory.getbasetemp() / "any.csv", file)
    assert row["source"] == os.fsdecode(source).encode("utf-8", "backslashreplace").decode()
    assert json.loads(row["error"])["message"] == message
    assert json.loads(row["warnings"] or "[]") == warnings


def test_a_table_of_many_files_needs_no_more_memory_than_one_of_few(tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        write_csv_report(tmp_path / "t", (CONVERTED for _ in range(5_000)))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "t").stat().st_size > 500_000
    assert peak_bytes < 300_000


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def broken_iterator() -> Iterator[FileReport]:
    yield CONVERTED
    raise ZeroDivisionError


def test_a_report_that_breaks_off_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_json_report(path, SUMMARY, broken_iterator(), price=FREE)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["report.json"]


def test_missing_folders_are_made_and_the_umask_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / ("r" * 250)
    before = os.umask(0o027)
    try:
        report_of(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(names_in(path.parent)) == 1


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    report_of(link)
    report_of(link)
    assert link.is_symlink()
    assert target.exists()


def test_a_pipe_is_written_as_it_comes(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_text()))
    reader.start()
    write_json_report(fifo, SUMMARY, [CONVERTED], price=FREE)
    reader.join()
    assert json.loads(got[0])["run_id"] == "r1"
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_descriptor_is_written_and_never_replaced(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as out:
        before = os.fstat(out.fileno()).st_ino
        ensure_writable(Path(f"/dev/fd/{out.fileno()}"), "report")
        write_json_report(Path(f"/dev/fd/{out.fileno()}"), SUMMARY, [], price=FREE)
        assert (tmp_path / "out").stat().st_ino == before
        assert json.loads(out.read())["run_id"] == "r1"


@pytest.mark.parametrize("what", ["a folder", "below a file"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path if what == "a folder" else tmp_path / "file" / "report.json"
    with pytest.raises(OutputError, match=r"cannot write the report .*directory") as caught:
        write_json_report(path, SUMMARY, [], price=FREE)
    assert str(path) in str(caught.value)
    for changes_nothing in (False, True):
        with pytest.raises(UsageError, match=r"cannot write the report .*directory"):
            ensure_writable(path, "report", changes_nothing=changes_nothing)


def test_a_look_makes_no_folder_and_a_try_does(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.json"
    ensure_writable(path, "report", changes_nothing=True)
    assert names_in(tmp_path) == []
    ensure_writable(path, "report")
    assert path.parent.is_dir()


@pytest.mark.parametrize("folder", ["", "new"])
def test_a_folder_that_takes_no_names_is_seen_at_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setattr(os, "access", lambda place, _mode: place != tmp_path)  # root may all
    with pytest.raises(UsageError, match=r"cannot write the report .*: Permission denied"):
        ensure_writable(tmp_path / folder / "report.json", "report", changes_nothing=True)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ({"report": {"file": "a"}}, {"csv_file": "a"}, "the report and the CSV report"),
        (
            {"report": {"manifest": "a"}},
            {"html_file": "folder/../a"},
            "HTML report and the manifest",
        ),
        (
            {"report": {"failed_list": "link"}},
            {"metrics_file": "a"},
            "metrics file and the list of failures",
        ),
        ({"logging": {"file": "a"}}, {"file": "./a"}, "the report and the log file"),
        ({"report": {"file": "a"}}, {"csv_file": "b"}, ""),
        ({"report": {"file": "/dev/null"}}, {"csv_file": "/dev/null"}, ""),
    ],
)
def test_two_files_at_one_place_are_refused_before_one_replaces_the_other(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    one: dict[str, dict[str, str]],
    other: dict[str, str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "a").write_text("old")
    wanted = {**one, "report": {**one.get("report", {}), **other}}
    refused = pytest.raises(UsageError, match=f"is to be .*{told}: give") if told else nullcontext()
    with refused:
        check_report_files(Settings.model_validate(wanted))
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.skipif(not FULL_DISK.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="No space left"):
        write_manifest(FULL_DISK, [("a.pdf", "ab" * 32, 1)])


def test_asking_whether_it_can_be_written_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    ensure_writable(path, "report")
    assert names_in(tmp_path) == []
    path.write_text("old")
    ensure_writable(path, "report")
    assert path.read_text() == "old"


ODD_NAMES = [
    b"plain.pdf",
    b"a b.pdf",
    b" lead.pdf",
    b"*star.pdf",
    b"#hash.pdf",
    b"-dash.pdf",
    b"caf\xe9.pdf",
    "Čeština.pdf".encode(),
    b"back\\slash.pdf",
    b"new\nline.pdf",
    b"return\rhere.pdf",
    b"\\n.pdf",
    b"all\\\n\r.pdf",
]


def manifest_for(folder: Path, names: list[bytes]) -> Path:
    entries = []
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(name)
        entries.append((os.fsdecode(name), sha256(name).hexdigest(), len(name)))
    path = folder / "SHA256SUMS"
    write_manifest(path, entries)
    return path


def sha256sum(manifest: Path) -> subprocess.CompletedProcess[bytes]:
    command = shutil.which("sha256sum")
    if command is None:
        pytest.skip("needs sha256sum")
    return subprocess.run(
        [command, "--check", "--strict", manifest.name],
        cwd=manifest.parent,
        capture_output=True,
        check=False,
    )


def test_sha256sum_reads_the_manifest(tmp_path: Path) -> None:
    check = sha256sum(manifest_for(tmp_path, ODD_NAMES))
    assert check.returncode == 0, check.stderr
    assert check.stdout.count(b": OK") == len(ODD_NAMES)


def test_sha256sum_notices_a_changed_pdf(tmp_path: Path) -> None:
    path = manifest_for(tmp_path, [b"a.pdf", b"b.pdf"])
    (tmp_path / "b.pdf").write_bytes(b"changed")
    check = sha256sum(path)
    assert check.returncode == 1
    assert b"b.pdf: FAILED" in check.stdout


@given(st.binary(min_size=1))
def test_a_manifest_line_gives_its_name_back(name: bytes) -> None:
    line = _line(name, "ab" * 32)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    escaped = line.startswith(b"\\")
    shown = line.removeprefix(b"\\")[66:-1]
    assert (unescaped(shown) if escaped else shown) == name


def unescaped(shown: bytes) -> bytes:
    parts = shown.split(rb"\\")
    return b"\\".join(part.replace(rb"\n", b"\n").replace(rb"\r", b"\r") for part in parts)


def test_the_list_of_failures_is_the_next_list_of_sources(tmp_path: Path) -> None:
    names = [b"/a/plain.djvu", b"/a/caf\xe9 .djvu", b"/a/\ttab\r.djvu", b"\xef\xbb\xbf/a"]
    sources = ["/a/x.djvu", *(os.fsdecode(name) for name in names)]
    assert write_failed_list(tmp_path / "failed.txt", iter(sources)) == 0
    assert list(read_files_from(str(tmp_path / "failed.txt"))) == sources


def test_every_name_can_stand_in_a_list_by_nul(tmp_path: Path) -> None:
    sources = ["/a\nb.djvu", "/c\r", "/ \t", os.fsdecode(b"/caf\xe9"), "/plain"]
    assert write_failed_list(tmp_path / "failed", iter(sources), null=True) == 0
    assert list(read_files_from(str(tmp_path / "failed"), null=True)) == sources


def test_names_that_cannot_stand_in_a_line_are_left_out_and_told(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logs:
        left_out = write_failed_list(tmp_path / "f", ["/a\nb.djvu", "/ok.djvu", "/c\r"])
    assert left_out == 2
    assert (tmp_path / "f").read_bytes() == b"/ok.djvu\n"
    assert [(entry["event"], entry["log_level"], entry["path"]) for entry in logs] == [
        ("report.name_left_out", "warning", "/a\nb.djvu"),
        ("report.name_left_out", "warning", "/c\r"),
    ]


def human(summary: RunSummary, *files: FileReport, price: float | None = None) -> list[str]:
    text = human_summary(summary, files, price=Price(per_call=price, currency="EUR"))
    return text.split("\n")


def test_the_human_summary_tells_what_became_of_the_files() -> None:
    assert human(SUMMARY, CONVERTED, FAILED) == [
        "Converted 12 of 15 files in 1 min 24 s (engine: aspose).",
        "  converted   12 (34 pages; 1.5 KiB of DjVu became 3.0 MiB of PDF)",
        "  up to date  1",
        "  failed      1",
        "  remaining   1",
        "API calls: 29 billed (13 submit, 14 poll, 2 cancel).",
        "1 upload got no answer and may have been billed without a result.",
        "With warnings (2):",
        f"  {printable(CONVERTED.source)}: {CONVERTED.warnings[0]}",
        "  and 1 more; --report FILE lists them all.",
        "Failed (1 not_djvu):",
        "  b.djvu: not_djvu: no AT&TFORM at the start",
        "The same command goes on with what remains.",
        PASSING_AND_LASTING,
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(-3600, "0.00 s"), (0.34, "0.34 s"), (9.94, "9.9 s"), (59.4, "59 s")]
)
def test_a_short_run_took_more_than_no_time(seconds: float, text: str) -> None:
    """And one in which the clock was set back took no less than none."""
    short = replace(SUMMARY, finished_at=START + timedelta(seconds=seconds))
    assert f" in {text} (" in human(short)[0]
    assert short.took_s == max(0, seconds)


def ended(code: ExitCode, **totals: int) -> RunSummary:
    return RunSummary(
        run_id="r",
        started_at=START,
        finished_at=START + timedelta(hours=3, seconds=60),
        engine="local",
        exit_code=code,
        totals=Totals(**totals),
        api_calls=ApiCalls(),
    )


def warned(number: int, *warnings: str, status: FileStatus = FileStatus.CONVERTED) -> FileReport:
    return FileReport(
        source=f"{number}.djvu",
        source_root="scans",
        output=f"{number}.pdf",
        status=status,
        warnings=warnings,
    )


@pytest.mark.parametrize("count", [1, 10, 11, 1_500])
def test_the_first_files_with_warnings_are_named_and_the_rest_counted(count: int) -> None:
    files = [warned(number, "page 2 is blank: cut off") for number in range(count)]

    lines = human(ended(ExitCode.OK, found=count, converted=count, with_warnings=count), *files)

    assert f"With warnings ({count:,}):" in lines
    named = [line for line in lines if line.endswith(".djvu: page 2 is blank: cut off")]
    assert named == [f"  {number}.djvu: page 2 is blank: cut off" for number in range(count)][:10]
    more = [line for line in lines if "more; --report FILE" in line]
    assert more == ([f"  and {count - 10:,} more; --report FILE lists them all."] * (count > 10))


def test_a_file_with_many_warnings_is_one_line_whatever_its_status() -> None:
    many = warned(1, "first\x1b", "second", "third", status=FileStatus.FAILED)

    lines = human(ended(ExitCode.SOME_FAILED, found=1, failed=1, with_warnings=1), many)

    [line] = [line for line in lines if "1.djvu: first" in line]
    assert line.endswith(" (and 2 more)")
    assert "\x1b" not in line
    assert not any("With warnings" in line for line in human(ended(ExitCode.OK, found=1)))


def test_a_quiet_run_is_told_quietly() -> None:
    assert human(ended(ExitCode.OK)) == ["No DjVu files were found."]
    assert human(ended(ExitCode.UNAVAILABLE))[0].startswith("The run ended before it had found")
    assert human(ended(ExitCode.OK, found=1, skipped=1)) == [
        "Converted 0 of 1 file in 3 h 1 min (engine: local).",
        "  up to date  1",
    ]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ExitCode.ACCOUNT_REFUSED, "refused the account"),
        (ExitCode.STOPPED_EARLY, "Stopped early"),
        (ExitCode.UNAVAILABLE, "could not be reached"),
        (ExitCode.SIGINT, "Interrupted"),
        (ExitCode.SIGTERM, "Interrupted"),
    ],
)
def test_what_is_left_and_how_to_go_on_is_said(code: ExitCode, expected: str) -> None:
    last = human(ended(code, found=2, remaining=2))[-1]
    assert expected in last
    assert last.endswith("the same command goes on from here.")


def test_what_stopped_a_run_is_told_before_how_to_go_on() -> None:
    summary = replace(SUMMARY, exit_code=ExitCode.UNAVAILABLE, causes=("cannot reach x\x1b[2J",))
    text = human_summary(summary, [], price=Price(), unwritten=["the disk is full"])
    first, second, last = text.split("\n")[-3:]
    assert (first, second) == (r"Cause: cannot reach x\x1b[2J", "Cause: the disk is full")
    assert last.startswith(
        "The service could not be reached or stayed unavailable: later, the same"
    )


def test_the_cost_is_told_where_the_price_is_known() -> None:
    text = "\n".join(human(SUMMARY, price=0.05))
    assert "29 billed (13 submit, 14 poll, 2 cancel), 1.45 EUR." in text


def test_ten_failures_are_told_and_the_others_counted() -> None:
    other = FileReport(
        source="x",
        source_root="",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=ErrorCode.TIMEOUT, message="m"),
    )
    lines = human(SUMMARY, *[FAILED] * 9, *[other] * 5)
    assert "Failed (9 not_djvu, 5 timeout):" in lines
    assert sum(line.startswith("  b.djvu") for line in lines) == 9
    assert sum(line == "  x: timeout: m" for line in lines) == 1
    assert "  and 4 more; --report FILE lists them all." in lines


def test_names_and_messages_cannot_steer_the_terminal() -> None:
    hostile = FileReport(
        source=os.fsdecode(b"\xe9\x1b[2J\n.djvu"),
        source_root="",
        output=None,
        status=FileStatus.FAILED,
        error=Failure(code=ErrorCode.REJECTED, message="line\nline\x07"),
    )
    lines = human(SUMMARY, hostile)
    assert r"  \udce9\x1b[2J\n.djvu: rejected: line\nline\x07" in lines
    io.TextIOWrapper(io.BytesIO(), encoding="utf-8").write("\n".join(lines))
