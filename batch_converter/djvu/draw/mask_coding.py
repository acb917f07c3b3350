"""Masks of several pages, coded together in JBIG2: what repeats is coded once.

Symbols that more than one mask has go into a dictionary that these share, the others into one
of their mask's own. Where CCITT G4, or JBIG2 pixel by pixel, is smaller, that is taken.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from batch_converter.djvu.draw.bilevel import g4_data
from batch_converter.djvu.draw.images import Coding
from batch_converter.djvu.draw.mask_baselines import set_on_baselines
from batch_converter.djvu.draw.shaped_masks import MOST_SYMBOLS
from batch_converter.djvu.kernels.jbig2_segments import (
    Placements,
    SymbolDictionary,
    encode_generic_page,
    globals_stream,
    page_stream,
)
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.bilevel import Bitmap
    from batch_converter.djvu.draw.shaped_masks import ShapedMask, Symbol

_LONE_INSTANCES: Final = 32
"""A mask of fewer shares nothing: who shows it would decode a whole dictionary for a few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedMask:
    """The data of a bilevel image of a PDF.

    Attributes:
        shares: Whether the dictionary that masks share belongs to it.
    """

    coding: Coding
    data: bytes
    shares: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CodedMasks:
    """Masks in the order in which they were given, and the dictionary that some share."""

    shared: bytes
    masks: Sequence[CodedMask]


def code_masks(masks: Sequence[ShapedMask]) -> CodedMasks:
    """Code masks: none becomes larger than CCITT G4 makes it, nor do all of them together."""
    masks = set_on_baselines(masks)
    by_pixels = _ByPixels(masks)
    coded = {
        number: by_pixels.if_smaller(number, _coded(mask, Shapes(), {}, None))
        for number, mask in enumerate(masks)
        if len(mask.numbers) < _LONE_INSTANCES
    }
    sharing = {number: mask for number, mask in enumerate(masks) if number not in coded}
    while True:
        shared, found = _by_symbols(sharing)
        coded |= {number: by_pixels.if_smaller(number, one) for number, one in found.items()}
        losers = [number for number, one in found.items() if coded[number] is not one]
        if not losers:
            break
        for number in losers:  # and with them goes what only they shared with others
            del sharing[number]
    in_all = len(shared) + _size(coded.values())
    if in_all > sum(mask.least_g4_bytes for mask in masks):
        plain = [by_pixels.coded(number) for number in range(len(masks))]
        if _size(plain) <= in_all:
            return CodedMasks(shared=b"", masks=plain)
    return CodedMasks(shared=shared, masks=[coded[number] for number in range(len(masks))])


class _ByPixels:
    """Masks coded by their pixels, each once: what wins by symbols nowhere is asked for often."""

    def __init__(self, masks: Sequence[ShapedMask]) -> None:
        self._masks = masks
        self._coded: dict[int, CodedMask] = {}

    def coded(self, number: int) -> CodedMask:
        """Return a mask coded by its pixels."""
        if number not in self._coded:
            self._coded[number] = code_pixels(self._masks[number].ink)
        return self._coded[number]

    def if_smaller(self, number: int, by_symbols: CodedMask) -> CodedMask:
        """Return a mask coded by its pixels, or what was coded by symbols where that is smaller."""
        if len(by_symbols.data) < self._masks[number].least_g4_bytes:
            return by_symbols
        plain = self.coded(number)
        return plain if len(plain.data) <= len(by_symbols.data) else by_symbols


def _size(coded: Iterable[CodedMask]) -> int:
    return sum(len(one.data) for one in coded)


def code_pixels(ink: Bitmap) -> CodedMask:
    """Code a bitmap by itself, by the smaller of CCITT G4 and a JBIG2 generic region."""
    fax = g4_data(ink)
    generic = encode_generic_page(ink.rows.tobytes(), ink.width, ink.height)
    if len(fax) <= len(generic):
        return CodedMask(coding=Coding.G4, data=fax)
    return CodedMask(coding=Coding.JBIG2, data=generic)


def _by_symbols(masks: Mapping[int, ShapedMask]) -> tuple[bytes, dict[int, CodedMask]]:
    """Code masks by their symbols; returns what they share, empty for nothing, and them."""
    uses = Counter(symbol for mask in masks.values() for symbol in mask.symbols)
    shapes = Shapes()
    repeated = [symbol for symbol, count in uses.items() if count > 1]
    shared = {symbol: shapes.add(*symbol) for symbol in repeated[:MOST_SYMBOLS]}
    dictionary = SymbolDictionary.of(shapes, list(shared.values())) if shared else None
    coded = {n: _coded(mask, shapes, shared, dictionary) for n, mask in masks.items()}
    return globals_stream(dictionary) if dictionary else b"", coded


def _coded(
    mask: ShapedMask,
    shapes: Shapes,
    shared: Mapping[Symbol, int],
    dictionary: SymbolDictionary | None,
) -> CodedMask:
    numbers = np.empty(len(mask.symbols), np.int64)
    own = []
    for place, symbol in enumerate(mask.symbols):
        number = shared.get(symbol)
        if number is None:
            number = shapes.add(*symbol)
            own.append(number)
        numbers[place] = number
    data = page_stream(
        mask.width,
        mask.height,
        shapes=shapes,
        placements=Placements(
            numbers=_array(numbers[mask.numbers]), lefts=_array(mask.lefts), tops=_array(mask.tops)
        ),
        shared=dictionary,
        private=SymbolDictionary.of(shapes, own, dictionary) if own else None,
    )
    return CodedMask(coding=Coding.JBIG2, data=data, shares=dictionary is not None)


def _array(numbers: NDArray[np.int64]) -> array[int]:
    return array("q", numbers.tobytes())
