"""`doctor`: checks of credentials, service, output folder and engine, a line each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch_converter.cli import event_loop
from batch_converter.cli.options import (
    config_option,
    logging_options,
    option,
    output_options,
    settings_from,
)
from batch_converter.cli.session import logging_session
from batch_converter.diagnosis import diagnose
from batch_converter.engines.registry import engine_names
from batch_converter.errors import ExitCode
from batch_converter.logs import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Check credentials, reachability, output folder and engine.")
@output_options
@config_option
@option("engine", "--engine", type=click.Choice(engine_names()), help="Check this one.")
@option("aspose.base_url", "--base-url", metavar="URL", help="Address of the API.")
@logging_options
def doctor(config_file: Path | None, verbose: int, quiet: int, **given: Any) -> None:  # noqa: ANN401  # settings
    """Check credentials, reachability, output folder and engine; one line each.

    Asks the service for a token, which is not billed. Fails if one check fails: with 2
    where the configuration is at fault, else with 1.
    """
    loaded = settings_from(config_file, given, verbose=verbose, quiet=quiet)
    with logging_session(loaded) as session:
        findings = event_loop.run(diagnose, loaded.settings, session.redactor)
    for finding in findings:
        click.echo(printable(f"{'ok  ' if finding.is_good else 'FAIL'}  {finding.text}"))
    sys.exit(next((f.exit_code for f in findings if not f.is_good), ExitCode.OK))
