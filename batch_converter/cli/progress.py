"""The live display: how far a run is, drawn by rich on a terminal.

`RunCounters` observe the run; rich's own thread reads them a few times a second. Nothing
waits for the terminal, and without one nothing is drawn.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batch_converter.cli.line_fitting import Lettering, size_of
from batch_converter.logs import TERMS_WITHOUT_CURSOR
from batch_converter.pace import Pace
from batch_converter.report.formatting import pluralized, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import TextIO

    from rich.console import RenderableType

    from batch_converter.counters import RunCounters

_REFRESHES_PER_S: Final = 4
_MOST_COLUMNS: Final = 80
"""A display that is no wider survives that a wide window is made smaller: a terminal breaks
lines that do not fit any more, and what was drawn could not be found again to be wiped."""
_ROOM_FOR_ECHO: Final = 3
"""Columns left free for the `^C` that the terminal itself writes behind the display."""
_LEAST_FOR_BAR: Final = 10
_SLOW_FILES_PER_MINUTE: Final = 10
_WIPING_S: Final = 1.0


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
        if console is None and _can_draw(stream):
            console = _Terminal(stream)
        self._sized = stream if console is None or wanted is False else console
        self.lettering = Lettering(getattr(stream, "encoding", None))
        self._live = self._live_on(self._sized) if isinstance(self._sized, Console) else None
        self.log_stream = _AboveDisplay(self._live.console) if self._live else stream

    def of(self, counters: RunCounters) -> Self:
        """Return itself, to be entered for a run whose counters these are."""
        self._counters, self._pace = counters, Pace()
        return self

    @property
    def is_drawn(self) -> bool:
        """Whether anything is drawn."""
        return self._live is not None

    @property
    def columns(self) -> int:
        """How wide the terminal is, as of now."""
        sized = self._sized
        return sized.width if isinstance(sized, Console) else size_of(sized)[0]

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

    def wipe(self) -> None:
        """Give the terminal back, unless that takes longer than a moment: it may be halted."""
        if self._live is not None:
            wiping = threading.Thread(target=self._live.stop, daemon=True)
            wiping.start()
            wiping.join(_WIPING_S)

    def _live_on(self, console: Console) -> Live:
        return Live(
            console=console,
            get_renderable=self._draw,
            refresh_per_second=_REFRESHES_PER_S,
            transient=True,
            redirect_stdout=False,  # the result goes to standard output untouched
            redirect_stderr=False,
            vertical_overflow="crop",
        )

    def _draw(self) -> RenderableType:
        cells = max(1, min(self.columns, _MOST_COLUMNS) - _ROOM_FOR_ECHO)
        self._pace.observe(self._counters.worked_off, at_s=self._clock())
        counts = self.lettering.fitting(list(self._counts()), cells)
        return Group(self._bar_line(cells), Text(counts, no_wrap=True, overflow="crop"))

    def _bar_line(self, cells: int) -> RenderableType:
        counters = self._counters
        position = self.lettering.fitting(list(self._position()), cells)
        for_bar = cells - len(position) - 1
        if for_bar < _LEAST_FOR_BAR:
            return Text(position, no_wrap=True, overflow="crop")
        waiting = counters.discovering and not counters.done
        total = max(counters.found, 1)
        bar = ProgressBar(total=total, completed=counters.done, width=for_bar, pulse=waiting)
        line = Table.grid(padding=(0, 1))
        line.add_row(bar, Text(position, no_wrap=True))
        return line

    def _position(self) -> Iterator[str]:
        """Yield files and time left, then what matters less."""
        counters = self._counters
        files = f"{counters.done:,}/{counters.found:,}"
        if counters.discovering:
            yield f"{files} found so far"
            return
        yield files
        left_s = self._pace.seconds_for(counters.found - counters.done)
        if left_s is not None:
            yield f"{_clock_text(left_s)} left"
        yield f"{counters.done / counters.found if counters.found else 1:.0%}"

    def _counts(self) -> Iterator[str]:
        """Yield what else is counted, what matters most first."""
        counters = self._counters
        if counters.failed:
            yield f"{counters.failed:,} failed"
        yield pluralized(counters.pages, "page")
        if rate := self._pace.files_per_minute:
            digits = 1 if rate < _SLOW_FILES_PER_MINUTE else 0
            yield f"{rate:,.{digits}f} files/min"
        calls, limit = counters.api_calls_billed, counters.max_api_calls
        if calls or limit is not None:
            yield f"{calls:,} calls" if limit is None else f"{calls:,}/{limit:,} calls"
        if counters.with_warnings:
            yield f"{counters.with_warnings:,} with warnings"
        yield f"{counters.in_flight:,} in flight"
        if counters.skipped:
            yield f"{counters.skipped:,} up to date"
        yield f"{size(counters.bytes_in)} {self.lettering.arrow} {size(counters.bytes_out)}"


class _Terminal(Console):
    """A terminal that is as large as it says itself, whatever the environment says."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(file=stream, force_terminal=True, force_interactive=True)

    @property  # type: ignore[misc]  # rich's can be set; nobody sets ours
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        return ConsoleDimensions(*size_of(self.file))  # type: ignore[arg-type]  # rich says it is any IO[str]


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
        stream is not None
        and stream.isatty()
        and os.environ.get("TERM") not in TERMS_WITHOUT_CURSOR
    )


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
