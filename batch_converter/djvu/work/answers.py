"""What a worker process's answer means where its job has failed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from batch_converter.errors import (
    EngineError,
    ErrorCode,
    FileError,
    NotDjvuError,
    OutputError,
    UnreadableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS: Final[Mapping[str, type[FileError]]] = {
    ErrorCode.NOT_DJVU: NotDjvuError,
    ErrorCode.UNREADABLE: UnreadableError,
    ErrorCode.OUTPUT_ERROR: OutputError,
}


def error_of(answer: Mapping[str, Any]) -> FileError:
    """Return the error that a worker has told; where a disk caused it, with that cause."""
    error = _ERRORS.get(answer["error"], EngineError)(answer["message"])
    if number := answer.get("errno"):
        error.__cause__ = OSError(number, os.strerror(number))
    return error
