"""Several users of one archive: modes follow the umask, permission is called by its name."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run, started, wait_until
from tests.support.disks import AS_ORDINARY_USER
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

LEDGER = {
    f"ledger.{suffix}" for suffix in ("sqlite3", "sqlite3-wal", "sqlite3-shm", "reserve", "begun")
}


def with_umask(umask: int) -> tuple[str, ...]:
    """Return what a command is run through to have this umask."""
    return ("sh", "-c", f'umask {umask:03o}; exec "$@"', "sh")


def modes(folder: Path) -> dict[Path, int]:
    """Return the permissions of a folder and of all in it."""
    return {path: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o002, 0o007, 0o022, 0o077])
@pytest.mark.parametrize("apart", [False, True])
def test_all_that_a_run_makes_has_the_mode_of_the_umask(
    cloud: Cloud, source: Path, tmp_path: Path, umask: int, *, apart: bool
) -> None:
    (source / "box").mkdir()
    make_archive(source / "box", 2)
    base = tmp_path / "base"
    base.mkdir(mode=0o777 & ~umask)
    base.chmod(0o777 & ~umask)
    output = base / "pdfs"
    state = base / "state" if apart else output / ".batch-converter"
    reports = ("--report", base / "r/r.json", "--manifest", base / "r/m", "--log-file", base / "l")
    arguments = ("convert", source, "-o", output, "--state-dir", state, *reports)
    cloud.hold("poll")
    with started(tmp_path / "p", *arguments, through=with_umask(umask)) as process:
        wait_until(lambda: cloud.active["poll"], "polls")
        during = modes(base)
        cloud.release("poll")
        assert process.finish().code == 0

    assert {path.name for path in during} >= LEDGER | {"lock", "parts"}
    after = modes(base)
    assert (output / "box" / "00001.pdf") in after
    for path, mode in (during | after).items():
        assert mode == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_pdfs_take_the_group_of_a_folder_that_hands_it_on(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    groups = [group for group in (os.getgroups() if os.geteuid() else [1]) if group != os.getegid()]
    output.mkdir()
    if groups:  # else this user has no other group, and all of it is of the one
        os.chown(output, -1, groups[0])
    output.chmod(0o2775)
    (source / "box").mkdir()
    make_archive(source / "box", 1)
    make_archive(source, 1)
    done = run("convert", source, "-o", output, "--state-dir", tmp_path / "state")
    assert done.code == 0
    assert cloud.calls["submit"] == 2
    for path in (output / "00000.pdf", output / "box", output / "box" / "00000.pdf"):
        assert path.stat().st_gid == output.stat().st_gid
    assert (output / "box").stat().st_mode & stat.S_ISGID


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ledger.sqlite3", "lock", "."])
def test_a_user_who_may_not_write_is_told_so(
    cloud: Cloud, source: Path, output: Path, name: str
) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output).code == 0
    make_archive(source, 2)
    place = output / ".batch-converter" / name
    place.chmod(0o555 if name == "." else 0o444)
    before = (output / ".batch-converter" / "ledger.sqlite3").read_bytes()

    done = run("convert", source, "-o", output, through=AS_ORDINARY_USER)

    place.chmod(0o755)
    assert done.code == 2
    assert "ermission denied" in done.err
    assert "g+" in done.err
    assert "space" not in done.err
    assert "backup" not in done.err
    assert cloud.calls["submit"] == 1
    assert (output / ".batch-converter" / "ledger.sqlite3").read_bytes() == before
    assert run("convert", source, "-o", output).code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("name", ["ledger.sqlite3", "."])
def test_a_user_who_may_not_read_is_told_so(source: Path, output: Path, name: str) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output).code == 0
    place = output / ".batch-converter" / name
    place.chmod(0)
    for command in ("status", "report", "verify", "retry"):
        done = run(command, "-o", output, through=AS_ORDINARY_USER)
        assert done.code == 2, command
        assert "ermission denied" in done.err, command
        assert "backup" not in done.err, command
    estimate = run("convert", source, "-o", output, "--dry-run", through=AS_ORDINARY_USER)
    assert estimate.code == 2
    assert "ermission denied" in estimate.err
    place.chmod(0o755)


def test_a_service_keeps_its_data_to_itself(tmp_path: Path) -> None:
    data = tmp_path / "data"
    arguments = ("serve", "--port", "0", "--data-dir", data)
    with started(tmp_path / "p", *arguments, through=with_umask(0o002)) as process:
        process.wait_until(lambda: "listening on" in process.out, "the service")
        assert modes(data)[data] == 0o700
