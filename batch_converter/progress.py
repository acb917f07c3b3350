"""The live display: how far a run is, drawn by rich on a terminal.

The orchestrator counts in a `Tally`; rich's own thread reads it a few times a
second. Nothing waits for the terminal, and without one nothing is drawn.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from rich.console import Console, Group
from rich.filesize import decimal
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import TextIO

    from rich.console import RenderableType

_REFRESHES_PER_S: Final = 4
_RATE_WINDOW_S: Final = 300.0
_FEWEST_FOR_A_RATE: Final = 2


@dataclass(slots=True, kw_only=True)
class Tally:
    """Where a run stands; written by the orchestrator alone, read at any moment.

    Attributes:
        discovering: True while `found` may still grow.
        known_failures: Those of `failed` that an earlier run had tried.
        with_warnings: Those of `converted` with something said beside the PDF.
        in_flight: Documents handed to the engine and not ended.
        bytes_in: Bytes of the DjVu files that ended in a PDF.
        bytes_out: Bytes of those PDFs.
    """

    found: int = 0
    converted: int = 0
    skipped: int = 0
    failed: int = 0
    known_failures: int = 0
    with_warnings: int = 0
    in_flight: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    api_calls_billed: int = 0
    discovering: bool = True

    @property
    def newly_failed(self) -> int:
        """Files that failed in this run."""
        return self.failed - self.known_failures

    @property
    def worked_off(self) -> int:
        """Files that took work in this run and have ended."""
        return self.converted + self.newly_failed

    @property
    def done(self) -> int:
        """Files that need nothing more."""
        return self.converted + self.failed + self.skipped


class Pace:
    """Files worked off a second, over the last five minutes; the clock is given."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def observe(self, worked_off: int, *, at_s: float) -> None:
        """Note how many files had been worked off at that moment."""
        self._seen.append((at_s, worked_off))
        while at_s - self._seen[0][0] > _RATE_WINDOW_S:
            self._seen.popleft()

    def seconds_for(self, files: int) -> float | None:
        """Return how long that many more files will take; None while nobody can know."""
        if not self._seen:
            return None
        (first_s, before), (last_s, now) = self._seen[0], self._seen[-1]
        if now - before < _FEWEST_FOR_A_RATE or last_s <= first_s:
            return None
        return files * (last_s - first_s) / (now - before)


class ProgressDisplay:
    """Draws a tally at the foot of a terminal while it is entered, else does nothing.

    The foot is wiped when the display is left, so that the summary stands alone.

    Attributes:
        log_stream: Where log lines go meanwhile: they appear above the display. None
            in a process that was started without standard error.
    """

    def __init__(
        self,
        tally: Tally,
        *,
        wanted: bool | None = None,
        stream: TextIO | None = None,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Decide whether to draw.

        Args:
            tally: What is drawn.
            wanted: False for never; on no terminal nothing is drawn even if True.
            stream: Where to draw; standard error where absent.
            console: A console of its own, for tests.
            clock: Monotonic seconds.
        """
        self._tally = tally
        self._clock = clock
        self._pace = Pace()
        stream = stream or sys.stderr
        drawn = wanted is not False and (console is not None or _can_draw(stream))
        self._live = self._live_on(console or Console(file=stream)) if drawn else None
        self.log_stream = _AboveDisplay(self._live.console) if self._live else stream

    @property
    def is_drawn(self) -> bool:
        """Whether anything appears at all."""
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
        tally = self._tally
        self._pace.observe(tally.worked_off, at_s=self._clock())
        left_s = None
        if not tally.discovering:
            left_s = self._pace.seconds_for(tally.found - tally.done)
        counts = Text(_counts(tally), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(_bar_line(tally, left_s), counts)


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


def _bar_line(tally: Tally, left_s: float | None) -> Table:
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    waiting = tally.discovering and not tally.done
    bar = ProgressBar(total=max(tally.found, 1), completed=tally.done, pulse=waiting)
    line.add_row(bar, _position(tally, left_s))
    return line


def _position(tally: Tally, left_s: float | None) -> str:
    if tally.discovering:
        return f"{tally.done:,}/{tally.found:,} found so far"
    share = tally.done / tally.found if tally.found else 1
    left = "" if left_s is None else f"  {_clock_text(left_s)} left"
    return f"{tally.done:,}/{tally.found:,}  {share:.0%}{left}"


def _clock_text(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _counts(tally: Tally) -> str:
    parts = [f"{tally.converted:,} converted"]
    parts += [f"{tally.skipped:,} up to date"] if tally.skipped else []
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    parts += [f"{tally.with_warnings:,} with warnings"] if tally.with_warnings else []
    parts += [f"{tally.in_flight:,} in flight"]
    parts += [f"{tally.api_calls_billed:,} API calls"] if tally.api_calls_billed else []
    parts += [f"{decimal(tally.bytes_in)} in, {decimal(tally.bytes_out)} out"]
    return " · ".join(parts)
