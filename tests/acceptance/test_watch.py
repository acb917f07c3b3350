"""`watch` as a process: what is there, what arrives, and what must not happen meanwhile."""

from __future__ import annotations

import json
import os
import shlex
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from batch_converter.ledger import LedgerReader
from tests.support.cloud import Reply, pdf_for
from tests.support.command import Running, run, run_each, started, wait_until
from tests.support.pdfs import djvu_bytes, make_archive
from tests.support.ping_server import PingServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

QUICK = ("--settle", "0.3")


def waits(process: Running, converted: int) -> None:
    """Wait until the watch has converted that many files and waits for more."""
    process.wait_until(
        lambda: any(e["converted"] == converted for e in told(process, "watch.waiting")),
        f"{converted} files",
    )


def told(process: Running, name: str) -> list[dict[str, Any]]:
    return [event for event in process.events if event["event"] == name]


def runs(output: Path) -> list[tuple[str, int | None]]:
    """Return names and exit codes of the ledger's runs."""
    with LedgerReader(output / ".batch-converter/ledger.sqlite3") as reader:
        return [(summary.run_id, summary.exit_code) for _, summary in reader.runs()]


@pytest.mark.slow
def test_what_is_there_and_hundreds_that_arrive_are_converted_and_then_it_idles(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    report, manifest = tmp_path / "report.json", tmp_path / "sums"
    arguments = ("watch", source, "-o", output, *QUICK, "--json", "--manifest", manifest)
    with started(tmp_path / "p", *arguments, "--report", report, "-v") as process:
        waits(process, 2)
        assert json.loads(report.read_bytes())["totals"]["converted"] == 2
        others = [("convert", source, "-o", output), ("watch", source, "-o", output)]
        assert [done.code for done in run_each(others)] == [5, 5]  # the lock is held all the time

        (source / "notes.txt").write_text("no DjVu")
        whole = copied_while_hundreds_arrive(process, source, tmp_path / "tree")
        waits(process, 303)
        assert (set(cloud.submissions.values()), cloud.submissions[whole]) == ({1}, 1)
        assert not told(process, "file.failed")
        for path in source.rglob("*.djvu"):
            pdf = output / path.relative_to(source).with_suffix(".pdf")
            assert pdf.read_bytes() == pdf_for(path.read_bytes())
        assert len(manifest.read_text().splitlines()) == 303

        batches = runs(output)
        assert not psutil.Process(process.pid).children()  # idle, it is alone
        process.signal(signal.SIGTERM)
        done = process.finish()
    assert done.code == 143
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["run_id"], line["exit_code"]) for line in lines] == batches
    assert all(line["totals"]["converted"] for line in lines)  # for nothing, there is no run
    [finished] = done.named("watch.finished")
    assert (finished["converted"], finished["exit_code"]) == (303, 143)


def copied_while_hundreds_arrive(process: Running, source: Path, tree: Path) -> bytes:
    """Copy a file in pieces, and move a tree of 300 others in meanwhile; return the file."""
    whole = djvu_bytes(mark=b"slow")
    with (source / "growing.djvu").open("wb", buffering=0) as growing:
        growing.write(whole[:-3])
        for number in range(300):
            path = tree / f"box {number % 3}" / f"{number}.djvu"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(djvu_bytes(mark=b"%d" % number))
        process.wait_until(
            lambda: any(e["source"] == "growing.djvu" for e in told(process, "file.arrived")),
            "the file that grows",
        )
        growing.write(whole[-3:-2])
        tree.rename(source / "tree")
        growing.write(whole[-2:])
    return whole


@pytest.mark.slow
def test_a_watch_that_is_killed_goes_on_and_what_arrives_meanwhile_is_the_next_batch(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 6)
    cloud.hold("poll")
    arguments = ("watch", source, "-o", output, *QUICK)
    with started(tmp_path / "killed", *arguments) as process:
        process.wait_until(lambda: cloud.active["poll"] == 6, "polls")
        process.signal(signal.SIGKILL)
        process.finish()
    cloud.release("poll")
    wait_until(lambda: not cloud.active["poll"], "the polls of the dead")
    cloud.hold("poll")
    late = djvu_bytes(mark=b"late")
    with started(tmp_path / "again", *arguments, "-v") as process:
        process.wait_until(lambda: cloud.active["poll"] == 6, "the same polls")
        (tmp_path / "late.djvu").write_bytes(late)
        (tmp_path / "late.djvu").rename(source / "late.djvu")
        old = paths[0].read_bytes()
        (tmp_path / "new.djvu").write_bytes(djvu_bytes(mark=b"replaced"))
        (tmp_path / "new.djvu").replace(paths[0])  # while it is converted
        cloud.release("poll")
        waits(process, 8)
        process.signal(signal.SIGINT)
        done = process.finish()
    assert done.code == 130
    assert "Watched 1 source for" in done.out
    assert ": 8 files converted.\n" in done.out
    assert set(cloud.submissions.values()) == {1}
    assert cloud.submissions[old] == cloud.submissions[late] == 1
    for path in (*paths, source / "late.djvu"):
        assert (output / path.name).with_suffix(".pdf").read_bytes() == pdf_for(path.read_bytes())
    assert [code for _, code in runs(output)] == [None, 0, 0]


