"""Tells those outside of a run: `--ping-url` and `--on-finish`.

The end is told last of all, by the group of commands: it alone knows the exit code, also that
of a run that never began.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from batch_converter.cli import event_loop
from batch_converter.cli.draining import stopped_by_signals
from batch_converter.cli.options import with_options
from batch_converter.cli.session import log_as_set
from batch_converter.config import CREDENTIALS, RUN_VARIABLES, Settings
from batch_converter.errors import BatchConverterError, ExitCode, UsageError
from batch_converter.logs import printable
from batch_converter.notifications import Hook, hook_environment
from batch_converter.redaction import Redactor
from batch_converter.state import new_run_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.api import RunReport
    from batch_converter.logs import LogSession
    from batch_converter.notifications.ping import Ping

F = TypeVar("F", bound="Callable[..., Any]")

_NOT_BEGUN: Final = frozenset({ExitCode.USAGE, ExitCode.LOCKED})


def telling_options(function: F) -> F:
    """Add `--ping-url` and `--on-finish`."""
    return with_options(
        function,
        click.option(
            "--ping-url",
            metavar="URL",
            help="Dead man's switch: GET URL/start at the start, URL/EXIT-CODE at the end.",
        ),
        click.option(
            "--on-finish",
            metavar="COMMAND",
            help="Run through the shell at the end, with BATCH_CONVERTER_EXIT_CODE, _RUN_ID,"
            " _REPORT, _CONVERTED, _FAILED and _REMAINING in its environment.",
        ),
    )


def _ping(url: str) -> Ping:
    from batch_converter.notifications.ping import Ping  # noqa: PLC0415  # loads aiohttp

    return Ping(url)


def tell_at_the_end(telling: Telling) -> None:
    """Have the group of commands tell when the exit code is known."""
    click.get_current_context().find_root().obj = telling


class Telling:
    """Told of one run: when it begins, what it did, and with which code the process ends.

    Args:
        ping_url: A dead man's switch; it is told of every end, also where no run began.
        on_finish: A shell's command line, for the end of a run that began.
        quiet: Whether standard error hears nothing of it; the log file does.

    Raises:
        UsageError: One of them cannot be what was meant.
    """

    def __init__(self, ping_url: str | None, on_finish: str | None, *, quiet: bool = False) -> None:
        self._ping = None if ping_url is None else _ping(ping_url)
        if on_finish is not None and not on_finish.strip():
            raise UsageError("--on-finish is empty; is a variable not set?")
        self._on_finish = on_finish
        self._quiet = quiet
        self._settings = Settings()
        self._run_id = new_run_id()
        self._redactor = Redactor()
        self._report: RunReport | None = None
        self._learn_secrets()

    def begin(self, settings: Settings, session: LogSession) -> None:
        """Tell that a run is about to begin; blocking, for as long as a ping may take."""
        self._settings = settings
        self._run_id, self._redactor = session.run_id, session.redactor
        self._learn_secrets()
        if self._ping is not None:
            event_loop.run(self._ping.send, "start")

    def ran(self, report: RunReport) -> None:
        """Note what a run did."""
        self._report = report

    def end(self, code: int) -> None:
        """Tell that the process ends with this code; blocking, and never an error."""
        if self._ping is None and self._on_finish is None:
            return
        try:
            with log_as_set(
                self._settings, self._run_id, self._redactor, quiet=self._quiet
            ) as session:
                event_loop.run(self._end, code, session)
        except (BatchConverterError, OSError) as error:
            message = f"batch-converter: nobody could be told of the end: {error}"
            click.echo(printable(message), err=True)

    def _learn_secrets(self) -> None:
        for secret in self._ping.secrets() if self._ping is not None else ():
            self._redactor.add(secret)

    async def _end(self, code: int, session: LogSession) -> None:
        hook = None if self._on_finish is None or code in _NOT_BEGUN else Hook(self._on_finish)

        def stop(_: int) -> None:
            if hook is not None:
                hook.stop()

        def leave() -> None:
            if hook is not None:
                hook.kill()
            session.close()

        with stopped_by_signals(stop, before_leaving=leave):
            if self._ping is not None:
                await self._ping.send(str(code))
            if hook is not None:
                await hook.run(self._environment(code))

    def _environment(self, code: int, *, run_id: str | None = None) -> dict[str, str]:
        totals = self._report and self._report.summary.totals
        counts = ("", "", "")
        if totals:
            counts = (str(totals.converted), str(totals.failed), str(totals.remaining))
        told = (str(code), run_id or self._run_id, self._written_report(), *counts)
        return hook_environment(
            os.environ,
            dict(zip(RUN_VARIABLES, told, strict=True)),
            credentials=CREDENTIALS,
            secrets=self._settings.secrets(),
        )

    def _written_report(self) -> str:
        """Return the absolute path of the run's report; empty where there is none."""
        path = self._settings.report.file
        if path is None or self._report is None:
            return ""
        lost = any(f" {path}: " in str(error) for error in self._report.unwritten)
        return "" if lost else os.fspath(path.absolute())
