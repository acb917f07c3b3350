"""Standard output and standard error that survive a reader who has closed the pipe.

`convert ... | head` closes the pipe before all is told. What was done is done all the same,
and the exit code has to say that, not how many lines somebody wanted to read. Nothing here
imports a library: the entry needs it before signals are heeded.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from batch_converter.journal import is_journal, prioritized, priority

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_OUT: Final = 1
_ERR: Final = 2
_READER_GONE: Final = (BrokenPipeError, ConnectionResetError)


class OutputUnwritableError(OSError):
    """Standard output takes nothing more, though it may still be read: its disk is full."""


class _Descriptor(io.FileIO):
    """A standard descriptor; what is written after its reader has gone is discarded."""

    has_reader = True

    def write(self, data: ReadableBuffer, /) -> int:
        """Write what fits, waiting where the other end has asked for no waiting.

        Raises:
            OutputUnwritableError: It is standard output, and cannot be written.
        """
        try:
            return self._patiently(data)
        except _READER_GONE:
            self.has_reader = False
        except OSError as error:
            if self.fileno() == _OUT:
                raise OutputUnwritableError(error.errno, error.strerror) from error
        give_up(self.fileno())
        return memoryview(data).nbytes

    def _patiently(self, data: ReadableBuffer) -> int:
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _ErrorsForTheJournal(io.TextIOWrapper):
    """Standard error that the journal reads: what is printed there, a log aside, is an error."""

    _begins_line = True

    def write(self, text: str, /) -> int:
        """Write the text, whole or a part of a line, with the priority before each line."""
        told = prioritized(text, "error")
        super().write(told if self._begins_line else told.removeprefix(priority("error")))
        self._begins_line = text.endswith("\n") if text else self._begins_line
        return len(text)


def install() -> None:
    """Replace `sys.stdout` and `sys.stderr`; names that they cannot encode are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            setattr(sys, name, _rewrapped(stream))


def standard_output_is_read() -> bool:
    """Whether standard output still has a reader."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.has_reader if isinstance(raw, _Descriptor) else True


def give_up(descriptor: int = _OUT) -> None:
    """Point the descriptor at `/dev/null`: what is in buffers is discarded, too."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _rewrapped(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    stream.flush()
    try:
        descriptor = stream.fileno()
    except OSError:  # in memory
        return stream
    is_prioritized = descriptor == _ERR and is_journal(descriptor)
    wrapper = _ErrorsForTheJournal if is_prioritized else io.TextIOWrapper
    return wrapper(
        io.BufferedWriter(_Descriptor(descriptor, "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
