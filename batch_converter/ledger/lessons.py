"""What runs have learned about a service, kept for the polling of later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.polling import Observation

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

KEPT: Final = 200
"""Newer observations push out older ones: services change."""


def remember(
    connection: sqlite3.Connection, service: str, observations: Sequence[Observation]
) -> None:
    """Add observations of a service, oldest first, and drop the oldest beyond `KEPT`."""
    connection.executemany(
        "INSERT INTO observation (service, pages, low_s, high_s, servers) VALUES (?, ?, ?, ?, ?)",
        ((service, each.pages, each.low_s, each.high_s, each.servers) for each in observations),
    )
    connection.execute(
        "DELETE FROM observation WHERE service = ?1 AND id NOT IN"
        " (SELECT id FROM observation WHERE service = ?1 ORDER BY id DESC LIMIT ?2)",
        (service, KEPT),
    )


def recall(connection: sqlite3.Connection, service: str) -> list[Observation]:
    """Return what is known of a service, oldest first."""
    rows = connection.execute(
        "SELECT pages, low_s, high_s, servers FROM observation WHERE service = ? ORDER BY id",
        (service,),
    )
    return [
        Observation(pages=pages, low_s=low_s, high_s=high_s, servers=servers)
        for pages, low_s, high_s, servers in rows
    ]
