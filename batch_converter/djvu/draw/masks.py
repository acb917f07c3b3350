"""A page's mask, by djvu-rs or by the decoder in `kernels`.

djvu-rs decodes a page of text at 300 dpi in about 20 ms, `kernels` in 1 to 4 where they are
compiled, and in 50 to 150 in plain Python (CPython 3.11, one core). So without compiled ones
djvu-rs goes first. It cannot do all: it refuses pages beyond 64 Mi pixels and streams of a few
bytes, stops without an error where a stream makes no sense, cuts a mask of another size to the
page's, and does not know how places were counted up to DjVu version 18. MMR, which is rare, it
reads without stripes only and without seeing damage: `kernels` has it all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.draw.completeness import whole_ink
from batch_converter.djvu.draw.images import (
    COLOR_BYTES_A_PIXEL,
    LEVEL_BYTES_A_PIXEL,
    fits_memory,
    mask_budget_bytes,
    refuse_hostile_size,
)
from batch_converter.djvu.draw.mask_choice import wants_jbig2
from batch_converter.djvu.draw.palette import (
    CLEAR,
    LEVELS,
    level_masks,
    separated_masks,
    shape_colors,
)
from batch_converter.djvu.draw.shaped_masks import PlacedShapes
from batch_converter.djvu.kernels.compiling import COMPILED
from batch_converter.djvu.kernels.jb2 import (
    Jb2Dictionary,
    Jb2Error,
    Jb2Image,
    decode_dictionary,
    decode_image,
    page_size,
)
from batch_converter.djvu.kernels.jb2_composition import composed as composed_rows
from batch_converter.djvu.kernels.jb2_composition import leveled
from batch_converter.djvu.kernels.mmr import MmrError, decode_rows, read_head
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from batch_converter.djvu.draw.geometry import Geometry
    from batch_converter.djvu.draw.palette import LevelMask
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.djvu.read.document import PageChunks

MASK_KINDS: Final = frozenset({"Djbz", "Sjbz", "Smmr"})
_OTHER_DECODER_PIXELS: Final = 64 << 20
_LAST_UNCROPPED_VERSION: Final = 18
_VERSION_PLACE: Final = 4
_SMALL_STREAM_BYTES: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A decoded mask.

    Attributes:
        shapes: What it is made of, where that is known.
    """

    ink: Bitmap
    shapes: PlacedShapes | None = None


def mask_chunks(page: PageChunks) -> list[tuple[str, bytes]]:
    """Return the chunks that a mask is decoded from."""
    return [chunk for chunk in page.chunks if chunk[0] in MASK_KINDS]


