"""Totals keep apart who waits: what they say of it is what all documents, looked through, say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from batch_converter.server.queue import DocumentState, QueuedDocument, Totals

TURNS = range(1, 6)
CHANGES = st.lists(st.tuples(st.integers(0, 11), st.none() | st.sampled_from(DocumentState)))
"""Which document, of one of four owners, and its new state; None removes it."""


def document(number: int, state: DocumentState) -> QueuedDocument:
    return QueuedDocument(
        number=number,
        id=str(number),
        owner=f"owner {number % 4}",
        name="",
        state=state,
        size_bytes=1,
        received_bytes=1,
        mtime_ns=1,
        sha256=None,
        pages=None,
        pdf_bytes=0,
        submitted_at=datetime(2030, 1, 1, tzinfo=UTC),
        started_at=None,
        ended_at=None,
        attempts=0,
        crashes=0,
        error_code=None,
        messages=(),
        warnings=(),
        is_fetched=False,
        keeps_source=False,
        sequence=number,
    )


def check(totals: Totals, documents: dict[int, QueuedDocument]) -> None:
    """Compare with all documents, one by one."""
    waiting = Counter(one.owner for one in documents.values() if one.state is DocumentState.WAITING)
    served = {one.owner for one in documents.values() if one.state is DocumentState.CONVERTING}
    expected = [sum(min(turn, count) for count in waiting.values()) for turn in TURNS]
    assert totals.places(TURNS) == expected
    assert totals.is_anybody_unserved() == bool(set(waiting) - served)


@given(CHANGES)
def test_places_and_turns_follow_every_change(
    changes: list[tuple[int, DocumentState | None]],
) -> None:
    totals, documents = Totals(), dict[int, QueuedDocument]()
    for number, state in changes:
        before = documents.pop(number, None)
        if state is not None:
            documents[number] = document(number, state)
        totals.change(before, documents.get(number))
        check(totals, documents)
    anew = Totals()
    for (owner, state), count in Counter(
        (one.owner, one.state) for one in documents.values()
    ).items():
        sums = {"documents": count, "bytes_in": count, "bytes_out": 0, "stored_bytes": count}
        anew.add(owner, state, unfetched=count, **sums)
    check(anew, documents)
