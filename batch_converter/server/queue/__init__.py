"""The durable queue: which documents were accepted, and where each of them stands."""

from __future__ import annotations

from batch_converter.server.queue.changes import Changes, Missed
from batch_converter.server.queue.documents import (
    ENDED,
    OPEN,
    DocumentState,
    QueuedDocument,
)
from batch_converter.server.queue.queue import DocumentQueue, NewDocument
from batch_converter.server.queue.reader import Standing
from batch_converter.server.queue.totals import OwnerTotals, Totals

__all__ = [
    "ENDED",
    "OPEN",
    "Changes",
    "DocumentQueue",
    "DocumentState",
    "Missed",
    "NewDocument",
    "OwnerTotals",
    "QueuedDocument",
    "Standing",
    "Totals",
]
