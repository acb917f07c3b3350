"""The list of sources that failed, as the next run's `--files-from` reads it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from batch_converter.report.atomic_writer import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def write_failed_list(path: Path, sources: Iterable[str], *, null: bool = False) -> int:
    """Write one source a line; the file appears whole, on disk, or not at all.

    A name that holds a line break, or ends in a carriage return, cannot stand in a
    list of lines: it is left out, with a warning in the log. Ended by NUL, every name can
    stand in the list.

    Args:
        path: Where it goes; missing folders are made.
        null: End each name with NUL, as `--files-from --null` reads it.
        sources: Absolute paths, taken one at a time.

    Returns:
        How many names were left out.

    Raises:
        OutputError: It cannot be written.
    """
    left_out = 0
    with replacing(path, "list of failures") as out:
        for source in sources:
            if null:
                out.write(os.fsencode(source) + b"\0")
            elif "\n" in source or source.endswith("\r"):
                left_out += 1
                _log.warning("report.name_left_out", path=source, list=str(path))
            else:
                out.write(os.fsencode(source) + b"\n")
    return left_out
