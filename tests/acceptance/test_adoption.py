"""A ledger that was lost: PDFs that fit are adopted when asked, none is ever overwritten."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run
from tests.support.pdfs import djvu_bytes, make_archive, pdf_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

# Commands by the dozen, each of which other tests run as well.
pytestmark = pytest.mark.usefixtures("unmeasured_processes")


@pytest.mark.slow
def test_a_lost_ledger_is_rebuilt_from_the_pdfs_when_asked(
    cloud: Cloud, source: Path, output: Path
) -> None:
    paths = make_archive(source, 4)
    base = ("convert", source, "-o", output, "--json")
    assert run(*base).code == 0
    shutil.rmtree(output / ".batch-converter")
    before = cloud.bill()

    refused = run(*base)
    assert refused.code == 1
    assert refused.json["totals"]["failed"] == 4
    assert "--adopt" in refused.named("file.failed")[0]["message"]
    dry = run(*base, "--adopt", "--dry-run")
    assert dry.json["totals"]["skipped"] == 4
    adopted = run(*base, "--adopt")
    assert adopted.code == 0
    assert adopted.json["totals"]["skipped"] == 4
    assert len(adopted.named("file.adopted")) == 4
    assert run("verify", "-o", output).code == 0
    again = run(*base)
    assert again.code == 0
    assert again.json["totals"]["skipped"] == 4
    assert cloud.bill() == before

    paths[0].write_bytes(djvu_bytes(mark=b"changed since"))
    changed = run(*base)
    assert changed.json["totals"]["converted"] == 1
    assert changed.json["totals"]["skipped"] == 3


def test_a_time_that_was_preserved_may_have_been_rounded(
    cloud: Cloud, source: Path, output: Path
) -> None:
    """Other file systems keep times in 100 ns, in seconds, in two (FAT)."""
    paths = make_archive(source, 3)
    output.mkdir()
    second = 10**9
    for path, pdf_ns in zip(
        paths, (1_001 * second, 1_000 * second, 1_000 * second - 1), strict=True
    ):
        os.utime(path, ns=(0, 1_002 * second - 1))
        (output / f"{path.stem}.pdf").write_bytes(pdf_bytes())
        os.utime(output / f"{path.stem}.pdf", ns=(0, pdf_ns))
    command = ("convert", source, "-o", output, "--json", "--adopt", "--dry-run")

    assert run(*command).json["totals"]["failed"] == 3
    preserved = run(*command, "--preserve-times", "--files").json
    assert {file["source"]: file["action"] for file in preserved["files"]} == {
        "00000.djvu": "skip",
        "00001.djvu": "skip",
        "00002.djvu": "skip",
    }
    os.utime(paths[2], ns=(0, 1_002 * second))
    older = run(*command, "--preserve-times", "--files").json
    assert [f["source"] for f in older["files"] if f["action"] == "fail"] == ["00002.djvu"]
    assert not cloud.calls


def test_what_does_not_fit_is_neither_adopted_nor_overwritten(
    cloud: Cloud, source: Path, output: Path
) -> None:
    paths = make_archive(source, 5)
    output.mkdir()
    contents = {
        "00000": b"%PDF-1.7 and nothing more",
        "00001": pdf_bytes(2),
        "00002": pdf_bytes(),
        "00003": pdf_bytes(),
    }
    for name, content in contents.items():
        (output / f"{name}.pdf").write_bytes(content)
    os.utime(output / "00002.pdf", ns=(0, paths[2].stat().st_mtime_ns - 1))

    done = run("convert", source, "-o", output, "--json", "--adopt")

    assert done.code == 1
    messages = {line["source"]: line["message"] for line in done.named("file.failed")}
    assert sorted(messages) == ["00000.djvu", "00001.djvu", "00002.djvu"]
    assert "no end mark" in messages["00000.djvu"]
    assert "2 pages, the DjVu 1" in messages["00001.djvu"]
    assert "changed after it" in messages["00002.djvu"]
    assert {line["code"] for line in done.named("file.failed")} == {"output_error"}
    assert done.json["totals"]["skipped"] == done.json["totals"]["converted"] == 1
    for name, content in contents.items():
        assert (output / f"{name}.pdf").read_bytes() == content
    assert cloud.calls["submit"] == 1

    replaced = run("convert", source, "-o", output, "--json", "--overwrite", "always")
    assert replaced.code == 0
    assert replaced.json["totals"]["converted"] == 5
