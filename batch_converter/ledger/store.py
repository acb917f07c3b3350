"""The ledger's connection: operations in groups, and what a lost disk means for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.errors import LedgerWriteError
from batch_converter.storage.grouped_store import GroupedStore

if TYPE_CHECKING:
    import sqlite3

    from batch_converter.storage.reserve import Reserve


class Store(GroupedStore):
    """Raises `LedgerWriteError` where the ledger's disk is full or gone.

    Args:
        connection: Closed by `close`.
        reserve: Given up where the disk is full; a copy in memory needs none.
    """

    def __init__(self, connection: sqlite3.Connection, reserve: Reserve | None = None) -> None:
        super().__init__(connection, name="ledger", lost=_lost, reserve=reserve)


def _lost(reason: str, advice: str) -> LedgerWriteError:
    return LedgerWriteError(
        f"the ledger could not be written ({reason}); the run stops so that nothing is paid for"
        f" without being recorded. {advice} and run the same command again"
    )
