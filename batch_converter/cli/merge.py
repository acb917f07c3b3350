"""`merge`: the last runs of an archive's shards in one report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch_converter import api
from batch_converter.cli.options import FOLDER, config_option, settings_from
from batch_converter.cli.printing import echo_lines
from batch_converter.cli.run_options import report_options
from batch_converter.config import ReportSettings
from batch_converter.errors import ExitCode, UsageError
from batch_converter.logs import printable
from batch_converter.report import human_merged, summary_json

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="One report of the last runs of an archive's shards.")
@click.argument("state_dirs", metavar="STATE_DIR...", nargs=-1, required=True, type=FOLDER)
@config_option
@report_options
@click.option("--null", is_flag=True, help="The --failed-list is NUL-separated.")
@click.option("--json", "as_json", is_flag=True, help="The report without files as one line.")
def merge(
    state_dirs: tuple[Path, ...],
    config_file: Path | None,
    *,
    null: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401  # paths, typed by the settings
) -> None:
    """Tell the last runs of the shards of an archive (convert --shard K/N --state-dir) as one.

    Works while runs go on. Without any file it prints a summary. It ends with 1 where a shard is
    missing or has not ended, or a file could not be written.
    """
    files = {key.removeprefix("report__"): path for key, path in given.items()}
    if null and files["failed_list"] is None:
        raise UsageError("--null says how --failed-list is written; give that, too")
    configured = settings_from(config_file, {}).settings
    # Not those that the configuration names: they are of the shards' own runs.
    wanted = ReportSettings(**files, failed_list_null=null)
    settings = configured.model_copy(update={"report": wanted})
    with api.merge(state_dirs) as merged:
        merged.write(settings)
        for problem in (*merged.warnings, *merged.unwritten):
            click.echo(printable(f"batch-converter: {problem}"), err=True)
        price = settings.budget.price
        if as_json:
            click.echo(summary_json(merged.summary, price=price))
        elif not any(files.values()):
            echo_lines([human_merged(merged.summary, merged.files(), price=price)])
        is_complete = merged.is_complete
    sys.exit(ExitCode.OK if is_complete else ExitCode.SOME_FAILED)
