"""Replaces what may not stand in a log line: secrets, control characters, foreign types.

Everything here works on values before they are rendered: no secret, no document
content, nothing that a terminal would obey.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from batch_converter.redaction import MASK

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from batch_converter.redaction import Redactor

Json = str | int | float | None | list["Json"] | dict[str, "Json"]

_SECRET_KEYS: Final = frozenset(
    {"access_token", "authorization", "client_secret", "password", "secret", "token"}
)


class Cleaner:
    """A structlog processor: leaves only values that JSON has, secrets masked.

    Bytes are told by their number: they could be a document's. Whatever JSON does
    not know is told as text, so that rendering cannot fail.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: object, _method: str, event_dict: EventDict) -> EventDict:
        """Clean all values of the event."""
        return {key: self._clean(key, value) for key, value in event_dict.items()}

    def _clean(self, key: str, value: object) -> Json:
        if isinstance(value, Mapping):
            return {str(name): self._clean(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(key, item) for item in value]
        scalar = _scalar(value)
        if isinstance(scalar, str):
            return MASK if key.lower() in _SECRET_KEYS else self._redactor.redact(scalar)
        return scalar


def _scalar(value: object) -> str | int | float | None:
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def printable(text: str) -> str:
    r"""Return `text` as a terminal may have it, on one line.

    Control characters, line breaks and bytes that are not UTF-8 (surrogates)
    become backslash escapes: a file's name can neither move the cursor nor forge
    a line, and writing it raises no `UnicodeEncodeError`.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
