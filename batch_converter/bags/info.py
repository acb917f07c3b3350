"""What `bag-info.txt` says: labels and values (RFC 8493 2.2.2); pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

_OWN_LABELS: Final = ("Bag-Software-Agent", "Bagging-Date", "Payload-Oxum")


def check_info(info: Iterable[tuple[str, str]]) -> None:
    """Make sure that labels and values can stand in the file.

    Raises:
        UsageError: One cannot, or is written by ourselves.
    """
    for label, value in info:
        if (fault := _fault(label, value)) is not None:
            raise UsageError(f"{label!r} cannot stand in bag-info.txt: {fault}")


def _fault(label: str, value: str) -> str | None:
    if not label or label != label.strip() or ":" in label:
        return "a label is not empty, has no colon, and no space at its ends"
    if not label.isprintable() or len(value.splitlines()) > 1 or "\0" in value:
        return "a label has no control characters, and a value is one line"
    if any(label.casefold() == own.casefold() for own in _OWN_LABELS):
        return "its value is found by the command itself"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "its value is not UTF-8"
    return None


def info_lines(
    info: Sequence[tuple[str, str]], *, software: str, day: date, payload: tuple[int, int]
) -> str:
    """Return the text of the file.

    Args:
        info: Labels and values of the user's; see `check_info`.
        software: What has made the bag.
        day: When.
        payload: Bytes and number of the files in `data`.
    """
    n_bytes, n_files = payload
    own = (software, day.isoformat(), f"{n_bytes}.{n_files}")
    pairs = [*info, *zip(_OWN_LABELS, own, strict=True)]
    return "".join(f"{label}: {value.strip()}\n" for label, value in pairs)
