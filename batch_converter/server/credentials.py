"""A client id and its secret, as a request brings them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

_MAX_ID_CHARS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A client id and its secret."""

    client_id: str
    client_secret: str = field(repr=False)

    @property
    def digest(self) -> bytes:
        """The pair as a number that tells nothing about it and compares in constant time."""
        parts = (self.client_id, self.client_secret)
        hashes = (hashlib.sha256(part.encode(errors="surrogatepass")).digest() for part in parts)
        return b"".join(hashes)

    @property
    def is_legible(self) -> bool:
        """Whether the id is one that a person or a program could mean."""
        return self.client_id.isprintable() and len(self.client_id) <= _MAX_ID_CHARS
