"""The first command of the README, with an environment that is set up already."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pdfs import make_archive

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """Return a folder that `make` takes for a finished virtual environment."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    for name in ("python", "batch-converter"):
        (folder / "bin" / name).symlink_to(Path(sys.executable).with_name(name))
    (folder / ".ready").touch()
    return folder


@pytest.mark.parametrize("home", ["~", "{home}"])
def test_make_run_converts_the_users_own_files(tmp_path: Path, venv: Path, home: str) -> None:
    make_archive(tmp_path / "my scans", 1)
    folder = home.format(home=tmp_path)  # a shell that expands no ~ after = hands it on
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "run", f"VENV={venv}", f"SOURCE={folder}/my scans", f"OUTPUT={folder}/my pdfs"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "my pdfs" / "00000.pdf").read_bytes().startswith(b"%PDF")
