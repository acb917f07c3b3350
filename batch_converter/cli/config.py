"""`config check`: what is in force, and where each value came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from batch_converter.cli.options import config_option, settings_from
from batch_converter.config import told
from batch_converter.engines.registry import check_means
from batch_converter.errors import ConfigError
from batch_converter.logs import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.group(short_help="Look at the configuration.")
def config() -> None:
    """Look at the configuration."""


@config.command(short_help="Say what is in force and where it came from.")
@config_option
def check(config_file: Path | None) -> None:
    """Read the configuration and say what is in force and where each value came from.

    Fails with 2 where a run could not begin with it, as with half an account, or with a
    certificate that cannot be opened.
    """
    loaded = settings_from(config_file, {})
    for key, value, origin in loaded.in_force():
        click.echo(printable(f"{key} = {told(value)}  # {origin}"))
    for warning in loaded.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    if fault := loaded.settings.account_fault:
        raise ConfigError(fault)
    check_means(loaded.settings)
