"""The live display: how far a run is, drawn by rich on a terminal.

`RunCounters` observe the run; rich's own thread reads them a few times a second. Nothing
waits for the terminal, and without one nothing is drawn.
"""

from __future__ import annotations

import io
import os
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batch_converter.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

    from rich.console import RenderableType

    from batch_converter.counters import RunCounters

_REFRESHES_PER_S: Final = 4


class ProgressDisplay:
    """Draws counters at the foot of a terminal while it is entered, else does nothing.

    The foot is wiped when the display is left, so that the summary stands alone.

    Attributes:
        log_stream: Where log lines go meanwhile: they appear above the display. None
            in a process that was started without standard error.
    """

    def __init__(
        self,
        counters: RunCounters,
        *,
        wanted: bool | None = None,
        stream: TextIO | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Decide whether to draw.

        Args:
            counters: What is drawn.
            wanted: False for never; on no terminal nothing is drawn even if True.
            stream: Where to draw; standard error where absent.
            console: A console of its own, for tests.
            clock: Monotonic seconds.
        """
        self._counters = counters
        self._clock = clock
        self._pace = Pace()
        stream = stream or sys.stderr
        drawn = wanted is not False and (console is not None or _can_draw(stream))
        self._live = self._live_on(console or Console(file=stream)) if drawn else None
        self.log_stream = _AboveDisplay(self._live.console) if self._live else stream

    @property
    def is_drawn(self) -> bool:
        """Whether anything is drawn."""
        return self._live is not None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start(refresh=True)
            self._live.console.show_cursor()  # a killed run leaves the terminal usable
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def _live_on(self, console: Console) -> Live:
        return Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,  # the result goes to standard output untouched
            redirect_stderr=False,
        )

    def _draw(self) -> RenderableType:
        counters = self._counters
        self._pace.observe(counters.worked_off, at_s=self._clock())
        left_s = None
        if not counters.discovering:
            left_s = self._pace.seconds_for(counters.found - counters.done)
        counts = Text(_counts(counters), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(_bar_line(counters, left_s), counts)


class _AboveDisplay(io.TextIOBase):
    """A stream whose lines are printed above the live display; usable from any thread."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def isatty(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        line = Text.from_ansi(text.removesuffix("\n"))
        self._console.print(line, soft_wrap=True, highlight=False)
        return len(text)


def _can_draw(stream: TextIO | None) -> bool:
    return (
        stream is not None and stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}
    )


def _bar_line(counters: RunCounters, left_s: float | None) -> Table:
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    waiting = counters.discovering and not counters.done
    bar = ProgressBar(total=max(counters.found, 1), completed=counters.done, pulse=waiting)
    line.add_row(bar, _position(counters, left_s))
    return line


def _position(counters: RunCounters, left_s: float | None) -> str:
    if counters.discovering:
        return f"{counters.done:,}/{counters.found:,} found so far"
    share = counters.done / counters.found if counters.found else 1
    left = "" if left_s is None else f"  {_clock_text(left_s)} left"
    return f"{counters.done:,}/{counters.found:,}  {share:.0%}{left}"


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _counts(counters: RunCounters) -> str:
    parts = [f"{counters.converted:,} converted"]
    parts += [f"{counters.skipped:,} up to date"] if counters.skipped else []
    parts += [f"{counters.failed:,} failed"] if counters.failed else []
    parts += [f"{counters.with_warnings:,} with warnings"] if counters.with_warnings else []
    parts += [f"{counters.in_flight:,} in flight"]
    parts += [f"{counters.api_calls_billed:,} API calls"] if counters.api_calls_billed else []
    parts += [f"{decimal(counters.bytes_in)} in, {decimal(counters.bytes_out)} out"]
    return " · ".join(parts)
