"""What people's machines and tools do to a command before it begins, and after it has told all."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Finished, run, run_each
from tests.support.disks import AS_ORDINARY_USER
from tests.support.installed import COMMAND, HEEDFUL
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.cloud import Cloud

# Commands by the dozen, each of which other tests run as well.
pytestmark = pytest.mark.usefixtures("unmeasured_processes")


def each_command(source: Path, output: Path) -> list[tuple[str | Path, ...]]:
    """Return calls of the commands that need nothing but these two folders, `convert` first."""
    return [
        ("convert", source, "-o", output, "--engine", "local"),
        ("convert", source, "-o", output, "--engine", "local", "--dry-run"),
        ("status", "-o", output),
        ("report", "-o", output),
        ("verify", "-o", output),
        ("retry", "-o", output),
        ("doctor", "-o", output, "--engine", "local"),
        ("config", "check"),
    ]


# What cannot be looked at


@pytest.fixture
def closed_home(tmp_path: Path) -> Iterator[Path]:
    """A home folder whose `.config` is closed to an ordinary user."""
    config = tmp_path / "home" / ".config"
    config.mkdir(parents=True)
    config.chmod(0)
    yield config.parent
    config.chmod(0o700)


@pytest.mark.slow
def test_a_closed_configuration_folder_keeps_nothing_from_running(
    source: Path, output: Path, closed_home: Path
) -> None:
    make_archive(source, 1)
    for env in (
        {"HOME": os.fspath(closed_home), "XDG_CONFIG_HOME": ""},
        {"XDG_CONFIG_HOME": os.fspath(closed_home / ".config")},
    ):
        for command in each_command(source, output):
            done = run(*command, env=env, through=AS_ORDINARY_USER)
            assert done.code == 0, (command, done)
    assert "cannot look for a configuration file" in done.err


@pytest.mark.slow
def test_a_configuration_that_is_named_and_closed_is_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "closed.toml"
    path.touch(mode=0)
    for command in ("config check", "doctor", "status -o x", "convert x -o y", "serve"):
        done = run(*command.split(), "-c", path, through=AS_ORDINARY_USER)
        assert done.code == 2
        assert "closed.toml" in done.err
        assert "readable" in done.err


@pytest.mark.slow
def test_a_working_folder_that_is_closed_is_not_missed(
    source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    closed = tmp_path / "closed"
    closed.mkdir()
    enter = ("sh", "-c", f'cd "{closed}" && chmod 0 . && exec "$@"', "sh", *AS_ORDINARY_USER)
    for command in each_command(source, output):
        done = run(*command, through=enter)
        assert done.code == 0, (command, done)
    assert run("convert", "relative", "-o", output, through=enter).code == 2
    closed.chmod(0o700)


def in_a_deleted_folder(folder: Path) -> tuple[str, ...]:
    """Return what a command is run through to work in a folder that is gone."""
    gone = folder / "gone"
    return ("sh", "-c", f'mkdir "{gone}" && cd "{gone}" && rmdir "{gone}" && exec "$@"', "sh")


@pytest.mark.slow
def test_a_working_folder_that_is_gone_is_not_missed_where_paths_are_absolute(
    source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    through = in_a_deleted_folder(tmp_path)
    for command in each_command(source, output):
        done = run(*command, through=through)
        assert done.code == 0, (command, done)


@pytest.mark.slow
def test_a_relative_path_in_a_folder_that_is_gone_is_the_cause(
    source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output, "--engine", "local").code == 0
    listed = tmp_path / "list"
    listed.write_text("a.djvu\n")
    through = in_a_deleted_folder(tmp_path)
    for command in (
        ("convert", source, "-o", "pdfs"),
        ("convert", source, "-o", output, "--state-dir", "state"),
        ("convert", ".", "-o", output),
        ("convert", "--files-from", listed, "-o", output, "--engine", "local"),
        ("convert", source, "-o", output, "--report", "r.json"),
        ("convert", source, "-o", output, "--log-file", "log"),
        ("status", "-o", "pdfs"),
        ("verify", "-o", "pdfs"),
        ("report", "-o", "pdfs"),
        ("retry", "-o", output, "a.djvu"),
    ):
        done = run(*command, through=through)
        assert done.code == 2, (command, done)
        assert "could not be written" not in done.err


@pytest.mark.parametrize("home", ["", "/nonexistent", "relative"])
def test_a_home_that_is_none_keeps_nothing_from_running(
    source: Path, output: Path, home: str
) -> None:
    make_archive(source, 1)
    for command in each_command(source, output)[:1] + each_command(source, output)[-2:]:
        done = run(*command, env={"HOME": home, "XDG_CONFIG_HOME": ""})
        assert done.code == 0, (command, done)


@pytest.mark.slow
def test_a_temporary_folder_that_is_none_keeps_nothing_from_running(
    source: Path, output: Path
) -> None:
    make_archive(source, 1)
    for folder in ("/nonexistent", "/proc", ""):
        for command in each_command(source, output)[:2]:
            assert run(*command, env={"TMPDIR": folder}).code == 0


# Halves and strangers


@pytest.mark.slow
def test_half_an_account_is_2_and_nothing_is_converted(source: Path, output: Path) -> None:
    make_archive(source, 1)
    halves = {
        "ASPOSE_CLIENT_SECRET": {"ASPOSE_CLIENT_ID": "me"},
        "ASPOSE_CLIENT_ID": {"ASPOSE_CLIENT_SECRET": "quiet-one"},
    }
    commands = [
        ("convert", source, "-o", output),
        ("convert", source, "-o", output, "--engine", "aspose"),
        ("convert", source, "-o", output, "--dry-run"),
        ("doctor", "-o", output),
        ("doctor", "-o", output, "--engine", "aspose"),
        ("config", "check"),
        ("cancel", "-o", output),
    ]
    for missing, env in halves.items():
        for done in run_each(commands, env=env):
            assert done.code == 2, done
            assert missing in done.out + done.err
            assert "quiet-one" not in done.out + done.err
        assert not output.exists()
    local = run("convert", source, "-o", output, "--engine", "local", env=halves[missing])
    assert local.code == 0


def test_an_account_that_is_dirty_at_its_ends_is_let_in(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xef\xbb\xbf" + cloud.client_secret.encode() + b"\r\n")
    secret.chmod(0o600)
    env = {
        "ASPOSE_CLIENT_ID": f"{cloud.client_id}\r\n",
        "ASPOSE_CLIENT_SECRET": f" {cloud.client_secret}\n",
        "BATCH_CONVERTER_ASPOSE__BASE_URL": f"{cloud.base_url}\r",
    }
    assert run("doctor", "-o", output, env=env).code == 0
    by_file = {
        "ASPOSE_CLIENT_SECRET": "",
        "BATCH_CONVERTER_ASPOSE__CLIENT_SECRET_FILE": os.fspath(secret),
    }
    assert run("convert", source, "-o", output, env={**env, **by_file}).code == 0


@pytest.mark.slow
def test_a_list_that_windows_wrote_is_read_or_named_as_the_cause(
    source: Path, output: Path, tmp_path: Path
) -> None:
    names = "".join(f"{path}\r\n" for path in make_archive(source, 2))
    listed = tmp_path / "list"
    command = ("convert", "--files-from", listed, "-o", output, "--engine", "local", "--json")
    listed.write_bytes(names.encode("utf-16"))
    for done in (run(*command), run(*command[:2], "-", *command[3:], stdin=listed.read_bytes())):
        assert done.code == 2
        assert "it is UTF-16 text; save it as UTF-8" in done.err
    listed.write_bytes(names.encode("utf-8-sig"))
    assert run(*command).json["totals"]["converted"] == 2


@pytest.mark.slow
def test_a_clusters_links_are_passed_over(source: Path, output: Path) -> None:
    make_archive(source, 1)
    links = {
        "BATCH_CONVERTER_PORT": "tcp://10.0.0.7:8080",
        "BATCH_CONVERTER_SERVICE_HOST": "10.0.0.7",
        "BATCH_CONVERTER_SERVICE_PORT": "8080",
        "BATCH_CONVERTER_PORT_8080_TCP_ADDR": "10.0.0.7",
    }
    for command in each_command(source, output):
        assert run(*command, env=links).code == 0
    (warning,) = run(*each_command(source, output)[0], env=links).named("config.warning")
    assert all(name in warning["message"] for name in links)
    typo = run(*each_command(source, output)[0], env={"BATCH_CONVERTER_SERVE_PORT": "8080"})
    assert typo.code == 2
    assert "serve.port" in typo.err


# A reader who has gone


def unread(*arguments: str | Path, both: bool = False) -> Finished:
    """Run the command with a standard output that nobody reads, or both streams."""
    read, write = os.pipe()
    os.close(read)
    stderr = write if both else subprocess.PIPE
    command = [*HEEDFUL, COMMAND, *arguments]
    done = subprocess.run(
        command, stdout=write, stderr=stderr, stdin=subprocess.DEVNULL, check=False
    )
    os.close(write)
    told = (done.stderr or b"").decode()
    assert "Traceback" not in told
    assert "Exception ignored" not in told
    return Finished(code=done.returncode, out="", err=told)


@pytest.mark.slow
@pytest.mark.parametrize("both", [False, True])
def test_a_reader_who_has_gone_does_not_change_how_a_command_ends(
    source: Path, output: Path, *, both: bool
) -> None:
    make_archive(source, 2)
    for command in (*each_command(source, output), ("--help",), ("--version",)):
        done = unread(*command, both=both)
        assert done.code == 0, (command, done)
    (source / "bad.djvu").write_bytes(b"no document")
    assert unread("convert", source, "-o", output, "--engine", "local", both=both).code == 1
    assert unread("status", "-o", source, both=both).code == 2


def test_a_full_disk_under_standard_output_is_told_as_that(output: Path) -> None:
    to_full = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
    doctor = ("doctor", "-o", output, "--engine", "local")
    for command in (
        ("--help",),
        ("--version",),
        ("convert", "--help"),
        ("config", "check"),
        doctor,
    ):
        done = run(*command, through=to_full)
        assert done.code == 1, command
        told = "batch-converter: the result could not be written: No space left on device\n"
        assert done.err == told, command


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_that_meets_a_full_disk_is_told_as_that(shell: str) -> None:
    to_full = ("sh", "-c", 'exec "$@" > /dev/full', "sh")
    done = run(through=to_full, env={"_BATCH_CONVERTER_COMPLETE": f"{shell}_source"})
    assert (done.code, done.err.count("\n")) == (1, 1), done
    assert "the result could not be written" in done.err
