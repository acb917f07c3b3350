"""The embedded engine, the service on it, and the same PDFs through both."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pikepdf
import pytest
from pikepdf import pdfa

from tests.support.command import Running, run, sha256sum_accepts, started
from tests.support.djvu_files import chunk, info
from tests.support.djvu_files import page as djvu_page
from tests.support.pdfs import make_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path("samples")
FAST_POLLS = {"BATCH_CONVERTER_POLLING__INTERVAL": "0.05"}


def pages(pdf: Path) -> int:
    """Count pages with a library that the engine did not write."""
    with pikepdf.open(pdf) as opened:
        return len(opened.pages)


def test_a_folder_of_samples_becomes_pdfs_offline(output: Path, tmp_path: Path) -> None:
    report, manifest = tmp_path / "report.json", tmp_path / "manifest"
    reports = ("--report", report, "--manifest", manifest)
    done = run("convert", SAMPLES, Path("tests/data/broken.djvu"), "-o", output, *reports)

    assert done.code == 1
    content = json.loads(report.read_bytes())
    assert content["engine"] == "local"
    assert content["api_calls"] == dict.fromkeys(("token", "submit", "poll", "cancel", "billed"), 0)
    files = {file["source"]: file for file in content["files"]}
    assert files["broken.djvu"]["status"] == "failed"
    assert files["broken.djvu"]["error"]["code"] in {"not_djvu", "engine_error"}
    assert set(files) - {"broken.djvu"} == {path.name for path in SAMPLES.glob("*.djvu")}
    for path in SAMPLES.glob("*.djvu"):
        file = files[path.name]
        assert file["status"] == "converted"
        assert file["attempts"] == 1
        assert pages(output / file["output"]) == file["pages"]
    assert sha256sum_accepts(manifest, output)
    assert re.search(r"Converted \d+ of \d+ files", done.out)

    again = run("convert", SAMPLES, "-o", output, "--json")
    assert again.code == 0
    assert again.json["totals"]["skipped"] == len(files) - 1


def test_pages_that_are_kept_blank_are_counted_and_named(source: Path, output: Path) -> None:
    data = bytearray((SAMPLES / "book.djvu").read_bytes())
    place = data.rindex(b"Sjbz") + 8
    data[place : place + 40] = bytes(40)
    (source / "book.djvu").write_bytes(data)
    (source / "whole.djvu").write_bytes((SAMPLES / "book.djvu").read_bytes())
    command = ("convert", source, "-o", output, "--engine", "local", "--retry-failed")

    refused = run(*command, "--json")
    kept = run(*command, env={"BATCH_CONVERTER_LOCAL__ON_DAMAGE": "keep"})

    assert refused.code == 1
    assert refused.json["totals"]["with_warnings"] == 0
    assert kept.code == 0
    assert "With warnings (1):\n  book.djvu: page 6 is blank" in kept.out
    assert kept.named("file.warned")[0]["source"] == "book.djvu"
    assert run("status", "-o", output, "--json").json["totals"]["with_warnings"] == 1


def test_archives_are_checked_before_they_are_published(source: Path, output: Path) -> None:
    (source / "book.djvu").write_bytes((SAMPLES / "book.djvu").read_bytes())
    long_note = b'(maparea "" "%s" (rect 9 9 9 9))' % (b"x" * 40_000)
    (source / "never.djvu").write_bytes(djvu_page(info(), chunk("ANTa", long_note)))
    command = ("convert", source, "-o", output, "--engine", "local", "--json", "--retry-failed")
    archival = {"BATCH_CONVERTER_LOCAL__PDFA": "true"}

    archived = run(*command, env=archival)
    before = (output / "book.pdf").read_bytes()
    again = run(*command, env=archival)

    assert archived.code == 1
    (failed,) = archived.named("file.failed")
    assert failed["source"] == "never.djvu"
    assert failed["code"] == "engine_error"
    assert "it cannot be PDF/A-2b: page 1: " in failed["message"]
    assert "local.pdfa = false" in failed["message"]
    assert [path.name for path in output.glob("*.pdf")] == ["book.pdf"]
    assert pdfa.validate_written(output / "book.pdf", "2b").passed
    assert again.json["totals"]["skipped"] == 1
    assert (output / "book.pdf").read_bytes() == before

    plain = run(*command)
    assert plain.code == 0
    assert plain.json["totals"]["converted"] == 2  # as with any option that changes PDFs
    assert not pdfa.validate_written(output / "book.pdf", "2b").passed


@pytest.mark.slow
def test_times_are_preserved_where_wanted(source: Path, output: Path) -> None:
    [path] = make_archive(source, 1)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    env = {"BATCH_CONVERTER_OUTPUT__PRESERVE_TIMES": "true"}
    assert run("convert", source, "-o", output, env=env).code == 0
    pdf = output / "00000.pdf"
    assert pdf.stat().st_mtime == 1_000_000_000

    os.utime(path, ns=(0, 1_234_567_890_123_456_789))
    touched = run("convert", source, "-o", output, "--preserve-times", "--json")
    assert touched.json["totals"]["skipped"] == 1  # the same bytes: the PDF is as it was
    assert pdf.stat().st_mtime == 1_000_000_000
    again = ("convert", source, "-o", output, "--overwrite", "always")
    assert run(*again, "--preserve-times").code == 0
    assert pdf.stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert run("convert", source, "-o", output, "--json").json["totals"]["skipped"] == 1
    assert run(*again).code == 0
    assert pdf.stat().st_mtime > 1_600_000_000


@pytest.mark.slow
def test_a_signal_ends_an_offline_run_too(source: Path, output: Path, tmp_path: Path) -> None:
    make_archive(source, 400)
    with started(tmp_path / "p", "convert", source, "-o", output, "--json") as process:
        process.wait_until(lambda: process.logged("file.converted"), "the first PDF")
        process.signal(signal.SIGINT)
        done = process.finish()
    assert done.code in {0, 130}  # it may have been quicker
    assert not list(output.glob("*.part"))
    resumed = run("convert", source, "-o", output, "--json")
    assert resumed.code == 0
    totals = resumed.json["totals"]
    assert totals["skipped"] == done.json["totals"]["converted"]
    assert totals["converted"] + totals["skipped"] == 400


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """`serve` with an account, and an environment that knows it."""
    monkeypatch.setenv("ASPOSE_CLIENT_ID", "me")
    monkeypatch.setenv("ASPOSE_CLIENT_SECRET", "my-secret-of-the-test")
    monkeypatch.setenv("BATCH_CONVERTER_SERVE__CLIENT_SECRET", "my-secret-of-the-test")
    account = ("--client-id", "me")
    with started(tmp_path / "serve", "serve", "--port", "0", *account) as service:
        service.wait_until(lambda: service.out, "the service")
        yield service


def address(service: Running) -> str:
    """Return where it listens, by its one line."""
    match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", service.out)
    assert match, service.out
    return match[1]


@pytest.mark.slow
def test_the_same_pdfs_come_through_the_service(
    service: Running, output: Path, tmp_path: Path
) -> None:
    url = ("--base-url", address(service))
    done = run("convert", SAMPLES, "-o", output, *url, "--json", env=FAST_POLLS)
    assert done.code == 0, done.err
    count = len(list(SAMPLES.glob("*.djvu")))
    assert done.json["engine"] == "aspose"
    assert done.json["totals"]["converted"] == count
    assert done.json["totals"]["with_warnings"] == 0  # sizes and text are those of the DjVu
    assert done.json["api_calls"]["submit"] == count
    assert done.json["api_calls"]["token"] == 1
    before = done.json["api_calls"]

    offline = tmp_path / "offline"
    assert run("convert", SAMPLES, "-o", offline, "--engine", "local").code == 0
    for path in SAMPLES.glob("*.djvu"):
        name = path.with_suffix(".pdf").name
        assert pages(output / name) == pages(offline / name)
        assert (output / name).read_bytes() == (offline / name).read_bytes()

    again = run("convert", SAMPLES, "-o", output, *url, "--json")
    assert again.code == 0
    assert again.json["api_calls"] == dict.fromkeys(before, 0)

    wrong = {"ASPOSE_CLIENT_SECRET": "not-my-secret"}
    refused = run("convert", SAMPLES, "-o", tmp_path / "no", *url, "--json", env=wrong)
    assert refused.code == 3
    assert run("doctor", "-o", output, *url).code == 0

    service.signal(signal.SIGTERM)
    stopped = service.finish()
    assert stopped.code in {0, 143}
    assert stopped.out.count("\n") == 1
    assert "my-secret-of-the-test" not in stopped.err
