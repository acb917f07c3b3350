"""Text that fits a terminal: names are shortened in the middle, messages at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from batch_converter.logs import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

_USUAL_COLUMNS: Final = 80
_USUAL_LINES: Final = 25
_SIGNS: Final = "✓ ✗ ! • … → ·"
_ASCII_SIGNS: Final = "+ x ! - ... -> ,"


def size_of(stream: TextIO | None) -> tuple[int, int]:
    """Return the columns and lines of the terminal as of now; 80 and 25 where it does not say.

    Asked of the terminal itself: `COLUMNS` of a shell that exports it is stale after a resize.
    """
    try:
        columns, lines = os.get_terminal_size(-1 if stream is None else stream.fileno())
    except (OSError, ValueError):  # no descriptor, or no terminal behind it
        columns = lines = 0
    return columns or _USUAL_COLUMNS, lines or _USUAL_LINES


class Lettering:
    """What a terminal of an encoding can show; the rest is escaped before it is measured.

    Attributes:
        done: Sign of a file that is converted.
        failed: Sign of one that failed.
        warned: Sign of what deserves a look.
        said: Sign of anything else.
        cut: Where something was left out.
        arrow: Between before and after.
        dot: Between facts.
    """

    def __init__(self, encoding: str | None) -> None:
        self._encoding = encoding or "utf-8"
        can_show_all = self.shown(_SIGNS) == _SIGNS
        done, failed, warned, said, cut, arrow, dot = (
            _SIGNS if can_show_all else _ASCII_SIGNS
        ).split()
        self.done, self.failed, self.warned, self.said = done, failed, warned, said
        self.cut, self.arrow, self.dot = cut, arrow, dot

    def shown(self, text: str) -> str:
        """Return the text as the terminal will have it: one line, nothing that it obeys."""
        safe = printable(text)
        return safe.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def joined(self, facts: Iterable[str]) -> str:
        """Return the facts with dots between them."""
        return f" {self.dot} ".join(facts)

    def middle_cut(self, text: str, cells: int) -> str:
        """Return the text in so many cells, without its middle where it is too long."""
        if cell_len(text) <= cells:
            return text
        rest = cells - cell_len(self.cut)
        if rest < 1:
            return _head(text, cells)
        tail = _head(text[::-1], rest - rest // 2)[::-1]
        return f"{_head(text, rest // 2)}{self.cut}{tail}"

    def end_cut(self, text: str, cells: int) -> str:
        """Return the text in so many cells, without its end where it is too long."""
        if cell_len(text) <= cells:
            return text
        rest = cells - cell_len(self.cut)
        return f"{_head(text, rest).rstrip()}{self.cut}" if rest > 0 else _head(text, cells)

    def fitting(self, facts: Sequence[str], cells: int) -> str:
        """Return as many of the facts, from the first on, as fit whole; the first one cut."""
        for count in range(len(facts), 1, -1):
            if cell_len(line := self.joined(facts[:count])) <= cells:
                return line
        return self.end_cut(facts[0], cells) if facts else ""


def _head(text: str, cells: int) -> str:
    """Return the longest beginning of at most so many cells; a character may take two."""
    width = 0
    for position, char in enumerate(text):
        width += cell_len(char)
        if width > cells:
            return text[:position]
    return text
