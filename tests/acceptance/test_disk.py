"""A disk that is full, read-only, forbidden or gone: nothing is paid for in vain, or twice."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import run, started, wait_until
from tests.support.disks import AS_ORDINARY_USER, SmallDisk, small_disk
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cloud import Cloud

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 40 MiB."""
    with small_disk(tmp_path / "disk", size_bytes=40 * MIB) as disk:
        yield disk


def files(report: Path) -> dict[str, dict[str, Any]]:
    """Return the report's files by their source."""
    return {file["source"]: file for file in json.loads(report.read_bytes())["files"]}


def codes(report: Path) -> dict[str, str | None]:
    """Return the error codes of the report's files by their source."""
    return {name: file["error"] and file["error"]["code"] for name, file in files(report).items()}


def assert_all_are_fetched_and_none_paid_twice(
    cloud: Cloud, paths: list[Path], source: Path, output: Path, *flags: str | Path
) -> None:
    """Run again, now that the disk is well."""
    submitted = dict(cloud.submissions)
    done = run("convert", source, "-o", output, "--json", *flags)
    assert done.code == 0, done.err
    for path in paths:
        assert (output / f"{path.stem}.pdf").read_bytes() == cloud.expected(path.read_bytes())
    assert all(cloud.submissions[document] == count for document, count in submitted.items())
    assert set(cloud.submissions.values()) == {1}


def test_a_full_disk_stops_the_run_and_the_next_one_fetches(
    cloud: Cloud, source: Path, disk: SmallDisk, tmp_path: Path
) -> None:
    paths = make_archive(source, 24)
    for path in paths:
        cloud.fillers[path.read_bytes()] = 3 * MIB
    output, report = disk.path / "pdfs", tmp_path / "report.json"
    limits = ("--max-in-flight", "4")

    full = run("convert", source, "-o", output, "--json", "--report", report, *limits)

    assert full.code == 1
    found = files(report)
    totals = full.json["totals"]
    assert totals["converted"] >= 2
    assert totals["failed"] >= 1
    assert totals["remaining"] >= 8  # nothing new was admitted
    assert set(codes(report).values()) == {None, "output_error"}
    assert cloud.calls["submit"] <= totals["converted"] + 5
    assert {file["task_id"] for file in found.values()} - {None} == set(cloud.tasks)
    [stopped] = full.named("run.stopped")
    assert stopped["code"] == "output_error"
    for name, file in found.items():
        if file["status"] == "converted":
            pdf = output / name.replace(".djvu", ".pdf")
            assert pdf.read_bytes() == cloud.expected((source / name).read_bytes())
    assert len(list(output.glob("*.pdf"))) == totals["converted"]

    disk.remount("size=200m")
    assert_all_are_fetched_and_none_paid_twice(cloud, paths, source, output)


def test_the_ledger_keeps_room_for_the_ids_that_are_paid_for(
    cloud: Cloud, source: Path, output: Path, disk: SmallDisk, tmp_path: Path
) -> None:
    paths = make_archive(source, 30)
    state = ("--state-dir", disk.path / "state")
    cloud.hold("submit")
    arguments = ("convert", source, "-o", output, "--json", "--max-in-flight", "8", *state)
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["submit"] == 8, "uploads")
        filler = disk.fill()
        cloud.release("submit")
        done = process.finish()
    filler.unlink()

    assert done.code == 1
    assert done.json["totals"]["remaining"] >= 10
    known = json.loads(run("status", *state, "--json").out)
    assert known["api_calls"] == cloud.bill()
    assert known["states"]["submit_unknown"] == 0
    assert_all_are_fetched_and_none_paid_twice(cloud, paths, source, output, *state)


def test_room_is_looked_for_before_anything_is_paid(
    cloud: Cloud, source: Path, disk: SmallDisk, tmp_path: Path
) -> None:
    (source / "large.djvu").write_bytes(djvu_bytes(mark=bytes(8 * MIB)))
    [small] = make_archive(source, 1)
    output, report = disk.path / "pdfs", tmp_path / "report.json"
    arguments = ("convert", source, "-o", output, "--report", report)

    assert run(*arguments).code == 1
    assert codes(report) == {"00000.djvu": None, "large.djvu": "output_error"}
    assert cloud.calls["submit"] == 1

    disk.fill(but_bytes=MIB)
    small.write_bytes(djvu_bytes(mark=b"changed"))
    full = run(*arguments, "--json")
    assert full.code == 1
    assert cloud.calls["submit"] == 1
    assert full.json["totals"]["failed"] >= 1
    assert full.named("run.stopped")


