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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One candidate's run over the folder."""

    wall_s: float
    cpu_s: float


def _measured(command: list[str]) -> Run:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        command,
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall_s=wall, cpu_s=cpu)


def candidates(files: list[str], out: str) -> dict[str, list[str]]:
    """The commands; tools that are not installed are left out."""
    cores = str(os.cpu_count())
    each = ["parallel", f"-j{cores}"]
    found = {
        "batch-converter": [
            *(sys.executable, "-m", "batch_converter", "convert", "--engine", "local"),
            *("--no-progress", "-q", "-o", f"{out}/ours", *files),
        ],
    }
    if shutil.which("parallel"):
        command = ["ddjvu", "-format=pdf", "-quality=80", "{}", f"{out}/{{/.}}.pdf"]
        found["ddjvu, GNU parallel"] = [*each, *command, ":::", *files]
        if shutil.which("dpsprep"):
            command = ["dpsprep", "--pool-size=1", "--overwrite", "{}", f"{out}/{{/.}}.pdf"]
            found["dpsprep, GNU parallel"] = [*each, *command, ":::", *files]
    return found


def race(files: list[str], rounds: int) -> dict[str, list[Run]]:
    """Run every candidate `rounds` times, each time into a fresh folder.

    A round before them counts for nobody: it fills the caches, and leaves Python's
    bytecode as an installer does.
    """
    runs: dict[str, list[Run]] = {}
    for counted in [False] + [True] * rounds:
        with tempfile.TemporaryDirectory() as folder:
            for number, (name, command) in enumerate(candidates(files, f"{folder}/0").items()):
                out = f"{folder}/{number}"
                Path(out).mkdir()
                fresh = [word.replace(f"{folder}/0", out) for word in command]
                run = _measured(fresh)
                if counted:
                    runs.setdefault(name, []).append(run)
    return runs
