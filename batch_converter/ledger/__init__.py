"""The ledger: SQLite truth about documents, runs and calls."""

from __future__ import annotations

from batch_converter.ledger.copying import copy_ledger
from batch_converter.ledger.ledger import Ledger
from batch_converter.ledger.outstanding import TASK_LIFE_S
from batch_converter.ledger.planning import Adopted, Decision, Planned, Verdict
from batch_converter.ledger.reader import LedgerReader
from batch_converter.ledger.recovery import Recovered

__all__ = [
    "TASK_LIFE_S",
    "Adopted",
    "Decision",
    "Ledger",
    "LedgerReader",
    "Planned",
    "Recovered",
    "Verdict",
    "copy_ledger",
]
