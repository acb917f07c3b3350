"""What runs have observed of a service, kept for the polling of later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.ledger.operations import LedgerPart, durable
from batch_converter.ledger.queries import query
from batch_converter.polling import Observation

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

KEPT: Final = 200
"""Newer observations push out older ones: services change."""


class Observations(LedgerPart):
    """The part of the ledger that keeps observations."""

    @durable
    def remember(
        self, connection: sqlite3.Connection, service: str, observations: Sequence[Observation]
    ) -> None:
        """Keep what this run observed, oldest first, and drop the oldest beyond `KEPT`."""
        connection.executemany(
            query("insert_observation"),
            (
                {
                    "service": service,
                    "pages": each.pages,
                    "low_s": each.low_s,
                    "high_s": each.high_s,
                    "servers": each.servers,
                }
                for each in observations
            ),
        )
        connection.execute(query("forget_old_observations"), {"service": service, "kept": KEPT})

    @durable
    def recall(self, connection: sqlite3.Connection, service: str) -> list[Observation]:
        """Return what earlier runs observed of a service, oldest first."""
        rows = connection.execute(query("observations_of_service"), {"service": service})
        return [
            Observation(
                pages=row["pages"],
                low_s=row["low_s"],
                high_s=row["high_s"],
                servers=row["servers"],
            )
            for row in rows
        ]
