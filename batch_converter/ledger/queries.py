"""The statements of `queries.sql`, by name: what SQL there is stands in one place, to be read."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Final

from batch_converter.ledger.rows import DOCUMENT_COLUMNS, REPORT_COLUMNS
from batch_converter.storage.sqlite_scripts import named_statements

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    return named_statements(text)


QUERIES: Final = _load()

query: Final = QUERIES.__getitem__
"""Return the statement of a name; its parameters are given by name, in a mapping."""
