"""Sections of a Markdown file, each written by the benchmark that measures it.

    conditions = Conditions()                        # before the first figure
    given = with_results(parser).parse_args()
    publish("Title", body, conditions, given.results)

A section begins with the command that makes it again and with what it was measured on, and how
busy that was: figures without that are no measurements.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks/RESULTS.md"
NOT_INSTALLED: Final = 3
"""A benchmark's exit status where a program that it cannot do without is missing."""

_BUSY_FIELDS: Final = (0, 1, 2, 5, 6, 7)
"""Of the first line of /proc/stat: user, nice, system, irq, softirq, steal."""
_RESULT_OPTIONS: Final = re.compile(r"--write|--results(=.*)?")


class Conditions:
    """What is measured on, and how busy that is with other work, from now on."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._began_s = time.monotonic()
        self._busy_s = _busy_s()
        self._own_s = _own_s()

    def told(self) -> str:
        """Return a sentence: processor, Python, load before, and other work's share meanwhile.

        Other work is what the processors did that neither this process nor the children that
        it has waited for did: the kernel's writing of files is in it.
        """
        processors = os.cpu_count() or 1
        told = (
            f"{processor_name()}, {processors} processors, {platform.system()}"
            f" {platform.machine()}, {platform.python_implementation()}"
            f" {platform.python_version()}; load {self._load:.1f} before"
        )
        busy_s = _busy_s()
        if busy_s is None or self._busy_s is None:
            return f"{told}."
        others_s = busy_s - self._busy_s - (_own_s() - self._own_s)
        elapsed_s = max(time.monotonic() - self._began_s, 1e-3)
        share = max(0.0, others_s) / (elapsed_s * processors)
        return f"{told}, meanwhile other work took {share:.0%} of the processors."


def processor_name() -> str:
    """Return the processor's model, as its maker calls it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def _busy_s() -> float | None:
    """Return how long all processors were busy since the start; None where Linux is not."""
    try:
        first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:]
    except OSError:
        return None
    return sum(int(first[field]) for field in _BUSY_FIELDS) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    own = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in own)


def with_results(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add the options that say where the section goes, as `results`: nowhere, unless told."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--write",
        dest="results",
        action="store_const",
        const=RESULTS,
        help=f"put the section into {RESULTS.relative_to(ROOT)}",
    )
    group.add_argument("--results", type=Path, metavar="FILE", help="put it into another file")
    return parser


def publish(title: str, body: str, conditions: Conditions, results: Path | None) -> None:
    """Print a section, and put it into a file if that is wanted."""
    text = f"`{_called()}`\n\n{conditions.told()}\n\n{body.strip()}"
    print(f"## {title}\n\n{text}")
    if results is not None:
        results.parent.mkdir(parents=True, exist_ok=True)
        replace_section(results, title, text)


def _called() -> str:
    """Return the command that is running, without what says where its section goes."""
    spec = sys.modules["__main__"].__spec__
    name = spec.name if spec else sys.argv[0]
    words, rest = [], iter(sys.argv[1:])
    for word in rest:
        if not _RESULT_OPTIONS.fullmatch(word):
            words.append(word)
        elif word == "--results":
            next(rest)
    return " ".join(["python -m", name.removesuffix(".__main__"), shlex.join(words)]).strip()


def replace_section(results: Path, title: str, body: str) -> None:
    """Put `body` where the section `title` was, or last; the others are left as they are."""
    text = results.read_text(encoding="utf-8") if results.exists() else "# Results\n"
    section = f"## {title}\n\n{body.strip()}\n\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    if pattern.search(text):
        text = pattern.sub(lambda _: section, text)
    else:
        text = f"{text.rstrip()}\n\n{section}"
    results.write_text(text.rstrip() + "\n", encoding="utf-8")
