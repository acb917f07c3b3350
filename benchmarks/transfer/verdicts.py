"""What was wanted of transfers beside what was found, as Markdown."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    Rounds = dict[str, list[dict[str, float]]]

MEMORY_MB: Final = 8
SUM_TIMES: Final = 1.3
DENSE_TIMES: Final = 1.5
OURS, OURS_DENSE = "ours", "ours, every `/` and `+` escaped"
STORED, STORED_DENSE = "ours, with the digest", "ours, with the digest, escaped"
NAIVE, VENDOR = "`response.json()` + `b64decode`", "the vendor's client"
RECEIVE, RECEIVE_DENSE = "receive by the HTTP client", "receive it escaped"
SCAN, SCAN_DENSE = "find the field's end", "find it in escaped text"
UNESCAPE, DECODE, WRITE, DIGEST = "undo escapes", "decode Base64", "write", "SHA-256"
PARTS: Final = {
    RECEIVE: "part_receive",
    RECEIVE_DENSE: "part_receive_dense",
    SCAN: "part_scan",
    SCAN_DENSE: "part_scan_dense",
    UNESCAPE: "part_unescape",
    DECODE: "part_decode",
    WRITE: "part_write",
    DIGEST: "part_digest",
    "receive by a bare socket": "part_socket",
}
"""The last is no part of a sum: it is what the machine can do at most."""
SUMS: Final = {
    OURS: (RECEIVE, SCAN, DECODE, WRITE),
    STORED: (RECEIVE, SCAN, DECODE, WRITE, DIGEST),
    OURS_DENSE: (RECEIVE_DENSE, SCAN_DENSE, UNESCAPE, DECODE, WRITE),
    STORED_DENSE: (RECEIVE_DENSE, SCAN_DENSE, UNESCAPE, DECODE, WRITE, DIGEST),
}


def verdict(fetched: Rounds, sent: Rounds) -> str:
    """Return how ours compares with the alternatives, and what memory it needs."""
    rows = [
        ("speed over `response.json()`", 8, "wall_s", NAIVE),
        ("speed over the vendor's client", 5, "wall_s", VENDOR),
        ("CPU saved over `response.json()`", 8, "cpu_s", NAIVE),
        ("CPU saved over the vendor's client", 5, "cpu_s", VENDOR),
    ]
    lines = [
        "| what | wanted | found, all only write | found, ours makes the digest too |",
        "| --- | --- | --- | --- |",
    ]
    for what, wanted, key, other in rows:
        cells = []
        for ours in (OURS, STORED):
            ratio = _median(fetched, other, key) / _median(fetched, ours, key)
            cells.append(f"{_missed(ratio >= wanted)}{ratio:.2f} times")
        lines.append(f"| {what} | {wanted} times | {' | '.join(cells)} |")
    upload_mb = _over_idle_mb(sent, OURS)
    sizes_mb = [
        max(_over_idle_mb(fetched, plain), _over_idle_mb(fetched, dense), upload_mb)
        for plain, dense in ((OURS, OURS_DENSE), (STORED, STORED_DENSE))
    ]
    cells = [f"{_missed(size_mb <= MEMORY_MB)}{size_mb:.1f} MB" for size_mb in sizes_mb]
    lines.append(f"| memory over idle, the worst | {MEMORY_MB} MB | {' | '.join(cells)} |")
    return "\n".join(lines)


def against_parts(found: Rounds, size: int) -> str:
    """Return each part's processor time, and ours against their sums, round by round."""
    lines = [
        "Processor time, in seconds a GB, of each part of the work alone, in turns with the whole:",
        "",
        "| part | CPU s/GB: median | lowest to highest |",
        "| --- | --- | --- |",
    ]
    for part in PARTS:
        spent = [each["cpu_s"] / size * 1e9 for each in found[part]]
        middle = statistics.median(spent)
        lines.append(f"| {part} | {middle:.3f} | {min(spent):.3f} to {max(spent):.3f} |")
    lines += ["", "| processor time | wanted | found |", "| --- | --- | --- |"]
    for whole, parts in SUMS.items():
        wanted = SUM_TIMES if whole in (OURS, STORED) else None
        what = f"{whole}, over the sum of {len(parts)} parts"
        lines.append(_row(what, wanted, over_sum(found, whole, parts)))
    dense = _ratios(_cpu(found, STORED_DENSE), _cpu(found, STORED))
    lines.append(_row("dense escapes over plain, both with the digest", DENSE_TIMES, dense))
    least = _ratios(_sums(found, SUMS[STORED_DENSE]), _sums(found, SUMS[STORED]))
    lines.append(_row("the same of the sums of their parts", None, least))
    return "\n".join(lines)


def over_sum(found: Rounds, whole: str, parts: Sequence[str]) -> list[float]:
    """Return how many times the sum of its parts the whole takes, round by round."""
    return _ratios(_cpu(found, whole), _sums(found, parts))


def _sums(found: Rounds, parts: Sequence[str]) -> list[float]:
    return [sum(each) for each in zip(*(_cpu(found, part) for part in parts), strict=True)]


def _ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    return [each / other for each, other in zip(over, under, strict=True)]


def _row(what: str, wanted: float | None, ratios: list[float]) -> str:
    middle = statistics.median(ratios)
    told = f"{middle:.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
    if wanted is None:
        return f"| {what} | | {told} |"
    return f"| {what} | ≤ {wanted} times | {_missed(middle <= wanted)}{told} |"


def _cpu(found: Rounds, title: str) -> list[float]:
    return [each["cpu_s"] for each in found[title]]


def _median(found: Rounds, title: str, key: str) -> float:
    return statistics.median(each[key] for each in found[title])


def _over_idle_mb(found: Rounds, title: str) -> float:
    return max(each["peak_mb"] - each["idle_mb"] for each in found[title])


def _missed(is_met: bool) -> str:  # noqa: FBT001  # reads well where it is called
    return "" if is_met else "**missed:** "
