"""`cancel`: delete at the service what is still out there."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from batch_converter import api
from batch_converter.cli import event_loop
from batch_converter.cli.options import (
    config_option,
    logging_options,
    option,
    output_options,
    settings_from,
)
from batch_converter.cli.session import logging_session
from batch_converter.errors import ExitCode

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Delete at the service what is still out there.")
@output_options
@config_option
@option("aspose.base_url", "--base-url", metavar="URL", help="Address of the API.")
@logging_options
def cancel(config_file: Path | None, verbose: int, quiet: int, **given: Any) -> None:  # noqa: ANN401  # settings
    """Delete at the service what is still out there, and put it back to pending.

    Each deletion is a billed call.
    """
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    with logging_session(loaded) as session:
        done = event_loop.run(
            partial(api.cancel, loaded.settings, run_id=session.run_id, redactor=session.redactor)
        )
    click.echo(f"cancelled {done.cancelled}, failed {done.failed}")
    sys.exit(ExitCode.SOME_FAILED if done.failed else ExitCode.OK)
