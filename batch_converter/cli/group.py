"""The group of all commands: finds the wanted one, maps errors to exit codes."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import click

from batch_converter.cli import shells, signals
from batch_converter.cli.loading import load
from batch_converter.cli.output import OutputUnwritableError
from batch_converter.errors import BatchConverterError, ExitCode, RunStoppedError, StartupError
from batch_converter.logs import printable
from batch_converter.shortage import exhausted, shortage_of

_COMMANDS: Final = (
    "convert",
    "watch",
    "status",
    "retry",
    "report",
    "merge",
    "verify",
    "bag",
    "cancel",
    "serve",
    "config",
    "doctor",
    "completion",
)
"""Each is a module of this package with a command of its name: only that of the wanted one
is imported, since HTTP, PDF and terminal libraries take longer to load than `status` takes
to answer."""

_DRAINS_ON_SIGNAL: Final = {"convert", "serve", "watch"}
"""The commands that bring something home when they are interrupted, and print it."""


class _Group(click.Group):
    """Maps the package's errors to messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's own
        if cmd_name not in _COMMANDS:
            return None
        module = load(f"batch_converter.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        if cmd_name not in _DRAINS_ON_SIGNAL:
            signals.raise_at_once()
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's own
        try:
            return self._invoke(ctx)
        except BaseException as error:
            if ctx.obj is not None:
                ctx.obj.end(_code_of(error))
            raise

    def _invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's own
        try:
            return super().invoke(ctx)
        except BatchConverterError as error:
            click.echo(printable(f"batch-converter: {error}"), err=True)
            sys.exit(_exit_code(error))
        except OutputUnwritableError:  # told by the entry: help is printed outside of this
            raise
        except OSError as error:
            if shortage_of(error) is not None:  # told by the entry, with all that can get there
                raise
            click.echo(printable(f"batch-converter: {_cause(error)}"), err=True)
            sys.exit(ExitCode.USAGE)
        except KeyboardInterrupt:
            click.echo("batch-converter: interrupted", err=True)
            sys.exit(ExitCode.SIGINT)


def _cause(error: OSError) -> str:
    """Say what the system refused, and where: no command can begin without it."""
    what = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{what}{error.strerror or error}"


def _code_of(error: BaseException) -> int:
    """Return the exit code that an error on its way out of the process becomes."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.OK
    if isinstance(error, click.ClickException):
        return error.exit_code
    stop = exhausted(error)
    return ExitCode.SOME_FAILED if stop is None else stop.exit_code


def _exit_code(error: BatchConverterError) -> ExitCode:
    if isinstance(error, StartupError | RunStoppedError):
        return error.exit_code
    return ExitCode.SOME_FAILED


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="batch-converter", prog_name="batch-converter")
def cli() -> None:
    """Convert whole archives of DjVu files to PDF."""


shells.register()  # before click looks whether it is a shell that asks
