"""Errors for relative paths where the working folder has been deleted."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def needed_for(path: str | os.PathLike[str]) -> Iterator[None]:
    """Make `path` absolute in the block; only a relative one asks for the working folder.

    Raises:
        UsageError: That was deleted, or cannot be reached.
    """
    try:
        yield
    except OSError as error:
        msg = (
            f"{os.fspath(path)!r} is a relative path, and the working folder cannot be used"
            f" ({error.strerror}): change to another folder, or give absolute paths"
        )
        raise UsageError(msg) from error
