"""What the kernels make of JB2 streams, in a form that two processes can compare."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.g4_bound import least_bits
from batch_converter.djvu.kernels.jb2 import (
    Jb2Dictionary,
    Jb2Error,
    decode_dictionary,
    decode_image,
)
from batch_converter.djvu.kernels.jb2_composition import composed
from batch_converter.djvu.kernels.jb2_separation import separated
from tests.support.compiled import run_compiled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Case(NamedTuple):
    """A stream, as hexadecimal digits, and how it is decoded."""

    stream: str
    dictionaries: Sequence[str] = ()
    uncropped: bool = False
    max_bytes: int = 1 << 20


def result(case: Case) -> str:
    """A digest of all that was decoded and drawn, or what was said against it."""
    try:
        found: list[Jb2Dictionary] = []
        for data in case.dictionaries:
            found.append(decode_dictionary(bytes.fromhex(data), found, max_bytes=case.max_bytes))
        image = decode_image(
            bytes.fromhex(case.stream),
            found,
            uncropped=case.uncropped,
            max_bytes=case.max_bytes,
        )
    except Jb2Error as error:
        return str(error)
    digest = hashlib.sha256(f"{image.width} {image.height}".encode())
    digest.update(image.shapes.bits)
    for numbers in (image.shapes.offsets, image.shapes.widths, image.shapes.heights):
        digest.update(numbers.tobytes())
    for numbers in (image.blit_shapes, image.blit_lefts, image.blit_bottoms):
        digest.update(numbers.tobytes())
    if image.width * image.height <= case.max_bytes:
        page = composed(image)
        digest.update(page.tobytes() + str(least_bits(page, image.width)).encode())
        levels = [number % 255 for number in range(len(image.blit_shapes))]
        for level, pixels, rows, left, top in separated(image, levels, clear=255):
            digest.update(f"{level} {pixels} {left} {top}".encode() + rows.tobytes())
    return digest.hexdigest()


def compiled_results(cases: Sequence[Case], folder: Path) -> list[str]:
    """The same in a process whose kernels are machine code, kept in a folder."""
    given = json.dumps(cases)
    printed = run_compiled("-m", "tests.support.jb2_results", folder=folder, given=given)
    results: list[str] = json.loads(printed)
    return results


if __name__ == "__main__":
    assert COMPILED
    json.dump([result(Case(*case)) for case in json.load(sys.stdin)], sys.stdout)
