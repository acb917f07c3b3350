"""Memory of a whole run: the command and its two workers, all busy with the largest scan."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from batch_converter.djvu.work.kernel_folder import FOLDER_VARIABLE
from benchmarks.fidelity.speed import PLAIN
from benchmarks.fidelity.tables import at_most

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fidelity.subjects import Subject

_COPIES: Final = 4
_WORKERS: Final = 2
_MB: Final = 1e6
_PAUSE_S: Final = 0.02
_LIMIT_MB: Final = 600


def goals(subjects: Sequence[Subject], scratch: Path, kernels: Path) -> list[tuple[str, str, str]]:
    """Return the rows of issue I about memory."""
    scan = max(subjects, key=_pixels)
    width, height = scan.info.pages[0].width, scan.info.pages[0].height
    title = f"memory of the process tree, two workers, {scan.name} ({width} x {height})"
    rows = []
    for told, words in (("with `[fast]`", ()), ("without", PLAIN)):
        folder = Path(tempfile.mkdtemp(dir=scratch))
        peak = _peak_mb(scan.path, folder, kernels, words)
        rows.append(at_most(f"{title}, {told}", _LIMIT_MB, peak, unit=" MB", digits=0))
    return rows


def _pixels(subject: Subject) -> int:
    """The size of the largest page that is a wavelet scan, or else of none."""
    page = subject.info.pages[0]
    return page.width * page.height if subject.is_scan else 0


def _peak_mb(source: Path, folder: Path, kernels: Path, words: Sequence[str]) -> float:
    """Convert copies of a file, and add up what all processes own (PSS), again and again."""
    for number in range(_COPIES):
        shutil.copy(source, folder / f"{number}.djvu")
    config = folder / "config.toml"
    config.write_text(f"[local]\nworkers = {_WORKERS}\n", encoding="utf-8")
    command = [
        *words,
        *(sys.executable, "-m", "batch_converter", "convert", "--engine", "local", "-q"),
        *("--no-progress", "-c", str(config), "-o", str(folder / "out"), str(folder)),
    ]
    run = psutil.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {FOLDER_VARIABLE: os.fspath(kernels)},
    )
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
