"""`--ping-url`, `--on-finish` and the metrics: who is told of a run when nobody watches."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
from typing import TYPE_CHECKING, Final

import psutil
import pytest
from filelock import FileLock
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cloud import Reply
from tests.support.command import Finished, run, run_each, started, wait_until
from tests.support.installed import COMMAND
from tests.support.pdfs import make_archive
from tests.support.ping_server import PingServer, hang, redirect, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cloud import Cloud

KEY: Final = "5f0b3c1e-7a51-4f6e-9c55-6a8d3b1c2e4f"
CLI: Final = shlex.quote(os.fspath(COMMAND))
VARIABLES: Final = ("EXIT_CODE", "RUN_ID", "REPORT", "CONVERTED", "FAILED", "REMAINING")


@pytest.fixture
def pings() -> Iterator[PingServer]:
    with PingServer() as server:
        yield server


def words(pings: PingServer) -> list[str]:
    """Return the words of the pings so far."""
    prefix = f"/{KEY}/"
    assert all(path.startswith(prefix) for path in pings.got)
    return [path.removeprefix(prefix) for path in pings.got]


def noting(path: Path) -> str:
    """Return a hook that writes what it is told into a file."""
    lines = " ".join(f'"{name}=$BATCH_CONVERTER_{name}"' for name in VARIABLES)
    return f"printf '%s\\n' {lines} >> {shlex.quote(os.fspath(path))}"


def noted(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


# A run that ends by itself


def test_the_start_and_the_end_are_told_and_the_result_stands_alone(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, pings: PingServer
) -> None:
    del cloud
    make_archive(source, 3)
    (source / "bad.djvu").write_bytes(b"no DjVu")
    notes, hook = tmp_path / "notes", f"{noting(tmp_path / 'notes')}; echo printed"
    arguments = ("convert", source, "-o", output, "--report", "report.json", "--json")
    done = run(*arguments, "--ping-url", f"{pings.url}/{KEY}", "--on-finish", hook, cwd=tmp_path)
    assert done.code == done.json["exit_code"] == 1
    assert words(pings) == ["start", "1"]
    assert noted(notes) == {
        "EXIT_CODE": "1",
        "RUN_ID": done.json["run_id"],
        "REPORT": os.fspath(tmp_path / "report.json"),
        "CONVERTED": "3",
        "FAILED": "1",
        "REMAINING": "0",
    }
    assert [line["text"] for line in done.named("hook.printed")] == ["printed"]
    assert done.named("hook.finished")
    assert {line["run_id"] for line in done.events} == {done.json["run_id"]}


def test_a_run_that_succeeds_quietly_tells_its_terminal_nothing(
    source: Path, output: Path, pings: PingServer
) -> None:
    make_archive(source, 1)
    arguments = ("convert", source, "-o", output, "--engine", "local", "-q")
    done = run(*arguments, "--ping-url", f"{pings.url}/{KEY}", "--on-finish", "echo printed")
    assert (done.code, done.err) == (0, "")
    assert words(pings) == ["start", "0"]


def test_a_dry_run_tells_nobody(
    source: Path, output: Path, tmp_path: Path, pings: PingServer
) -> None:
    make_archive(source, 1)
    arguments = ("convert", source, "-o", output, "--engine", "local", "--dry-run")
    trace = tmp_path / "trace"
    done = run(*arguments, "--ping-url", f"{pings.url}/{KEY}", "--on-finish", f"touch {trace}")
    assert done.code == 0
    assert not pings.got
    assert not trace.exists()


@pytest.mark.slow
def test_each_end_is_told_with_its_code(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, pings: PingServer
) -> None:
    make_archive(source, 2)
    notes = tmp_path / "notes"
    arguments = ("convert", source, "-o", output, "--ping-url", f"{pings.url}/{KEY}")
    hook = ("--on-finish", noting(notes))
    assert run(*arguments, *hook, "--max-api-calls", "1").code == 4
    assert (noted(notes)["EXIT_CODE"], noted(notes)["REMAINING"]) == ("4", "2")
    cloud.reply("token", Reply(status=400, body="{}"))
    assert run(*arguments, *hook).code == 3
    assert noted(notes)["EXIT_CODE"] == "3"
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        env = {
            "BATCH_CONVERTER_ASPOSE__BASE_URL": address,
            "BATCH_CONVERTER_RETRY__UNAVAILABLE_AFTER_S": "0.1",
        }
        assert run(*arguments, *hook, env=env).code == 6
    assert noted(notes)["EXIT_CODE"] == "6"
    assert run(*arguments, *hook).code == 0
    assert (noted(notes)["EXIT_CODE"], noted(notes)["CONVERTED"]) == ("0", "2")
    assert words(pings) == ["start", "4", "start", "3", "start", "6", "start", "0"]


@pytest.mark.slow
def test_where_no_run_began_the_switch_is_told_and_no_hook_is_run(
    source: Path, output: Path, tmp_path: Path, pings: PingServer
) -> None:
    make_archive(source, 1)
    trace, broken = tmp_path / "trace", tmp_path / "broken.toml"
    broken.write_text("[polling]\nintervall = 3\n")
    told = ("--ping-url", f"{pings.url}/{KEY}", "--on-finish", f"touch {trace}")
    assert run("convert", source / "none", "-o", output, *told).code == 2
    assert words(pings) == ["start", "2"]
    assert run("convert", source, "-o", output, "-c", broken, *told).code == 2
    assert words(pings) == ["start", "2", "2"]
    assert run("convert", source, "-o", output, "--engine", "local").code == 0
    (lock,) = output.rglob("*lock*")
    with FileLock(lock):
        assert run("convert", source, "-o", output, "--engine", "local", *told).code == 5
    assert words(pings)[3:] == ["start", "5"]
    assert not trace.exists()


@pytest.mark.parametrize(
    "told",
    [
        ("--ping-url", ""),
        ("--ping-url", f"hc-ping.com/{KEY}"),
        ("--ping-url", f"ftp://example.org/{KEY}"),
        ("--ping-url", f"https://[/{KEY}"),
        ("--on-finish", ""),
        ("--on-finish", " "),
    ],
)
def test_what_cannot_be_meant_is_bad_usage_and_not_echoed(
    source: Path, output: Path, told: tuple[str, str]
) -> None:
    make_archive(source, 1)
    done = run("convert", source, "-o", output, "--engine", "local", *told)
    assert done.code == 2
    assert told[0] in done.err
    assert KEY not in done.err + done.out
    assert not output.exists()


# A run that a signal ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_a_signal_ends_tells_its_code(
    cloud: Cloud, source: Path, tmp_path: Path, pings: PingServer, number: signal.Signals
) -> None:
    make_archive(source, 2)
    output, code = tmp_path / "pdfs", {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    cloud.questions_needed = 10**9
    notes = tmp_path / "notes"
    arguments = ("convert", source, "-o", output, "--ping-url", f"{pings.url}/{KEY}")
    with started(tmp_path / "p", *arguments, "--on-finish", noting(notes)) as process:
        process.wait_until(lambda: process.logged("file.submitted"), "a submission")
        process.signal(number)
        assert process.finish().code == code
    assert words(pings) == ["start", str(code)]
    assert (noted(notes)["EXIT_CODE"], noted(notes)["REMAINING"]) == (str(code), "2")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_hook_that_hangs_and_leaves_the_code_as_it_was(
    source: Path, output: Path, tmp_path: Path, number: signal.Signals
) -> None:
    make_archive(source, 1)
    pids = tmp_path / "pids"
    hook = f"sleep 1000 & echo $! $$ > {pids}; echo begun; sleep 1000"
    arguments = ("convert", source, "-o", output, "--engine", "local", "--on-finish", hook)
    with started(tmp_path / "p", *arguments) as process:
        process.wait_until(lambda: process.logged("hook.printed"), "the hook")
        process.signal(number)
        done = process.finish()
    assert done.code == 0
    (failed,) = done.named("hook.failed")
    assert "signal" in failed["reason"]
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_second_signal_leaves_at_once_and_leaves_nothing_of_the_hook(
    source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    pids = tmp_path / "pids"
    deaf = "trap '' TERM; while :; do sleep 1000; done"
    hook = f"({deaf}) & echo $! $$ > {pids}; echo begun; {deaf}"
    arguments = ("convert", source, "-o", output, "--engine", "local", "--on-finish", hook)
    with started(tmp_path / "p", *arguments) as process:
        process.wait_until(lambda: process.logged("hook.printed"), "the hook")

        def is_over() -> bool:
            process.signal(signal.SIGTERM)
            return process.is_over

        wait_until(is_over, "its end")
        assert process.finish().code in {0, 143}
    wait_until(lambda: all(gone(int(pid)) for pid in pids.read_text().split()), "their end")


# What goes wrong on the way


def left_behind(done: Finished, *folders: Path) -> str:
    """Return all that a run has printed and written."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return done.out + done.err + "".join(path.read_bytes().decode("latin-1") for path in files)


