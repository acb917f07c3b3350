"""Where workers keep compiled kernels: code that is run, so nobody else may write there.

What the user has named by numba's own variable, else a folder of the user's cache. Looking
changes nothing; a run makes the folder.
"""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import platformdirs

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER_VARIABLE: Final = "NUMBA_CACHE_DIR"
OFF_VARIABLE: Final = "NUMBA_DISABLE_JIT"
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_MODE: Final = 0o700


class NoKernelFolderError(Exception):
    """Kernels are not compiled; the argument is why."""


def kernel_folder(given: Mapping[str, str]) -> Path:
    """Return where compiled kernels are kept, or would be.

    Args:
        given: The environment.

    Raises:
        NoKernelFolderError: They are not compiled.
    """
    if given.get(OFF_VARIABLE, "0") not in {"", "0"}:
        raise NoKernelFolderError(f"{OFF_VARIABLE} is set")
    if find_spec("numba") is None:
        raise NoKernelFolderError("numba is not installed (the extra [fast])")
    named = given.get(FOLDER_VARIABLE)
    folder = Path(named) if named else _own_folder()
    _check(folder)
    return folder


def _own_folder() -> Path:
    try:
        return platformdirs.user_cache_path("batch-converter") / "kernels"
    except (OSError, RuntimeError) as error:  # no home
        raise NoKernelFolderError("this user has no folder for caches") from error


def make_kernel_folder(given: Mapping[str, str]) -> Path:
    """Return where compiled kernels are kept; the folder is there.

    Raises:
        NoKernelFolderError: They are not compiled.
    """
    folder = kernel_folder(given)
    try:
        folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise NoKernelFolderError(f"{folder} cannot be made: {error.strerror}") from error
    _check(folder)
    return folder


def _check(folder: Path) -> None:
    try:
        there = folder
        while not there.exists():
            there = there.parent
        status = there.stat()
    except OSError as error:
        raise NoKernelFolderError(f"{folder} cannot be reached: {error.strerror}") from error
    if not stat.S_ISDIR(status.st_mode):
        raise NoKernelFolderError(f"{there} is no folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise NoKernelFolderError(f"{there} cannot be written")
    if there != folder:
        return
    if status.st_uid != os.geteuid():
        raise NoKernelFolderError(f"{folder} belongs to another user")
    if status.st_mode & _OTHERS_MAY_WRITE:
        raise NoKernelFolderError(f"{folder} can be written by others")
