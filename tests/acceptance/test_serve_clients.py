"""`serve --add-client` and `--remove-client` as an installed command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.command import run, started


def names(data: Path) -> list[str]:
    return list(json.loads((data / "clients.json").read_text())["clients"])


def test_a_client_is_added_with_its_secret_alone_on_standard_output(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run("serve", "--data-dir", data, "--add-client", "archive")
    assert done.code == 0
    secret = done.out.removesuffix("\n")
    assert len(secret) >= 43
    assert secret.split() == [secret]
    assert secret not in done.err
    assert secret not in (data / "clients.json").read_text()
    again = run("serve", "--data-dir", data, "--add-client", "archive")
    assert (again.code, again.out) == (2, "")
    assert "--remove-client archive" in again.err
    assert run("serve", "--data-dir", data, "--remove-client", "archive").code == 0
    assert names(data) == []
    gone = run("serve", "--data-dir", data, "--remove-client", "archive")
    assert (gone.code, gone.out) == (2, "")


def test_the_file_may_stand_elsewhere(tmp_path: Path) -> None:
    elsewhere = {"BATCH_CONVERTER_SERVE__CLIENTS_FILE": str(tmp_path / "etc" / "clients.json")}
    assert run("serve", "--add-client", "archive", env=elsewhere).code == 0
    assert names(tmp_path / "etc") == ["archive"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--add-client", "archive"], "give --data-dir"),
        (["--data-dir", "data", "--add-client", "a", "--remove-client", "b"], "one at a time"),
        (["--data-dir", "data", "--add-client", ""], "a client's name must"),
        (["--data-dir", "data", "--add-client", "a\nb"], "a client's name must"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    tmp_path: Path, options: list[str], message: str
) -> None:
    done = run("serve", *[str(tmp_path / one) if one == "data" else one for one in options])
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (tmp_path / "data").exists()


def test_the_id_of_the_configuration_is_no_name_for_another(tmp_path: Path) -> None:
    account = {"BATCH_CONVERTER_SERVE__CLIENT_SECRET": "my-secret-of-the-test"}
    options = ("--data-dir", tmp_path / "data", "--client-id", "me", "--add-client", "me")
    done = run("serve", *options, env=account)
    assert (done.code, done.out) == (2, "")
    assert "serve.client_id" in done.err


def test_a_secret_that_nobody_could_read_lets_nobody_in(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "batch_converter", "serve", "--add-client", "archive"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*command, "--data-dir", str(data)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert names(data) == []


def asks_for_token(address: str, client: str, secret: str) -> int:
    form = f"grant_type=client_credentials&client_id={client}&client_secret={secret}"
    try:
        with urllib.request.urlopen(f"{address}/connect/token", form.encode()) as answer:  # noqa: S310  # our own
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code


@pytest.mark.slow
def test_a_running_service_sees_clients_come_and_go(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = run("serve", "--data-dir", data, "--add-client", "first").out.strip()
    options = ("--host", ".".join("0000"), "--port", "0", "--data-dir", data)
    with started(tmp_path / "serve", "serve", *options) as service:
        service.wait_until(lambda: service.out.endswith("\n"), "the line that says it listens")
        port = service.out.strip().rpartition(":")[2]
        address = f"http://127.0.0.1:{port}"
        assert asks_for_token(address, "first", first) == 200
        second = run("serve", "--data-dir", data, "--add-client", "second").out.strip()
        assert asks_for_token(address, "second", second) == 200
        assert run("serve", "--data-dir", data, "--remove-client", "first").code == 0
        assert asks_for_token(address, "first", first) == 400
        service.signal(signal.SIGTERM)
        done = service.finish()
    assert first not in done.err
    assert second not in done.err
    granted = [(one["client"], one["address"]) for one in done.named("server.token_granted")]
    assert granted == [("first", "127.0.0.1"), ("second", "127.0.0.1")]
