"""What was converted can be told from what is there: `source_sha256`, `verify --sources`."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run
from tests.support.disks import AS_ORDINARY_USER
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

INDIRECT = Path("tests/data/indirect")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.slow
def test_the_report_has_the_digest_of_each_source_as_it_was_converted(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 2)
    (source / "broken.djvu").write_bytes(b"no DjVu")
    before = {path.name: digest(path.read_bytes()) for path in paths}
    report, table = tmp_path / "report.json", tmp_path / "report.csv"
    first = ("convert", source, "-o", output, "--report", report, "--csv-report", table, "--json")
    for _ in ("converted", "skipped"):
        run(*first)
        files = json.loads(report.read_bytes())["files"]
        assert {f["source"]: f["source_sha256"] for f in files} == {**before, "broken.djvu": None}
        with table.open(newline="", encoding="utf-8") as lines:
            rows = {row["source"]: row["source_sha256"] for row in csv.DictReader(lines)}
        assert rows == {**before, "broken.djvu": ""}
    old_run = json.loads(report.read_bytes())["run_id"]
    converting = run("status", "-o", output, "--runs", "--json").json["runs"][0]["run_id"]

    paths[0].write_bytes(djvu_bytes(mark=b"changed"))
    run(*first)
    after = {f["source"]: f["source_sha256"] for f in json.loads(report.read_bytes())["files"]}
    assert after["00000.djvu"] == digest(paths[0].read_bytes())
    runs = {run_id: run("report", "-o", output, run_id).out for run_id in {old_run, converting}}
    assert any(before["00000.djvu"] in text for text in runs.values())
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_sources_that_are_not_as_they_were_converted_are_found(
    cloud: Cloud, source: Path, output: Path
) -> None:
    paths = make_archive(source, 5)
    book = source / "book"
    book.mkdir()
    for part in INDIRECT.iterdir():
        (book / part.name).write_bytes(part.read_bytes())
    run("convert", source, "-o", output)
    good = run("verify", "-o", output, "--sources", through=AS_ORDINARY_USER)
    assert good.code == 0
    assert good.out == "8 of 8 PDFs are as recorded\n8 of 8 sources are as they were converted\n"

    look = paths[0].stat()
    data = paths[0].read_bytes()
    paths[0].write_bytes(data[:-1] + b"X")  # rotten: neither size nor time has changed
    os.utime(paths[0], ns=(look.st_atime_ns, look.st_mtime_ns))
    paths[1].unlink()
    paths[2].chmod(0)
    os.utime(paths[3])
    (book / "page2.djvu").write_bytes((book / "page2.djvu").read_bytes() + b"\0")
    bad = run("verify", "-o", output, "--sources", through=AS_ORDINARY_USER)
    assert bad.code == 1
    told = dict(line.split(": ", 1) for line in bad.out.splitlines() if ": " in line)
    assert told.keys() == {
        os.fspath(path) for path in (*paths[:3], book / "index.djvu", book / "page2.djvu")
    }
    assert told[os.fspath(paths[0])] == "differs from what was converted"
    assert told[os.fspath(paths[1])] == "missing"
    assert "Permission denied" in told[os.fspath(paths[2])]
    assert bad.out.endswith("\n3 of 8 sources are as they were converted\n")
    assert run("verify", "-o", output).code == 0
    assert cloud.calls["submit"] == 8


@pytest.mark.slow
def test_sources_that_were_moved_are_looked_for_where_they_are(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    for part in INDIRECT.iterdir():
        (source / part.name).write_bytes(part.read_bytes())
    done = tmp_path / "done"
    run("convert", source, "-o", output, "--after", f"move:{done}")
    good = run("verify", "-o", output, "--sources")
    assert (good.code, "5 of 5 sources are as they were converted" in good.out) == (0, True)
    (done / "00000.djvu").unlink()
    bad = run("verify", "-o", output, "--sources")
    assert (bad.code, f"{done / '00000.djvu'}: missing" in bad.out) == (1, True)
    assert cloud.calls["submit"] == 5
