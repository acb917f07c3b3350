"""The line of `contrib/crontab`, run as cron runs it: silence, or a mail that says what to do."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click
import pytest
from filelock import FileLock

from batch_converter.cli.group import cli
from batch_converter.errors import ExitCode
from tests.support.cloud import Reply
from tests.support.command import PATIENCE_S
from tests.support.installed import COMMAND, HEEDFUL
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

ROOT: Final = Path(__file__).parents[2]
CONTRIB: Final = ROOT / "contrib"
PAGE: Final = (ROOT / "docs/nightly.md").read_text(encoding="utf-8")


class Night(NamedTuple):
    """What a line of cron left behind."""

    code: int
    mail: str


class Cron:
    """Runs the line with the settings of `contrib/nightly.toml`, in a home folder of its own."""

    def __init__(self, home: Path, cloud: Cloud) -> None:
        self.scans, self.pdfs = home / "scans", home / "pdfs"
        self._home = home
        self._line = self._at_home((CONTRIB / "crontab").read_text().splitlines()[-1])
        secret = home / "client-secret"
        secret.write_text(cloud.client_secret)
        secret.chmod(0o600)
        self.settings = home / "nightly.toml"
        self.settings.touch(0o600)
        self.set_up(cloud.base_url, cloud.client_id)

    def _at_home(self, text: str) -> str:
        for there, here in (
            ("/opt/batch-converter/bin/batch-converter", COMMAND),
            ("/etc/batch-converter", self._home),
            ("/srv", self._home),
        ):
            assert there in text or there.startswith("/opt")
            text = text.replace(there, str(here))
        return text

    def set_up(self, base_url: str, client_id: str, more: str = "") -> None:
        """Write the settings: those of contrib/, with the account."""
        text = self._at_home((CONTRIB / "nightly.toml").read_text())
        text = text.replace("# [aspose]", f'[aspose]\nbase_url = "{base_url}"')
        text = text.replace("# client_id = ", f'client_id = "{client_id}" # ')
        text = text.replace("# client_secret_file", "client_secret_file")
        text = text.replace('min_age = "10m"', 'min_age = "0s"')
        quick = "[retry]\ninitial_wait_s = 0.01\nrequest_attempts = 2\n[polling]\ninterval = 0.02\n"
        self.settings.write_text(text + quick + more)

    def night(self) -> Night:
        """Run the line as cron does, with no more in its environment than crontab(5) says."""
        environ = {
            "HOME": str(self._home),
            "LOGNAME": "anna",
            "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        }
        command = self._line.split(maxsplit=5)[-1]
        done = subprocess.run(
            [*HEEDFUL, "/bin/sh", "-c", command],
            env=environ,
            cwd=self._home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_S,
            check=False,
        )
        return Night(code=done.returncode, mail=done.stdout.decode())


@pytest.fixture
def cron(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cron:
    """Cron, with an account in the settings alone."""
    monkeypatch.delenv("ASPOSE_CLIENT_ID")
    monkeypatch.delenv("ASPOSE_CLIENT_SECRET")
    return Cron(tmp_path, cloud)


@pytest.mark.slow
def test_a_night_that_ends_well_is_silent_and_another_says_why_and_what_to_do(
    cloud: Cloud, cron: Cron
) -> None:
    make_archive(cron.scans, 3)
    assert cron.night() == Night(0, "")
    assert len(list(cron.pdfs.glob("*.pdf"))) == 3

    (cron.scans / "broken.djvu").write_bytes(b"no DjVu")
    code, mail = cron.night()
    assert code == 1
    assert "broken.djvu: not_djvu: broken.djvu is no DjVu file" in mail
    assert "waits until the file changes, or for --retry-failed" in mail
    assert cron.night() == Night(0, "")  # told once

    with FileLock(cron.pdfs / ".batch-converter/lock"):
        code, mail = cron.night()
    assert code == 5
    assert f"another run holds {cron.pdfs}/.batch-converter; wait for it" in mail
    assert mail.count("\n") == 1
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_a_night_that_is_stopped_says_by_whom_and_what_goes_on(cloud: Cloud, cron: Cron) -> None:
    make_archive(cron.scans, 2)
    cloud.always("token", Reply(status=400, body='{"error": "invalid_client"}'))
    code, mail = cron.night()
    assert code == 3
    assert "Cause: the service answered the request for a token with 400: invalid_client" in mail
    assert "check ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET, or the [aspose] section" in mail
    assert "with that settled, the same command goes on from here" in mail

    cloud.as_usual("token")
    cron.set_up("http://127.0.0.1:1", cloud.client_id)
    code, mail = cron.night()
    assert code == 6
    assert "Cause: http://127.0.0.1:1 cannot be reached" in mail
    assert "later, the same command goes on from here" in mail

    cron.set_up(cloud.base_url, cloud.client_id)
    settings = cron.settings.read_text()
    cron.settings.write_text(settings.replace("# monthly_api_calls = 10000", "max_api_calls = 3"))
    code, mail = cron.night()
    assert code == 4
    assert "Cause: the next step takes 2 billed calls, and the budget has 1 left" in mail
    assert "as told by the budget" in mail
    assert "remaining   1" in mail

    cron.settings.write_text(settings.replace("min_age", "min_agee"))
    code, mail = cron.night()
    assert code == 2
    assert "the nearest known key is 'input.min_age'" in mail


def commands_of_the_page() -> list[list[str]]:
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", "")
    return [shlex.split(line) for line in blocks.splitlines()]


def test_the_page_says_what_the_command_takes_and_what_each_code_means() -> None:
    program = "/opt/batch-converter/bin/batch-converter"
    run_by_hand = [words for words in commands_of_the_page() if program in words]
    assert len(run_by_hand) == 4
    for words in run_by_hand:
        name, *arguments = words[words.index(program) + 1 :]
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        if isinstance(command, click.Group):
            name, *arguments = arguments
            command = command.commands[name]
        assert command.make_context(name, arguments).params["config_file"] is not None
    told = re.findall(r"^\| ([\d, ]+) \|", PAGE, re.MULTILINE)
    codes = {int(code) for cell in told for code in cell.split(",")}
    assert codes == {int(code) for code in ExitCode}


def test_the_page_moves_the_folders_in_every_file_that_names_them() -> None:
    (sed,) = [words for words in commands_of_the_page() if words[0] == "sed"]
    beside = ("batch-converter-watch.service", "watch.toml")
    files_of_nights = [path for path in CONTRIB.iterdir() if path.name not in beside]
    named = {path.name for path in files_of_nights if "/srv/" in path.read_text()}
    assert {Path(word).name for word in sed[3:]} == named
    assert "/srv/" not in PAGE.replace("`/srv/", "").replace("|/srv/", "")  # it goes on as if moved
    files = {word for words in commands_of_the_page() for word in words if "contrib/" in word}
    assert all((ROOT / file).exists() for file in files)