def decoded_mask(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Mask:
    """Decode a page's mask by whatever can.

    Raises:
        PageError: It is damaged or too large.
    """
    if not needs_kernels(page, geometry, options):
        with suppress(PageError):  # the other decoder knows more, or says the same
            ink = whole_ink(mask_chunks(page), geometry)
            if ink is not None:
                return Mask(ink=ink)
    return exact_mask(page, geometry, options)


def needs_kernels(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> bool:
    """Whether our own decoder is to decode a page's mask.

    It is the faster one where it is compiled; only it finds the shapes that JBIG2 is made of;
    and there are masks that only it can decode.
    """
    return COMPILED or wants_jbig2(options) or is_beyond_renderer(page, geometry, options)


def is_beyond_renderer(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> bool:
    """Whether djvu-rs would refuse a page's mask, get it wrong, or need too much memory."""
    width, height = geometry.width, geometry.height
    return (
        width * height > _OTHER_DECODER_PIXELS
        or _counts_uncropped(page)
        or not page.has("Sjbz")
        or len(_jb2_data(page)) <= _SMALL_STREAM_BYTES
        or page_size(_jb2_data(page)) != (width, height)
        or not fits_memory(width, height, options, bytes_a_pixel=COLOR_BYTES_A_PIXEL)
    )


def _jb2_data(page: PageChunks) -> bytes:
    return next(iter(page.of("Sjbz")), b"")


def _counts_uncropped(page: PageChunks) -> bool:
    version = next(iter(page.of("INFO")), b"")[_VERSION_PLACE : _VERSION_PLACE + 1]
    return b"" < version <= bytes([_LAST_UNCROPPED_VERSION])


def exact_mask(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Mask:
    """Decode a page's mask by our own decoder.

    Raises:
        PageError: It is damaged or too large.
    """
    image = mask_shapes(page, geometry, options)
    if image is not None:
        return Mask(ink=composed(image), shapes=PlacedShapes.of(image))
    data = next(iter(page.of("Smmr")), b"")
    if data and not page.has("Sjbz"):
        return Mask(ink=_fax(data, geometry))
    return Mask(ink=Bitmap.clear(geometry.width, geometry.height))


def _fax(data: bytes, geometry: Geometry) -> Bitmap:
    try:
        head = read_head(data)
        if (head.width, head.height) != (geometry.width, geometry.height):
            raise PageError("its layers do not fit together")
        return Bitmap(width=head.width, rows=decode_rows(data))
    except MmrError as error:
        raise PageError(f"its image data is damaged: the mask {error}") from error


def mask_shapes(page: PageChunks, geometry: Geometry, options: ConvertOptions) -> Jb2Image | None:
    """Decode the shapes of a JB2 mask and their places; None where its chunk is empty.

    Raises:
        PageError: It is damaged or too large, or belongs to another page.
    """
    data = _jb2_data(page)
    if not data:
        return None
    budget = mask_budget_bytes(options)
    try:
        image = decode_image(
            data,
            _dictionaries(tuple(page.of("Djbz")), budget),
            uncropped=_counts_uncropped(page),
            max_bytes=budget,
        )
    except Jb2Error as error:
        raise PageError(f"its image data is damaged: the mask {error}") from error
    if (image.width, image.height) != (geometry.width, geometry.height):
        raise PageError("its layers do not fit together")
    return image


class Separated(NamedTuple):
    """A page that has a palette.

    Attributes:
        masks: Of each of the colours that is seen, `LEVELS` at a time.
        shapes: What the page is made of.
        numbers: Of each of them, the number of its colour.
    """

    masks: Iterator[Iterable[LevelMask]]
    shapes: PlacedShapes
    numbers: Sequence[int]


@lru_cache(maxsize=1)
def _dictionaries(chunks: Sequence[bytes], max_bytes: int) -> Sequence[Jb2Dictionary]:
    """Decode what pages share; each may build upon those before it. Kept for the next page."""
    found: list[Jb2Dictionary] = []
    for data in filter(None, chunks):
        room = max_bytes - sum(len(one.bits) for one in found)
        found.append(decode_dictionary(data, found, max_bytes=room))
    return found


def composed(image: Jb2Image) -> Bitmap:
    """Put all shapes in their places; what lies outside of the page is cut off."""
    return Bitmap(width=image.width, rows=composed_rows(image))


def exact_separation(
    page: PageChunks, palette: bytes, count: int, geometry: Geometry, options: ConvertOptions
) -> Separated | None:
    """Find by our own decoder the pixels of each of a palette's colours, `LEVELS` at a time.

    None where the palette is not that of the mask's shapes: DjVuLibre draws them black.

    Raises:
        PageError: The mask or the palette is damaged or too large.
    """
    refuse_hostile_size(geometry.width, geometry.height, options, bytes_a_pixel=LEVEL_BYTES_A_PIXEL)
    image = mask_shapes(page, geometry, options)
    numbers = shape_colors(palette)
    if image is None or len(numbers) != len(image.blit_shapes):
        return None
    groups = (
        [n - start if start <= n < start + LEVELS else CLEAR for n in numbers]
        for start in range(0, count, LEVELS)
    )
    masks = (
        separated_masks(image, levels)
        if COMPILED
        else level_masks(leveled(image, levels, clear=CLEAR))
        for levels in groups
    )
    return Separated(masks, PlacedShapes.of(image), numbers)
