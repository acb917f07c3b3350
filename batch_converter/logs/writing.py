"""Writes lines whole and in order, in a thread of its own, without blocking the run.

Each place that lines go to has its own thread and queue, so that a full disk, a
stopped terminal or a reader who has gone neither holds up the event loop nor ends
the run. Lines that cannot be written are counted.
"""

from __future__ import annotations

import io
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING_LINES: Final = 100_000


class Sink(Protocol):
    """A place for lines; used by one thread."""

    def write(self, line: str) -> None:
        """Write one line, its end included, and flush it.

        Raises:
            OSError: The line could not be written, or not whole.
            ValueError: The place is closed.
        """
        ...

    def close(self) -> None:
        """Release what the sink has opened itself."""
        ...


class LineStream(Protocol):
    """The part of a text stream that lines need; the live display has one, too."""

    def write(self, text: str, /) -> object:
        """Take the text of a whole line, its end included."""
        ...

    def flush(self) -> object:
        """Let nothing wait."""
        ...

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        ...


class NullStream:
    """Discards lines: the stream of a process that was started without standard error."""

    def write(self, text: str, /) -> object:
        """Forget the text."""

    def flush(self) -> object:
        """Do nothing."""

    def isatty(self) -> bool:
        """Return False."""
        return False


class DescriptorSink:
    """Writes to a file descriptor, one `write` a line, past all buffers of Python.

    A line that was cut off (the disk became full in its middle) is ended before
    the next one begins, so that only the cut line is damaged.

    Args:
        descriptor: Open for writing.
        owned: Whether it is closed with the sink.
        encoding: Of the lines.
        cut: Whether what is there already ends in the middle of a line.
    """

    def __init__(
        self, descriptor: int, *, owned: bool, encoding: str = "utf-8", cut: bool = False
    ) -> None:
        self._descriptor = descriptor
        self._encoding = encoding
        self._owned = owned
        self._cut = cut

    def write(self, line: str) -> None:
        """Write the line; what the encoding lacks is escaped."""
        data = memoryview(f"{line}\n".encode(self._encoding, errors="backslashreplace"))
        if self._cut:
            data = memoryview(b"\n" + data)
        while data:
            written = os.write(self._descriptor, data)
            self._cut = written < len(data)
            data = data[written:]

    def close(self) -> None:
        """Close the descriptor if it was opened for us."""
        if self._owned:
            os.close(self._descriptor)


class StreamSink:
    """Writes to a text stream that has no descriptor, such as the live display's."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        """Write the line with one call."""
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def close(self) -> None:
        """Do nothing: the stream belongs to whoever gave it."""


def descriptor_of(stream: LineStream) -> int | None:
    """Return the descriptor that the stream writes to; None where it is in memory, or drawn on."""
    if not isinstance(stream, io.TextIOWrapper):
        return None
    try:
        return stream.fileno()
    except io.UnsupportedOperation:  # a wrapper around memory
        return None


def sink_for(stream: LineStream) -> Sink:
    """Return the sink that reaches the stream most directly."""
    descriptor = descriptor_of(stream)
    if descriptor is None or not isinstance(stream, io.TextIOWrapper):
        return StreamSink(stream)
    stream.flush()
    return DescriptorSink(descriptor, owned=False, encoding=stream.encoding)


class LineWriter:
    """Hands lines to a sink in a thread of its own.

    Attributes:
        name: What the lines go to, for messages.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        name: str,
        on_first_failure: Callable[[LineWriter, Exception], None],
        max_waiting: int = MAX_WAITING_LINES,
    ) -> None:
        self.name = name
        self._sink = sink
        self._on_first_failure = on_first_failure
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._refused = 0
        self._failed = 0
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Lines that were not written, or not whole."""
        return self._refused + self._failed

    def put(self, line: str) -> None:
        """Take a line without waiting; with too many waiting already, it is lost."""
        if self._queue.qsize() < self._max_waiting:
            self._queue.put(line)
        else:
            self._refused += 1

    def close(self, timeout_s: float) -> None:
        """Write what is waiting, for at most `timeout_s`; a stuck sink is left behind."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            self._write(line)
        self._sink.close()

    def _write(self, line: str) -> None:
        try:
            self._sink.write(line)
        except (OSError, ValueError) as error:
            self._failed += 1
            if self._failed == 1:
                self._on_first_failure(self, error)
