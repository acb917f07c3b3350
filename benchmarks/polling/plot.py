"""Calls against makespan, one small panel a trace, as an SVG without a library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_WIDTH: Final = 230
_HEIGHT: Final = 190
_LEFT: Final = 40
_TOP: Final = 26
_INNER_WIDTH: Final = _WIDTH - _LEFT - 12
_INNER_HEIGHT: Final = _HEIGHT - _TOP - 34
_COLUMNS: Final = 4
_CALLS: Final = (2.0, 1_000.0)
_LATE: Final = (0.0005, 4.0)
_COLOURS: Final = {"fixed": "#8a8f98", "backoff": "#c98a2b", "predictive": "#1f6feb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A trace's curves: points of (calls a document, makespan over the ideal)."""

    title: str
    curves: dict[str, Sequence[tuple[float, float]]]


def _x(calls: float) -> float:
    """Place calls above the floor of two on a logarithmic axis."""
    low, high = (math.log(value - 2.0 + 0.02) for value in _CALLS)
    share = (math.log(max(calls - 2.0, 0.0) + 0.02) - low) / (high - low)
    return _LEFT + _INNER_WIDTH * min(max(share, 0.0), 1.0)


def _y(makespan: float) -> float:
    low, high = (math.log(value) for value in _LATE)
    share = (math.log(max(makespan - 1.0, _LATE[0])) - low) / (high - low)
    return _TOP + _INNER_HEIGHT * (1.0 - min(max(share, 0.0), 1.0))


def draw(panels: Sequence[Panel]) -> str:
    """Return the whole picture."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = _COLUMNS * _WIDTH, rows * _HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-size="9"',
        'font-family="sans-serif" fill="#57606a">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for index, panel in enumerate(panels):
        left, top = index % _COLUMNS * _WIDTH, index // _COLUMNS * _HEIGHT
        parts.append(f'<g transform="translate({left} {top})">{"".join(_panel(panel))}</g>')
    parts.append(_legend(height - 8))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _panel(panel: Panel) -> Iterable[str]:
    yield f'<text x="{_LEFT}" y="16" font-size="11" fill="#1f2328">{panel.title}</text>'
    for calls in (2.1, 3, 10, 100, 1_000):
        yield (
            f'<path d="M{_x(calls):.1f} {_TOP}v{_INNER_HEIGHT}" stroke="#eaeef2"/>'
            f'<text x="{_x(calls):.1f}" y="{_TOP + _INNER_HEIGHT + 11}"'
            f' text-anchor="middle">{calls:g}</text>'
        )
    for late in (0.001, 0.01, 0.1, 1.0):
        yield (
            f'<path d="M{_LEFT} {_y(1 + late):.1f}h{_INNER_WIDTH}" stroke="#eaeef2"/>'
            f'<text x="{_LEFT - 3}" y="{_y(1 + late) + 3:.1f}"'
            f' text-anchor="end">+{late:.1%}</text>'.replace(".0%", "%")
        )
    yield (
        f'<text x="{_LEFT + _INNER_WIDTH / 2}" y="{_TOP + _INNER_HEIGHT + 23}"'
        ' text-anchor="middle">calls a document</text>'
    )
    for name, points in panel.curves.items():
        yield from _curve(points, _COLOURS[name], marked=name == "predictive")


def _curve(points: Sequence[tuple[float, float]], colour: str, *, marked: bool) -> Iterable[str]:
    places = [(_x(calls), _y(makespan)) for calls, makespan in points]
    if not marked:
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}"/>'
    for x, y in places:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 if marked else 1.8}" fill="{colour}"/>'


def _legend(y: float) -> str:
    parts = []
    for index, (name, colour) in enumerate(_COLOURS.items()):
        x = _LEFT + 110 * index
        parts.append(
            f'<circle cx="{x}" cy="{y - 3}" r="3" fill="{colour}"/><text x="{x + 7}" y="{y}">'
            f"{name}</text>"
        )
    note = "left and low is better; upright: makespan over the oracle's"
    parts.append(f'<text x="{_LEFT + 340}" y="{y}">{note}</text>')
    return "".join(parts)
