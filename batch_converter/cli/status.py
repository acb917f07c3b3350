"""`status`: what the ledger knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batch_converter.cli.options import config_option, output_options, settings_from
from batch_converter.ledger import LedgerReader
from batch_converter.report import human_status, status_json
from batch_converter.state import ledger_path

if TYPE_CHECKING:
    from pathlib import Path


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
