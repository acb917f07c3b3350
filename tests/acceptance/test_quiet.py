"""Runs that nobody watches: what `-q` prints, and the progress that a log tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.cloud import Reply
from tests.support.command import parsed_events, run, started
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cloud import Cloud
    from tests.support.command import Argument, Finished

    Prepare = Callable[[Cloud, Path], tuple[str, ...]]

CONTROL: Final = re.compile(r"[^\n -~\u00a0-\U0010ffff]")


def shrinks(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have the run warn: the pages of the PDF are square, and the DjVu's are not."""
    (source / "wide.djvu").write_bytes(djvu_bytes(width=900, height=300))
    assert cloud is not None
    return ()


def stumbles(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have requests fail in passing, and a task get lost."""
    first, *_ = make_archive(source, 3)
    cloud.reply("submit", Reply(status=503), Reply(status=429, headers={"Retry-After": "0"}))
    assert first.exists()
    return ()


def has_failed_before(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Leave a failure that an earlier run has told, and that is to be ignored."""
    make_archive(source, 1)
    (source / "bad.djvu").write_bytes(b"no document")
    assert run("convert", source, "-o", source.parent / "pdfs").code == 1
    assert cloud.calls["submit"] == 1
    return ("--ignore-known-failures",)


def is_up_to_date(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Leave nothing to do."""
    make_archive(source, 2)
    assert run("convert", source, "-o", source.parent / "pdfs").code == 0
    assert cloud.calls["submit"] == 2
    return ()


def is_empty(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have nothing there at all, but what is passed over with a warning."""
    (source / "dangling.djvu").symlink_to("nowhere")
    assert cloud is not None
    return ("--stats", "0.01")


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [shrinks, stumbles, has_failed_before, is_up_to_date, is_empty])
def test_a_quiet_run_that_succeeds_prints_nothing(
    cloud: Cloud,
    source: Path,
    output: Path,
    tmp_path: Path,
    prepare: Prepare,
) -> None:
    arguments: list[Argument] = ["convert", source, "-o", output, *prepare(cloud, source)]
    log_file = tmp_path / "log"
    done = run(*arguments, "-q", "--log-file", log_file)
    assert (done.code, done.out, done.err) == (0, "", "")
    kept = parsed_events(log_file.read_text())
    assert kept[-1]["event"] == "run.finished", "the file has all"
    warned = any(line["event"] == "file.warned" for line in kept)
    assert warned == (prepare is shrinks)
    with_json = run(*arguments, "-q", "--json")
    assert with_json.code == with_json.json["exit_code"] == 0
    assert with_json.err == ""


def no_djvu(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Let files fail, more than anybody wants to read."""
    assert cloud is not None
    for number in range(40):
        (source / f"{number}.djvu").write_bytes(b"no document")
    return ()


def no_account(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have the account refused."""
    make_archive(source, 3)
    cloud.always("token", Reply(status=401, body='{"error": "invalid_client"}'))
    return ()


def no_budget(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have too little for all."""
    make_archive(source, 3)
    assert cloud is not None
    return ("--max-api-calls", "3")


def no_service(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have nobody listen."""
    make_archive(source, 1)
    assert cloud is not None
    return ("--base-url", "http://127.0.0.1:9")


def no_report(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have a report that cannot be written."""
    make_archive(source, 1)
    assert cloud is not None
    return ("--report", "/dev/full")


def no_setting(cloud: Cloud, source: Path) -> tuple[str, ...]:
    """Have a wrong option."""
    make_archive(source, 1)
    assert cloud is not None
    return ("--stats", "soon")


FAILING: Final = (
    (no_djvu, 1, "0.djvu: not_djvu: 0.djvu is no DjVu file", "--retry-failed"),
    (no_account, 3, "Cause: ", "with that settled, the same command goes on"),
    (no_budget, 4, "Cause: the next step takes", "the same command goes on"),
    (no_service, 6, "Cause: ", "later, the same command goes on"),
    (no_report, 1, "/dev/full", "the same command writes it"),
    (no_setting, 2, "'soon' is not a duration", "such as 90m"),
)


@pytest.mark.slow
@pytest.mark.parametrize("failing", FAILING)
def test_a_quiet_run_that_fails_says_why_and_what_to_do_in_a_few_lines(
    cloud: Cloud, source: Path, output: Path, failing: tuple[Prepare, int, str, str]
) -> None:
    prepare, code, cause, next_step = failing
    arguments: list[Argument] = ["convert", source, "-o", output, "-q", *prepare(cloud, source)]
    env = {"BATCH_CONVERTER_RETRY__UNAVAILABLE_AFTER_S": "0.1"}
    done = run(*arguments, env=env)
    assert_told(done, code, cause, next_step)
    if code != 2:
        assert done.err == "", "what the summary tells is not told twice"
        with_json = run(*arguments, "--json", env=env)
        assert with_json.code == with_json.json["exit_code"]
        assert (with_json.err != "") == (with_json.code != 0), "told beside the JSON"


def assert_told(done: Finished, code: int, cause: str, next_step: str) -> None:
    """Check that it has failed so, and said so."""
    text = done.out + done.err
    assert done.code == code, text
    assert cause in text
    assert next_step in text
    assert text.count("\n") <= 20
    assert not CONTROL.search(text)


def test_a_quiet_run_that_is_interrupted_says_so(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    cloud.questions_needed = 1_000_000
    with started(tmp_path / "p", "convert", source, "-o", output, "-q") as process:
        process.wait_until(lambda: cloud.are_out(2), "polls")
        process.signal(15)
        done = process.finish()
    assert done.code == 143
    assert "Interrupted; what is out at the service is remembered: the same command" in done.out
    assert done.err == ""


# Progress in the log

KEYS: Final = {
    *("found", "discovering", "converted", "skipped", "failed", "with_warnings", "in_flight"),
    *("pages", "bytes_in", "bytes_out", "billed", "max_billed", "files_per_minute", "left_s"),
}


def progress(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines that tell how far a run is."""
    return [line for line in lines if line["event"] == "run.progress"]


def test_progress_is_told_off_a_terminal_between_start_and_end(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    first, *others = make_archive(source, 4)
    (source / "bad.djvu").write_bytes(b"no document")
    for path in others[1:]:
        cloud.fates[path.read_bytes()] = {"taskStatus": "Processing", "results": None}
    arguments = ("convert", source, "-o", output, "--stats", "0.02", "--max-api-calls", "90000")
    with started(tmp_path / "p", *arguments) as process:
        process.wait_until(
            lambda: any(line["converted"] == 2 for line in progress(process.events)), "progress"
        )
        cloud.fates.clear()
        done = process.finish()
    assert done.code == 1
    events = [line["event"] for line in done.events]
    assert events[0] == "run.started"
    assert events[-1] == "run.finished"
    told = progress(done.events)
    assert all(line.keys() > KEYS for line in told)
    assert {line["level"] for line in told} == {"info"}
    known = next(line for line in told if line["converted"] == 2)
    assert (known["found"], known["failed"], known["in_flight"]) == (5, 1, 2)
    assert (known["pages"], known["max_billed"]) == (2, 90000)
    assert known["bytes_in"] == 2 * first.stat().st_size
    assert 4 <= known["billed"] <= cloud.billed
    assert min(known["files_per_minute"], known["left_s"]) > 0
    assert not CONTROL.search(done.out + done.err)


@pytest.mark.slow
@pytest.mark.parametrize("wish", [("--stats", "0"), ("--stats", "1h"), ()])
def test_progress_is_not_told_before_its_time_or_never(
    cloud: Cloud, source: Path, output: Path, wish: tuple[str, ...]
) -> None:
    make_archive(source, 2)
    done = run("convert", source, "-o", output, *wish)
    assert done.code == 0
    assert not progress(done.events)
    assert cloud.calls["submit"] == 2


@pytest.mark.parametrize("wish", ["-1", "-5m", "often", "nan", "inf", ""])
def test_a_wrong_interval_is_bad_usage(source: Path, output: Path, wish: str) -> None:
    done = run("convert", source, "-o", output, f"--stats={wish}")
    assert done.code == 2
    assert "logging.stats" in done.err
    assert not output.exists()


@pytest.mark.slow
def test_off_a_terminal_nothing_steers_one_whatever_is_asked_for(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 2)
    (source / "\x1b[2Jclear\u202e\a.djvu").write_bytes(b"no document")
    env = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TTY_COMPATIBLE": "1", "TERM": "xterm"}
    for wishes in (("--progress",), ("--log-format", "console"), ("-q",), ("-v",)):
        arguments = ("--stats", "0.01", "--overwrite", "always", *wishes)
        done = run("convert", source, "-o", output, *arguments, env=env)
        assert done.code == 1
        assert not CONTROL.search(done.out + done.err)
    assert cloud.calls["submit"] == 8
