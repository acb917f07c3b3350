"""`status`, `retry`, `report`, `verify`: what the ledger knows, and putting it right."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import click

from batch_converter import working_folder
from batch_converter.cli.options import PATH, SOURCE, config_option, output_options, settings_from
from batch_converter.cli.output import standard_output_is_read
from batch_converter.errors import ExitCode
from batch_converter.ledger import Ledger, LedgerReader
from batch_converter.logs import printable
from batch_converter.report import (
    human_status,
    json_report_text,
    status_json,
    write_html_report,
    write_json_report,
)
from batch_converter.state import held_state_dir, ledger_path, output_dir, require_ledger
from batch_converter.storage import hash_file_in
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_converter.config import Settings

_PAGE: Final = 1_000


@click.command(short_help="Say what the ledger knows.")
@output_options
@config_option
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def status(config_file: Path | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401  # settings
    """Say what the ledger knows: files in each state, calls spent, what is still out.

    Works while a run goes on.
    """
    settings = settings_from(config_file, given).settings
    with LedgerReader(ledger_path(settings)) as ledger:
        known = ledger.status()
    click.echo(status_json(known) if as_json else human_status(known))


@click.command(short_help="Write the report of a past run again.")
@click.argument("run_id", metavar="[RUN]", required=False)
@output_options
@config_option
@click.option("--report", "file", type=PATH, metavar="FILE", help="Write it here, not to stdout.")
@click.option("--html-report", "html_file", type=PATH, metavar="FILE", help="Write it as HTML.")
def report(
    config_file: Path | None,
    run_id: str | None,
    file: Path | None,
    html_file: Path | None,
    **given: Any,  # noqa: ANN401  # settings
) -> None:
    """Write the report of a past run, the last one where none is named, again.

    Works while a run goes on. Files that a run skipped are listed for the last 30 runs.
    """
    settings = settings_from(config_file, given).settings
    with LedgerReader(ledger_path(settings)) as ledger:
        summary = ledger.run(run_id)
        files = partial(ledger.files, summary.run_id)
        price = settings.budget.price
        if html_file is not None:
            write_html_report(html_file, summary, files, price=price)
        if file is not None:
            write_json_report(file, summary, files(), price=price)
        elif html_file is None:
            for piece in json_report_text(summary, files(), price=price):
                click.echo(piece, nl=False)
                if not standard_output_is_read():
                    break


@click.command(short_help="Put failed files back to pending.")
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=SOURCE)
@output_options
@config_option
def retry(config_file: Path | None, sources: Sequence[str], **given: Any) -> None:  # noqa: ANN401  # settings
    """Put failed files back to pending: all, or those at or below each SOURCE."""
    settings = settings_from(config_file, given).settings
    paths = [_absolute(source) for source in sources] or None
    taken_up = anyio.run(_retry, settings, paths)
    for source in taken_up:
        click.echo(printable(source))
    if not taken_up:
        click.echo("no failed file there: nothing was put back", err=True)


def _absolute(source: str) -> str:
    with working_folder.needed_for(source):
        return os.path.abspath(source)  # noqa: PTH100  # bytes kept


async def _retry(settings: Settings, paths: Sequence[str] | None) -> list[str]:
    await anyio.to_thread.run_sync(require_ledger, settings)
    async with held_state_dir(settings), await Ledger.open(ledger_path(settings)) as ledger:
        return await ledger.retry(paths, at=datetime.now(UTC))


@click.command(short_help="Hash the PDFs again and compare them with the ledger.")
@output_options
@config_option
def verify(config_file: Path | None, **given: Any) -> None:  # noqa: ANN401  # settings
    """Hash the PDFs again and say which are not what the ledger recorded."""
    settings = settings_from(config_file, given).settings
    bad = anyio.run(_verify, settings)
    sys.exit(ExitCode.SOME_FAILED if bad else ExitCode.OK)


async def _verify(settings: Settings) -> int:
    """Tell what is not as recorded; returns how many PDFs are not."""
    folder, threads = output_dir(settings), DiskThreads(1)
    good = bad = 0
    with LedgerReader(ledger_path(settings)) as ledger:
        known = ledger.converted()
        while page := await threads.run(lambda: list(islice(known, _PAGE))):
            for output, sha256, _ in page:
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