@pytest.mark.slow
def test_a_ping_that_fails_is_a_warning_and_its_address_is_told_nowhere(
    source: Path, output: Path, tmp_path: Path, pings: PingServer
) -> None:
    make_archive(source, 1)
    files = tmp_path / "files"
    for number, answer in enumerate(
        (status(404, KEY), status(500, KEY), redirect(f"http://127.0.0.2:9/{KEY}"), redirect("/x"))
    ):
        pings.always(answer)
        done = run(
            *("convert", source, "-o", output, "--engine", "local", "-v"),
            *("--log-file", files / f"{number}.log", "--report", files / "report.json"),
            *("--ping-url", f"{pings.url.replace('//', '//me:s3same@')}/{KEY}/?token={KEY}"),
        )
        assert done.code == 0
        failed = done.named("ping.failed")
        assert [line["ping"] for line in failed] == ["start", "0"]
        assert {line["host"] for line in failed} == {"127.0.0.1"}
        everything = left_behind(done, files, output)
        assert KEY not in everything
        assert "s3same" not in everything
        logged = (files / f"{number}.log").read_text().splitlines()
        assert json.loads(logged[-1])["event"] == "ping.failed"


@pytest.mark.slow
def test_a_server_that_hangs_delays_a_run_and_does_not_fail_it(
    source: Path, output: Path, pings: PingServer
) -> None:
    make_archive(source, 1)
    pings.always(hang)
    arguments = ("convert", source, "-o", output, "--engine", "local")
    done = run(*arguments, "--ping-url", f"{pings.url}/{KEY}")
    assert done.code == 0
    assert words(pings) == ["start", "0"]
    assert {line["reason"] for line in done.named("ping.failed")} == {"no answer within 10 seconds"}


