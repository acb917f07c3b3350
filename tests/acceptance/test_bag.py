"""`bag` as a process: from a run to a bag that `bagit.py` accepts, and nothing half."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from batch_converter.fault_points import VARIABLE
from tests.support.command import run
from tests.support.disks import small_disk
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from tests.support.cloud import Cloud

BAGIT = Path(sys.executable).with_name("bagit.py")


@pytest.mark.slow
def test_a_bag_is_made_that_bagit_py_accepts_and_is_never_half_there(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 3)
    assert run("convert", source, "-o", output, "-q").code == 0
    bag = tmp_path / "bags/night 1"

    killed = run("bag", "-o", output, bag, env={VARIABLE: "bag.complete"})
    assert killed.code == -signal.SIGKILL
    assert not bag.exists()
    (left,) = bag.parent.iterdir()
    assert left.name.startswith(".")

    with FileLock(output / ".batch-converter/lock"):  # as a run holds it
        done = run("bag", "-o", output, "--info", "Source-Organization=Archiv = Brno", bag)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"3 of 3 PDFs are in {bag}\n"
    assert list(bag.parent.iterdir()) == [bag]
    second, third = (bag.with_name(name) for name in ("night 2", "night 3"))
    assert run("bag", "-o", output, second, env={VARIABLE: "bag.named"}).code == -signal.SIGKILL
    assert len(list(bag.parent.iterdir())) == 3  # both, and where the second has grown
    assert run("bag", "-o", output, third).code == 0
    assert sorted(bag.parent.iterdir()) == [bag, second, third]
    check: list[str | Path] = [sys.executable, "-Wignore", BAGIT, "--validate", bag]
    subprocess.run(check, check=True, capture_output=True)
    for pdf in output.glob("*.pdf"):
        assert (bag / "data" / pdf.name).read_bytes() == pdf.read_bytes()
    info = (bag / "bag-info.txt").read_text()
    assert "Source-Organization: Archiv = Brno\n" in info
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_what_keeps_a_pdf_or_the_bag_from_being_made_is_told(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 3)
    cloud.fillers[(source / "00000.djvu").read_bytes()] = 200_000
    assert run("convert", source, "-o", output, "-q").code == 0

    again = run("bag", "-o", output, output)
    assert (again.code, again.out) == (2, "")
    assert "a bag is never changed or replaced" in again.err

    with small_disk(tmp_path / "small", size_bytes=150_000) as disk:
        full = run("bag", "-o", output, disk.path / "bag")
        assert (full.code, full.out) == (1, "")
        assert f"{disk.path}/bag could not be written: the disk is full" in full.err
        assert not list(disk.path.iterdir())

    (output / "00001.pdf").write_bytes(b"%PDF rotten")
    other = tmp_path / "other"
    some = run("bag", "-o", output, other)
    assert (some.code, some.err) == (1, "")
    told = "00001.pdf: differs from what was recorded\n"
    assert some.out == f"{told}2 of 3 PDFs are in {other}\n"
    assert not (other / "data/00001.pdf").exists()
    assert cloud.calls["submit"] == 3


def test_what_is_wrong_with_the_command_line_is_said(output: Path, tmp_path: Path) -> None:
    no_ledger = run("bag", "-o", output, tmp_path / "bag")
    assert no_ledger.code == 2
    assert "ledger" in no_ledger.err
    no_value = run("bag", "-o", output, tmp_path / "bag", "--info", "Contact-Name")
    assert no_value.code == 2
    assert "LABEL=VALUE" in no_value.err
    assert not (tmp_path / "bag").exists()
