"""Disks that answer an fsync of a folder as some network file systems do, and as broken ones do."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cloud import Cloud


@pytest.fixture
def answering() -> Callable[[str, Path], tuple[str, ...]]:
    """Return what a command is run through to have each fsync of a folder answered so."""
    try:
        subprocess.run(["strace", "-f", "true"], check=True, capture_output=True)  # noqa: S607  # wherever it is
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("system calls cannot be answered for here")

    def through(code: str, folder: Path) -> tuple[str, ...]:
        inject = f"inject=fsync:error={code}"
        return ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(folder), "-e", inject)

    return through


@pytest.mark.parametrize("code", ["EINVAL", "EOPNOTSUPP"])
def test_a_file_system_that_cannot_sync_folders_costs_nothing(
    cloud: Cloud,
    source: Path,
    output: Path,
    answering: Callable[[str, Path], tuple[str, ...]],
    code: str,
) -> None:
    make_archive(source, 2)
    report = ("--report", output / "report.json", "--manifest", output / "sums")
    done = run("convert", source, "-o", output, *report, through=answering(code, output))
    assert done.code == 0, done.err
    assert cloud.calls["submit"] == 2
    assert (output / "report.json").exists()
    assert (output / "sums").exists()


def test_a_folder_that_the_disk_fails_on_is_told(
    cloud: Cloud,
    source: Path,
    output: Path,
    tmp_path: Path,
    answering: Callable[[str, Path], tuple[str, ...]],
) -> None:
    make_archive(source, 1)
    reports = tmp_path / "reports"
    reports.mkdir()
    file = ("--report", reports / "report.json")
    done = run("convert", source, "-o", output, *file, through=answering("EIO", reports))
    assert cloud.calls["submit"] == 1
    assert done.code == 1
    assert "cannot write the report" in done.err
    assert "Input/output error" in done.err
