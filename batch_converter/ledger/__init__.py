"""The ledger: SQLite truth about documents, runs and calls."""

from __future__ import annotations

from batch_converter.ledger.ledger import Ledger
from batch_converter.ledger.plan import Adopted, Decision, Planned, Verdict
from batch_converter.ledger.reader import LedgerReader, RecordedPdf
from batch_converter.ledger.recovery import Recovered
from batch_converter.ledger.relocations import Keepable, Move
from batch_converter.ledger.rows import PlacedReport

__all__ = [
    "Adopted",
    "Decision",
    "Keepable",
    "Ledger",
    "LedgerReader",
    "Move",
    "PlacedReport",
    "Planned",
    "RecordedPdf",
    "Recovered",
    "Verdict",
]
