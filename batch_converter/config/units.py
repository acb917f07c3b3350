"""Sizes and durations as people write them."""

from __future__ import annotations

import codecs
import re
import string
from decimal import Decimal
from typing import Final

_FACTORS: Final = {"": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgt", start=1)
    for suffix, base in (("", 1024), ("i", 1024), ("ib", 1024), ("b", 1000))
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?b?)", re.IGNORECASE | re.ASCII)
_DURATION: Final = re.compile(
    r"(?=.)(?:(_)w)?(?:(_)d)?(?:(_)h)?(?:(_)m)?(?:(_)s?)?".replace("_", r"\d+(?:\.\d+)?"),
    re.IGNORECASE | re.ASCII,
)
_ASCII: Final = string.ascii_letters + string.digits
_NO_ENCODINGS: Final = frozenset(
    {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_UNIT_SECONDS: Final = (604_800, 86_400, 3_600, 60, 1)


def parse_size(value: str | int) -> int:
    """Return a number of bytes: `1000`, `10M` (of 1024), `10MiB`, `10MB` (of 1000).

    Raises:
        ValueError: The text is not a size.
    """
    match = _SIZE.fullmatch(str(value).strip())
    if match is None:
        msg = f"{value!r} is not a size; write bytes or a unit, such as 500K or 10M"
        raise ValueError(msg)
    number, unit = match.groups()
    return int(Decimal(number) * _FACTORS[unit.lower().removeprefix("b")])


def parse_duration_s(value: str | float) -> float:
    """Return seconds: `90`, `45s`, `90m`, `1.5h`, `1h30m`, `2d`, `6w`.

    Raises:
        ValueError: The text is not a duration.
    """
    match = _DURATION.fullmatch(str(value).strip())
    if match is None:
        msg = f"{value!r} is not a duration; write seconds or a unit, such as 90m or 6h"
        raise ValueError(msg)
    parts = zip(match.groups(), _UNIT_SECONDS, strict=True)
    return sum(float(number) * seconds for number, seconds in parts if number)


def parse_encoding(value: str) -> str:
    """Return Python's name of an encoding in which ASCII stays what it is; empty stays empty.

    Raises:
        ValueError: Nobody knows it, or texts of a DjVu cannot be in it.
    """
    if not value:
        return ""
    try:
        name = codecs.lookup(value).name
    except (LookupError, TypeError, ValueError):
        msg = f"{str(value)!r} is an unknown encoding; write one such as cp1251 or koi8-r"
        raise ValueError(msg) from None
    if name in _NO_ENCODINGS or not _keeps_ascii(name):
        msg = f"{value!r} is no encoding of texts in which ASCII stays what it is, as in cp1251"
        raise ValueError(msg)
    return name


def _keeps_ascii(encoding: str) -> bool:
    try:
        return _ASCII.encode("ascii").decode(encoding) == _ASCII
    except (LookupError, UnicodeError):  # a codec of bytes to bytes, or of wide units
        return False
