"""The suite passes wherever it is started: any terminal, language, time zone, home and user.

A selection of quick tests that look at such things, run as a developer would, in
surroundings as unlike each other as can be.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.support.command import PATIENCE_S
from tests.support.disks import AS_ORDINARY_USER

ROOT: Final = Path(__file__).parents[2]
QUICK: Final = (
    "tests/unit/test_config.py",
    "tests/unit/test_logs.py",
    "tests/unit/test_progress.py",
    "tests/unit/test_report.py",
)
OURS: Final = ("PATH", "PYTHONPATH", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
SURROUNDINGS: Final = {
    "dumb": (
        {
            "TERM": "dumb",
            "LC_ALL": "POSIX",
            "TZ": "Asia/Kathmandu",
            "COLUMNS": "20",
            "LINES": "2",
            "HOME": "/nonexistent",
            "NO_COLOR": "1",
            "PYTHONIOENCODING": "ascii",
        },
        0o077,
    ),
    "gaudy": (
        {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "LC_ALL": "C",
            "TZ": "<-1130>+11:30",
            "COLUMNS": "500",
            "FORCE_COLOR": "1",
            "CLICOLOR_FORCE": "1",
            "TTY_COMPATIBLE": "1",
            "CI": "true",
            "HTTPS_PROXY": "http://127.0.0.1:1",
            "BATCH_CONVERTER_OUTPUT__DIR": "/nowhere",
            "ASPOSE_CLIENT_ID": "a-developer",
        },
        0o002,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_the_suite_passes_in_any_surroundings(name: str) -> None:
    variables, umask = SURROUNDINGS[name]
    kept = {key: os.environ[key] for key in OURS if key in os.environ}
    done = subprocess.run(
        [
            *(*AS_ORDINARY_USER, sys.executable, "-m", "pytest", "-q", "-x"),
            *("-p", "no:cacheprovider", "-p", "no:xdist", *QUICK),
        ],
        cwd=ROOT,
        env=kept | variables,
        umask=umask,
        check=False,
        capture_output=True,
        timeout=2 * PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")
