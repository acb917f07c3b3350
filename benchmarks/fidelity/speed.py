"""Seconds for a whole folder, all cores, the candidates interleaved."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.work.kernel_folder import FOLDER_VARIABLE, OFF_VARIABLE
from benchmarks.fidelity.tables import at_least, section, table
from benchmarks.results import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS: Final = "batch-converter, jbig2"
_OUT: Final = "@OUT@"
PLAIN: Final = ("env", f"{OFF_VARIABLE}=1")
"""Before a command of ours: as if numba were not installed."""

_DDJVU: Final = "`ddjvu`, "
_CODINGS: Final = ("jbig2", "g4")
COPIES: Final = (3, 10)
"""Of each file, in folders of which a start is a smaller and smaller part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One candidate's run over the folder, and how many PDFs it left."""

    wall_s: float
    cpu_s: float
    pdfs: int


def _measured(command: Sequence[str], given: str, folder: Path, target: Path, kernels: Path) -> Run:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": os.fspath(ROOT), FOLDER_VARIABLE: os.fspath(kernels)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        command,
        check=False,
        input=given.encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s=wall, cpu_s=cpu, pdfs=sum(1 for _ in target.rglob("*.pdf")))


def _candidates() -> dict[str, list[str]]:
    """Commands that read files' names from standard input, one a line; `@OUT@` is the target."""
    found = {f"batch-converter, {coding}": _ours(coding) for coding in _CODINGS}
    for coding in _CODINGS:
        found[f"batch-converter without `[fast]`, {coding}"] = [*PLAIN, *_ours(coding)]
    for name, each in _parallel().items():
        command = ["ddjvu", "-format=pdf", "-quality=80", "{}", f"{_OUT}/{{}}.pdf"]
        found[f"{_DDJVU}{name}"] = [*each, *command]
    if shutil.which("dpsprep"):
        found["dpsprep, xargs -P"] = [*_parallel()["xargs -P"], *dpsprep("{}", f"{_OUT}/{{}}.pdf")]
    return found


def dpsprep(source: str, target: str) -> list[str]:
    """Return the command for one file; now and then it hangs, so it has an end."""
    return ["timeout", "-k5", "120", "dpsprep", "--pool-size=1", "--overwrite", source, target]


def _ours(coding: str) -> list[str]:
    return [
        *(sys.executable, "-m", "batch_converter", "convert", "--engine", "local", "-q"),
        *("--no-progress", "-c", f"{coding}.toml", "-o", _OUT, "--files-from", "-"),
    ]


def _parallel() -> dict[str, list[str]]:
    """What runs a command for each file, as many at once as there are cores."""
    cores = os.cpu_count()
    found = {"xargs -P": ["xargs", "-d", "\n", "-I{}", f"-P{cores}"]}
    if shutil.which("parallel"):
        found["GNU parallel"] = ["parallel", f"-j{cores}"]
    return found


def race(
    files: Sequence[Path], rounds: int, kernels: Path, copies: int = 1
) -> dict[str, list[Run]]:
    """Run every candidate `rounds` times, each time into a fresh folder.

    Args:
        files: All of them.
        rounds: How often.
        kernels: Where compiled kernels are kept.
        copies: Of each file; if more than one, only the fastest kinds of candidates run.

    A round before them counts for nobody: it fills the caches, and leaves Python's
    bytecode as an installer does.
    """
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"{number}-{file.name}" for number in range(copies) for file in files]
        for file, given_name in zip([*files] * copies, names, strict=True):
            shutil.copy(file, folder / given_name)
        for coding in _CODINGS:
            settings = f'[local]\nmasks = "{coding}"\n'
            (folder / f"{coding}.toml").write_text(settings, encoding="utf-8")
        given = "".join(f"{given_name}\n" for given_name in names)
        candidates = _candidates()
        if copies > 1:
            candidates = {t: c for t, c in candidates.items() if t == OURS or t.startswith(_DDJVU)}
        for counted in [False] * (copies == 1) + [True] * rounds:
            for title, command in candidates.items():
                target = Path(tempfile.mkdtemp(dir=folder))
                words = [word.replace(_OUT, str(target)) for word in command]
                run = _measured(words, given, folder, target, kernels)
                if counted:
                    runs.setdefault(title, []).append(run)
    return runs


def speed_table(runs: dict[str, list[Run]], which: str) -> str:
    """Return the best of each candidate's rounds over a folder."""
    ours = _wall_s(runs[OURS])
    rows = [
        (
            name,
            f"{_wall_s(all_runs):.2f}",
            f"{min(run.cpu_s for run in all_runs):.2f}",
            f"{_wall_s(all_runs) / ours:.2f}",
            min(run.pdfs for run in all_runs),
        )
        for name, all_runs in runs.items()
    ]
    rounds = len(runs[OURS])
    return section(
        f"Seconds for {which}, all cores, start-up with it (best of {rounds}, interleaved)",
        table(("candidate", "wall", "processor", "of our wall time", "PDFs"), rows),
    )


def _wall_s(runs: Sequence[Run]) -> float:
    return min(run.wall_s for run in runs)


def goals(
    once: dict[str, list[Run]], more: dict[int, dict[str, list[Run]]]
) -> list[tuple[str, str, str]]:
    """Return the row of issue I about wall time, and the same for folders of more files.

    Args:
        once: The runs over all files.
        more: Those over so many copies of each.
    """
    title = "speed by the clock, all cores, against parallel `ddjvu`"
    return [
        at_least(title, 2, _times_as_fast(once)),
        *(
            at_least(f"… {copies} copies of each file", 2, _times_as_fast(runs))
            for copies, runs in more.items()
        ),
    ]


def _times_as_fast(runs: dict[str, list[Run]]) -> float:
    theirs = min(_wall_s(found) for name, found in runs.items() if name.startswith(_DDJVU))
    return theirs / _wall_s(runs[OURS])