@pytest.mark.slow
def test_a_hook_that_fails_changes_neither_code_nor_result(
    cloud: Cloud, source: Path, tmp_path: Path
) -> None:
    del cloud
    make_archive(source, 1)
    hooks = ("exit 7", "echo oops >&2; kill -9 $$", "/no/such/program", "(((")
    done = run_each(
        ("convert", source, "-o", tmp_path / str(n), "--json", "--on-finish", hook)
        for n, hook in enumerate(hooks)
    )
    for each in done:
        assert each.code == each.json["exit_code"] == 0
        (failed,) = each.named("hook.failed")
        assert failed["level"] == "warning"
    assert "7" in done[0].named("hook.failed")[0]["reason"]
    assert done[1].named("hook.failed")[0]["said"] == "oops"


def test_a_hook_has_no_account_and_may_call_the_command_itself(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    found, told = tmp_path / "environment", tmp_path / "status"
    hook = f"env > {found}; {CLI} status -o {shlex.quote(str(output))} --json > {told}"
    env = {"COPY_OF_MINE": f"x={cloud.client_secret}"}
    done = run("convert", source, "-o", output, "--on-finish", hook, env=env)
    assert done.code == 0
    assert done.named("hook.finished"), done.err
    assert cloud.client_secret not in found.read_text()
    assert "ASPOSE_CLIENT" not in found.read_text()
    assert json.loads(told.read_text())["totals"]["converted"] == 1


def test_one_variable_of_the_hooks_alone_is_an_unknown_key(source: Path, output: Path) -> None:
    make_archive(source, 1)
    env = {"BATCH_CONVERTER_REPORT": "report.json"}
    done = run("convert", source, "-o", output, "--engine", "local", env=env)
    assert done.code == 2
    assert "BATCH_CONVERTER_REPORT" in done.err
    env = {f"BATCH_CONVERTER_{name}": "" for name in VARIABLES}
    env["BATCH_CONVERTER_POLLING__INTERVALL"] = "3"
    assert run("convert", source, "-o", output, "--engine", "local", env=env).code == 2


# Metrics


@pytest.mark.slow
def test_the_last_success_outlives_runs_that_fail(
    source: Path, output: Path, tmp_path: Path
) -> None:
    metrics = tmp_path / "run.prom"
    arguments = ("convert", source, "-o", output, "--engine", "local", "--metrics-file", metrics)

    def told() -> dict[str, float]:
        families = text_string_to_metric_families(metrics.read_text())
        found = {s.name: s.value for family in families for s in family.samples}
        prefix = "batch_converter_run_"
        wanted = ("exit_code", "finished_timestamp_seconds", "last_success_timestamp_seconds")
        return {name: found[prefix + name] for name in wanted}

    (source / "bad.djvu").write_bytes(b"no DjVu")
    assert run(*arguments).code == 1
    assert told()["last_success_timestamp_seconds"] == 0
    (source / "bad.djvu").unlink()
    make_archive(source, 1)
    assert run(*arguments).code == 0
    succeeded = told()
    assert succeeded["last_success_timestamp_seconds"] == succeeded["finished_timestamp_seconds"]
    (source / "bad.djvu").write_bytes(b"no DjVu, either")
    assert run(*arguments).code == 1
    failed = told()
    assert failed["exit_code"] == 1
    assert failed["finished_timestamp_seconds"] > succeeded["finished_timestamp_seconds"]
    assert failed["last_success_timestamp_seconds"] == succeeded["last_success_timestamp_seconds"]
