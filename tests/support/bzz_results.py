"""What is made of BZZ streams, in a form that two processes, or two decoders, can compare."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.read import bzz
from batch_converter.djvu.read.bzz import BzzError
from tests.support import bzz_reference
from tests.support.compiled import run_compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


def found(data: bytes, most_bytes: int) -> tuple[str, str]:
    """What is said of a stream, and what it held, as hexadecimal digits."""
    return _said(bzz.decompress, data, most_bytes)


def reference(data: bytes, most_bytes: int) -> tuple[str, str]:
    """The same of the plain decoder."""
    return _said(bzz_reference.decompress, data, most_bytes)


def _said(decode: Callable[..., bytes], data: bytes, most_bytes: int) -> tuple[str, str]:
    try:
        return "whole", decode(data, max_bytes=most_bytes).hex()
    except BzzError as error:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        return type(error).__name__ + cause, error.found.hex()


def compiled(cases: Sequence[tuple[bytes, int]], folder: Path) -> list[tuple[str, str]]:
    """The same in a process whose kernels are machine code, kept in a folder."""
    given = json.dumps([(data.hex(), most_bytes) for data, most_bytes in cases])
    printed = run_compiled("-m", "tests.support.bzz_results", folder=folder, given=given)
    return [(kind, held) for kind, held in json.loads(printed)]


if __name__ == "__main__":
    assert COMPILED
    given = json.load(sys.stdin)
    json.dump([found(bytes.fromhex(data), most_bytes) for data, most_bytes in given], sys.stdout)
