"""The command line: the only place that prints or exits."""

from __future__ import annotations

import io
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import click

from batch_converter.cli.cancel import cancel
from batch_converter.cli.config import config
from batch_converter.cli.convert import convert
from batch_converter.cli.doctor import doctor
from batch_converter.cli.ledger import report, retry, status, verify
from batch_converter.cli.serve import serve
from batch_converter.errors import BatchConverterError, ExitCode, RunStoppedError, StartupError
from batch_converter.logs import printable

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Group(click.Group):
    """Maps the package's errors to messages and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's own
        try:
            return super().invoke(ctx)
        except BatchConverterError as error:
            click.echo(printable(f"batch-converter: {error}"), err=True)
            sys.exit(_exit_code(error))
        except KeyboardInterrupt:
            click.echo("batch-converter: interrupted", err=True)
            sys.exit(ExitCode.SIGINT)


def _exit_code(error: BatchConverterError) -> ExitCode:
    if isinstance(error, StartupError | RunStoppedError):
        return error.exit_code
    return ExitCode.SOME_FAILED


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("batch-converter"), prog_name="batch-converter")
def cli() -> None:
    """Convert whole archives of DjVu files to PDF."""


for command in (convert, status, retry, report, verify, cancel, config, doctor, serve):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the console script's entry."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show is escaped
            stream.reconfigure(errors="backslashreplace")
    cli.main(args=arguments, prog_name="batch-converter")
