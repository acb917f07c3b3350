"""Memory of a whole run: the command and its two workers, all busy with the largest scan."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import psutil

from benchmarks.fidelity.tables import at_most

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.fidelity.subjects import Subject

_COPIES: Final = 4
_WORKERS: Final = 2
_MB: Final = 1e6
_PAUSE_S: Final = 0.02
_LIMIT_MB: Final = 600


def goals(subjects: list[Subject], scratch: Path) -> list[tuple[str, str, str]]:
    """Return the row of issue I about memory."""
    scan = max(subjects, key=_pixels)
    peak = _peak_mb(scan.path, scratch)
    width, height = scan.info.pages[0].width, scan.info.pages[0].height
    title = f"memory of the process tree, two workers, {scan.name} ({width} x {height})"
    return [at_most(title, _LIMIT_MB, peak, unit=" MB")]


def _pixels(subject: Subject) -> int:
    """The size of the largest page that is a wavelet scan, or else of none."""
    page = subject.info.pages[0]
    return page.width * page.height if subject.is_scan else 0


def _peak_mb(source: Path, scratch: Path) -> float:
    """Convert copies of a file, and add up what all processes own (PSS), again and again."""
    folder = scratch / "memory"
    folder.mkdir()
    for number in range(_COPIES):
        os.link(source, folder / f"{number}.djvu")
    config = scratch / "memory.toml"
    config.write_text(f"[local]\nworkers = {_WORKERS}\n", encoding="utf-8")
    command = [
        *(sys.executable, "-m", "batch_converter", "convert", "--engine", "local", "-q"),
        *("--no-progress", "-c", str(config), "-o", str(scratch / "memory-out"), str(folder)),
    ]
    run = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while run.poll() is None:
        peak = max(peak, _owned_bytes(run))
        psutil.wait_procs([run], timeout=_PAUSE_S)
    if run.returncode:
        message = f"the run for memory ended with {run.returncode}"
        raise SystemExit(message)
    return peak / _MB


def _owned_bytes(run: psutil.Popen) -> int:
    total = 0
    for process in [run, *_children(run)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return total


def _children(run: psutil.Popen) -> list[psutil.Process]:
    try:
        return list(run.children(recursive=True))
    except psutil.Error:  # it has ended
        return []
