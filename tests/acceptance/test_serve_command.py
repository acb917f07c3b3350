"""`serve` as an installed command: started, used by `convert`, and stopped."""

from __future__ import annotations

import json
import re
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Running, run, started, wait_until
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = {"ASPOSE_CLIENT_ID": "me", "ASPOSE_CLIENT_SECRET": "wonderful secret"}


@contextmanager
def serving(folder: Path, *options: str | Path, **env: str) -> Iterator[tuple[Running, str]]:
    with started(folder / "serve", "serve", "--port", "0", *options, env=env) as service:
        wait_until(lambda: service.out or service.is_over, "the line that says it listens")
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", service.out)
        assert match, service.out
        yield service, match[1]


def connect(address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    socket.create_connection((host, int(port)), timeout=5).close()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_listens_until_a_signal_and_leaves_nothing(
    tmp_path: Path, signum: int, code: int
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with serving(tmp_path, TMPDIR=str(scratch)) as (service, address):
        connect(address)
        assert list(scratch.iterdir())
        service.signal(signum)
        done = service.finish()
    assert done.code == code
    assert done.out == f"listening on {address}\n"
    assert [event["event"] for event in done.events] == [
        "server.temporary_folder",
        "server.started",
        "server.stopping",
        "server.stopped",
    ]
    assert not list(scratch.iterdir())
    with pytest.raises(OSError, match="refused"):
        connect(address)


def test_a_line_that_cannot_be_printed_ends_no_service(tmp_path: Path) -> None:
    full = ("/bin/sh", "-c", 'exec "$@" >/dev/full', "sh")
    log = tmp_path / "log"
    with started(tmp_path, "serve", "--port", "0", "--log-file", log, through=full) as service:
        wait_until(
            lambda: log.exists() and "server.address_not_printed" in log.read_text(),
            "what was not printed",
        )
        said = json.loads(log.read_text().splitlines()[-1])
        assert said["reason"] == "No space left on device"
        connect(said["address"])
        service.signal(signal.SIGTERM)
        done = service.finish()
    assert (done.code, done.out) == (143, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("signals", "code"),
    [((signal.SIGTERM, signal.SIGHUP), 143), ((signal.SIGINT,) * 2, 130)],
)
def test_it_ends_with_the_code_of_the_first_signal(
    tmp_path: Path, signals: tuple[int, ...], code: int
) -> None:
    with serving(tmp_path) as (service, _):
        for signum in signals:
            service.signal(signum)
        assert service.finish().code == code


def test_a_hangup_that_was_silenced_does_not_end_it(tmp_path: Path) -> None:
    arguments = ("serve", "--port", "0")
    with started(tmp_path / "serve", *arguments, through=("nohup",)) as service:
        wait_until(lambda: service.out.endswith("\n"), "the line that says it listens")
        service.signal(signal.SIGHUP)
        address = service.out.split()[-1]
        connect(address)
        service.signal(signal.SIGTERM)
        done = service.finish()
    assert done.code == 143
    assert [event["signal"] for event in done.named("server.stopping")] == ["SIGTERM"]


@pytest.mark.slow
def test_convert_gets_the_same_pdfs_through_the_service(tmp_path: Path) -> None:
    sources = [SAMPLES / name for name in ("bitonal.djvu", "book.djvu", "languages.djvu")]
    direct, through = tmp_path / "direct", tmp_path / "through"
    assert run("convert", *sources, "-o", direct, "--engine", "local").code == 0
    account = ("--client-id", ACCOUNT["ASPOSE_CLIENT_ID"])
    secret = {"BATCH_CONVERTER_SERVE__CLIENT_SECRET": ACCOUNT["ASPOSE_CLIENT_SECRET"]}
    with serving(tmp_path, *account, "--data-dir", tmp_path / "data", **secret) as (
        service,
        address,
    ):
        options = ("--base-url", address, "--poll-interval", "0.2", "--json")
        done = run("convert", *sources, "-o", through, *options, env=ACCOUNT)
        service.signal(signal.SIGTERM)
        served = service.finish()
    assert done.code == 0
    assert done.json["totals"]["converted"] == len(sources)
    for source in sources:
        name = f"{source.stem}.pdf"
        assert (through / name).read_bytes() == (direct / name).read_bytes()
    assert len(served.named("server.task_submitted")) == done.json["api_calls"]["submit"]
    assert {path.suffix for path in (tmp_path / "data").glob("task-*")} == {".pdf"}
    assert ACCOUNT["ASPOSE_CLIENT_SECRET"] not in served.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", ".".join("0000")], "--client-id and --client-secret"),
        (["--client-id", "me"], "both --client-id and --client-secret"),
        (["--port", "99999"], "serve.port"),
        (["--host", "192.0.2.1", "--client-id", "me", "--client-secret-file"], "cannot listen"),
        (["--client-id", "me", "--client-secret", "x"], "No such option"),
        (["--client-id", "me", "--client-secret=wonderful"], "No such option"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, options: list[str], message: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("my-secret-of-the-test\n")
    done = run("serve", *options, *([secret] if options[-1] == "--client-secret-file" else []))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "wonderful" not in done.err
