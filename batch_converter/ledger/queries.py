"""The statements of `queries.sql`, by name: what SQL there is stands in one place, to be read."""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Final

from batch_converter.ledger.rows import DOCUMENT_COLUMNS, REPORT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^--.*\n?", re.MULTILINE)
_LISTS: Final = {
    "{document_columns}": ", ".join(f"document.{name}" for name in DOCUMENT_COLUMNS),
    "{report_columns}": ", ".join(REPORT_COLUMNS),
    "{report_values}": ", ".join(f":{name}" for name in REPORT_COLUMNS),
}
"""What the statements need not list, since `rows` does."""


def _load() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("queries.sql").read_text(encoding="utf-8")
    for place, columns in _LISTS.items():
        text = text.replace(place, columns)
    _, *pieces = _NAME.split(text)
    names, statements = pieces[::2], pieces[1::2]
    if len(set(names)) < len(names):
        raise ValueError("two queries have the same name")
    return {
        name: _COMMENT.sub("", statement).strip()
        for name, statement in zip(names, statements, strict=True)
    }


QUERIES: Final = _load()

query: Final = QUERIES.__getitem__
"""Return the statement of a name; its parameters are given by name, in a mapping."""
