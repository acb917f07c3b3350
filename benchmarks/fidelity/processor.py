"""Processor time of conversions, free of what a program's start costs.

Ours run in processes that live on; of a run of `ddjvu` the cheapest run over a page of nothing is
taken off. The rounds are interleaved, and of each the cheapest counts.
"""

from __future__ import annotations

import resource
import subprocess
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from benchmarks.fidelity.tables import at_most, section, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from benchmarks.fidelity.converting import Converter
    from benchmarks.fidelity.subjects import Subject

    Costs = dict[str, dict[str, float]]
    """Seconds by a subject's name and what made its PDF."""

CODINGS: Final = ("g4", "jbig2")
_BLANK: Final = bytes.fromhex(
    "41542654464f524d 00000016 444a5655 494e464f 0000000a 0001 0001 1800 2c01 16 01"
)
"""A DjVu of one empty pixel."""


def measure(
    subjects: Sequence[Subject],
    compiled: Converter,
    plain: Converter,
    rounds: int,
    scratch: Path,
) -> Costs:
    """Convert everything several times, once by uncompiled kernels; the PDFs are left there."""
    blank = scratch / "blank.djvu"
    blank.write_bytes(_BLANK)
    costs: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    empty = []
    for number in range(rounds + 1):  # in the first one, which counts for nobody, caches fill
        empty.append(_ddjvu(blank, scratch / "blank.pdf"))
        for subject in subjects:
            found = costs[subject.name]
            for coding in CODINGS:
                spent = compiled.convert(subject.path, subject.pdf(coding), masks=coding)
                found[coding] += [spent] * bool(number)
                if not number and not subject.is_made:
                    target = subject.pdf(f"{coding}.plain")
                    found[f"{coding}.plain"].append(
                        plain.convert(subject.path, target, masks=coding)
                    )
            found["ddjvu"].append(_ddjvu(subject.path, subject.pdf("ddjvu")))
    start_s = min(empty)
    return {
        name: {
            way: max(min(all_runs) - start_s * (way == "ddjvu"), 1e-4)
            for way, all_runs in ways.items()
        }
        for name, ways in costs.items()
    }


def _ddjvu(source: Path, target: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["ddjvu", "-format=pdf", "-quality=80", str(source), str(target)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost_table(subjects: Sequence[Subject], costs: Costs) -> str:
    """Return what each document costs, as shares of what it costs `ddjvu`."""
    rows = [_row(subject.name, costs[subject.name]) for subject in subjects]
    corpus = _sums(costs, [subject for subject in subjects if not subject.is_made])
    return section(
        "Processor time, one core, without start-up",
        table(
            [
                *("file", "`ddjvu`, s", "ours, g4", "ours, jbig2", "jbig2 / g4"),
                *("without `[fast]`: g4", "jbig2", "jbig2 / g4"),
            ],
            [*rows, _row("**the folders' together**", corpus)],
        ),
    )


def _row(name: str, costs: dict[str, float]) -> tuple[str, ...]:
    theirs = costs["ddjvu"]
    cells = [f"{costs[way] / theirs:.2f}" for way in CODINGS]
    cells.append(f"{costs['jbig2'] / costs['g4']:.2f}")
    if "g4.plain" in costs:
        cells += [f"{costs[f'{way}.plain'] / theirs:.2f}" for way in CODINGS]
        cells.append(f"{costs['jbig2.plain'] / costs['g4.plain']:.2f}")
    else:
        cells += ["none"] * 3
    return name, f"{theirs:.3f}", *cells


def _sums(costs: Costs, subjects: Iterable[Subject]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for subject in subjects:
        for way, spent in costs[subject.name].items():
            sums[way] += spent
    return sums


def goals(subjects: Sequence[Subject], costs: Costs) -> list[tuple[str, str, str]]:
    """Return the rows of issue I about processor time."""
    corpus = _sums(costs, [subject for subject in subjects if not subject.is_made])
    rows = [
        at_most("processor time with `[fast]`, `jbig2` against `g4`, the folders' together", 1.6,
                corpus["jbig2"] / corpus["g4"]),
        at_most("… against `ddjvu`, the folders' together", 0.7, corpus["jbig2"] / corpus["ddjvu"]),
    ]  # fmt: skip
    for limit, what, chosen in (
        (0.8, "each book", [s for s in subjects if s.is_book]),
        (1.4, "a page that is one large wavelet scan", [s for s in subjects if s.is_scan]),
    ):
        ratios = [(costs[s.name]["jbig2"] / costs[s.name]["ddjvu"], s.name) for s in chosen]
        if ratios:
            worst, name = max(ratios)
            rows.append(at_most(f"… {what}; the worst, {name}", limit, worst))
    return rows
