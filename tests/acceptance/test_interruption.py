"""Stopped, killed, or told to stop early: nothing lost, nothing paid for twice."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cloud import Reply, pdf_for
from tests.support.command import run, run_each, started
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def status(output: Path) -> dict[str, Any]:
    """Return what `status --json` says."""
    done = run("status", "-o", output, "--json")
    assert done.code == 0
    return done.json


def assert_all_converted(paths: list[Path], output: Path) -> None:
    """Check each PDF, byte for byte, and that nothing else lies about."""
    for path in paths:
        assert (output / f"{path.stem}.pdf").read_bytes() == pdf_for(path.read_bytes())
    assert len(list(output.iterdir())) == len(paths) + 1
    parts = output / ".batch-converter" / "parts"
    assert not parts.exists() or not list(parts.iterdir())


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_remembers_what_is_out(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, number: int
) -> None:
    paths = make_archive(source, 30)
    cloud.questions_needed = 1_000_000
    report = tmp_path / "report.json"
    arguments = ("convert", source, "-o", output, "--max-in-flight", "10")

    with started(tmp_path / "p", *arguments, "--json", "--report", report) as process:
        process.wait_until(lambda: cloud.are_out(10), "polls")
        process.signal(number)
        done = process.finish()

    assert done.code == SIGNALS[signal.Signals(number)]
    assert done.json["exit_code"] == done.code
    assert done.json["totals"]["remaining"] == 30
    files = json.loads(report.read_bytes())["files"]
    assert {file["task_id"] for file in files} - {None} == set(cloud.tasks)
    known = status(output)
    assert known["states"]["submitted"] == known["out_at_service"] == 10
    assert known["states"]["pending"] == 20

    cloud.questions_needed = 1
    before, seen_before = cloud.calls["submit"], len(cloud.seen)
    resumed = run(*arguments, "--json")
    assert resumed.code == 0
    assert cloud.calls["submit"] - before == 20
    first = [seen.kind for seen in cloud.seen[seen_before:] if seen.kind != "token"]
    assert first.index("poll") < first.index("submit")  # what was out is fetched first
    assert set(cloud.submissions.values()) == {1}
    assert_all_converted(paths, output)


@pytest.mark.slow
def test_an_upload_under_way_brings_its_id_home(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 6)
    cloud.hold("submit")
    arguments = ("convert", source, "-o", output, "--max-submissions", "2")

    with started(tmp_path / "p", *arguments, "--json") as process:
        process.wait_until(lambda: cloud.active["submit"] == 2, "uploads")
        process.signal(signal.SIGHUP)  # a terminal that was closed: as SIGTERM
        process.wait_until(lambda: process.logged("run.interrupted"), "the signal's effect")
        cloud.release("submit")
        done = process.finish()

    assert done.code == 143
    assert cloud.calls["submit"] == 2
    assert cloud.calls["poll"] == 0
    assert done.json["api_calls"] == cloud.bill()
    assert done.json["submit_unknown"] == 0
    assert status(output)["states"]["submitted"] == 2
    assert run(*arguments).code == 0
    assert set(cloud.submissions.values()) == {1}


def test_the_second_signal_leaves_at_once(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 3)
    cloud.hold("submit")
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.active["submit"] == 3, "uploads")
        process.signal(signal.SIGINT)
        process.wait_until(lambda: process.logged("run.interrupted"), "the first signal's effect")
        process.signal(signal.SIGINT)
        done = process.finish()  # the uploads are still held
    assert done.code == 130
    cloud.release("submit")
    assert run("convert", source, "-o", output).code == 0


@pytest.mark.usefixtures("cloud")
def test_a_list_that_does_not_end_holds_nobody_up(
    source: Path, output: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    read, write = os.pipe()
    arguments = ("convert", "--files-from", "-", "-o", output, "--json")
    with started(tmp_path / "p", *arguments, stdin=read) as process:
        os.write(write, os.fsencode(path) + b"\n")
        process.wait_until(lambda: process.logged("run.started"), "the run")
        process.signal(signal.SIGINT)
        done = process.finish()
    os.close(read)
    os.close(write)
    assert done.code == 130
    assert done.json["exit_code"] == 130


@pytest.mark.slow
@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(("number", "code"), [("INT", 130), ("TERM", 143), ("HUP", 143)])
def test_whatever_is_interrupted_says_so_by_its_code(
    source: Path, output: Path, tmp_path: Path, number: str, code: int
) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output).code == 0
    pdf = output / "00000.pdf"
    os.truncate(pdf, 1 << 40)  # long to hash, and no space is taken
    with started(tmp_path / "p", "verify", "-o", output) as process:
        process.wait_until(lambda: is_open(process.pid, pdf), "the hashing")
        process.signal(signal.Signals[f"SIG{number}"])
        assert process.finish().code == code


def is_open(pid: int, path: Path) -> bool:
    """Whether the process has the file open."""
    try:
        return any(link.readlink() == path for link in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:  # a descriptor came and went
        return False


@pytest.mark.slow
def test_killed_between_submission_and_fetch_nothing_is_submitted_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 20)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.are_out(20), "polls")
        process.signal(signal.SIGKILL)
        assert process.finish().code == -signal.SIGKILL
    assert status(output)["out_at_service"] == 20

    (output / ".batch-converter" / "parts").mkdir(exist_ok=True)
    (output / ".batch-converter" / "parts" / "12345.part").write_bytes(b"%PDF-half")
    cloud.questions_needed = 1
    done = run("convert", source, "-o", output, "--json")

    assert done.code == 0
    assert set(cloud.submissions.values()) == {1}
    assert cloud.calls["submit"] == 20
    assert done.json["api_calls"]["submit"] == 0
    assert_all_converted(paths, output)


@pytest.mark.slow
def test_killed_during_an_upload_the_call_is_counted_and_made_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 2)
    cloud.hold("submit")
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.active["submit"] == 2, "uploads")
        process.signal(signal.SIGKILL)
        process.finish()
    cloud.release("submit")
    assert status(output)["api_calls"]["submit"] == 2

    assert run("convert", source, "-o", output).code == 0

    assert status(output)["api_calls"]["submit"] == 4 == cloud.calls["submit"]
    assert_all_converted(paths, output)


@pytest.mark.slow
def test_what_is_out_is_fetched_before_anything_new_is_paid_for(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 20)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.are_out(20), "polls")
        process.signal(signal.SIGKILL)
        process.finish()
    cloud.questions_needed, left = 1, len(cloud.seen)
    for number in range(20):
        (source / f"{number}-new.djvu").write_bytes(djvu_bytes(mark=b"new %d" % number))

    tight = run("convert", source, "-o", output, "--json", "--max-api-calls", "21")

    assert tight.code == 4
    assert tight.json["api_calls"]["billed"] == 20  # the last call buys nothing whole
    assert tight.json["totals"]["converted"] == 20
    assert run("convert", source, "-o", output).code == 0
    seen = [one.kind for one in cloud.seen[left:]]
    later = seen[seen.index("token") :]  # before it, the service may still hear the dead run's
    kinds = [kind for kind in later if kind != "token"]
    assert kinds.index("submit") == 20
    assert kinds.count("submit") == 20


@pytest.mark.slow
def test_what_the_service_has_lost_is_submitted_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 4)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.are_out(4), "polls")
        process.signal(signal.SIGKILL)
        process.finish()
    cloud.forget_tasks()
    cloud.questions_needed = 1
    done = run("convert", source, "-o", output, "--json")
    assert done.code == 0
    assert len(done.named("file.resubmitted")) == 4
    assert set(cloud.submissions.values()) == {2}
    assert_all_converted(paths, output)


@pytest.mark.slow
def test_while_a_run_goes_on_others_may_look_and_not_run(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 5)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.are_out(5), "polls")

        kept = tmp_path / "report.json"
        kept.write_text("of an earlier run")
        second, retry, cancel, dry, human, report, check = run_each(
            [
                ("convert", source, "-o", output, "--json", "--report", kept),
                ("retry", "-o", output),
                ("cancel", "-o", output),
                ("convert", source, "-o", output, "--dry-run", "--json"),
                ("status", "-o", output),
                ("report", "-o", output),
                ("config", "check"),
            ]
        )
        assert [done.code for done in (second, retry, cancel)] == [5, 5, 5]
        assert second.out == ""
        assert kept.read_text() == "of an earlier run"
        assert os.fspath(output) in second.err
        assert [done.code for done in (dry, human, report, check)] == [0, 0, 0, 0]
        assert "has not ended" in human.out
        assert json.loads(report.out)["exit_code"] is None
        now = status(output)
        assert now["states"]["submitted"] == 5
        assert now["finished_at"] is None
        assert not process.is_over
    assert cloud.calls["submit"] == 5
    cloud.questions_needed = 1
    assert run("convert", source, "-o", output).code == 0  # the lock died with its process


@pytest.mark.slow
def test_two_state_directories_do_not_meet(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    state = tmp_path / "state"
    assert run("convert", source, "-o", output, "--state-dir", state).code == 0
    assert not (output / ".batch-converter").exists()
    assert run("status", "--state-dir", state).code == 0
    assert run("convert", source, "-o", output, "--state-dir", state).code == 0
    assert cloud.calls["submit"] == 1


@pytest.mark.slow
def test_cancel_deletes_what_is_out_and_puts_it_back(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 3)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output) as process:
        process.wait_until(lambda: cloud.are_out(3), "polls")
        process.signal(signal.SIGTERM)
        process.finish()

    cloud.always("cancel", Reply(status=500))
    retries = {"BATCH_CONVERTER_RETRY__REQUEST_ATTEMPTS": "1"}
    assert run("cancel", "-o", output, env=retries).code == 1
    assert status(output)["out_at_service"] == 3
    cloud.as_usual("cancel")
    nobody = run("cancel", "-o", output, "--base-url", "http://127.0.0.1:9")
    assert nobody.code == 6
    assert run("cancel", "-o", output, env={"ASPOSE_CLIENT_SECRET": "wrong"}).code == 3
    assert cloud.calls["cancel"] == 3

    done = run("cancel", "-o", output)

    assert done.code == 0
    assert "3" in done.out
    assert cloud.calls["cancel"] == 6
    assert not cloud.tasks
    known = status(output)
    assert known["states"]["pending"] == 3
    assert known["api_calls"] == cloud.bill()
    assert run("cancel", "-o", output).code == 0
    assert cloud.calls["cancel"] == 6


@pytest.mark.slow
def test_cancel_calls_off_what_failed_while_it_was_out(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 2)
    cloud.questions_needed = 1_000_000
    arguments = ("convert", source, "-o", output, "--poll-interval", "0.05")
    assert run(*arguments, "--task-timeout", "0.05").code == 1
    known = status(output)
    assert known["states"]["failed"] == known["out_at_service"] == 2

    assert run("cancel", "-o", output).code == 0

    assert cloud.calls["cancel"] == 2
    assert not cloud.tasks
    after = status(output)
    assert after["states"]["pending"] == 2
    assert after["out_at_service"] == 0
    # what cancels is no run that has a report: the last one is still that of `convert`
    assert after["run_id"] == known["run_id"]
    again = json.loads(run("report", "-o", output).out)
    assert (again["run_id"], len(again["files"])) == (known["run_id"], 2)


@pytest.mark.slow
def test_a_budget_is_kept_to_the_call(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 10)

    done = run("convert", source, "-o", output, "--json", "--max-api-calls", "7")

    assert done.code == 4
    assert done.json["exit_code"] == 4
    assert cloud.billed == done.json["api_calls"]["billed"] <= 7
    assert done.json["totals"]["converted"] == 3  # two calls each; the seventh buys nothing whole
    assert done.json["totals"]["remaining"] == 7
    assert done.named("budget.exhausted")

    cloud.questions_needed = 3
    tight = run("convert", source, "-o", output, "--json", "--max-api-calls", "2")
    assert tight.code == 4
    assert cloud.billed <= 6 + 2
    cloud.questions_needed = 1
    assert run("convert", source, "-o", output, "--json").code == 0
    assert set(cloud.submissions.values()) == {1}

    (source / "bad.djvu").write_bytes(b"no document")
    (source / "new.djvu").write_bytes(djvu_bytes(mark=b"new"))
    broke = run("convert", source, "-o", output, "--json", "--max-api-calls", "1")
    assert broke.code == 4  # comes before the 1 of the file that failed
    assert broke.json["totals"]["failed"] == broke.json["totals"]["remaining"] == 1
    (source / "bad.djvu").unlink()
    (source / "new.djvu").unlink()
    none = run("convert", source, "-o", output, "--json", "--max-api-calls", "0")
    assert none.code == 0  # everything is done: nothing was left


def test_a_month_has_a_budget_over_all_runs(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 4)
    month = {"BATCH_CONVERTER_BUDGET__MONTHLY_API_CALLS": "5"}
    first = run("convert", source, "-o", output, "--json", "--max-api-calls", "4", env=month)
    assert first.json["totals"]["converted"] == 2
    second = run("convert", source, "-o", output, "--json", env=month)
    assert second.code == 4
    assert second.json["api_calls"]["billed"] == 0
    assert cloud.billed == 4


@pytest.mark.parametrize("limit", [["--max-errors", "3"], ["--fail-fast"]])
@pytest.mark.parametrize("serial", ["--max-in-flight", "--max-submissions"])
def test_after_so_many_errors_nothing_new_is_begun(
    cloud: Cloud, source: Path, output: Path, limit: list[str], serial: str
) -> None:
    make_archive(source, 12)
    cloud.always("submit", Reply(status=422, body="no"))
    done = run("convert", source, "-o", output, "--json", *limit, serial, "1")
    assert done.code == 4
    count = 3 if len(limit) > 1 else 1
    assert done.json["totals"]["failed"] == count
    assert done.json["totals"]["remaining"] == 12 - count
    assert cloud.calls["submit"] == count


@pytest.mark.slow
@pytest.mark.parametrize("limit", [["--max-errors", "3"], ["--fail-fast"]])
@pytest.mark.parametrize("engine", ["aspose", "local"])
def test_errors_that_cost_nothing_count_too(
    cloud: Cloud, source: Path, output: Path, limit: list[str], engine: str
) -> None:
    make_archive(source, 4)
    for number in range(5):
        (source / f"0000-{number}.djvu").write_bytes(b"no DjVu")
    done = run("convert", source, "-o", output, "--json", "--engine", engine, *limit)
    count = 3 if len(limit) > 1 else 1
    assert done.code == 4
    assert done.json["totals"]["failed"] == count
    assert done.json["totals"]["remaining"] == 9 - count
    assert not cloud.calls

    rest = run("convert", source, "-o", output, "--json", "--engine", engine, "--max-errors", "9")
    assert rest.code == 1  # what failed before is not a failure of this run
    assert rest.json["totals"]["converted"] == 4


def test_a_missing_source_counts_before_anything_is_admitted(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    names = tmp_path / "names"
    names.write_text(f"{path}\n{source}/missing.djvu\n")
    done = run("convert", "--files-from", names, "-o", output, "--json", "--fail-fast")
    assert done.code == 4
    assert not cloud.calls


@pytest.mark.slow
def test_a_deadline_leaves_what_was_not_handed_over(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 6)
    cloud.hold("submit")
    deadline = "10s"  # by then a busy machine, too, has handed the first one over
    arguments = ("convert", source, "-o", output, "--max-submissions", "1", "--deadline", deadline)
    with started(tmp_path / "p", *arguments, "--json") as process:
        process.wait_until(lambda: process.logged("run.deadline_passed"), "the deadline")
        cloud.release("submit")
        done = process.finish()
    assert done.code == 4
    assert cloud.calls["submit"] == done.json["totals"]["converted"] == 1
    assert done.json["totals"]["remaining"] == 5


def test_an_attempt_is_a_submission_that_was_made(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 3)
    report = tmp_path / "report.json"
    base = ("convert", source, "-o", output, "--report", report, "--json")
    assert run(*base, "--max-api-calls", "2").code == 4
    files = json.loads(report.read_bytes())["files"]
    assert [file["attempts"] for file in files] == [1, 0, 0]
    cloud.always("token", Reply(status=400, body='{"error": "invalid_client"}'))
    assert run(*base).code == 3
    files = json.loads(report.read_bytes())["files"]
    assert [file["attempts"] for file in files] == [0, 0, 0]


def test_a_deadline_takes_nothing_new_and_finishes_what_is_out(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 6)
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--max-in-flight", "2", "--deadline", "0.5s")
    with started(tmp_path / "p", *arguments, "--json") as process:
        process.wait_until(lambda: process.logged("run.deadline_passed"), "the deadline")
        cloud.release("poll")
        done = process.finish()
    totals = done.json["totals"]
    assert done.code == 4
    assert totals["converted"] == cloud.calls["submit"] <= 2
    assert totals["converted"] + totals["remaining"] == 6

    cloud.questions_needed = 1_000_000
    stuck = run(*arguments, "--json", "--task-timeout", "1")
    assert stuck.code == 4  # what never gets ready does not hold the deadline up
    assert stuck.json["totals"]["failed"] + stuck.json["totals"]["remaining"] == totals["remaining"]


def traces(folder: Path) -> dict[Path, tuple[bytes | None, int]]:
    """Return what each file below holds and when it was written last."""
    return {
        path: (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in (folder, *folder.rglob("*"))
    }


def test_a_dry_run_changes_nothing_and_tells_the_price(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 3)
    price = {
        "BATCH_CONVERTER_BUDGET__PRICE_PER_CALL": "0.5",
        "BATCH_CONVERTER_BUDGET__CURRENCY": "EUR",
    }
    done = run("convert", source, "-o", output, "--dry-run", env=price)
    assert done.code == 0
    assert "3.00 EUR" in done.out
    assert not output.exists()
    assert run("convert", source, "-o", output).code == 0
    before = traces(output)
    (source / "new.djvu").write_bytes(djvu_bytes(mark=b"new"))
    again = run("convert", source, "-o", output, "--dry-run", "--json")
    assert again.code == 0
    assert again.json["totals"]["found"] == 4
    assert again.json["totals"]["skipped"] == 3
    assert again.json["totals"]["remaining"] == 1
    assert again.json["api_calls"] == {"token": 0, "submit": 1, "poll": 1, "cancel": 0, "billed": 2}
    assert traces(output) == before
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_orders_sizes_and_shards_choose_what_comes(
    cloud: Cloud, source: Path, output: Path
) -> None:
    for number, length in enumerate([300, 100, 200]):
        path = source / f"{number}.djvu"
        path.write_bytes(djvu_bytes(mark=b"x" * length))
        os.utime(path, (1_000_000 - number, 1_000_000 - number))
    lengths = {300: "0", 100: "1", 200: "2"}
    orders = {"name": "012", "smallest": "120", "largest": "021", "oldest": "210"}
    for order, expected in orders.items():
        cloud.submissions.clear()
        arguments = ("--order", order, "--max-submissions", "1", "--overwrite", "always")
        assert run("convert", source, "-o", output, *arguments).code == 0
        came = "".join(lengths[document.count(b"x")] for document in cloud.submissions)
        assert came == expected

    sizes = ("--min-size", "200", "--max-size", "0.3K")
    middle = run("convert", source, "-o", output, "--dry-run", "--json", *sizes)
    assert middle.json["totals"]["found"] == 1

    make_archive(source, 20)
    dry = ("convert", source, "-o", output, "--dry-run", "--json", "--shard")
    found = [done.json["totals"]["found"] for done in run_each([(*dry, f"{k}/3") for k in "123"])]
    assert sum(found) == 23
    assert all(found)
