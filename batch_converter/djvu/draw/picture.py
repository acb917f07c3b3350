"""A small picture of a document's first page, by which people know it in a list.

It is drawn in a few times the size in which it is shown, and averaged: djvu-rs reduces while
it draws, quickly and coarsely.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from batch_converter.djvu.draw.color_layers import (
    info_of,
    ink_palette,
    ink_shade,
    refuse_conflicts,
)
from batch_converter.djvu.draw.geometry import Geometry
from batch_converter.djvu.draw.images import (
    COLOR_BYTES_A_PIXEL,
    MASK_BYTES_A_PIXEL,
    refuse_hostile_size,
)
from batch_converter.djvu.draw.jpeg import JpegLayer
from batch_converter.djvu.draw.jpeg_coding import encode_jpeg
from batch_converter.djvu.draw.masks import exact_mask, is_beyond_renderer
from batch_converter.djvu.draw.paint import BLACK
from batch_converter.djvu.draw.palette import shape_colors
from batch_converter.djvu.draw.rasters import HeldRaster, ReducedRaster
from batch_converter.djvu.draw.wavelets import iw44_size
from batch_converter.djvu.jobs.part_files import unfinished_name
from batch_converter.djvu.read.decoder import PageError, decoding, open_page
from batch_converter.djvu.read.document import open_djvu
from batch_converter.djvu.read.inspect import inspect
from batch_converter.errors import EngineError, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.bilevel import Bitmap
    from batch_converter.djvu.draw.palette import Color
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

_COLOR_KINDS: Final = frozenset({"BG44", "BGjp"})
_INK_KINDS: Final = frozenset({"Djbz", "Sjbz", "FGbz", "FG44", "FGjp"})
_QUALITY: Final = 80
_FINER: Final = 4
"""Below this, text of 300 dpi in a picture of 240 pixels is ragged."""

_WHITE: Final = 255


def draw_first_page(source: str, target: str, max_side_px: int, options: ConvertOptions) -> None:
    """Write a JPEG of a document's first page; blocking, some milliseconds.

    `target` is replaced when all of it is written, and is not synced.

    Args:
        source: The document.
        target: Where the picture goes.
        max_side_px: Its longer side; a page that has fewer pixels is not enlarged.
        options: Limits of memory, and what may be looked for beside the document.

    Raises:
        NotDjvuError: It is no DjVu, or is cut off.
        UnreadableError: It cannot be read.
        EngineError: Its first page cannot be drawn.
        OutputError: `target` cannot be written.
    """
    first = inspect(source, bundled_only=options.bundled_only).pages[0]
    try:
        with open_djvu(source, bundled_only=options.bundled_only) as reader:
            image = _drawn(reader.page(0), Geometry.of(first), max_side_px, options)
    except PageError as error:
        raise EngineError(f"its first page has no picture: {error}") from error
    _store(encode_jpeg(HeldRaster(image), _QUALITY).data, target)


def _drawn(
    page: PageChunks, geometry: Geometry, max_side_px: int, options: ConvertOptions
) -> Image.Image:
    """Draw the page as it is shown."""
    refuse_hostile_size(geometry.width, geometry.height, options, bytes_a_pixel=MASK_BYTES_A_PIXEL)
    refuse_conflicts(page)
    _refuse_hostile_layers(page, options)
    drawn = _upright(page, geometry, _reduced_size(geometry, _FINER * max_side_px), options)
    shown = drawn.resize(_reduced_size(geometry, max_side_px), Image.Resampling.BOX)
    turn = {
        90: Image.Transpose.ROTATE_90,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_270,
    }.get(geometry.rotation_deg)
    return shown if turn is None else shown.transpose(turn)


def _refuse_hostile_layers(page: PageChunks, options: ConvertOptions) -> None:
    """Raise if a colour layer would not fit into memory; masks are looked at by who draws them."""
    sizes = [iw44_size(page.of(kind)) for kind in ("BG44", "FG44") if page.has(kind)]
    sizes += [JpegLayer(data).size for data in page.of("BGjp", "FGjp")]
    for width, height in sizes:
        refuse_hostile_size(width, height, options, bytes_a_pixel=COLOR_BYTES_A_PIXEL)


def _reduced_size(geometry: Geometry, max_side_px: int) -> tuple[int, int]:
    scale = min(1.0, max_side_px / max(geometry.width, geometry.height))
    return max(1, round(geometry.width * scale)), max(1, round(geometry.height * scale))


def _upright(
    page: PageChunks, geometry: Geometry, size: tuple[int, int], options: ConvertOptions
) -> Image.Image:
    has_mask = page.has("Sjbz", "Smmr")
    if not has_mask or not is_beyond_renderer(page, geometry, options):
        pixels = _rendered(page, _COLOR_KINDS | _INK_KINDS, geometry, size)
        if not has_mask or (pixels != _WHITE).any():
            return Image.fromarray(pixels)
    # djvu-rs cannot draw this mask, or has drawn nothing, as it does without a word where
    # one is damaged. Our own decoder knows more.
    paper = _rendered(page, _COLOR_KINDS, geometry, size)
    ink = np.array(_main_color(page, geometry, options))
    share = _coverage(exact_mask(page, geometry, options).ink, size)[:, :, np.newaxis]
    return Image.fromarray((paper * (1 - share) + ink * share).astype(np.uint8))


def _main_color(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Color:
    """Return the colour of most shapes; of a shade, that of all of it on average."""
    palette = ink_palette(page)
    if palette.colors:
        numbers = shape_colors(palette.data) or [0]
        return palette.colors[int(np.bincount(numbers).argmax())]
    shade = ink_shade(page, geometry, options)
    if shade is None:
        return BLACK
    pixel = ReducedRaster(shade.raster, (1, 1)).rows(0, 1).convert("RGB")
    red, green, blue = np.asarray(pixel).reshape(3).tolist()
    return red, green, blue


def _rendered(
    page: PageChunks, kinds: frozenset[str], geometry: Geometry, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Let djvu-rs draw these layers; returns rows of RGB pixels, white where there are none."""
    width, height = size
    chunks = [chunk for chunk in page.chunks if chunk[0] in kinds]
    if not chunks:
        return np.full((height, width, 3), _WHITE, np.uint8)
    with decoding("image data"):
        opened = open_page(chunks, width=geometry.width, height=geometry.height, info=info_of(page))
        pixels = opened.render(size=size)
    if (pixels.width, pixels.height) != size:
        raise PageError("its image data is damaged")
    drawn = np.frombuffer(memoryview(pixels), np.uint8).reshape(height, width, 4)
    return np.ascontiguousarray(drawn[:, :, :3])


