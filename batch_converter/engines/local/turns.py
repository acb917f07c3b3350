"""Whose job a worker takes up next: whole documents in order, or all of them in turns.

A batch wants its documents one after the other, so that each is done early. A service has
them from people who do not know of each other: there a long one must not hold up the others,
nor many short ones a long one.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.djvu.work.workers import Priority

_FIRST: Final = 0
_SECOND: Final = 1
_LAST: Final = 2
_PICTURE_ROUNDS: Final = 4
"""A picture waits for so many parts of each document; for ever it would under steady load."""


class DocumentTurns:
    """The places of one document's jobs in the queue for workers."""

    def __init__(self, turns: Turns, order: int) -> None:
        self._turns = turns
        self._order = order
        self._first_round = turns.round

    def of_part(self, number: int = 0) -> Priority:
        """Return the place of a part, or of all that a short document needs."""
        if self._turns.are_shared:
            return _SECOND, self._first_round + number, self._order
        return _SECOND, self._order, number

    def of_end(self) -> Priority:
        """Return the place of what ends a document: before all that is yet to be begun."""
        return _FIRST, self._order

    def part_ended(self) -> None:
        """Tell that a part, or a short document, is done."""
        self._turns.advance()


class Turns:
    """Deals out places in the queue for workers.

    Shared ones are fair queueing: a document's n-th part belongs to the n-th round after it
    came, and a round is over when as many parts are done as there are documents. So who comes
    later waits for one part of each of the others at the most, and who has many parts gets one
    a round, however many short documents come and go.

    Args:
        are_shared: Whether documents take turns.

    Attributes:
        are_shared: The same.
        round: The round that is dealt out now.
    """

    def __init__(self, *, are_shared: bool) -> None:
        self.are_shared = are_shared
        self.round = 0.0
        self._documents = 0
        self._orders = count()

    @contextmanager
    def of_document(self) -> Iterator[DocumentTurns]:
        """Let a document take part, from now on to the end of the context."""
        self._documents += 1
        try:
            yield DocumentTurns(self, next(self._orders))
        finally:
            self._documents -= 1

    def of_picture(self) -> Priority:
        """Return a place behind the documents that wait."""
        order = next(self._orders)
        return (_SECOND, self.round + _PICTURE_ROUNDS, order) if self.are_shared else (_LAST, order)

    def advance(self) -> None:
        """Count a part that is done."""
        self.round += 1 / max(1, self._documents)
