"""Base64 in pieces: strict on the way in, framed in JSON on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
import pybase64

from batch_converter.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    Read = Callable[[int], Awaitable[bytes]]

READ_BYTES: Final = 768 * 1024
"""What is asked of the reader at once: a multiple of 3, one MiB of Base64."""

GATHER_BYTES: Final = 128 * 1024
"""Less text is gathered before it is decoded; what comes in larger parts is decoded uncopied."""

ESCAPED_SLICE_BYTES: Final = 64 * 1024
"""Undoing escapes makes several copies of a slice; small ones stay in the cache."""

_SMALL_BYTES: Final = 1024
_QUANTUM: Final = 4
_PADDING: Final = ord("=")
_LINE_BREAKS: Final = b"\r\n"
_SHORT_ESCAPE: Final = 2
_UNICODE_ESCAPE: Final = 6


class Base64Decoder:
    """Decodes Base64 that arrives in pieces, however they are cut.

    Strict: characters outside the alphabet, missing or misplaced padding and text
    after the padding are errors, never a shorter result.
    """

    def __init__(self) -> None:
        self._carry = b""
        self._padded = False

    def feed(self, text: bytes) -> list[bytes]:
        """Return the bytes of all quanta that are complete, in pieces.

        A quantum that began in an earlier text is a piece of its own: the text, which may be
        long, is not copied.

        Raises:
            ValueError: The text is not Base64.
        """
        rest = memoryview(text)
        pieces: list[bytes] = []
        if not rest:
            return pieces
        if self._carry:
            missing = _QUANTUM - len(self._carry)
            begun = self._carry + rest[:missing]
            rest = rest[missing:]
            if len(begun) < _QUANTUM:
                self._carry = begun
                return []
            pieces.append(self._decode(memoryview(begun)))
        whole = len(rest) - len(rest) % _QUANTUM
        if whole:
            pieces.append(self._decode(rest[:whole]))
        self._carry = bytes(rest[whole:])
        if self._padded and self._carry:
            raise _after_padding()
        return pieces

    def _decode(self, quanta: memoryview) -> bytes:
        if self._padded:
            raise _after_padding()
        self._padded = quanta[-1] == _PADDING
        return pybase64.b64decode(quanta, validate=True)

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            ValueError: The text ended inside a quantum.
        """
        if self._carry:
            raise ValueError("the text ends inside a quantum, or its padding is missing")


def _after_padding() -> ValueError:
    return ValueError("text after the padding")


class JsonBase64Decoder:
    """Decodes the inside of a JSON string that holds Base64, raw as it was sent.

    Little that arrives is gathered, so that it is handed out in large pieces; much is decoded
    as it is: what has just been received is in the processor's cache, and a copy would cost
    more than its decoding.
    Escapes are undone in bulk, also where a cut falls into one; escaped line breaks
    are passed over.

    Args:
        gather_bytes: How much text is gathered before it is decoded.
    """

    def __init__(self, gather_bytes: int = GATHER_BYTES) -> None:
        self._base64 = Base64Decoder()
        self._gather_bytes = gather_bytes
        self._gathered: list[bytes | bytearray] = []
        self._gathered_bytes = 0
        self._torn_escape = b""

    def feed(self, raw: bytes) -> list[bytes]:
        """Take the next text; return what has been decoded, in pieces.

        Raises:
            ValueError: The string is not JSON, or what it says is not Base64.
        """
        self._gather(raw)
        self._gathered_bytes += len(raw)
        return self._decoded() if self._gathered_bytes >= self._gather_bytes else []

    def _gather(self, raw: bytes) -> None:
        """Keep a piece; small ones in one, or a text cut every few bytes were mostly objects."""
        if len(raw) >= _SMALL_BYTES:
            self._gathered.append(raw)
        elif self._gathered and isinstance(last := self._gathered[-1], bytearray):
            last += raw
        else:
            self._gathered.append(bytearray(raw))

    def finish(self) -> list[bytes]:
        """The string has ended: return the rest.

        Raises:
            ValueError: As `feed`; or it ended inside an escape or a quantum.
        """
        pieces = self._decoded()
        if self._torn_escape:
            raise ValueError("the text ends inside an escape")
        self._base64.finish()
        return pieces

    def _decoded(self) -> list[bytes]:
        gathered, self._gathered = self._gathered, []
        self._gathered_bytes = 0
        # A part alone is not copied.
        raw = b"".join(gathered)
        if self._torn_escape:
            raw, self._torn_escape = self._torn_escape + raw, b""
        text = b"".join(self._unescaped(raw)) if b"\\" in raw else raw
        return self._base64.feed(text)

    def _unescaped(self, raw: bytes) -> Iterator[bytes]:
        """Undo all escapes, a slice at a time; keep one that is not whole yet."""
        at = 0
        while at < len(raw):
            piece = raw[at : at + ESCAPED_SLICE_BYTES]
            cut = _last_whole_escape(piece)
            if not cut:
                self._torn_escape = piece
                return
            yield _unescape(piece[:cut])
            at += cut


def _unescape(raw: bytes) -> bytes:
    unescaped: str = orjson.loads(b'"%b"' % raw)
    text = unescaped.encode("ascii")
    # Looking costs a tenth of what `translate` does, and most texts have no lines.
    return text.translate(None, _LINE_BREAKS) if b"\n" in text or b"\r" in text else text


def _last_whole_escape(raw: bytes) -> int:
    """Return where to cut so that no escape is torn: the end, or the last backslash."""
    at = raw.rfind(b"\\", -_UNICODE_ESCAPE)
    if at < 0:
        return len(raw)
    unicode = raw[at + 1 : at + 2] == b"u"
    wanted = _UNICODE_ESCAPE if unicode else _SHORT_ESCAPE
    return at if len(raw) - at < wanted else len(raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Base64Frame:
    """A JSON text with one long Base64 string in it, its length known beforehand.

    Attributes:
        before: What stands before the Base64 text.
        payload_bytes: Length of what is to be encoded.
        after: What stands after the Base64 text.
    """

    before: bytes
    payload_bytes: int
    after: bytes

    @property
    def content_length(self) -> int:
        """The exact length of all pieces together, in bytes."""
        return len(self.before) + (self.payload_bytes + 2) // 3 * 4 + len(self.after)

    async def pieces(self, read: Read) -> AsyncGenerator[bytes, None]:
        """Yield the text, about a MiB at a time; constant memory.

        Args:
            read: Returns at most as many bytes as asked for, none at the end.

        Raises:
            UnreadableError: The reader ended early; the text is left incomplete.
        """
        left = self.payload_bytes
        before = self.before
        while left > READ_BYTES:
            yield before + pybase64.b64encode(await _read_exactly(read, READ_BYTES))
            left -= READ_BYTES
            before = b""
        yield before + pybase64.b64encode(await _read_exactly(read, left)) + self.after


async def _read_exactly(read: Read, size: int) -> bytes:
    data = await read(size) if size else b""
    while len(data) < size:
        more = await read(size - len(data))
        if not more:
            raise UnreadableError("the file became shorter while it was read")
        data += more
    return data