@pytest.mark.parametrize("fate", ["read-only", "full"])
def test_a_disk_that_fails_in_mid_run_stops_it(
    cloud: Cloud, source: Path, disk: SmallDisk, tmp_path: Path, fate: str
) -> None:
    paths = make_archive(source, 12)
    for path in paths:
        cloud.fillers[path.read_bytes()] = MIB
    output, state = disk.path / "pdfs", ("--state-dir", tmp_path / "state")
    arguments = ("convert", source, "-o", output, "--json", "--max-in-flight", "3", *state)
    cloud.hold("poll")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"] == 3, "polls")
        filler = disk.fill(but_bytes=MIB // 2)
        if fate == "read-only":
            filler.unlink()
            disk.remount("ro")
        cloud.release("poll")
        done = process.finish()

    assert done.code == 1
    assert done.json["totals"]["failed"] >= 1
    assert done.json["totals"]["remaining"] >= 6
    assert cloud.calls["submit"] <= 6
    disk.remount("rw")
    filler.unlink(missing_ok=True)
    assert_all_are_fetched_and_none_paid_twice(cloud, paths, source, output, *state)


def test_an_output_folder_that_vanishes_is_not_made_anew(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 12)
    state = ("--state-dir", tmp_path / "state")
    arguments = ("convert", source, "-o", output, "--json", "--max-in-flight", "3", *state)
    cloud.hold("poll")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"] == 3, "polls")
        output.rename(tmp_path / "unmounted")
        cloud.release("poll")
        done = process.finish()

    assert done.code == 1
    assert not output.exists()
    assert done.json["totals"]["remaining"] >= 6
    assert cloud.calls["submit"] <= 6
    (tmp_path / "unmounted").rename(output)
    assert_all_are_fetched_and_none_paid_twice(cloud, paths, source, output, *state)


@pytest.mark.slow
def test_a_limit_on_the_size_of_files_fails_what_exceeds_it(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 3)
    cloud.fillers[paths[1].read_bytes()] = 20 * MIB
    report = tmp_path / "report.json"

    limited = ("prlimit", f"--fsize={12 * MIB}")
    done = run("convert", source, "-o", output, "--report", report, through=limited)

    assert done.code == 1
    assert codes(report) == {"00000.djvu": None, "00001.djvu": "output_error", "00002.djvu": None}
    assert not (output / "00001.pdf").exists()
    assert_all_are_fetched_and_none_paid_twice(cloud, paths, source, output)


def test_what_may_not_be_read_or_written_fails_alone_and_for_free(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    for name in ("open/1.djvu", "closed/2.djvu", "secret/3.djvu"):
        (source / name).parent.mkdir()
        (source / name).write_bytes(djvu_bytes(mark=name.encode()))
    (output / "closed").mkdir(parents=True)
    (output / "closed").chmod(0o555)
    (source / "secret" / "3.djvu").chmod(0)
    report = tmp_path / "report.json"
    arguments = ("convert", source, "-o", output, "--report", report)

    done = run(*arguments, through=AS_ORDINARY_USER)

    assert done.code == 1
    assert codes(report) == {
        "open/1.djvu": None,
        "closed/2.djvu": "output_error",
        "secret/3.djvu": "unreadable",
    }
    assert cloud.calls["submit"] == 1
    (output / "closed").chmod(0o755)
    (source / "secret" / "3.djvu").chmod(0o644)
    assert run(*arguments, through=AS_ORDINARY_USER).code == 0
    assert set(cloud.submissions.values()) == {1}


def test_a_result_that_cannot_be_written_is_no_success(source: Path, output: Path) -> None:
    make_archive(source, 1)
    for arguments in (("convert", source, "--engine", "local", "--json"), ("status",)):
        done = run(*arguments, "-o", output, through=("sh", "-c", 'exec "$@" > /dev/full', "sh"))
        assert done.code == 1
        assert "could not be written: No space left on device" in done.err


def test_a_state_directory_that_may_not_be_written_starts_nothing(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 1)
    output.mkdir()
    output.chmod(0o555)
    done = run("convert", source, "-o", output, through=AS_ORDINARY_USER)
    assert done.code == 2
    assert os.fspath(output) in done.err
    assert not cloud.calls


@pytest.mark.slow
def test_a_ledger_may_be_looked_at_where_nothing_may_be_written(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output).code == 0
    state = output / ".batch-converter"
    (state / "ledger.sqlite3").chmod(0o444)
    state.chmod(0o555)
    before = {path: path.read_bytes() for path in state.glob("ledger*")}

    status = run("status", "-o", output, "--json", through=AS_ORDINARY_USER)
    assert status.code == 0
    assert status.json["states"]["converted"] == 1
    assert run("verify", "-o", output, through=AS_ORDINARY_USER).code == 0
    assert run("report", "-o", output, through=AS_ORDINARY_USER).code == 0
    assert {path: path.read_bytes() for path in state.glob("ledger*")} == before
    state.chmod(0o755)
    assert cloud.calls["submit"] == 1
    assert tmp_path.exists()


@pytest.mark.usefixtures("cloud")
def test_a_folder_that_may_not_be_entered_keeps_no_other_pdf_from_being_verified(
    source: Path, output: Path
) -> None:
    for name in ("a", "b", "c"):
        (source / name).mkdir()
        make_archive(source / name, 1)
    assert run("convert", source, "-o", output).code == 0
    shutil.rmtree(output / "c")
    (output / "a").chmod(0)
    done = run("verify", "-o", output, through=AS_ORDINARY_USER)
    (output / "a").chmod(0o755)
    assert done.code == 1
    assert "Permission denied" in done.out
    assert "c/00000.pdf: missing" in done.out
    assert "1 of 3 PDFs are as recorded" in done.out


def test_names_as_long_as_the_file_system_takes(
    cloud: Cloud, source: Path, disk: SmallDisk, tmp_path: Path
) -> None:
    longest = "n" * 250 + ".djvu"
    (source / longest).write_bytes(djvu_bytes(mark=b"first"))
    (source / ("N" * 250 + ".djvu")).write_bytes(djvu_bytes(mark=b"second"))  # in code point order
    output, report = disk.path / "pdfs", tmp_path / "report.json"

    done = run("convert", source, "-o", output, "--report", report)

    assert done.code == 1
    assert (output / ("N" * 250 + ".pdf")).exists()
    error = files(report)[longest]["error"]
    assert error["code"] == "output_error"  # its own name is taken, and the next is too long
    assert "shorten" in error["message"]
    assert cloud.calls["submit"] == 1
    assert [path.name for path in output.glob(".*")] == [".batch-converter"]
