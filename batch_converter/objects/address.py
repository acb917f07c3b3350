"""Addresses of objects: `s3://BUCKET/KEY`, `gs://`, `az://`, `https://HOST/PATH`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote

from batch_converter.config import STORE_SCHEMES, split_url
from batch_converter.errors import UsageError

FILE_SCHEMES: Final = ("https", "http")
"""Of servers that hand out one file by its address."""

_BUCKET: Final = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._$-]*", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPED_SLASH: Final = re.compile("%2F", re.IGNORECASE)
_KEPT_IN_PATHS: Final = "/!$&'()*+,;=:@~"  # RFC 3986, 3.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAddress:
    """Where an object is, or what its key begins with.

    Attributes:
        scheme: What kind of store.
        place: The bucket or container; of a file by HTTP, host and port.
        key: Below that, its folders separated by slashes; empty for all of it.
    """

    scheme: str
    place: str
    key: str

    @classmethod
    def parse(cls, given: str) -> ObjectAddress:
        """Read an address; slashes at its end are left out.

        Raises:
            UsageError: It is none, or holds what must not stand in a ledger.
        """
        scheme, _, rest = given.partition("://")
        if scheme in FILE_SCHEMES:
            return cls._parse_url(scheme, given)
        place, _, key = rest.partition("/")
        if scheme not in STORE_SCHEMES or not _BUCKET.fullmatch(place):
            raise UsageError(f"{given!r} names no bucket; write s3://BUCKET/PREFIX")
        return cls(scheme=scheme, place=place, key=_checked(key.rstrip("/"), given))

    @classmethod
    def _parse_url(cls, scheme: str, given: str) -> ObjectAddress:
        parts = split_url(given.replace(" ", "%20"))
        if parts is None or not parts.hostname:
            raise UsageError(
                f"an {scheme} source must be the address of a file, such as"
                f" {scheme}://example.org/a.djvu"
            )
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise UsageError(
                f"an address at {parts.hostname} carries a user, a password, a query or a"
                " fragment: a ledger and a report would keep what may be a secret in it; download"
                " the file, and convert that"
            )
        if not parts.path.strip("/") or parts.path.endswith("/"):
            raise UsageError(f"{given} is no address of a file: nothing lists what is below it")
        if _ESCAPED_SLASH.search(parts.path):  # it is no separator (RFC 3986, 2.2), as in a key
            raise UsageError(f"{given!r} cannot be reached: it has a slash within a name (%2F)")
        key = unquote(parts.path.removeprefix("/"), errors="surrogateescape")
        return cls(scheme=scheme, place=parts.netloc, key=_checked(key, given))

    @property
    def base(self) -> str:
        """The store as a whole."""
        return f"{self.scheme}://{self.place}"

    @property
    def name(self) -> str:
        """What comes behind the last slash of the key; of a whole bucket, its name."""
        return self.key.rpartition("/")[2] or self.place

    @property
    def is_listed(self) -> bool:
        """Whether the store can list what it holds."""
        return self.scheme in STORE_SCHEMES

    def beside(self, name: str) -> ObjectAddress:
        """Return the address of an object in the same folder."""
        folder, slash, _ = self.key.rpartition("/")
        return replace(self, key=folder + slash + name)

    def below(self, name: str) -> ObjectAddress:
        """Return the address of an object whose key begins with this one's, and a slash."""
        return replace(self, key=f"{self.key}/{name}" if self.key else name)

    def __str__(self) -> str:
        """Return it as `parse` reads it."""
        key = quote(self.key, safe=_KEPT_IN_PATHS) if self.scheme in FILE_SCHEMES else self.key
        return f"{self.base}/{key}" if key else self.base


def is_object_address(given: str) -> bool:
    """Whether a source, or an output, is meant as an address and not as a path."""
    scheme, separator, _ = given.partition("://")
    return bool(separator) and scheme in {*STORE_SCHEMES, *FILE_SCHEMES}


def key_fault(key: str) -> str | None:
    """Return why no object can be reached by a key, one clause; None where it can.

    obstore takes keys for paths: it knows no empty folder names, no `.` and `..`, and no
    control characters.
    """
    try:
        key.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if not {"", ".", ".."}.isdisjoint(key.split("/")):
        return "it has an empty name, . or .. between slashes"
    if _CONTROL.search(key):
        return "it has a control character"
    return None


def _checked(key: str, given: str) -> str:
    if key and (fault := key_fault(key)):
        raise UsageError(f"{given!r} cannot be reached: {fault}")
    return key
