"""Secrets as what may be kept of them: scrypt (RFC 7914) with its parameters beside the hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

_N: Final = 1 << 14
_R: Final = 8
_P: Final = 1
_SALT_BYTES: Final = 16
_HASH_BYTES: Final = 32
_MAX_COST: Final = 1 << 22
"""Of n·r·p: a second or two of one processor."""
_MAX_MEMORY_BYTES: Final = 256 << 20
_LINE_BYTES: Final = 128


def _unpacked(value: object) -> bytes:
    """Decode Base64; the message tells nothing of what stood there."""
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not Base64") from None


_Packed = Annotated[bytes, BeforeValidator(_unpacked)]


class HashedSecret(BaseModel):
    """What is kept of a secret: enough to know it again, and useless to log in with.

    Made secrets have 256 bits, so that no cost would be needed for them; it is for those
    that people put in the file by other means. 16 MiB and some 50 ms each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    kdf: Literal["scrypt"] = "scrypt"
    n: Annotated[int, Field(ge=2)]
    r: Annotated[int, Field(ge=1)]
    p: Annotated[int, Field(ge=1)]
    salt: Annotated[_Packed, Field(min_length=8, max_length=64)]
    hash: Annotated[_Packed, Field(min_length=16, max_length=64, repr=False)]
    added_at: str = ""

    @model_validator(mode="after")
    def _check_cost(self) -> Self:
        """Refuse what scrypt cannot do, and what would be an attack on the one who checks."""
        power_of_two = self.n & (self.n - 1) == 0
        fits = self.n.bit_length() <= 16 * self.r  # RFC 7914, section 6
        cheap = self.n * self.r * self.p <= _MAX_COST
        small = _LINE_BYTES * self.n * self.r <= _MAX_MEMORY_BYTES
        if not (power_of_two and fits and cheap and small):
            raise ValueError("has parameters of scrypt (n, r, p) that are wrong or too costly")
        return self

    @classmethod
    def of(cls, secret: str, *, added_at: str = "") -> Self:
        """Hash a secret with a salt of its own; blocks for some 50 ms."""
        salt = secrets.token_bytes(_SALT_BYTES)
        packed = base64.b64encode
        return cls.model_validate(
            {
                "n": _N,
                "r": _R,
                "p": _P,
                "salt": packed(salt).decode(),
                "hash": packed(_scrypt(secret, salt, _N, _R, _P, _HASH_BYTES)).decode(),
                "added_at": added_at,
            }
        )

    @classmethod
    def of_nobody(cls) -> Self:
        """Return one that no secret matches and that costs as much to try as any other."""
        noise = base64.b64encode(secrets.token_bytes(_HASH_BYTES)).decode()
        return cls.model_validate({"n": _N, "r": _R, "p": _P, "salt": noise, "hash": noise})

    def matches(self, secret: str) -> bool:
        """Whether this is the secret; blocks for some 50 ms, and as long for a wrong one."""
        made = _scrypt(secret, self.salt, self.n, self.r, self.p, len(self.hash))
        return hmac.compare_digest(made, self.hash)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as they stand in a file."""
        fields = self.model_dump()
        for name in ("salt", "hash"):
            fields[name] = base64.b64encode(fields[name]).decode()
        return fields


def _scrypt(secret: str, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:  # noqa: PLR0917  # RFC 7914's own order
    data = secret.encode(errors="surrogatepass")
    room = _LINE_BYTES * r * (n + p + 2) + (1 << 20)
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=room, dklen=length)
