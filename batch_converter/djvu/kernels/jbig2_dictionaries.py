"""Dictionaries of symbols: what is in them, and under which IDs.

Segments number their symbols as they come, after those of the segments that they refer to
(ITU-T T.88, 6.5.5 and 7.4.3). Only what is needed is referred to: the fewer symbols, the
shorter their IDs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from batch_converter.djvu.kernels.integers import buffer_of, view_of
from batch_converter.djvu.kernels.jbig2_candidates import Candidates
from batch_converter.djvu.kernels.jbig2_parents import chosen_refinements
from batch_converter.djvu.kernels.jbig2_symbols import (
    dictionary_data,
    refined_dictionary_data,
    symbol_order,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
        cls,
        shapes: Shapes,
        numbers: Sequence[int] | NDArray[np.int64],
        shared: SymbolDictionary | None = None,
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
        order = symbol_order(shapes, numbers)
        candidates = Candidates(shapes, order)
        refined = chosen_refinements(candidates, shared.candidates if shared else None)
        is_direct = np.ones(len(shapes), np.bool_)
        is_direct[view_of(refined.order)] = False
        ordered = view_of(order)
        direct = buffer_of(ordered[is_direct[ordered]])
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
    ids = np.concatenate((known.numbers, view_of(refined.order)))
    parents = view_of(refined.parents)
    parent_ids = buffer_of(Symbols((), ids).ids(parents))
    return SymbolSegment(
        data=refined_dictionary_data(shapes, refined, parent_ids, known.total),
        numbers=refined.order,
        referred=known.referred,
    )


class Symbols(NamedTuple):
    """What a segment may use.

    Attributes:
        referred: To which segments it refers for that.
        numbers: Of the shapes, by ID.
    """

    referred: Sequence[int]
    numbers: NDArray[np.int64]

    @property
    def total(self) -> int:
        """How many symbols there are."""
        return len(self.numbers)

    def ids(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the IDs of shapes; of one that two segments have, that of the first.

        Raises:
            KeyError: There is none.
        """
        largest = max(numbers.max(initial=-1), self.numbers.max(initial=-1))
        ids = np.full(largest + 1, -1, np.int64)
        ids[self.numbers[::-1]] = np.arange(self.total)[::-1]
        found = ids[numbers]
        if (found < 0).any():
            raise KeyError(int(numbers[found < 0][0]))
        return found


def symbols_of(segments: Sequence[SymbolSegment], needed: Sequence[int]) -> Symbols:
    """Tell which segments have what is needed, and all that these have.

    A shape that two have is taken from the first.

    Raises:
        ValueError: They have more than `MOST_SYMBOLS`.
    """
    all_numbers = [np.asarray(segment.numbers, np.int64) for segment in segments]
    wanted = np.asarray(needed, np.int64)
    largest = max(numbers.max(initial=-1) for numbers in [wanted, *all_numbers])
    is_wanted = np.zeros(largest + 1, np.bool_)
    is_wanted[wanted] = True
    referred = []
    for place, numbers in enumerate(all_numbers):
        if is_wanted[numbers].any():
            referred.append(place)
            is_wanted[numbers] = False
    found = np.concatenate([wanted[:0], *(all_numbers[place] for place in referred)])
    _refuse_too_many(len(found))
    return Symbols(referred=referred, numbers=found)


def _refuse_too_many(symbols: int) -> None:
    if symbols > MOST_SYMBOLS:
        raise ValueError(f"{symbols} symbols are more than viewers draw")
