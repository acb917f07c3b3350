"""`report`: the report of a past run, written again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from batch_converter.cli.options import PATH, config_option, output_options, settings_from
from batch_converter.cli.printing import echo_pieces
from batch_converter.ledger import LedgerReader
from batch_converter.report import (
    ensure_apart,
    json_report_text,
    write_csv_report,
    write_html_report,
    write_json_report,
)
from batch_converter.state import ledger_path

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Write the report of a past run again.")
@click.argument("run_id", metavar="[RUN]", required=False)
@output_options
@config_option
@click.option("--report", "file", type=PATH, metavar="FILE", help="Write it here, not to stdout.")
@click.option("--html-report", "html_file", type=PATH, metavar="FILE", help="Write it as HTML.")
@click.option("--csv-report", "csv_file", type=PATH, metavar="FILE", help="Write its files as CSV.")
def report(
    config_file: Path | None,
    run_id: str | None,
    file: Path | None,
    html_file: Path | None,
    csv_file: Path | None,
    **given: Any,  # noqa: ANN401  # settings
) -> None:
    """Write the report of a past run, the last one where none is named, again.

    Works while a run goes on. Files that a run skipped are listed for the last 30 runs.
    """
    settings = settings_from(config_file, given).settings
    named = ((file, "report"), (html_file, "HTML report"), (csv_file, "CSV report"))
    ensure_apart((path, what) for path, what in named if path is not None)
    with LedgerReader(ledger_path(settings)) as ledger:
        summary = ledger.run(run_id)
        files = partial(ledger.files, summary.run_id)
        price = settings.budget.price
        if html_file is not None:
            write_html_report(html_file, summary, files, price=price)
        if csv_file is not None:
            write_csv_report(csv_file, files())
        if file is not None:
            write_json_report(file, summary, files(), price=price)
        elif html_file is None and csv_file is None:
            echo_pieces(json_report_text(summary, files(), price=price))
