"""A palette's colours, and which pixels have which: each colour becomes a mask of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.draw.bilevel import Bitmap
from batch_converter.djvu.kernels.jb2_separation import ink_bytes, separated
from batch_converter.djvu.read.bzz import BzzError, decompress
from batch_converter.djvu.read.decoder import PageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.kernels.jb2 import Jb2Image
    from batch_converter.djvu.kernels.jb2_separation import LevelInk

Color = tuple[int, int, int]


class Palette(NamedTuple):
    """An `FGbz` chunk and its colours as they are shown."""

    data: bytes
    colors: Sequence[Color]


LEVELS: Final = 255
CLEAR: Final = 255
"""The level of pixels that have no colour of theirs."""

_BITS: Final = 8
_SAMPLED_ROWS: Final = 16
_MOST_LISTED: Final = 1 << 24
_MOST_INK_BYTES: Final = 64 << 20
"""Of levels that are put together: as much as masks may take that wait to be coded."""

_HEAD_BYTES: Final = 3
_ENTRY_BYTES: Final = 3
_NUMBERED: Final = 0x80
_MOST_SHAPES: Final = 1 << 22
_SPARE_BYTES: Final = 1 << 16


def palette_colors(data: bytes) -> list[Color]:
    """Read the colours of an `FGbz` chunk as they are stored.

    Of several colours without any number none is known to be a shape's; then the page has no
    colours, as `palette_losses` tells.

    Raises:
        PageError: It is cut off, of a version that is not known (0 is the only one), or
            has numbers of colours that it does not have.
    """
    if not data:
        return []
    count, end = _stored_count(data)
    if len(data) < end or data[0] & ~_NUMBERED:
        raise PageError("its palette is damaged")
    if data[0] & _NUMBERED:
        _numbers(data[end:], count)
    elif count > 1:
        return []
    return [(data[i + 2], data[i + 1], data[i]) for i in range(_HEAD_BYTES, end, _ENTRY_BYTES)]


def palette_losses(data: bytes) -> list[str]:
    """Tell what is drawn in black although an `FGbz` chunk speaks of colours."""
    if not data:
        return []
    count, _ = _stored_count(data)
    if not count:
        return ["its palette has no colours: it is drawn in black"]
    if count > 1 and not data[0] & _NUMBERED:
        return ["its palette does not say what has which colour: it is drawn in black"]
    return []


def _stored_count(data: bytes) -> tuple[int, int]:
    """Return how many colours there should be, and where they should end."""
    count = int.from_bytes(data[1:_HEAD_BYTES], "big")
    return count, _HEAD_BYTES + _ENTRY_BYTES * count


def shape_colors(data: bytes) -> Sequence[int]:
    """Read which colour each shape of a page has, in the order in which shapes are put on it.

    Nothing where the chunk does not say.

    Raises:
        PageError: There are fewer than it says, or some of colours that it does not have.
    """
    count, end = _stored_count(data)
    return _numbers(data[end:], count).tolist() if data[0] & _NUMBERED else []


def _numbers(data: bytes, count: int) -> NDArray[np.uint16]:
    """Read the numbers of the shapes' colours; raise unless each is one of `count`.

    Three bytes say how many; two for each follow, compressed (DjVu3 spec 8.3.11).
    """
    size_bytes = 2 * min(int.from_bytes(data[:3], "big"), _MOST_SHAPES)
    try:
        packed = decompress(data[3:], max_bytes=size_bytes + _SPARE_BYTES) if size_bytes else b""
    except BzzError as error:
        packed = error.found
    numbers = np.frombuffer(packed[:size_bytes], ">u2", len(packed[:size_bytes]) // 2)
    if len(data) < 3 or 2 * len(numbers) < size_bytes or (numbers >= count).any():  # noqa: PLR2004  # bytes of a length
        raise PageError("its palette is damaged")
    return numbers


class LevelMask(NamedTuple):
    """The pixels of one level; `left` and `top` tell where `ink` stands."""

    level: int
    pixels: int
    ink: Bitmap
    left: int
    top: int


def level_masks(levels: NDArray[np.uint8]) -> Iterator[LevelMask]:
    """Find the pixels of each level that there is, the most frequent first.

    The level that seems the most frequent is compared with all pixels; what is left
    of most pages then is little, and is listed pixel by pixel. Masks are made one by one:
    all of a page of many colours take many times what the page does.
    """
    most = _frequent_level(levels)
    rest = _places_of_rest(levels, most)
    if rest is None:
        counts = np.zeros(CLEAR + 1, np.int64)
        for row in levels:
            counts += np.bincount(row, minlength=len(counts))
        yield from (_level_mask(level, levels) for level in _by_frequency(counts[:CLEAR]))
        return
    found = levels.reshape(-1)[rest]
    counts = np.bincount(found, minlength=LEVELS)
    order = rest[found.argsort(kind="stable")]
    ends = counts.cumsum()
    del rest, found
    counts[most] = np.count_nonzero(levels == most)
    for level in _by_frequency(counts):
        if level == most:
            yield _level_mask(level, levels)
        else:
            places = order[ends[level] - counts[level] : ends[level]]
            yield _listed_mask(level, *np.divmod(places, levels.shape[1]))


def separated_masks(image: Jb2Image, levels: Sequence[int]) -> Iterator[LevelMask]:
    """Find the same for the shapes of a page, given the level of each, where kernels are compiled.

    All but the most frequent level's begin at their first column, unless there is too much of
    them to be listed: so a PDF is the same to the byte.
    """
    inks = _Inks(image, levels)
    pixels, sampled = np.zeros((2, LEVELS), np.int64)
    for ink in inks.of(range(LEVELS)):
        rows = ink.rows[-ink.top % _SAMPLED_ROWS :: _SAMPLED_ROWS]
        pixels[ink.level] = ink.pixels
        sampled[ink.level] = np.bitwise_count(rows).sum(dtype=np.int64)
    most = int(sampled.argmax())
    are_listed = pixels.sum() - pixels[most] <= _MOST_LISTED
    for ink in inks.of(_by_frequency(pixels)):
        yield _placed(ink, image.width, from_first_column=are_listed and ink.level != most)


class _Inks:
    """The ink of levels of a page, put together as far as it takes no more than `_MOST_INK_BYTES`.

    Beyond that shapes are put anew for each part of the levels, those of others to cover only:
    217 colours of a sheet at 600 dpi take 769 MB at once, and 20 ms for each part.
    """

    def __init__(self, image: Jb2Image, levels: Sequence[int]) -> None:
        self._image = image
        self._levels = np.array(levels, np.int64)
        self._sizes: list[int] = ink_bytes(image, self._levels).tolist()
        self._put: dict[int, LevelInk] = {}

    def of(self, levels: Iterable[int]) -> Iterator[LevelInk]:
        """Return what is seen of levels, in this order."""
        for part in self._parts(levels):
            if not self._put.keys() >= set(part):
                self._put = {ink.level: ink for ink in self._separated(part)}
            yield from (self._put[level] for level in part if level in self._put)

    def _parts(self, levels: Iterable[int]) -> Iterator[list[int]]:
        part: list[int] = []
        size_bytes = 0
        for level in levels:
            size_bytes += self._sizes[level]
            if part and size_bytes > _MOST_INK_BYTES:
                yield part
                part, size_bytes = [], self._sizes[level]
            part.append(level)
        yield part

    def _separated(self, part: Sequence[int]) -> list[LevelInk]:
        levels = np.where(np.isin(self._levels, part), self._levels, CLEAR)
        return separated(self._image, levels.tolist(), clear=CLEAR)


def _by_frequency(pixels: NDArray[np.int64]) -> list[int]:
    """Return levels that have pixels, those of the most first."""
    order: list[int] = np.argsort(-pixels, kind="stable").tolist()
    return order[: np.count_nonzero(pixels)]


def _places_of_rest(levels: NDArray[np.uint8], most: int) -> NDArray[np.intp] | None:
    """List the pixels of all levels but one; None where they are too many: each takes 33 bytes."""
    chosen = levels == most
    chosen |= levels == CLEAR
    np.logical_not(chosen, out=chosen)
    return np.flatnonzero(chosen) if np.count_nonzero(chosen) <= _MOST_LISTED else None


def _placed(ink: LevelInk, page_width: int, *, from_first_column: bool) -> LevelMask:
    left = ink.left * _BITS
    width = min(ink.rows.shape[1] * _BITS, page_width - left)
    bitmap = Bitmap(width=width, rows=ink.rows)
    if from_first_column:
        bitmap, margin = bitmap.without_margins()
        left += margin
    return LevelMask(ink.level, ink.pixels, bitmap, left, ink.top)


def _frequent_level(levels: NDArray[np.uint8]) -> int:
    sampled = levels[::_SAMPLED_ROWS].reshape(-1)
    return int(np.bincount(sampled, minlength=256)[:CLEAR].argmax())


def _level_mask(level: int, levels: NDArray[np.uint8]) -> LevelMask:
    chosen = levels == level
    return LevelMask(level, int(np.count_nonzero(chosen)), Bitmap.of_pixels(chosen), 0, 0)


def _listed_mask(level: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> LevelMask:
    left, top = int(columns.min()), int(rows.min())
    chosen = np.zeros((int(rows.max()) - top + 1, int(columns.max()) - left + 1), np.bool_)
    chosen[rows - top, columns - left] = True
    return LevelMask(level, len(rows), Bitmap.of_pixels(chosen), left, top)
