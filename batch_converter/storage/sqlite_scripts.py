"""SQL that stands in files: statements by their names, and the scripts that make tables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*\n?", re.MULTILINE)


def named_statements(text: str) -> Mapping[str, str]:
    """Return the statements of a file, each below a line `-- name: NAME`, without comments.

    Raises:
        ValueError: Two have the same name.
    """
    _, *pieces = _NAME.split(text)
    names, statements = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError("two queries have the same name")
    return {
        name: _COMMENT.sub("", statement).strip()
        for name, statement in zip(names, statements, strict=True)
    }


def schema_version(connection: sqlite3.Connection) -> int:
    """Return how many scripts the database has seen."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection, scripts: Sequence[str], *, application_id: int) -> None:
    """Bring a database up to date: the n-th script leads from version n - 1 to n.

    Each is a transaction of its own; one that fails leaves the version before it.
    """
    version = schema_version(connection)
    for number, script in enumerate(scripts[version:], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script}"
            f"PRAGMA application_id = {application_id};"
            f"PRAGMA user_version = {number}; COMMIT;"
        )
