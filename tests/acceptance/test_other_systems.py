"""The command on a system that lacks what only Linux has, as macOS does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batch_converter.storage.reserve import RESERVE_BYTES
from tests.support.command import run, started
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

WITHOUT = """
import fcntl, os, resource, select, signal, socket

for module, names in {
    os: (
        "copy_file_range eventfd fdatasync getrandom memfd_create pidfd_open pipe2"
        " posix_fadvise posix_fallocate preadv2 pwritev2 process_cpu_count"
        " sched_getaffinity sched_setaffinity splice unshare setns waitid P_PID P_ALL P_PIDFD"
        " WEXITED WNOWAIT WSTOPPED O_TMPFILE O_PATH O_DIRECT O_NOATIME getxattr setxattr"
        " listxattr removexattr setresuid getresuid RWF_DSYNC"
    ),
    select: "epoll",
    signal: "sigtimedwait sigwaitinfo SIGRTMIN SIGRTMAX SIGPOLL SIGSTKFLT",
    resource: "prlimit RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_OFILE",
    fcntl: "F_SETPIPE_SZ F_OFD_SETLK F_ADD_SEALS",
    socket: "AF_NETLINK AF_PACKET AF_VSOCK SOCK_CLOEXEC SOCK_NONBLOCK TCP_USER_TIMEOUT",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

set_limit = resource.setrlimit


def setrlimit(kind, limits):
    if kind == resource.RLIMIT_AS:
        raise ValueError("current limit exceeds maximum limit")
    set_limit(kind, limits)


resource.setrlimit = setrlimit
"""


@pytest.fixture(autouse=True)
def without_what_only_linux_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take it away from every Python that is started, worker processes included."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT)
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def test_the_embedded_engine_converts(source: Path, output: Path) -> None:
    make_archive(source, 2)
    report = ("--report", output / "report.json")
    done = run("convert", source, "-o", output, "--engine", "local", "--json", *report)
    assert done.code == 0, done.err
    assert done.json["totals"]["converted"] == 2
    reserve = output / ".batch-converter/ledger.reserve"
    assert reserve.stat().st_blocks * 512 >= RESERVE_BYTES
    assert run("verify", "-o", output).code == 0


def test_the_cloud_is_used(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 2)
    done = run("convert", source, "-o", output, "--json")
    assert done.code == 0, done.err
    assert cloud.calls["submit"] == 2


def test_the_service_starts_and_ends(tmp_path: Path) -> None:
    with started(tmp_path / "service", "serve", "--port", "0") as service:
        service.wait_until(lambda: "listening on" in service.out, "the service is ready")
        service.signal(15)
        assert service.finish().code == 143
