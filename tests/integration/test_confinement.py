"""What a worker process has, and has not, when it reads a hostile file."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil
import pytest

from batch_converter.config import LocalSettings
from batch_converter.djvu.work.environment import worker_environment
from batch_converter.djvu.work.inspection import DjvuInspector
from batch_converter.engines.local import LocalEngine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
BOOK = os.fspath(ROOT / "samples" / "book.djvu")
SECRETS = {
    "ASPOSE_CLIENT_SECRET": "s3cr3t-of-the-account",
    "BATCH_CONVERTER_SERVE__CLIENT_SECRET": "s3cr3t-of-the-service",
    "HTTPS_PROXY": "http://user:s3cr3t@proxy",
    "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-cloud",
    "CREDENTIALS_DIRECTORY": "/run/s3cr3t",
    "PATH_TO_KEY": "s3cr3t",
    "MY_PATH": "s3cr3t",
    "PYTHON_KEYRING": "s3cr3t",
    "LC_": "s3cr3t",
    "SSH_AUTH_SOCK": "s3cr3t",
}
WITHOUT_NETWORK = """
import ctypes
libc = ctypes.CDLL(None)
print(libc.unshare(0x40000000) == 0 or libc.unshare(0x50000000) == 0)
"""
"""Whether the kernel lets this user give the network up, as root or in a user namespace."""

CONFINED = """
import ctypes, encodings.ascii, os, sys
from batch_converter.djvu.work.confinement import confine
folder = os.open(sys.argv[1], os.O_RDONLY)
if os.geteuid() == 0 and sys.argv[2] == "ordinary":
    os.setgroups([65533])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable, as a program that such a user starts
before = os.geteuid(), os.getegid()
confine()
assert (os.geteuid(), os.getegid()) == before, "it is somebody else"
file = os.open("written", os.O_RDWR | os.O_CREAT, 0o600, dir_fd=folder)
os.write(file, b"kept")
assert os.fstat(file).st_uid == before[0]
os.close(os.open("shared", os.O_RDWR, dir_fd=folder))
os.close(os.open("grouped", os.O_RDWR, dir_fd=folder))
print(open("/proc/self/status").read())
"""


@asynccontextmanager
async def at_work(folder: Path) -> AsyncIterator[list[int]]:
    """Have a worker and an inspector that have read a document; their process numbers."""
    inspector = DjvuInspector()
    async with LocalEngine(LocalSettings(), workers=1) as engine:
        await anyio.to_thread.run_sync(inspector.count_pages, BOOK)
        await engine.picture(BOOK, os.fspath(folder / "picture.jpg"))
        yield [process.pid for module in ("inspector", "worker") for process in processes(module)]
    await inspector.aclose()


def processes(module: str) -> list[psutil.Process]:
    name = f"batch_converter.djvu.work.{module}"
    return [child for child in psutil.Process().children() if name in child.cmdline()]


def facts_in(status: str) -> dict[str, str]:
    """What `/proc/PID/status` says."""
    pairs = (line.partition(":") for line in status.splitlines())
    return {name: value.strip() for name, _, value in pairs}


async def network_of(pid: int) -> str:
    return os.fspath(await anyio.Path(f"/proc/{pid}/ns/net").readlink())


def can_give_network_up() -> bool:
    done = subprocess.run([sys.executable, "-c", WITHOUT_NETWORK], capture_output=True, check=True)
    return done.stdout == b"True\n"


async def test_no_secret_is_in_the_environment_of_a_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TESSDATA_PREFIX", "/opt/languages")
    async with at_work(tmp_path) as pids:
        environments = [await anyio.Path(f"/proc/{pid}/environ").read_bytes() for pid in pids]
    assert len(environments) == 2
    for environment in environments:
        assert b"TESSDATA_PREFIX=/opt/languages\0" in environment
        assert b"s3cr3t" not in environment


def test_what_workers_need_is_passed_on() -> None:
    given = {"PATH": "/bin", "LC_ALL": "C.UTF-8", "TMPDIR": "/scratch", "PYTHONPATH": "/extra"}
    found_by = {"LOCPATH": "/opt/locales", "LOCALE_ARCHIVE": "/opt/locale-archive"}
    measured = {"COVERAGE_PROCESS_START": "rc", "COVERAGE_PROCESS_CONFIG": "{}"}
    passed = given | found_by | measured
    found = worker_environment(passed | SECRETS)
    assert found | passed == found | {"PYTHONPATH": "/extra"}
    assert found["PYTHONPATH"] == os.pathsep.join(["/extra", os.fspath(ROOT)])
    assert worker_environment({})["PYTHONPATH"] == os.fspath(ROOT)


async def test_a_worker_gains_no_privileges_and_has_no_network(tmp_path: Path) -> None:
    is_apart = await anyio.to_thread.run_sync(can_give_network_up)
    async with at_work(tmp_path) as pids:
        found = [facts_in(await anyio.Path(f"/proc/{pid}/status").read_text()) for pid in pids]
        networks = [await network_of(pid) for pid in pids]
        ours = await network_of(os.getpid())
    assert len(found) == 2
    for facts, network in zip(found, networks, strict=True):
        assert facts["NoNewPrivs"] == "1"
        powers = int(facts["CapEff"], 16) | int(facts["CapPrm"], 16) | int(facts["CapInh"], 16)
        assert powers & ~0x1F == 0  # no more than power over files
        assert (network != ours) is is_apart


@pytest.mark.parametrize("user", ["ordinary", "whoever runs this"])
def test_all_files_of_a_user_stay_the_same(tmp_path: Path, user: str) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    (folder / "shared").touch()
    (folder / "shared").chmod(0o666)
    (folder / "grouped").touch()
    if os.geteuid() == 0:
        os.chown(folder / "grouped", 0, 65533)
    (folder / "grouped").chmod(0o660)
    command = [sys.executable, "-c", CONFINED, os.fspath(folder), user]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = facts_in(done.stdout)
    kept = 0x1F if os.geteuid() == 0 and user != "ordinary" else 0
    assert (facts["NoNewPrivs"], int(facts["CapEff"], 16) & ~kept) == ("1", 0)
    assert (folder / "written").read_bytes() == b"kept"
