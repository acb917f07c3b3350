"""A ledger whose last run is merged with others', as it was at one moment."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from batch_converter.config import STATE_DIR_NAME
from batch_converter.errors import LedgerError, UsageError
from batch_converter.ledger import LedgerReader
from batch_converter.models import ShardRun
from batch_converter.state import LEDGER_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from batch_converter.models import RunSummary

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardLedger:
    """A ledger and its last run.

    Attributes:
        reader: Held to the moment at which it was opened.
    """

    state_dir: str
    reader: LedgerReader
    run: RunSummary

    @property
    def as_run(self) -> ShardRun:
        """The run with the place that it is known at."""
        return ShardRun(state_dir=self.state_dir, summary=self.run)

    def reading(self, rows: Iterable[T]) -> Iterator[T]:
        """Yield what is read of this ledger, so that trouble names it and none of the others.

        Raises:
            LedgerError: It could not be read.
        """
        try:
            yield from rows
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger in {self.state_dir} cannot be read: {error}") from error


@contextmanager
def opened_ledgers(state_dirs: Sequence[Path]) -> Iterator[list[ShardLedger]]:
    """Open the ledgers in these directories to be read; runs may go on meanwhile.

    Raises:
        UsageError: A directory is named twice or is an output folder, or (LedgerError) one
            has no ledger, or one without any run.
    """
    folders = _distinct(state_dirs)
    with ExitStack() as stack:
        ledgers = []
        for folder in folders:
            reader = stack.enter_context(LedgerReader(_ledger_in(folder)))
            stack.enter_context(reader.snapshot())
            ledgers.append(
                ShardLedger(state_dir=os.fspath(folder), reader=reader, run=reader.run())
            )
        yield ledgers


def _ledger_in(folder: Path) -> Path:
    inside = folder / STATE_DIR_NAME
    if not (folder / LEDGER_NAME).exists() and (inside / LEDGER_NAME).exists():
        raise UsageError(f"{folder} is an output folder; name the state directory in it, {inside}")
    return folder / LEDGER_NAME


def _distinct(state_dirs: Sequence[Path]) -> list[Path]:
    if not state_dirs:
        raise UsageError("nothing to merge: name the state directories of the shards")
    places: dict[str, Path] = {}
    for folder in state_dirs:
        place = os.path.realpath(folder)
        if place in places:
            raise UsageError(
                f"{folder} is the state directory {places[place]} again; name each one once"
            )
        places[place] = folder.absolute()
    return list(places.values())
