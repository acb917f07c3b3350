"""The command line: the only place that prints or exits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from batch_converter import machine_limits, standard_streams
from batch_converter.cli import output, signals
from batch_converter.cli.loading import load
from batch_converter.cli.output import OutputUnwritableError
from batch_converter.errors import ExitCode, StartupError
from batch_converter.shortage import exhausted

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; the console script's entry.

    Descriptors that are missing are made up for before anything else can get their
    numbers, and signals are heeded before the libraries are loaded, which takes its time.
    """
    standard_streams.complete()
    machine_limits.raise_descriptor_limit()
    signals.install()
    output.install()
    try:
        machine_limits.check_descriptors()
        load("batch_converter.cli.group").cli.main(args=arguments, prog_name="batch-converter")
    except OutputUnwritableError as error:
        output.give_up()
        _leave(f"the result could not be written: {error.strerror}", ExitCode.SOME_FAILED)
    except (Exception, BaseExceptionGroup) as error:
        stop = error if isinstance(error, StartupError) else exhausted(error)
        if stop is None:
            raise
        _leave(str(stop), stop.exit_code)


def _leave(message: str, code: ExitCode) -> NoReturn:
    print(f"batch-converter: {message}", file=sys.stderr)  # noqa: T201  # click may not be there
    sys.exit(code)
