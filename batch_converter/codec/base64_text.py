"""Base64 in pieces: strict on the way in, framed in JSON on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
import pybase64

from batch_converter.errors import UnreadableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    Read = Callable[[int], Awaitable[bytes]]

READ_BYTES: Final = 768 * 1024
"""What is asked of the reader at once: a multiple of 3, one MiB of Base64."""

_QUANTUM: Final = 4
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

    def feed(self, text: bytes) -> bytes:
        """Return the bytes of all quanta that are complete.

        Raises:
            ValueError: The text is not Base64.
        """
        if self._carry:
            text = self._carry + text
        whole = len(text) - len(text) % _QUANTUM
        if self._padded and text:
            raise ValueError("text after the padding")
        self._carry = text[whole:]
        decoded = pybase64.b64decode(memoryview(text)[:whole], validate=True)
        self._padded = text.endswith(b"=", 0, whole)
        if self._padded and self._carry:
            raise ValueError("text after the padding")
        return decoded

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            ValueError: The text ended inside a quantum.
        """
        if self._carry:
            raise ValueError("the text ends inside a quantum, or its padding is missing")


class JsonBase64Decoder:
    """Decodes the inside of a JSON string that holds Base64, raw as it was sent.

    Escapes are undone in bulk, also where a cut falls into one; escaped line breaks
    are passed over.
    """

    def __init__(self) -> None:
        self._base64 = Base64Decoder()
        self._carry = b""

    def feed(self, raw: bytes) -> bytes:
        """Return what is complete.

        Raises:
            ValueError: The string is not JSON, or what it says is not Base64.
        """
        if self._carry:
            raw, self._carry = self._carry + raw, b""
        if b"\\" in raw:
            raw = self._unescape(raw)
        return self._base64.feed(raw)

    def _unescape(self, raw: bytes) -> bytes:
        cut = _last_whole_escape(raw)
        self._carry = raw[cut:]
        unescaped: str = orjson.loads(b'"%b"' % raw[:cut])
        text = unescaped.encode("ascii")
        # Looking costs a tenth of what `translate` does, and most texts have no lines.
        return text.translate(None, _LINE_BREAKS) if b"\n" in text or b"\r" in text else text

    def finish(self) -> None:
        """Check that nothing is left over.

        Raises:
            ValueError: The string ended inside an escape or a quantum.
        """
        if self._carry:
            raise ValueError("the text ends inside an escape")
        self._base64.finish()


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
