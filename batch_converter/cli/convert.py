"""`convert`: the main job."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from batch_converter import api
from batch_converter.cli import event_loop
from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.cli.choosing import choosing_options, listing_options
from batch_converter.cli.collector import collect_seldom
from batch_converter.cli.options import (
    SOURCE,
    config_option,
    flag,
    logging_options,
    option,
    output_options,
    settings_from,
)
from batch_converter.cli.printing import echo_lines, echo_pieces
from batch_converter.cli.run_options import (
    display_options,
    keeping_options,
    report_options,
    service_options,
)
from batch_converter.cli.running import print_result, run_with_display
from batch_converter.cli.session import logging_session
from batch_converter.cli.signals import raise_at_once
from batch_converter.cli.telling import Telling, tell_at_the_end, telling_options
from batch_converter.errors import UsageError
from batch_converter.machine_limits import check_limits
from batch_converter.report import estimate_json_text, human_estimate
from batch_converter.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.models import Estimate


@click.command(short_help="Convert every DjVu in the sources to PDF.")
@click.argument("paths", metavar="SOURCE...", nargs=-1, type=SOURCE)
@output_options
@config_option
@service_options
@option(
    "budget.deadline",
    "--deadline",
    metavar="DURATION",
    help="Stop taking new work after this long (90m, 6h) and finish cleanly.",
)
@option(
    "budget.max_errors",
    "--max-errors",
    type=int,
    metavar="N",
    help="Stop admitting after N failures.",
)
@flag("budget.fail_fast", "--fail-fast", help="Stop admitting after the first failure.")
@listing_options
@choosing_options
@keeping_options
@click.option(
    "--dry-run", is_flag=True, help="Say what would be done and what it would cost; change nothing."
)
@click.option(
    "--files", "with_files", is_flag=True, help="With --dry-run: list what becomes of each file."
)
@report_options
@click.option("--json", "as_json", is_flag=True, help="The result as one line of JSON.")
@display_options
@telling_options
@logging_options
def convert(
    paths: tuple[str, ...],
    config_file: Path | None,
    files_from: str | None,
    verbose: int,
    quiet: int,
    *,
    null: bool,
    as_json: bool,
    dry_run: bool,
    with_files: bool,
    ping_url: str | None,
    on_finish: str | None,
    **given: Any,  # noqa: ANN401  # one parameter a setting, typed by the settings
) -> None:
    """Convert every DjVu in the sources to PDF.

    SOURCE is a file or a folder, which is searched for .djvu and .djv files.
    """
    keep_freed_memory()
    is_quiet = quiet > verbose
    telling = Telling(ping_url, on_finish, quiet=is_quiet)
    if not dry_run:
        tell_at_the_end(telling)
    if with_files and not dry_run:
        raise UsageError(
            "--files lists what --dry-run would do: give that too, or see status --files"
        )
    given["report__failed_list_null"] = null or None
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    is_listing = loaded.settings.report.failed_list is not None
    reads_null = null and (files_from is not None or not is_listing)
    sources = Sources(paths=paths, files_from=files_from, null=reads_null)
    if dry_run:
        raise_at_once()
        with logging_session(loaded):
            plan = partial(api.dry_run, with_files=with_files)
            estimate = event_loop.run(plan, sources, loaded.settings)
        _print_estimate(estimate, loaded.settings, as_json=as_json)
        return
    check_limits()
    collect_seldom()
    report = run_with_display(sources, loaded, telling, quiet=is_quiet)
    print_result(report, loaded.settings, as_json=as_json, quiet=is_quiet)
    sys.exit(report.summary.exit_code)


def _print_estimate(estimate: Estimate, settings: Settings, *, as_json: bool) -> None:
    price = settings.budget.price
    if as_json:
        echo_pieces(estimate_json_text(estimate, price=price))
    else:
        echo_lines(human_estimate(estimate, price=price))
