"""`bag`: the converted PDFs as a BagIt bag."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from batch_converter.bags import make_bag
from batch_converter.cli.options import FOLDER, config_option, output_options, settings_from
from batch_converter.errors import ExitCode, UsageError
from batch_converter.logs import printable

if TYPE_CHECKING:
    from pathlib import Path


@click.command(short_help="Copy the PDFs into a BagIt bag.")
@click.argument("folder", type=FOLDER, metavar="BAG")
@output_options
@config_option
@click.option(
    "--info",
    multiple=True,
    metavar="LABEL=VALUE",
    help="Written into bag-info.txt, such as Source-Organization=NAME; repeatable.",
)
def bag(
    folder: Path,
    config_file: Path | None,
    info: tuple[str, ...],
    **given: Any,  # noqa: ANN401  # settings
) -> None:
    """Copy the PDFs that the ledger knows as converted into a new BagIt bag (RFC 8493).

    BAG is a new folder, which is there when it is complete. PDFs that are missing or are not
    as the ledger recorded are left out and told, and the exit code is 1. Works while a run
    goes on.
    """
    settings = settings_from(config_file, given).settings
    pairs = [_pair(text) for text in info]
    made = make_bag(folder, settings, info=pairs, on_left_out=_tell)
    all_pdfs = made.pdfs + made.left_out
    click.echo(printable(f"{made.pdfs} of {all_pdfs} PDFs are in {made.path}"))
    sys.exit(ExitCode.SOME_FAILED if made.left_out else ExitCode.OK)


def _pair(text: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--info {text!r} is not LABEL=VALUE, such as Contact-Name=Ada")
    return label.strip(), value.strip()


def _tell(output: str, reason: str) -> None:
    click.echo(printable(f"{output}: {reason}"))
