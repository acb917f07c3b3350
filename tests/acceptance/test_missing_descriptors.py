"""A caller that closes standard descriptors: none becomes a file of the run's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from itertools import combinations
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.support.command import PATIENCE_S, Finished, parsed_events, run, wait_until
from tests.support.installed import COMMAND
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

# Commands by the dozen, each of which other tests run as well.
pytestmark = pytest.mark.usefixtures("unmeasured_processes")

CLOSED = [which for count in (1, 2, 3) for which in combinations(("<", ">", "2>"), count)]


def run_without(
    closed: tuple[str, ...], *arguments: str | Path, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run the command with these descriptors closed."""
    shell = ["sh", "-c", f'exec "$@" {" ".join(f"{which}&-" for which in closed)}', "sh"]
    return subprocess.run(
        [*shell, COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def ended(done: subprocess.CompletedProcess[bytes]) -> Finished:
    """Return it as the other tests have it."""
    return Finished(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


@pytest.mark.slow
@pytest.mark.parametrize("closed", CLOSED)
def test_a_run_writes_into_no_file_of_its_own(
    source: Path, output: Path, closed: tuple[str, ...]
) -> None:
    make_archive(source, 3)
    done = ended(run_without(closed, "convert", source, "-o", output, "--engine", "local", "-v"))

    assert done.code == 0
    assert ("Converted 3" in done.out) == (">" not in closed)
    assert ("file.converted" in done.err) == ("2>" not in closed)
    command = ("status", "verify", "retry", "report")[CLOSED.index(closed) % 4]
    assert run_without(closed, command, "-o", output).returncode == 0
    assert "3 of 3 PDFs are as recorded" in run("verify", "-o", output).out


@pytest.mark.parametrize(
    ("name", "closed"),
    [("-", ("<",)), ("/dev/stdin", ("<",)), ("-", ("<", ">")), ("-", ("<", ">", "2>"))],
)
def test_a_list_on_a_closed_standard_input_is_refused(
    output: Path, name: str, closed: tuple[str, ...]
) -> None:
    done = ended(run_without(closed, "convert", "--files-from", name, "-o", output))
    assert done.code == 2
    assert "2>" in closed or "standard input is closed" in done.err
    assert not output.exists()


def test_a_list_on_standard_input_is_read_where_the_others_are_closed(
    source: Path, output: Path
) -> None:
    listed = b"".join(os.fsencode(path) + b"\n" for path in make_archive(source, 2))
    arguments = ("convert", "--files-from", "-", "-o", output, "--engine", "local")
    assert run_without((">", "2>"), *arguments, stdin=listed).returncode == 0
    assert len(list(output.glob("*.pdf"))) == 2


@pytest.mark.parametrize("closed", CLOSED)
def test_what_is_printed_goes_to_no_descriptor_but_its_own(closed: tuple[str, ...]) -> None:
    script = (
        "import os, sys; from batch_converter import standard_streams;"
        " from batch_converter.cli import output;"
        " standard_streams.complete(); output.install();"
        " new = os.open(os.devnull, os.O_RDONLY);"
        " print('x', flush=True); print('x', file=sys.stderr, flush=True);"
        " os._exit(10 * sys.stdout.fileno() + sys.stderr.fileno() if new > 2 else 99)"
    )
    shell = ["sh", "-c", f'exec "$@" {" ".join(f"{which}&-" for which in closed)}', "sh"]
    assert subprocess.run([*shell, sys.executable, "-c", script], check=False).returncode == 12


@pytest.mark.parametrize("closed", [("<",), (">",), ("2>",), ("<", ">", "2>")])
def test_a_service_ends_when_it_is_told_to(tmp_path: Path, closed: tuple[str, ...]) -> None:
    log = tmp_path / "log"
    shell = ["sh", "-c", f'exec "$@" {" ".join(f"{which}&-" for which in closed)}', "sh"]
    arguments: list[str | Path] = [
        "serve",
        "--port",
        "0",
        "--log-file",
        log,
        "--data-dir",
        tmp_path / "data",
    ]
    process = subprocess.Popen(
        [*shell, COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: log.exists() and b"server." in log.read_bytes(), "the service")
        wait_until(lambda: b"server.started" in log.read_bytes(), "its address")
        [address] = [
            event["address"]
            for event in parsed_events(log.read_text())
            if event["event"] == "server.started"
        ]
        for _ in range(3):
            with urlopen(f"{address}/health") as answer:  # noqa: S310  # its own, on this machine
                assert answer.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 143
    finally:
        process.kill()
        process.wait()
