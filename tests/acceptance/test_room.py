"""What cannot be stored is not paid for: inodes, quota and bytes of all that is out together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run, started, wait_until
from tests.support.disks import small_disk
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

MIB = 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("inodes", [12, 14, 15])
@pytest.mark.parametrize("flat", [True, False])
def test_nothing_is_paid_for_that_finds_no_inode(
    cloud: Cloud, source: Path, tmp_path: Path, inodes: int, *, flat: bool
) -> None:
    for number in range(40):
        folder = source if flat else source / f"box{number}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.djvu").write_bytes(djvu_bytes(mark=b"%d" % number))
    cloud.latency_s = 0.02
    with small_disk(tmp_path / "disk", size_bytes=100 * MIB, inodes=inodes) as disk:
        arguments = ("convert", source, "-o", disk.path / "pdfs", "--json")

        first = run(*arguments)
        assert first.code == 1
        assert "inodes" in first.err
        assert cloud.calls["submit"] == first.json["totals"]["converted"]
        assert first.json["totals"]["failed"] == 1
        assert all(any(box.iterdir()) for box in (disk.path / "pdfs").glob("box*"))
        billed = cloud.billed
        second = run(*arguments)
        assert second.code == 1
        stored = second.json["totals"]["converted"]  # in inodes that the first has given back
        assert cloud.billed == billed + 2 * stored

        disk.remount("nr_inodes=1000")
        assert run(*arguments).code == 0
        assert len(list((disk.path / "pdfs").rglob("*.pdf"))) == 40
        assert set(cloud.submissions.values()) == {1}


def test_nothing_is_asked_for_that_finds_no_inode_any_more(
    cloud: Cloud, source: Path, tmp_path: Path
) -> None:
    make_archive(source, 6)
    with small_disk(tmp_path / "disk", size_bytes=100 * MIB, inodes=100) as disk:
        arguments = ("convert", source, "-o", disk.path / "pdfs", "--json")
        cloud.hold("poll")
        with started(tmp_path / "p", *arguments) as process:
            wait_until(lambda: cloud.active["poll"] == 6, "polls")
            process.signal(9)
            assert process.finish().code == -9
        cloud.release("poll")
        for part in list((disk.path / "pdfs").glob(".*.part")):
            part.unlink()
        number = 0
        while os.statvfs(disk.path).f_favail > 3:
            (disk.path / f"filler{number}").touch()
            number += 1
        before = cloud.calls["poll"]

        full = run(*arguments)

        assert full.code == 1
        assert full.json["totals"]["converted"] == 3
        assert cloud.calls["poll"] - before == 3
        disk.remount("nr_inodes=1000")
        assert run(*arguments).code == 0
        assert set(cloud.submissions.values()) == {1}


def test_documents_that_do_not_fit_together_go_one_after_the_other(
    cloud: Cloud, source: Path, tmp_path: Path
) -> None:
    for number in range(8):
        (source / f"{number}.djvu").write_bytes(djvu_bytes(mark=bytes([number]) * (2 * MIB)))
    cloud.latency_s = 0.05
    with small_disk(tmp_path / "disk", size_bytes=30 * MIB) as disk:
        done = run("convert", source, "-o", disk.path / "pdfs", "--json")
    assert done.code == 0
    assert done.json["totals"]["converted"] == 8
    assert cloud.peak_in_flight <= 2  # 8 MiB are kept free, and 8 MiB are promised to each


def test_a_place_that_was_taken_in_vain_is_given_back(
    cloud: Cloud, source: Path, output: Path
) -> None:
    (source / "a" / "b").mkdir(parents=True)
    [path] = make_archive(source / "a" / "b", 1)
    cloud.fates[path.read_bytes()] = {"taskStatus": "Error", "responseStatusCode": "Ok"}
    assert run("convert", source, "-o", output).code == 1
    assert [path.name for path in output.iterdir()] == [".batch-converter"]
    assert not list(output.rglob("*.part"))


@pytest.mark.parametrize("inodes", [4, 5])
def test_a_ledger_that_finds_no_inode_is_not_told_as_damaged(
    cloud: Cloud, source: Path, tmp_path: Path, inodes: int
) -> None:
    make_archive(source, 2)
    with small_disk(tmp_path / "disk", size_bytes=100 * MIB, inodes=inodes) as disk:
        arguments = ("convert", source, "-o", disk.path / "pdfs")
        done = run(*arguments)
        assert (done.code, cloud.calls.total()) == (2, 0)
        assert "inodes left" in done.err or "No space left" in done.err
        assert "Restore" not in done.err
        disk.remount("nr_inodes=1000")
        assert run(*arguments).code == 0
