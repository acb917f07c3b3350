"""Where the parts of a document lie until they are put together: beside its PDF's own part."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def part_names(target: str | os.PathLike[str], count: int) -> list[str]:
    """Name the files of the parts, beside `target`."""
    return [f"{os.fspath(target)}.{number}.part" for number in range(count)]


def text_name(path: str | os.PathLike[str]) -> str:
    """Name the PDF with text until it takes the place of the one without."""
    return f"{os.fspath(path)}.ocr"


def unfinished_name(path: str | os.PathLike[str]) -> str:
    """Name the picture of a page until all of it is written."""
    return f"{os.fspath(path)}.part"


def remove_parts(paths: Sequence[str]) -> None:
    """Remove part files, and what OCR began beside them; what is not there is no error."""
    for name in (name for path in paths for name in (path, text_name(path))):
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108  # surrogates
