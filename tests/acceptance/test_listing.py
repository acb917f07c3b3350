"""Files and runs as tables and lists, for people and for programs."""

from __future__ import annotations

import csv
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run, started
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud
    from tests.support.command import Finished


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


@pytest.fixture
def unfinished(cloud: Cloud, source: Path, output: Path, tmp_path: Path) -> None:
    """One file is converted, one is out at the service, one failed, and two are new."""
    write(source, "a.djvu")
    (source / "bad.djvu").write_bytes(b"no DjVu")
    assert run("convert", source, "-o", output).code == 1
    write(source, "out.djvu")
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.calls["poll"] > 1, "a poll")
        process.signal(signal.SIGTERM)
        assert process.finish().code == 143
    write(source, "new.djvu", "sub/n\new \udcff.djvu")
    (source / "cut.djvu").write_bytes(djvu_bytes()[:-2])


def listed(done: Finished, head: str) -> dict[str, str]:
    """Return what stands in a list of files, by its first word: what comes behind that."""
    first, *lines = done.out.partition("\n\n")[0].splitlines()
    assert first.split() == [head, "file"]
    words = [line.split(maxsplit=1) for line in lines]
    assert [word for word, _ in words] == sorted(
        (word for word, _ in words), key=[word for word, _ in words].index
    )
    return {rest.split(" -> ")[0].split(": ")[0]: word for word, rest in words}


@pytest.mark.usefixtures("unfinished")
def test_a_dry_run_lists_what_would_become_of_each_file(
    cloud: Cloud, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("convert", source, "-o", output, "--dry-run", "--files")
    calls = dict(cloud.calls)

    done = run(*command)
    assert done.code == 0
    assert listed(done, "would") == {
        "a.djvu": "skip",
        "out.djvu": "fetch",
        "new.djvu": "convert",
        "sub/n\\new \\udcff.djvu": "convert",
        "bad.djvu": "fail",
        "cut.djvu": "fail",
    }
    assert "new.djvu -> new.pdf\n" in done.out
    assert "cut.djvu: not_djvu: " in done.out
    assert done.out.endswith("Nothing was changed.\n")

    told = run(*command, "--json").json
    files = {file["source"]: file for file in told["files"]}
    assert {name: file["action"] for name, file in files.items()} == {
        "a.djvu": "skip",
        "out.djvu": "fetch",
        "new.djvu": "convert",
        "sub/n\new \udcff.djvu": "convert",
        "bad.djvu": "fail",
        "cut.djvu": "fail",
    }
    statuses = [file["status"] for file in told["files"]]
    for status in ("skipped", "failed", "remaining"):
        assert statuses.count(status) == told["totals"][status]
    assert told["totals"]["found"] == len(statuses)
    assert files["out.djvu"]["task_id"] in cloud.tasks
    assert files["new.djvu"]["pages"] == 1
    assert files["bad.djvu"]["error"]["code"] == files["cut.djvu"]["error"]["code"] == "not_djvu"
    assert "files" not in run(*command[:-1], "--json").json

    monkeypatch.delenv("ASPOSE_CLIENT_ID")
    monkeypatch.delenv("ASPOSE_CLIENT_SECRET")
    here = run(*command, "--json").json
    assert here["engine"] == "local"
    (left,) = [file for file in here["files"] if file["action"] == "leave"]
    assert (left["source"], left["status"]) == ("out.djvu", "remaining")
    assert dict(cloud.calls) == calls


@pytest.mark.slow
@pytest.mark.usefixtures("unfinished")
def test_status_lists_files_by_state(cloud: Cloud, output: Path, tmp_path: Path) -> None:
    done = run("status", "-o", output, "--files")
    assert done.code == 0
    assert listed(done, "state") == {
        "out.djvu": "submitted",
        "a.djvu": "converted",
        "bad.djvu": "failed",
    }
    assert "a.djvu -> a.pdf\n" in done.out
    assert "bad.djvu: not_djvu: " in done.out
    assert "still out at the service: 1" in done.out.partition("\n\n")[2]

    told = run("status", "-o", output, "--files", "--json").json
    assert [(file["state"], file["status"], file["source"]) for file in told["files"]] == [
        ("submitted", "remaining", "out.djvu"),
        ("converted", "converted", "a.djvu"),
        ("failed", "failed", "bad.djvu"),
    ]
    out, a, bad = told["files"]
    report = tmp_path / "report.json"
    assert run("report", "-o", output, "--report", report).code == 0
    (reported,) = [f for f in json.loads(report.read_bytes())["files"] if f["source"] == "a.djvu"]
    assert set(reported) - set(a) == {"attempts", "polls"}  # those are of a run
    same = ("source", "source_root", "output", "bytes_in", "bytes_out", "pages", "sha256", "error")
    assert {name: a[name] for name in same} == {name: reported[name] for name in same}
    assert out["task_id"] in cloud.tasks
    assert (out["sha256"], out["completed_at"], out["bytes_out"]) == (None, None, 0)
    assert bad["error"]["code"] == "not_djvu"
    plain = run("status", "-o", output, "--json").json
    assert {**plain, "files": told["files"]} == told


@pytest.mark.slow
@pytest.mark.usefixtures("unfinished")
def test_status_lists_runs_by_time(cloud: Cloud, output: Path) -> None:
    told = run("status", "-o", output, "--runs", "--json").json
    assert [(r["kind"], r["exit_code"]) for r in told["runs"]] == [("convert", 1), ("convert", 143)]
    first, second = told["runs"]
    assert first["totals"]["converted"] == 1
    assert second["totals"]["remaining"] == 1
    assert second["run_id"] == told["run_id"]
    assert first["api_calls"]["billed"] == 2
    summary = json.loads(run("report", "-o", output, first["run_id"]).out)
    del summary["files"]
    assert {"kind": "convert", **summary} == first
    both = run("status", "-o", output, "--runs", "--files", "--json").json
    assert list(both)[-2:] == ["runs", "files"]

    assert run("cancel", "-o", output).code == 0
    rows = run("status", "-o", output, "--runs").out.partition("\n\n")[0].splitlines()
    assert rows[0].split() == ["run", "took", "end", "converted", "failed", "remaining", "calls"]
    assert max(map(len, rows[:3])) <= 80
    assert [row.split()[0] for row in rows[1:3]] == [first["run_id"], second["run_id"]]
    assert rows[3].endswith(" 1 (cancel)")
    assert cloud.calls["cancel"] == 1


def test_what_files_and_runs_need_is_2_where_it_is_missing(source: Path, output: Path) -> None:
    write(source, "a.djvu")
    listing = run("convert", source, "-o", output, "--files")
    assert (listing.code, listing.out) == (2, "")
    assert "--dry-run" in listing.err
    for option in ("--files", "--runs"):
        nothing = run("status", "-o", output, option)
        assert (nothing.code, nothing.out) == (2, "")
        assert "no ledger" in nothing.err
    assert not output.exists()


def test_a_list_may_be_read_in_part(cloud: Cloud, source: Path, output: Path) -> None:
    write(source, *(f"{number:03}.djvu" for number in range(30)))
    assert run("convert", source, "-o", output).code == 0
    for arguments in (("status", "--files"), ("status", "--files", "--json")):
        done = run(*arguments, "-o", output, through=("sh", "-c", '"$@" | head -c 20', "sh"))
        assert (done.code, len(done.out), done.err) == (0, 20, "")
    assert cloud.calls["submit"] == 30
