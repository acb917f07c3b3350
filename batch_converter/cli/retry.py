"""`retry`: failed files put back to pending."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import click

from batch_converter.cli import event_loop
from batch_converter.cli.options import SOURCE, config_option, output_options, settings_from
from batch_converter.clock import SystemClock
from batch_converter.ledger import Ledger
from batch_converter.logs import printable
from batch_converter.sources import source_address
from batch_converter.state import held_state_dir, ledger_path, require_ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from batch_converter.config import Settings


@click.command(short_help="Put failed files back to pending.")
@click.argument("sources", metavar="[SOURCE]...", nargs=-1, type=SOURCE)
@output_options
@config_option
def retry(config_file: Path | None, sources: Sequence[str], **given: Any) -> None:  # noqa: ANN401  # settings
    """Put failed files back to pending: all, or those at or below each SOURCE."""
    settings = settings_from(config_file, given).settings
    paths = [source_address(source) for source in sources] or None
    taken_up = event_loop.run(_retry, settings, paths)
    for source in taken_up:
        click.echo(printable(source))
    if not taken_up:
        click.echo("no failed file there: nothing was put back", err=True)


async def _retry(settings: Settings, paths: Sequence[str] | None) -> list[str]:
    await anyio.to_thread.run_sync(require_ledger, settings)
    async with held_state_dir(settings), await Ledger.open(ledger_path(settings)) as ledger:
        return await ledger.retry(paths, at=SystemClock().now())
