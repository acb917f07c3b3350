"""docs/service.md: what it has people type does what it says, and its table is the settings."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import pytest

from batch_converter.cli.group import cli
from batch_converter.config import ServeSettings
from batch_converter.config.units import parse_size
from tests.support.command import Running, started
from tests.support.installed import COMMAND

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs/service.md").read_text(encoding="utf-8")
BLOCKS: Final = [
    re.sub(r"\\\n\s*", "", block).splitlines()
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
]
PRIVILEGED: Final = ("sudo", "podman", "(umask")


def typed() -> list[str]:
    """Return the commands that an ordinary user types, in order."""
    return [line for lines in BLOCKS for line in lines if not line.startswith(PRIVILEGED)]


class Shell:
    """Runs the page's commands in a folder, with a port and a data folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.folder = folder
        self.data = folder / "conversions"
        path = f"{COMMAND.parent}:{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path, "BATCH_CONVERTER_SERVE__PORT": self.port}
        (folder / "samples").symlink_to(ROOT / "samples")

    def own(self, line: str) -> str:
        return line.replace("/srv/conversions", str(self.data)).replace("8080", self.port)

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", self.own(line)],  # noqa: S607  # wherever it is
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout

    def serve(self, line: str, until: ExitStack) -> Running:
        arguments = shlex.split(self.own(line), comments=True)[1:]
        place = self.folder / f"serve-{len(list(self.folder.iterdir()))}"
        service = until.enter_context(started(place, *arguments, env=self.env))
        expected = f"listening on http://127.0.0.1:{self.port}\n"
        service.wait_until(lambda: service.out == expected, "the line that says it listens")
        return service


def stop(service: Running) -> None:
    service.signal(15)
    assert service.finish().code == 143


def starts_a_service(line: str) -> bool:
    return line.startswith("batch-converter serve") and "-client " not in line


@pytest.mark.slow
def test_the_commands_do_what_the_page_says(tmp_path: Path) -> None:
    shell, ran = Shell(tmp_path), 0
    with ExitStack() as until:
        service: Running | None = None
        for line in typed():
            ran += 1
            if starts_a_service(line):
                service = shell.serve(line, until)
            elif line.startswith("cp "):
                assert service is not None
                stop(service)  # as the page says
                shell.run(line)
            else:
                out = shell.run(line)
                if "--add-client anna" in line:
                    shell.env["SECRET"] = out.strip()
    assert ran == len(typed()) > 6
    assert {path.suffix for path in (tmp_path / "out").rglob("*.*")} >= {".pdf"}
    _check_restored(shell)


def _check_restored(shell: Shell) -> None:
    """Put the backup in place of a folder that is lost: the PDFs are there, and so is anna."""
    shell.data.rename(shell.folder / "lost")
    (shell.folder / "conversions.backup").rename(shell.data)
    ids = {path.stem.removeprefix("task-") for path in shell.data.glob("task-*.pdf")}
    assert len(ids) >= 5
    with ExitStack() as until:
        service = shell.serve("batch-converter serve --data-dir /srv/conversions", until)
        form = "grant_type=client_credentials&client_id=anna&client_secret=$SECRET"
        address = "http://127.0.0.1:8080"
        answer = shell.run(f'curl -sf -d "{form}" {address}/connect/token')
        token = re.findall(r'"access_token":\s*"([^"]+)"', answer)[0]
        asked = f"{address}/v5.0/ocr/Utilities/GetTaskStatus?id="
        for task_id in ids:
            said = shell.run(f"curl -sf -H 'Authorization: Bearer {token}' '{asked}{task_id}'")
            assert '"Completed"' in said
        assert [event["event"] for event in service.events].count("server.queue_resumed") == 1
        stop(service)


def serve_arguments() -> Iterator[list[str]]:
    """Yield what follows `serve` wherever the page starts it, in a container too."""
    for lines in BLOCKS:
        for line in lines:
            words = shlex.split(line, comments=True) if "serve" in line else []
            if "serve" in words:
                yield words[words.index("serve") + 1 :]
            if line.startswith("podman run"):
                words = shlex.split(line)
                yield words[words.index("batch-converter") + 1 :]


@pytest.mark.parametrize("arguments", list(serve_arguments()), ids=" ".join)
def test_the_options_are_there(arguments: list[str]) -> None:
    command = cli.get_command(click.Context(cli), "serve")
    assert command is not None
    command.make_context("serve", arguments)


def test_the_files_that_are_installed_are_there() -> None:
    names = ("README.md", "docs/nightly.md", "docs/watch.md")
    others = "".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    named = set(re.findall(r"contrib/[\w.-]*\w", PAGE + others))
    assert named == {f"contrib/{path.name}" for path in (ROOT / "contrib").iterdir()}


def test_every_limit_is_told_with_its_default() -> None:
    rows = re.findall(r"^\| `serve\.(\w+)` \| (.+?) \|", PAGE, re.MULTILINE)
    told = dict(rows)
    assert set(told) == set(ServeSettings.model_fields)
    for key, default in told.items():
        is_default = getattr(ServeSettings(), key)
        if isinstance(is_default, int | float):
            assert parse_size(default) == is_default, key
        else:
            assert default == f"`{is_default}`" or not is_default, key


def test_sudo_and_the_container_runner_are_all_that_is_not_run() -> None:
    """What changes the system is checked word by word above, and by tests/unit/test_contrib.py."""
    for lines in BLOCKS:
        for line in lines:
            word = line.split()[0]
            known = {"batch-converter", "curl", "cp", "ASPOSE_CLIENT_ID=anna", *PRIVILEGED}
            assert word in known, line
