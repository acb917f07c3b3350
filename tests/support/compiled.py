"""Processes whose kernels are machine code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

MEASURED_VARIABLE: Final = "COVERAGE_PROCESS_CONFIG"
"""By which coverage begins in a new process, where it measures processes."""

_ROOT: Final = Path(__file__).parents[2]
_ALL: Final = "from batch_converter.djvu.kernels.warming import make_ready; make_ready()"


def run_compiled(*arguments: str, folder: Path, given: str = "") -> str:
    """Run Python with compiled kernels that are kept in a folder; returns what it printed.

    No lines are counted there: of machine code there are none to be seen, and numba compiles
    half as long again while they are.
    """
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "NUMBA_DISABLE_JIT": "0"}
    environment.pop(MEASURED_VARIABLE, None)
    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=_ROOT,
        env=environment,
    )
    return done.stdout


def compile_all(folder: Path) -> None:
    """Have all kernels compiled and kept in a folder, once for all who ask for it."""
    run_compiled("-c", _ALL, folder=folder)
