"""Walks through a JSON text as it arrives and lets long strings be taken out.

The walk knows just enough of the grammar to tell where it is. Everything but the
strings taken out is copied into a skeleton, which `json` parses, and so checks, at
the end. The skeleton is bounded in bytes and in marks, and each mark costs the same
however deep it stands: a text that somebody made to be slow is refused after a few
milliseconds, before the event loop is missed.
"""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.errors import FileError

MAX_SKELETON_BYTES: Final = 64 * 1024
"""What may stand beside the strings taken out, white space included."""

MAX_MARKS: Final = 4 * 1024
"""How many brackets, commas and strings there may be; a key is a string too."""

MAX_DEPTH: Final = 64
_MARK: Final = re.compile(rb'[\[\]{},"]')
_UP_TO_QUOTE: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_QUOTE: Final = b'"'
_BACKSLASH: Final = ord("\\")


class Mode(Enum):
    """What happens to the string that the walk is in."""

    KEEP = auto()
    TAKE = auto()
    SKIP = auto()


class JsonWalk:
    """The walk itself; subclasses say which strings are taken and what becomes of them."""

    error: type[FileError]
    subject: str
    documented: frozenset[str]
    """Keys that no object may hold twice: which one counts would be a guess."""

    asked_depth: int
    """Levels that the subclass asks about; of what lies deeper it hears nothing."""

    def __init__(self) -> None:
        self._open_objects: list[bool] = []
        """A level each: whether it is an object, else an array."""
        self._keys: list[str | None] = []
        """Where the walk is in the levels asked about; None in an array."""
        self._expects_key = False
        self._marks = 0
        self._skeleton = bytearray()
        self._in_string = False
        self._is_key = False
        self._mode = Mode.KEEP
        self._escaped = False
        self._string_at = 0

    def _begins(self, path: tuple[str | None, ...]) -> Mode:
        """A string value begins in the levels asked about; say what happens to it."""
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
        for match in _MARK.finditer(chunk, at):
            self._marks += 1
            if self._marks > MAX_MARKS:
                raise self._malformed(
                    f"holds more than {MAX_MARKS} brackets, commas and strings beside its data"
                )
            mark = match.group()
            if mark == _QUOTE:
                self._keep(chunk, at, match.end())
                self._enter_string()
                return match.end()
            self._step(mark)
        self._keep(chunk, at, len(chunk))
        return len(chunk)

    def _keep(self, chunk: bytes, at: int, end: int) -> None:
        if len(self._skeleton) + end - at > MAX_SKELETON_BYTES:
            raise self._malformed(
                f"holds more than {MAX_SKELETON_BYTES // 1024} KiB beside its data"
            )
        self._skeleton += chunk[at:end]

    def _step(self, mark: bytes) -> None:
        if mark in b"{[":
            self._push(is_object=mark == b"{")
        elif mark in b"}]":
            self._pop(is_object=mark == b"}")
        else:
            self._expects_key = bool(self._open_objects) and self._open_objects[-1]

    def _push(self, *, is_object: bool) -> None:
        if len(self._open_objects) >= MAX_DEPTH:
            raise self._malformed("is nested too deeply")
        self._open_objects.append(is_object)
        self._expects_key = is_object
        if self._is_asked_about():
            self._keys.append(None)

    def _pop(self, *, is_object: bool) -> None:
        if not self._open_objects or self._open_objects.pop() is not is_object:
            raise self._malformed("is not JSON")
        self._expects_key = False
        del self._keys[len(self._open_objects) :]
        if self._is_asked_about():
            self._closed(tuple(self._keys))

    def _is_asked_about(self) -> bool:
        return len(self._open_objects) <= self.asked_depth

    def _enter_string(self) -> None:
        self._in_string = True
        self._string_at = len(self._skeleton)
        self._is_key = self._expects_key
        heard = not self._is_key and self._is_asked_about()
        self._mode = self._begins(tuple(self._keys)) if heard else Mode.KEEP

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
        at += self._escaped
        self._escaped = False
        quote = chunk.find(_QUOTE, at)
        end = len(chunk) if quote < 0 else quote
        if end <= at or chunk[end - 1] != _BACKSLASH:
            return quote
        # Only now is it worth the time to tell escaped quotes from the closing one.
        walked = _UP_TO_QUOTE.match(chunk, at)
        end = at if walked is None else walked.end()
        if end < len(chunk) and chunk[end] != _BACKSLASH:
            return end
        self._escaped = end < len(chunk)
        return -1

    def _leave_string(self) -> None:
        self._in_string = False
        string_end = len(self._skeleton)
        self._keep(_QUOTE, 0, 1)
        if self._is_key:
            self._expects_key = False
        if self._is_asked_about():
            self._tell(bytes(self._skeleton[self._string_at : string_end]))

    def _tell(self, raw: bytes) -> None:
        if self._is_key:
            self._keys[-1] = self._text(raw)
        elif self._mode is Mode.KEEP:
            self._kept(tuple(self._keys), raw)
        else:
            self._ended(tuple(self._keys))

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
        if self._open_objects or self._in_string or not self._skeleton.strip():
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
