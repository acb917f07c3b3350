"""Dictionaries of symbols: what is in them, and under which IDs.

Segments number their symbols as they come, after those of the segments that they refer to
(ITU-T T.88, 6.5.5 and 7.4.3). Only what is needed is referred to: the fewer symbols, the
shorter their IDs.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_converter.djvu.kernels.jbig2_candidates import Candidates
from batch_converter.djvu.kernels.jbig2_parents import chosen_refinements
from batch_converter.djvu.kernels.jbig2_symbols import (
    dictionary_data,
    refined_dictionary_data,
    symbol_order,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from batch_converter.djvu.kernels.jbig2_parents import Refinements
    from batch_converter.djvu.kernels.shapes import Shapes

MOST_SYMBOLS: Final = 1 << 16
"""Of all dictionaries that a segment refers to: pdf.js draws nothing where they have more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolSegment:
    """A segment of a dictionary.

    Attributes:
        data: What follows its header.
        numbers: Of its shapes, in the order of their IDs.
        referred: To which segments it refers, counted from the first of the shared ones on.
    """

    data: bytes
    numbers: Sequence[int]
    referred: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SymbolDictionary:
    """Shapes encoded once, to be placed often; those that are alike, as what they differ in.

    Attributes:
        segments: None where it has no shape, otherwise one or two.
        candidates: What shapes of other dictionaries may be refined from.
        shared: What this one builds upon.
    """

    segments: Sequence[SymbolSegment]
    candidates: Candidates
    shared: SymbolDictionary | None = None

    @classmethod
    def of(
        cls, shapes: Shapes, numbers: Iterable[int], shared: SymbolDictionary | None = None
    ) -> SymbolDictionary:
        """Encode shapes; those without any pixel, which decoders refuse, it has not.

        Args:
            shapes: All there are.
            numbers: Which of them to encode.
            shared: A dictionary of other shapes that this one may build upon; whoever uses this
                one then has that one, too.

        Raises:
            ValueError: With what they build upon they are more than `MOST_SYMBOLS`.
        """
        usable = {n for n in numbers if shapes.widths[n] > 0 and shapes.heights[n] > 0}
        order = symbol_order(shapes, usable)
        candidates = Candidates(shapes, order)
        refined = chosen_refinements(candidates, shared.candidates if shared else None)
        chosen = set(refined.order)
        direct = array("q", (number for number in order if number not in chosen))
        known = list(shared.segments) if shared else []
        own: list[SymbolSegment] = []
        if direct:
            own.append(SymbolSegment(data=dictionary_data(shapes, direct), numbers=direct))
        if len(refined):
            own.append(_refined_segment(shapes, refined, known + own))
        return cls(segments=own, candidates=candidates, shared=shared)

    def __len__(self) -> int:
        return sum(len(segment.numbers) for segment in self.segments)


def _refined_segment(
    shapes: Shapes, refined: Refinements, segments: Sequence[SymbolSegment]
) -> SymbolSegment:
    known = symbols_of(segments, refined.parents)
    _refuse_too_many(known.total + len(refined))
    ids = dict(zip(refined.order, range(known.total, known.total + len(refined)), strict=True))
    ids |= known.ids
    parent_ids = array("q", (ids[parent] for parent in refined.parents))
    return SymbolSegment(
        data=refined_dictionary_data(shapes, refined, parent_ids, known.total),
        numbers=refined.order,
        referred=known.referred,
    )


class Symbols(NamedTuple):
    """What a segment may use.

    Attributes:
        referred: To which segments it refers for that.
        total: How many symbols these have.
        ids: By the number of the shape.
    """

    referred: Sequence[int]
    total: int
    ids: Mapping[int, int]


def symbols_of(segments: Sequence[SymbolSegment], needed: Iterable[int]) -> Symbols:
    """Tell which segments have what is needed, and the IDs of all that these have.

    A shape that two have is taken from the first.

    Raises:
        ValueError: They have more than `MOST_SYMBOLS`.
    """
    wanted = set(needed)
    referred = []
    for place, segment in enumerate(segments):
        if not wanted.isdisjoint(segment.numbers):
            referred.append(place)
            wanted.difference_update(segment.numbers)
    numbers = [number for place in referred for number in segments[place].numbers]
    _refuse_too_many(len(numbers))
    ids: dict[int, int] = {}
    for place, number in enumerate(numbers):
        ids.setdefault(number, place)
    return Symbols(referred=referred, total=len(numbers), ids=ids)


def _refuse_too_many(symbols: int) -> None:
    if symbols > MOST_SYMBOLS:
        raise ValueError(f"{symbols} symbols are more than viewers draw")
