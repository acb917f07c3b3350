"""Walks through a JSON text as it arrives and lets long strings be taken out.

The walk knows just enough of the grammar to tell where it is. Everything but the
strings taken out is copied into a bounded skeleton, which `json` parses, and so
checks, at the end.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.errors import FileError

MAX_SKELETON_BYTES: Final = 1024 * 1024
MAX_DEPTH: Final = 64
_STRUCTURE: Final = re.compile(rb'[\[\]{},"]')
_BACKSLASH: Final = ord("\\")


class Mode(Enum):
    """What happens to the string that the walk is in."""

    KEEP = auto()
    TAKE = auto()
    SKIP = auto()


@dataclass(slots=True)
class _Frame:
    """An open object or array: the key that the walk is at, None in an array."""

    is_object: bool
    key: str | None = None
    expects_key: bool = False


class JsonWalk:
    """The walk itself; subclasses say which strings are taken and what becomes of them."""

    error: type[FileError]
    subject: str
    documented: frozenset[str]
    """Keys that no object may hold twice: which one counts would be a guess."""

    def __init__(self) -> None:
        self._stack: list[_Frame] = []
        self._skeleton = bytearray()
        self._in_string = False
        self._is_key = False
        self._mode = Mode.KEEP
        self._escaped = False
        self._string_at = 0

    def _begins(self, path: tuple[str | None, ...]) -> Mode:
        """A string value begins; say what happens to it."""
        raise NotImplementedError

    def _taken(self, raw: bytes) -> None:
        """A piece of the string being taken, with its escapes."""
        raise NotImplementedError

    def _ended(self, path: tuple[str | None, ...]) -> None:
        """The string that was taken has ended."""
        raise NotImplementedError

    def _kept(self, path: tuple[str | None, ...], raw: bytes) -> None:
        """A string value was kept."""

    def _closed(self, path: tuple[str | None, ...]) -> None:
        """An object or array was closed."""

    def _walk(self, chunk: bytes) -> None:
        at = 0
        while at < len(chunk):
            at = self._through_string(chunk, at) if self._in_string else self._between(chunk, at)

    def _between(self, chunk: bytes, at: int) -> int:
        """Walk to the next string, or to the end."""
        for match in _STRUCTURE.finditer(chunk, at):
            mark = match.group()
            if mark == b'"':
                self._keep(chunk, at, match.end())
                self._enter_string()
                return match.end()
            self._step(mark)
        self._keep(chunk, at, len(chunk))
        return len(chunk)

    def _keep(self, chunk: bytes, at: int, end: int) -> None:
        if len(self._skeleton) + end - at > MAX_SKELETON_BYTES:
            raise self._malformed("holds too much beside its data")
        self._skeleton += chunk[at:end]

    def _step(self, mark: bytes) -> None:
        if mark in b"{[":
            self._push(is_object=mark == b"{")
        elif mark in b"}]":
            self._pop(is_object=mark == b"}")
        elif self._stack and self._stack[-1].is_object:
            self._stack[-1].expects_key = True

    def _push(self, *, is_object: bool) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise self._malformed("is nested too deeply")
        self._stack.append(_Frame(is_object=is_object, expects_key=is_object))

    def _pop(self, *, is_object: bool) -> None:
        if not self._stack or self._stack.pop().is_object is not is_object:
            raise self._malformed("is not JSON")
        self._closed(self._path())

    def _path(self) -> tuple[str | None, ...]:
        return tuple([frame.key for frame in self._stack])

    def _enter_string(self) -> None:
        self._in_string = True
        self._string_at = len(self._skeleton)
        self._is_key = bool(self._stack) and self._stack[-1].expects_key
        self._mode = Mode.KEEP if self._is_key else self._begins(self._path())

    def _through_string(self, chunk: bytes, at: int) -> int:
        quote = self._closing_quote(chunk, at)
        end = len(chunk) if quote < 0 else quote
        if self._mode is Mode.KEEP:
            self._keep(chunk, at, end)
        elif self._mode is Mode.TAKE and end > at:
            self._taken(chunk[at:end])
        if quote < 0:
            return end
        self._leave_string()
        return end + 1

    def _closing_quote(self, chunk: bytes, at: int) -> int:
        """Return where the string ends, or -1 and remember whether an escape is open."""
        begin = at
        while (quote := chunk.find(b'"', at)) >= 0:
            if not self._is_escaped(chunk, begin, quote):
                self._escaped = False
                return quote
            at = quote + 1
        self._escaped = self._is_escaped(chunk, begin, len(chunk))
        return -1

    def _is_escaped(self, chunk: bytes, begin: int, at: int) -> bool:
        """Whether an odd number of backslashes stands before `at`."""
        run = at
        while run > begin and chunk[run - 1] == _BACKSLASH:
            run -= 1
        odd = (at - run) % 2 == 1
        return odd ^ (self._escaped and run == begin)

    def _leave_string(self) -> None:
        self._in_string = False
        raw = bytes(self._skeleton[self._string_at :])
        self._skeleton += b'"'
        if self._is_key:
            self._stack[-1].key = self._text(raw)
            self._stack[-1].expects_key = False
        elif self._mode is Mode.KEEP:
            self._kept(self._path(), raw)
        else:
            self._ended(self._path())

    def _text(self, raw: bytes) -> str:
        try:
            text: str = json.loads(b'"%b"' % raw) if b"\\" in raw else raw.decode()
        except ValueError:
            raise self._malformed("is not JSON") from None
        return text

    def _parsed(self) -> dict[str, object]:
        """Parse the skeleton; strings taken out are empty in it.

        Raises:
            FileError: The text is cut off, is not JSON, or is no object.
        """
        if self._stack or self._in_string or not self._skeleton.strip():
            raise self._malformed("is cut off")
        try:
            value = json.loads(
                self._skeleton.decode("utf-8-sig"), object_pairs_hook=self._without_repeats
            )
        except ValueError:
            # `from None`: the cause holds the whole text.
            raise self._malformed("is not JSON") from None
        if not isinstance(value, dict):
            raise self._malformed("is not a JSON object")
        return value

    def _without_repeats(self, pairs: list[tuple[str, object]]) -> Mapping[str, object]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            keys = [key for key, _ in pairs]
            if any(keys.count(key) > 1 for key in self.documented):
                raise self._malformed("says one thing twice")
        return fields

    def _malformed(self, what: str) -> FileError:
        return self.error(f"{self.subject} {what}")