def _coverage(ink: Bitmap, size: tuple[int, int]) -> NDArray[np.float64]:
    """How much of each pixel of a reduced picture is ink, 0 to 1; some rows at a time."""
    columns, rows = (_edges(long, short) for long, short in zip(_shape(ink), size, strict=True))
    covered = np.empty((len(rows) - 1, len(columns) - 1))
    for number, (top, bottom) in enumerate(pairwise(rows)):
        pixels = np.unpackbits(ink.rows[top:bottom], axis=1, count=ink.width)
        sums = np.add.reduceat(pixels.sum(axis=0, dtype=np.uint32), columns[:-1])
        covered[number] = sums / (np.diff(columns) * (bottom - top))
    return covered


def _shape(ink: Bitmap) -> tuple[int, int]:
    return ink.width, ink.height


def _edges(long: int, short: int) -> Sequence[int]:
    """Cut a side into so many pieces; none is empty, for it is never the longer one."""
    return [number * long // short for number in range(short + 1)]


def _store(data: bytes, target: str) -> None:
    unfinished = unfinished_name(target)
    try:
        with open(unfinished, "wb") as file:  # noqa: PTH123  # a path as str, its bytes kept
            file.write(data)
        os.replace(unfinished, target)  # noqa: PTH105  # surrogates
    except OSError as error:
        with suppress(OSError):
            os.unlink(unfinished)  # noqa: PTH108  # surrogates
        raise OutputError(f"the picture cannot be written: {error.strerror or error}") from error
