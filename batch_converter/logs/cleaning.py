"""What may not stand in a line of the log, and what takes its place.

Everything here works on values before they are rendered: no secret, no document
content, nothing that a terminal would obey.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from structlog.typing import EventDict

Json = str | int | float | None | list["Json"] | dict[str, "Json"]

MASK: Final = "***"
_SHORTEST_SECRET: Final = 4  # masking "a" everywhere would tell more than it hides
_BEARER: Final = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{4,}", re.IGNORECASE)
_SECRET_KEYS: Final = frozenset(
    {"access_token", "authorization", "client_secret", "password", "secret", "token"}
)


class SecretScrubber:
    """Replaces known secrets wherever they stand in a text; usable from any thread.

    Beside the values themselves it knows the forms in which a server may echo
    them (URL-encoded, JSON-escaped), and whatever follows `Bearer` or `Basic`.
    """

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._values: tuple[str, ...] = ()
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return f"SecretScrubber({len(self._values)} forms)"

    def add(self, secret: str) -> None:
        """Mask `secret` from now on; shorter than four characters is no secret."""
        if len(secret) < _SHORTEST_SECRET:
            return
        escaped = json.dumps(secret)[1:-1]
        encodable = secret.encode(errors="surrogateescape")
        forms = {secret, escaped, quote(encodable, safe=""), quote_plus(encodable)}
        with self._lock:  # longest first: a secret that holds another is masked whole
            self._values = tuple(sorted(forms.union(self._values), key=len, reverse=True))

    def scrub(self, text: str) -> str:
        """Return `text` with every known secret replaced."""
        for value in self._values:
            if value in text:
                text = text.replace(value, MASK)
        return _BEARER.sub(rf"\1 {MASK}", text)


class Cleaner:
    """A structlog processor: leaves only values that JSON has, secrets masked.

    Bytes are told by their number: they could be a document's. Whatever JSON does
    not know is told as text, so that rendering cannot fail.
    """

    def __init__(self, scrubber: SecretScrubber) -> None:
        self._scrubber = scrubber

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
            return MASK if key.lower() in _SECRET_KEYS else self._scrubber.scrub(scalar)
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
