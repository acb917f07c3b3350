"""`verify`: the PDFs hashed again and compared with the ledger."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from batch_converter.cli import event_loop
from batch_converter.cli.options import config_option, output_options, settings_from
from batch_converter.errors import ExitCode, FileError, OutputError
from batch_converter.ledger import LedgerReader
from batch_converter.logs import printable
from batch_converter.output import unread_reason
from batch_converter.sources import SourceStores
from batch_converter.state import LEDGER_NAME, ledger_path, state_dir
from batch_converter.threads import DiskThreads
from batch_converter.wiring import SOURCE_STORES, open_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.ledger.reader import ConvertedSource
    from batch_converter.output import OutputStore

_BATCH: Final = 1_000
T = TypeVar("T")


@click.command(short_help="Hash the PDFs again and compare them with the ledger.")
@output_options
@config_option
@click.option(
    "--sources", "with_sources", is_flag=True, help="Hash the sources too, as they were converted."
)
def verify(config_file: Path | None, *, with_sources: bool, **given: Any) -> None:  # noqa: ANN401  # settings
    """Hash the PDFs again and say which are not what the ledger recorded."""
    settings = settings_from(config_file, given).settings
    bad = event_loop.run(_verify, settings)
    if with_sources:
        bad += event_loop.run(_verify_sources, settings)
    sys.exit(ExitCode.SOME_FAILED if bad else ExitCode.OK)


async def _verify(settings: Settings) -> int:
    """Print the PDFs that are not as recorded, and return how many they are."""
    threads, tally = DiskThreads(1), _Tally()
    state = state_dir(settings)
    pdfs = await threads.run(open_output, settings, state=state, run_id="", threads=threads)
    known = _recorded(state / LEDGER_NAME, LedgerReader.converted)
    while batch := await threads.run(lambda: list(islice(known, _BATCH))):
        for output, sha256, _ in batch:
            tally.count(output, await threads.start(_pdf_fault, pdfs, output, sha256))
    click.echo(f"{tally.good} of {tally.all} PDFs are as recorded")
    return tally.bad


async def _verify_sources(settings: Settings) -> int:
    """Print the sources that are not as they were converted, and return how many they are."""
    stores, threads = SourceStores(SOURCE_STORES, settings), DiskThreads(1)
    tally = _Tally()
    try:
        known = _recorded(ledger_path(settings), LedgerReader.converted_sources)
        while batch := await threads.run(lambda: list(islice(known, _BATCH))):
            for source in batch:
                tally.count(source.path, await threads.start(_source_fault, stores, source))
    finally:
        await stores.aclose()
    click.echo(f"{tally.good} of {tally.all} sources are as they were converted")
    return tally.bad


def _recorded(ledger: Path, ask: Callable[[LedgerReader], Iterator[T]]) -> Iterator[T]:
    """Yield what the ledger has on record; opens it with the first, closes it behind the last.

    So all of it blocks where the rows are taken: in a thread.
    """
    with LedgerReader(ledger) as reader:
        yield from ask(reader)


@dataclass(slots=True)
class _Tally:
    good: int = 0
    bad: int = 0

    @property
    def all(self) -> int:
        return self.good + self.bad

    def count(self, name: str, fault: str | None) -> None:
        """Count a file, and print what is the matter with it."""
        if fault is None:
            self.good += 1
        else:
            self.bad += 1
            click.echo(printable(f"{name}: {fault}"))


def _source_fault(stores: SourceStores, source: ConvertedSource) -> str | None:
    if not stores.exists(source.path):
        return "missing"
    try:
        found = stores.inspector(source.path).sha256(source.path, with_parts=source.has_parts)
    except FileError as error:
        return str(error)
    return None if found == source.sha256 else "differs from what was converted"


def _pdf_fault(pdfs: OutputStore, output: str, sha256: str) -> str | None:
    try:
        found = pdfs.sha256(output)
    except OutputError as error:
        return unread_reason(error)
    return None if found == sha256 else "differs from what was recorded"
