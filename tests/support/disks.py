"""Disks that are small, and a user who may not do everything."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


AS_ORDINARY_USER: Final = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    if os.geteuid() == 0
    else ()
)
"""What a command is run through so that permissions mean something to root, too."""


class SmallDisk(NamedTuple):
    """A file system of its own, in memory."""

    path: Path

    def remount(self, options: str) -> None:
        """Change its size, or whether it may be written.

        Given its source, mount adds no options that it has read; some would not be
        taken in a user namespace.
        """
        wanted = f"remount,{options}"
        mount: list[str | Path] = ["/usr/bin/mount", "-o", wanted, "tmpfs", self.path]
        subprocess.run(mount, check=True, stderr=subprocess.DEVNULL)

    def tighten(self, *, but_bytes: int) -> None:
        """Let it have only so much room, whatever writes or deletes at the same moment."""
        while True:
            status = os.statvfs(self.path)
            used_bytes = (status.f_blocks - status.f_bfree) * status.f_frsize
            with suppress(subprocess.CalledProcessError):  # more is in it by now
                return self.remount(f"size={used_bytes + max(1, but_bytes)}")

    def fill(self, *, but_bytes: int = 0) -> Path:
        """Leave only so much room; returns the file that takes the rest."""
        filler = self.path / "filler"
        status = os.statvfs(self.path)
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - but_bytes)
        return filler


@contextmanager
def small_disk(path: Path, *, size_bytes: int, inodes: int = 0) -> Iterator[SmallDisk]:
    """Mount a disk as `mounted_disk` does; the test is skipped where the system does not let us."""
    with mounted_disk(path, size_bytes=size_bytes, inodes=inodes) as disk:
        if disk is None:
            pytest.skip("no file system may be mounted here")
        yield disk


@contextmanager
def mounted_disk(path: Path, *, size_bytes: int, inodes: int = 0) -> Iterator[SmallDisk | None]:
    """Mount a disk of this size and of so many inodes, 0 for as many as are wanted.

    Yields None, and leaves a folder there, where the system does not let us.
    """
    path.mkdir()
    options = f"size={size_bytes},nr_inodes={inodes}"
    mount: list[str | Path] = ["/usr/bin/mount", "-t", "tmpfs", "-o", options, "tmpfs", path]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", path], check=True)