@pytest.mark.slow
def test_polling_moves_sources_and_tells_of_each_batch(
    cloud: Cloud, source: Path, tmp_path: Path
) -> None:
    """The output, and where sources go, lie in the source, as in an inbox that a NAS shows."""
    make_archive(source, 2)
    notes, output, moved = tmp_path / "notes", source / "pdf", source / "done"
    counts = '"$BATCH_CONVERTER_EXIT_CODE $BATCH_CONVERTER_CONVERTED"'
    hook = f"echo {counts} >> {shlex.quote(os.fspath(notes))}"
    with PingServer() as pings:
        arguments = ("watch", source, "-o", output, "--poll", "--after", f"move:{moved}")
        telling = ("--ping-url", f"{pings.url}/key", "--on-finish", hook)
        with started(tmp_path / "p", *arguments, *QUICK, "--rescan", "2s", *telling) as process:
            waits(process, 2)
            assert not list(source.glob("*.djvu"))
            (tmp_path / "sub").mkdir()
            (tmp_path / "sub/bad.djvu").write_bytes(b"no DjVu")
            (tmp_path / "sub/a.djvu").write_bytes(djvu_bytes(mark=b"sub"))
            (tmp_path / "sub").rename(source / "sub")
            process.wait_until(lambda: notes.read_text().count("\n") == 2, "the second batch")
            before = len(pings.got)
            process.wait_until(lambda: len(pings.got) > before + 1, "rescans that tell")
            process.signal(signal.SIGTERM)
            assert process.finish().code == 143
        words = [path.removeprefix("/key/") for path in pings.got]
    assert words[:2] == ["start", "0"]
    assert words[-3:] == ["1", "1", "143"]  # a bad file is told until another batch is good
    assert notes.read_text() == "0 2\n1 1\n"
    assert {path.name for path in moved.rglob("*.djvu")} == {"00000.djvu", "00001.djvu", "a.djvu"}
    assert (output / "sub/a.pdf").exists()
    assert cloud.calls["submit"] == 3
    assert len(runs(output)) == 2


@pytest.mark.slow
def test_the_budget_is_the_whole_watchs_and_a_refused_account_ends_it(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    arguments = ("watch", source, "-o", output, *QUICK, "--max-api-calls", "3")
    with started(tmp_path / "p", *arguments) as process:
        waits(process, 0)
        make_archive(source, 1)
        waits(process, 1)
        (source / "a.djvu").write_bytes(djvu_bytes(mark=b"a"))
        process.wait_until(lambda: process.logged("budget.exhausted"), "the budget's end")
        process.wait_until(lambda: len(told(process, "run.finished")) == 3, "the end of the batch")
        assert cloud.calls["submit"] + cloud.calls["poll"] <= 3
        assert told(process, "run.finished")[-1]["exit_code"] == 4
        cloud.reply("token", Reply(status=400, body="{}"))
        (source / "b.djvu").write_bytes(djvu_bytes(mark=b"b"))
        done = process.finish()
    assert done.code == 3


@pytest.mark.slow
def test_a_quiet_watch_tells_of_batches_that_do_not_end_well_and_of_lost_sources_alone(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    report = tmp_path / "report.json"
    arguments = ("watch", source, "-o", output, *QUICK, "-q", "--report", report)
    with started(tmp_path / "p", *arguments) as process:
        process.wait_until(report.exists, "the end of the good batch")
        (source / "bad.djvu").write_bytes(b"no DjVu")
        process.wait_until(lambda: "retry-failed" in process.out, "what came of the second")
        source.rename(tmp_path / "elsewhere")
        process.wait_until(lambda: process.logged("watch.source_lost"), "the loss to be told")
        process.signal(signal.SIGTERM)
        done = process.finish()
    assert done.code == 143
    assert cloud.calls["submit"] == 2
    assert done.out.startswith("Converted 0 of 1 file")
    assert "bad.djvu: not_djvu: bad.djvu is no DjVu file" in done.out
    assert "Watched" not in done.out
    assert {event["event"] for event in done.events} == {"watch.source_lost"}


@pytest.mark.slow
def test_what_cannot_be_meant_is_bad_usage_before_anything_is_made(
    source: Path, output: Path
) -> None:
    local = ("-o", output, "--engine", "local")
    absent = run("watch", source / "none", *local)
    assert absent.code == 2
    assert "/none' cannot be used: No such file or directory" in absent.err
    endless = run("watch", source, *local, "--rescan", "soon")
    assert endless.code == 2
    assert "'--rescan': 'soon' is not a duration" in endless.err
    assert not output.exists()
