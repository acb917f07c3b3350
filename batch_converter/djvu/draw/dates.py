"""Dates as DjVu documents, PDF and XMP write them.

DjVu wants RFC 3339 (manual of djvused); pdf2djvu writes a blank where that has a T,
and PDF's own form is met too. What is not said, a day or a zone, is not made up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_ZONE: Final = r"(?P<zone>[Zz]|[-+]\d\d(?:[:']?\d\d'?)?)?"
_CLOCK: Final = r"(\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?"
_ISO: Final = re.compile(
    rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)(?:[Tt ]\s*{_CLOCK}\s*{_ZONE})?)?)?", re.ASCII
)
_PDF: Final = re.compile(rf"(?:D:)?(\d{{4}})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?{_ZONE}", re.ASCII)
_LEAST: Final = (0, 1, 1, 0, 0, 0)
_DAY: Final = 3
_MINUTE: Final = 5
_LARGEST_ZONE_MINUTES: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class Moment:
    """A date as exact as it was told.

    Attributes:
        parts: Year, and as far as they are known month, day, hour, minute and second.
        zone: `Z`, `+hh:mm` or `-hh:mm`; empty where none was told.
    """

    parts: tuple[int, ...]
    zone: str

    @property
    def pdf(self) -> str:
        """As the document information dictionary has it (ISO 32000-1, 7.9.4)."""
        year, *others = self.parts
        zone = self.zone.replace(":", "'") + ("'" if ":" in self.zone else "")
        return f"D:{year:04}" + "".join(f"{part:02}" for part in others) + zone

    @property
    def xmp(self) -> str:
        """As XMP has it, in ISO 8601."""
        year, *others = (f"{part:02}" for part in self.parts)
        day = "-".join([year.rjust(4, "0"), *others[: _DAY - 1]])
        time = ":".join(others[_DAY - 1 :])
        return f"{day}T{time}{self.zone}" if time else day


def read_date(text: str) -> Moment | None:
    """Read a date; None where it is none."""
    stripped = text.strip()
    match = _ISO.fullmatch(stripped) or _PDF.fullmatch(stripped)
    if match is None:
        return None
    parts = [int(part) for part in match.groups()[:6] if part is not None]
    zone = _zone(match["zone"]) if match["zone"] else ""
    if zone is None or not _is_possible(parts):
        return None
    if _DAY < len(parts) < _MINUTE:
        parts.append(0)  # XMP knows no hour without its minutes
    return Moment(tuple(parts), zone if len(parts) >= _MINUTE else "")


def _is_possible(parts: Sequence[int]) -> bool:
    try:
        datetime(*[*parts, *_LEAST[len(parts) :]])  # type: ignore[arg-type]  # noqa: DTZ001  # six numbers; only tried
    except ValueError:
        return False
    return True


def _zone(text: str) -> str | None:
    if text in {"Z", "z"}:
        return "Z"
    digits = "".join(c for c in text if c.isdigit()).ljust(4, "0")
    hours, minutes = digits[:2], digits[2:]
    possible = int(hours) * 60 + int(minutes) < _LARGEST_ZONE_MINUTES and int(minutes) < 60  # noqa: PLR2004  # of an hour
    return f"{text[0]}{hours}:{minutes}" if possible else None
