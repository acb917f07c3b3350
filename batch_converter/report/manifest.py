"""The manifest: what `sha256sum -c` reads, run in the output folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from batch_converter.report.atomic_writer import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_ESCAPES: Final = ((b"\\", rb"\\"), (b"\n", rb"\n"), (b"\r", rb"\r"))


def write_manifest(path: Path, converted: Iterable[tuple[str, str, int]]) -> None:
    """Write a line for each PDF; the file appears whole, on disk, or not at all.

    Args:
        path: Where it goes; missing folders are made.
        converted: Path below the output folder, SHA-256 in hexadecimal, and size
            of each PDF, taken one at a time.

    Raises:
        OutputError: It cannot be written.
    """
    with replacing(path, "manifest") as out:
        for output, sha256, _size_bytes in converted:
            out.write(_line(os.fsencode(output), sha256))


def _line(name: bytes, sha256: str) -> bytes:
    """Return a line as GNU writes it: a name that needs escapes is announced up front."""
    escaped = name
    for char, escape in _ESCAPES:
        escaped = escaped.replace(char, escape)
    mark = b"\\" if escaped != name else b""
    return b"%s%s  %s\n" % (mark, sha256.encode("ascii"), escaped)
