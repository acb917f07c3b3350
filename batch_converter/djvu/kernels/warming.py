"""All kernels called once, on next to nothing.

Compiled code is made when a kernel is first called, and that takes a minute for all of them
where no earlier process has kept it. A worker has that behind it before its first job, whose
time is limited.
"""

from __future__ import annotations

import fcntl
import os
from array import array
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.kernels.bzz_stream import BzzStream
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.equal_shapes import distinct
from batch_converter.djvu.kernels.g4_bound import least_bits
from batch_converter.djvu.kernels.iw44_picture import WaveletPicture
from batch_converter.djvu.kernels.jb2 import decode_dictionary, decode_image
from batch_converter.djvu.kernels.jb2_composition import composed
from batch_converter.djvu.kernels.jb2_separation import separated
from batch_converter.djvu.kernels.jbig2_baselines import VOTES, settle_rises
from batch_converter.djvu.kernels.jbig2_dictionaries import SymbolDictionary
from batch_converter.djvu.kernels.jbig2_parents import Refinements
from batch_converter.djvu.kernels.jbig2_segments import Placements, page_stream
from batch_converter.djvu.kernels.jbig2_symbols import refined_dictionary_data
from batch_converter.djvu.kernels.shape_visibility import mark_whole
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.kernels.jb2 import Jb2Image

SHARED: Final = bytes.fromhex("e70aeb95455f47059a")
PAGE: Final = bytes.fromhex("15807e169aca7681a474874eda26b968cd456c15a486837d6992dc027beebfa7")
"""JB2 streams of a few letters, one of which is refined."""

LAYERS: Final = [
    bytes.fromhex(head) + PAGE for head in ("001481020020002000", "001401020020002000")
]
"""Wavelet layers of 32 x 32 pixels, gray and in colours; nothing but their heads makes sense."""

PACKED: Final = bytes.fromhex("ffffd1ff1bc21c98f05c0286164c729f533e2d5cdcf298457f")
"""A BZZ stream of a few words."""

_MOST_BYTES: Final = 1 << 20


def warm() -> None:
    """Call all kernels."""
    dictionary = decode_dictionary(SHARED, max_bytes=_MOST_BYTES)
    image = decode_image(PAGE, [dictionary], max_bytes=_MOST_BYTES)
    separated(image, [0] * len(image.blit_shapes), clear=1)
    page = composed(image)
    least_bits(page, image.width)
    _encode(image, page.tobytes())
    for layer in LAYERS:
        WaveletPicture([layer]).rows(0, 1)
    packed = BzzStream(PACKED)
    packed.block(packed.size())


def _encode(image: Jb2Image, rows: bytes) -> None:
    shapes = image.shapes
    numbers, none = array("q", range(len(shapes))), array("q", [0])
    page_stream(
        image.width,
        image.height,
        shapes=shapes,
        placements=Placements(numbers=numbers, lefts=numbers, tops=numbers),
        private=SymbolDictionary.of(shapes, numbers),
        rows=rows,
    )
    refined = Refinements(order=numbers[1:2], parents=none, rights=none, downs=none)
    refined_dictionary_data(shapes, refined, none, 1)
    laid_out = shapes.bits, shapes.offsets, shapes.widths, shapes.heights
    mark_whole(
        *laid_out, none, none, none, bytearray(rows), image.width, image.height, bytearray(1)
    )
    distinct(Shapes.together([shapes, shapes]))
    settle_rises(none, none, none, none, none, array("q", bytes(8 * VOTES)))


def make_ready() -> bool:
    """Have all kernels compiled, or loaded; of several processes one compiles, the others wait.

    Returns:
        Whether this process was the one, and others will find them: compiling leaves 100 MB behind.
    """
    if not COMPILED:
        return False
    from batch_converter.djvu.kernels.kept_code import FOLDER  # noqa: PLC0415  # loads numba

    mark = FOLDER / "complete"
    lock = None if mark.exists() else _locked(FOLDER / "lock")
    try:
        is_first = not mark.exists()
        warm()
        is_first = is_first and not mark.exists()  # where there are no locks, another may be
        if is_first:
            mark.touch()
    except OSError:  # nothing can be kept there
        return False
    finally:
        if lock is not None:
            os.close(lock)
    return is_first


def _locked(path: Path) -> int | None:
    """Wait for a lock, which ends with its file; None where there are no locks to be had."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        os.close(file)
        return None
    return file
