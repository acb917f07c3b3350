"""Files that belong together: an indirect document's index, and what it consists of.

They are moved together or not at all. An index says what belongs to it, and a part does not:
so before one file of a folder is moved, all that may be an index there is looked into. Blocks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch_converter.discovery import HEAD_BYTES, is_head_of_several
from batch_converter.errors import FileError
from batch_converter.naming import is_djvu_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from batch_converter.djvu.work.inspection import DjvuInspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Files of one folder that belong together.

    Attributes:
        files: Paths of all of them.
        indexes: Those that say so.
    """

    files: frozenset[str]
    indexes: frozenset[str]


def families_in(
    folder: str, known: Mapping[str, bool], inspector: DjvuInspector
) -> Mapping[str, Family]:
    """Return the family of each file of a folder that has one, by path.

    Args:
        folder: Its path.
        known: Documents of its files, and whether each is known to have all in one file.
        inspector: Reads what is not known.
    """
    families: dict[str, Family] = {}
    for path in sorted(_possible_indexes(folder, known)):
        try:
            listed = inspector.listed_files(path)
        except FileError:
            continue  # it cannot be converted either, and says so itself
        if listed:
            _join(families, Family(files=frozenset({path, *listed}), indexes=frozenset({path})))
    return families


def _join(families: dict[str, Family], new: Family) -> None:
    """Add a family; those that share a file with it become one with it."""
    relatives = {new, *(families[path] for path in new.files if path in families)}
    joined = Family(
        files=frozenset().union(*(family.files for family in relatives)),
        indexes=frozenset().union(*(family.indexes for family in relatives)),
    )
    families.update(dict.fromkeys(joined.files, joined))


def _possible_indexes(folder: str, known: Mapping[str, bool]) -> Iterator[str]:
    for path in _files(folder):
        is_meant = path in known or is_djvu_name(path)
        if is_meant and not known.get(path, False) and _may_be_index(path):
            yield path


def _files(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_file()]
    except OSError:
        return []  # what cannot be listed cannot be moved from either


def _may_be_index(path: str) -> bool:
    """Whether a file begins as a document of several components does; spares a question."""
    try:
        with Path(path).open("rb") as file:
            return is_head_of_several(file.read(HEAD_BYTES))
    except OSError:
        return False
