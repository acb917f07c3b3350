"""Prints results that come in lines or pieces, as long as anybody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from batch_converter.cli.output import standard_output_is_read

if TYPE_CHECKING:
    from collections.abc import Iterable


def echo_pieces(pieces: Iterable[str]) -> None:
    """Print the pieces of one line, as long as anybody reads them."""
    for piece in pieces:
        click.echo(piece, nl=False)
        if not standard_output_is_read():
            return
    click.echo()


def echo_lines(lines: Iterable[str]) -> None:
    """Print lines, as long as anybody reads them."""
    for line in lines:
        click.echo(line)
        if not standard_output_is_read():
            return
