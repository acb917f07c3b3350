"""Sources as they were named: checked to exist, and made absolute."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batch_converter import working_folder
from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_sources(sources: Iterable[str]) -> None:
    """Make sure that the sources named on the command line are there.

    Raises:
        UsageError: One does not exist or cannot be reached.
    """
    for source in sources:
        try:
            os.stat(source)  # noqa: PTH116  # Path("") would be the current folder
        except (OSError, ValueError) as error:
            raise UsageError(f"the source {source!r} cannot be used: {reason(error)}") from error


def absolute_path(given: str) -> str:
    """Make a source's path absolute; links are resolved only where `..` behind one needs it.

    Raises:
        UsageError: It is relative, and the working folder is gone.
    """
    with working_folder.needed_for(given):
        path = "/" + os.path.abspath(given).lstrip("/")  # noqa: PTH100  # resolves no links
        if ".." in given.split("/") and not _is_same(path, given):
            return os.path.realpath(given)
        return path


def _is_same(path: str, other: str) -> bool:
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False


def reason(error: OSError | ValueError) -> str:
    """Return the system's words for what is wrong with a path, without the path."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "the name holds a NUL byte; is it from a NUL-separated list (--null)?"
