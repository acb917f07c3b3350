"""`verify`: the PDFs hashed again and compared with the ledger."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import anyio
import click

from batch_converter.cli.options import config_option, output_options, settings_from
from batch_converter.errors import ExitCode
from batch_converter.ledger import LedgerReader
from batch_converter.logs import printable
from batch_converter.state import ledger_path, output_dir
from batch_converter.storage import hash_file_in
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import Settings

_BATCH: Final = 1_000


@click.command(short_help="Hash the PDFs again and compare them with the ledger.")
@output_options
@config_option
def verify(config_file: Path | None, **given: Any) -> None:  # noqa: ANN401  # settings
    """Hash the PDFs again and say which are not what the ledger recorded."""
    settings = settings_from(config_file, given).settings
    bad = anyio.run(_verify, settings)
    sys.exit(ExitCode.SOME_FAILED if bad else ExitCode.OK)


async def _verify(settings: Settings) -> int:
    """Print the PDFs that are not as recorded, and return how many they are."""
    folder, threads = output_dir(settings), DiskThreads(1)
    good = bad = 0
    with LedgerReader(ledger_path(settings)) as ledger:
        known = ledger.converted()
        while batch := await threads.run(lambda: list(islice(known, _BATCH))):
            for output, sha256, _ in batch:
                fault = await _fault(threads, folder / output, sha256)
                if fault is None:
                    good += 1
                else:
                    bad += 1
                    click.echo(printable(f"{output}: {fault}"))
    click.echo(f"{good} of {good + bad} PDFs are as recorded")
    return bad


async def _fault(threads: DiskThreads, path: Path, sha256: str) -> str | None:
    try:
        found = await hash_file_in(threads, path)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None if found == sha256 else "differs from what was recorded"
