"""`status`: what the ledger knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from batch_converter.cli.options import config_option, output_options, settings_from
from batch_converter.cli.printing import echo_lines, echo_pieces
from batch_converter.ledger import LedgerReader
from batch_converter.report import human_status, status_json_text
from batch_converter.state import ledger_path

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Say what the ledger knows.")
@output_options
@config_option
@click.option("--files", "with_files", is_flag=True, help="List each file with its state.")
@click.option("--runs", "with_runs", is_flag=True, help="List each run and how it ended.")
@click.option("--json", "as_json", is_flag=True, help="As one line of JSON.")
def status(
    config_file: Path | None,
    *,
    with_files: bool,
    with_runs: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401  # settings
) -> None:
    """Say what the ledger knows: files in each state, calls spent, what is still out.

    Works while a run goes on.
    """
    settings = settings_from(config_file, given).settings
    with LedgerReader(ledger_path(settings)) as ledger, ledger.snapshot():
        known = ledger.status()
        runs = ledger.runs() if with_runs else None
        files = ledger.known_files() if with_files else None
        if as_json:
            price = settings.budget.price
            echo_pieces(status_json_text(known, runs=runs, files=files, price=price))
        else:
            echo_lines(human_status(known, runs=runs, files=files))
