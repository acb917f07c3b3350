"""Numbers, sizes, durations and costs as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.logs import printable

if TYPE_CHECKING:
    from batch_converter.models import ApiCalls, Price

_STEP: Final = 1024
_FEW_S: Final = 10


def pluralized(count: int, noun: str) -> str:
    """Return the count with its noun, in the plural unless it is one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def sentence(text: str) -> str:
    """Return the text with a capital letter in front."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Return hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def short_duration(seconds: float) -> str:
    """Return a duration with about two digits where it is short: `0.42 s`, `7.3 s`, `25 s`."""
    if round(seconds, 2) < 1:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if round(seconds, 1) < _FEW_S else duration(seconds)


def size(size_bytes: int) -> str:
    """Return a size in the unit that fits, of 1024 each."""
    number = float(size_bytes)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < _STEP:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= _STEP
    return f"{number:,.1f} TiB"


def cost(calls: ApiCalls, price: Price) -> str:
    """Return what the billed calls cost; nothing without a price."""
    amount = price.of(calls)
    return "" if amount is None else f"{amount:,.2f} {printable(price.currency or '')}".rstrip()


def and_cost(calls: ApiCalls, price: Price) -> str:
    """Return the cost after a comma, to go on with in a sentence."""
    return f", {text}" if (text := cost(calls, price)) else ""
