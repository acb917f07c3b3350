"""Files and runs as tables and lists, for people and for programs."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING

from tests.support.command import run
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud


def write(folder: Path, *names: str) -> None:
    """Write documents, each with its name as its mark."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(djvu_bytes(mark=os.fsencode(name)))


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a table."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def test_a_table_has_a_row_for_each_file_of_the_report(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "a.djvu", "two\nlines.djvu", '=1+1, "caf\u00e9".djvu', "b\udcff.djvu")
    (source / "none.djvu").write_bytes(b"no DjVu")
    table, report = tmp_path / "new" / "files.csv", tmp_path / "report.json"

    done = run("convert", source, "-o", output, "--csv-report", table, "--report", report)

    assert done.code == 1
    files = json.loads(report.read_bytes())["files"]
    assert len(files) == 5
    assert list(rows(table)[0]) == list(files[0])
    assert [row["source"] for row in rows(table)] == [
        file["source"].encode("utf-8", "backslashreplace").decode() for file in files
    ]
    for row, file in zip(rows(table), files, strict=True):
        assert (row["status"], row["sha256"]) == (file["status"], file["sha256"] or "")
        assert json.loads(row["error"] or "null") == file["error"]
    assert cloud.calls["submit"] == 4

    again = tmp_path / "again.csv"
    written = run("report", "-o", output, "--csv-report", again)
    assert (written.code, written.out) == (0, "")
    assert again.read_bytes() == table.read_bytes()


def test_a_table_that_cannot_be_written_is_2_and_starts_nothing(source: Path, output: Path) -> None:
    write(source, "a.djvu")
    for path in (source, source / "a.djvu" / "table.csv", ""):
        done = run("convert", source, "-o", output, "--csv-report", path, "--json")
        assert (done.code, done.out) == (2, "")
        assert not output.exists()
