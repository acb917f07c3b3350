"""Markdown tables, and what was wanted beside what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; cells are written as they are."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def section(title: str, *parts: str) -> str:
    """Return a part of the results under a heading of its own; empty parts are left out."""
    return "\n\n".join([f"### {title}", *filter(None, parts)])


def goal(what: str, wanted: str, found: str, *, met: bool) -> tuple[str, str, str]:
    """Return a row that says so where the goal is missed."""
    return what, wanted, found if met else f"**missed:** {found}"


def at_most(
    what: str, limit: float, found: float, *, unit: str = " times", digits: int = 2
) -> tuple[str, str, str]:
    """Return a row for what may not exceed a limit."""
    told = f"{found:.{digits}f}{unit}"
    return goal(what, f"≤ {limit:g}{unit}", told, met=found <= limit)


def at_least(
    what: str, limit: float, found: float, *, unit: str = " times", digits: int = 2
) -> tuple[str, str, str]:
    """Return a row for what may not fall below a limit."""
    told = f"{found:.{digits}f}{unit}"
    return goal(what, f"≥ {limit:g}{unit}", told, met=found >= limit)
