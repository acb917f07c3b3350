"""A namespace of mounts for the soak alone: what it mounts vanishes with it, however it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from typing import Final

_ENTERED: Final = "TESTS_SOAK_HAS_OWN_MOUNTS"
_WAYS: Final = (("--mount",), ("--map-root-user", "--mount"))
"""As root, and as anybody whom the system lets."""


def enter() -> None:
    """Begin this process anew in one, unless it is in one or the system does not let us."""
    if _ENTERED in os.environ or not shutil.which("unshare"):
        return
    os.environ[_ENTERED] = "1"
    for way in _WAYS:
        if _may_mount(way):
            os.execvp("unshare", ["unshare", *way, *sys.orig_argv])  # noqa: S606, S607  # from PATH


def _may_mount(way: tuple[str, ...]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mount = ["unshare", *way, "mount", "-t", "tmpfs", "tmpfs", folder]
        return subprocess.run(mount, check=False, capture_output=True).returncode == 0
