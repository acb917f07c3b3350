"""Frozen values that travel between the modules, and the states of a document.

Paths are `str` as `os.fsdecode` gives them: a name that is not UTF-8 keeps its
bytes as surrogates (PEP 383). Times of day are aware UTC `datetime`s, durations
are seconds in `float`.
"""

from __future__ import annotations

from batch_converter.models.calls import ApiCalls, CallKind, CallOutcome, Price
from batch_converter.models.documents import (
    MOVES,
    Document,
    DocumentState,
    Failure,
    SourceFile,
    StoredPdf,
    Task,
)
from batch_converter.models.runs import (
    Estimate,
    FileReport,
    FileStatus,
    KnownFile,
    LedgerStatus,
    Phase,
    PlannedAction,
    PlannedFile,
    RunKind,
    RunSummary,
    SettingInForce,
    ShardRun,
    Timeline,
    Totals,
    shard_of,
)

__all__ = [
    "MOVES",
    "ApiCalls",
    "CallKind",
    "CallOutcome",
    "Document",
    "DocumentState",
    "Estimate",
    "Failure",
    "FileReport",
    "FileStatus",
    "KnownFile",
    "LedgerStatus",
    "Phase",
    "PlannedAction",
    "PlannedFile",
    "Price",
    "RunKind",
    "RunSummary",
    "SettingInForce",
    "ShardRun",
    "SourceFile",
    "StoredPdf",
    "Task",
    "Timeline",
    "Totals",
    "shard_of",
]
