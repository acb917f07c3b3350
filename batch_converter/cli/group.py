"""The group of all commands: finds the wanted one, maps errors to exit codes."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import click

from batch_converter import interruptions
from batch_converter.errors import BatchConverterError, ExitCode, RunStoppedError, StartupError
from batch_converter.logs import printable
from batch_converter.shortage import shortage_of

_HOMES: Final = {
    "convert": "convert",
    "status": "ledger",
    "retry": "ledger",
    "report": "ledger",
    "verify": "ledger",
    "cancel": "cancel",
    "serve": "serve",
    "config": "config",
    "doctor": "doctor",
}
"""Each command's module: only that of the wanted one is imported, since HTTP, PDF and
terminal libraries take longer to load than `status` takes to answer."""

_TAKING_LEAVE: Final = {"convert"}
"""The commands that have something to tell when they are interrupted."""


class _Group(click.Group):
    """Maps the package's errors to messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own
        return list(_HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's own
        if cmd_name not in _HOMES:
            return None
        module = import_module(f"batch_converter.cli.{_HOMES[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        if cmd_name not in _TAKING_LEAVE:
            interruptions.raise_at_once()
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's own
        try:
            return super().invoke(ctx)
        except BatchConverterError as error:
            click.echo(printable(f"batch-converter: {error}"), err=True)
            sys.exit(_exit_code(error))
        except OSError as error:
            if error.errno == errno.EPIPE:  # click's own: nobody listens any more
                raise
            if shortage_of(error) is not None:  # told by the entry, with all that can get there
                raise
            _give_up_output()
            message = f"batch-converter: the result could not be written: {error.strerror}"
            click.echo(message, err=True)
            sys.exit(ExitCode.SOME_FAILED)
        except KeyboardInterrupt:
            click.echo("batch-converter: interrupted", err=True)
            sys.exit(ExitCode.SIGINT)


def _give_up_output() -> None:
    """Let what is still buffered for standard output go nowhere."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: BatchConverterError) -> ExitCode:
    if isinstance(error, StartupError | RunStoppedError):
        return error.exit_code
    return ExitCode.SOME_FAILED


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="batch-converter", prog_name="batch-converter")
def cli() -> None:
    """Convert whole archives of DjVu files to PDF."""
