"""How many documents stand where, and what they weigh; kept as documents change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_converter.server.queue.documents import ENDED, DocumentState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_converter.server.queue.documents import QueuedDocument


@dataclass(slots=True)
class OwnerTotals:
    """Of one owner, or of all.

    Attributes:
        states: How many documents stand where.
        documents: All that there are.
        open: Those that take a place in the queue.
        bytes_in: Of their DjVus.
        bytes_out: Of their PDFs.
        stored_bytes: What all files take of the disk.
    """

    states: Counter[DocumentState] = field(default_factory=Counter)
    documents: int = 0
    open: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    stored_bytes: int = 0

    def count(self, document: QueuedDocument, by: int) -> None:
        """Count a document in (1) or out (-1)."""
        self.add(
            document.state,
            documents=by,
            bytes_in=by * document.size_bytes,
            bytes_out=by * document.pdf_bytes,
            stored_bytes=by * document.stored_bytes,
        )

    def add(  # one parameter a column
        self,
        state: DocumentState,
        *,
        documents: int,
        bytes_in: int,
        bytes_out: int,
        stored_bytes: int,
    ) -> None:
        """Count so many documents in, or out."""
        self.states[state] += documents
        self.documents += documents
        self.open += documents * (state not in ENDED)
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        self.stored_bytes += stored_bytes


class Totals:
    """Of all owners together, and of each.

    Attributes:
        unfetched: Accepted documents whose end no client has seen.
        unfetched_peak: The most that there were at once since the start.
    """

    def __init__(self) -> None:
        self.all = OwnerTotals()
        self.unfetched = 0
        self.unfetched_peak = 0
        self._owners: dict[str, OwnerTotals] = {}
        self._waiting: dict[str, int] = {}
        self._unserved: set[str] = set()

    def of(self, owner: str) -> OwnerTotals:
        """Return one owner's, to be read."""
        return self._owners.get(owner) or OwnerTotals()

    def change(self, before: QueuedDocument | None, after: QueuedDocument | None) -> None:
        """Note that a document came (no `before`), changed, or went (no `after`)."""
        for document, by in ((before, -1), (after, 1)):
            if document is not None:
                self._count(document, by)
        self.unfetched_peak = max(self.unfetched_peak, self.unfetched)

    def add(self, owner: str, state: DocumentState, *, unfetched: int, **sums: int) -> None:
        """Count an owner's documents of one state in, summed up, as a service starts."""
        owned = self._owners.setdefault(owner, OwnerTotals())
        for totals in (self.all, owned):
            totals.add(state, **sums)
        self._sort(owner, owned.states)
        self.unfetched += unfetched
        self.unfetched_peak = self.unfetched

    def _count(self, document: QueuedDocument, by: int) -> None:
        owned = self._owners.setdefault(document.owner, OwnerTotals())
        for totals in (self.all, owned):
            totals.count(document, by)
        self._sort(document.owner, owned.states)
        if not owned.documents:
            del self._owners[document.owner]
        self.unfetched += by * (not document.is_fetched)

    def _sort(self, owner: str, states: Counter[DocumentState]) -> None:
        """Keep who waits apart: most owners have nothing in the queue, and are not gone through."""
        if waiting := states[DocumentState.WAITING]:
            self._waiting[owner] = waiting
        else:
            self._waiting.pop(owner, None)
        if waiting and not states[DocumentState.CONVERTING]:
            self._unserved.add(owner)
        else:
            self._unserved.discard(owner)

    def is_anybody_unserved(self) -> bool:
        """Whether an owner has documents that wait, and none that is being converted."""
        return bool(self._unserved)

    def places(self, turns: Iterable[int]) -> list[int]:
        """Return the places in the queue of an owner's waiting documents, by their turns, from 1.

        Owners take turns, so that nobody has more than `turn` documents before the `turn`-th.
        """
        owners_by_count = Counter(self._waiting.values())
        return [
            sum(owners * min(turn, count) for count, owners in owners_by_count.items())
            for turn in turns
        ]
