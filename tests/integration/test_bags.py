"""Bags: what is in them and what is not, and that they are there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from filelock import FileLock
from hypothesis import example, given
from hypothesis import strategies as st

from batch_converter.bags import Bag, make_bag
from batch_converter.bags.names import manifest_path, obstacle
from batch_converter.clock import SystemClock
from batch_converter.config import Settings
from batch_converter.errors import LedgerError, OutputError, UsageError
from batch_converter.models import FileStatus, StoredPdf
from batch_converter.state import ledger_path
from tests.support.ledgers import ENGINE, NOON, admitted, opened, report, source_file

if TYPE_CHECKING:
    from collections.abc import Mapping

BAGIT = Path(sys.executable).with_name("bagit.py")


def settings_of(output: Path) -> Settings:
    return Settings.model_validate({"output": {"dir": output}})


def convert(output: Path, pdfs: Mapping[str, bytes]) -> Settings:
    """Write PDFs, and have a ledger say that they are what it knows."""
    settings = settings_of(output)
    ledger_path(settings).parent.mkdir(parents=True)
    for name, data in pdfs.items():
        path = output / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    anyio.run(_record, settings, pdfs)
    return settings


async def _record(settings: Settings, pdfs: Mapping[str, bytes]) -> None:
    async with opened(ledger_path(settings)) as ledger:
        files = [source_file(name.removesuffix(".pdf") + ".djvu") for name in pdfs]
        for document in (await admitted(ledger, *files)).values():
            data = pdfs[document.output]
            digest = hashlib.sha256(data).hexdigest()
            stored = StoredPdf(sha256=digest, size_bytes=len(data), pages=1)
            entry = report(document, FileStatus.CONVERTED)
            await ledger.converted(document, stored, entry, at=NOON, engine=ENGINE, options="0")


def made(folder: Path, settings: Settings) -> tuple[Bag, dict[str, str]]:
    """Return the bag, and what was told of PDFs that are not in it."""
    told: dict[str, str] = {}
    return make_bag(folder, settings, on_left_out=told.__setitem__), told


def validate(bag: Path) -> None:
    command: list[str | Path] = [sys.executable, "-Wignore", BAGIT, "--validate", bag]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def decoded(line: str) -> str:
    """Return the path of a manifest's line as RFC 8493 2.1.3 has it."""
    _, _, path = line.partition("  ")
    return re.sub("%(0[AD]|25)", lambda m: chr(int(m[1], 16)), path, flags=re.IGNORECASE)


def test_what_the_ledger_knows_is_in_the_bag(tmp_path: Path) -> None:
    pdfs = {
        "a.pdf": b"1",
        "sub/deep/b.pdf": b"22",
        "sub/a  b .pdf": b"",
        "Žluť/кот.pdf": b"4444",
        unicodedata.normalize("NFD", "é.pdf"): b"5" * (3 << 20),
        "line\nbreak\r.pdf": b"6",
        "# * \\ ' ~.pdf": b"7",
    }
    settings = convert(tmp_path / "pdfs", pdfs)
    os.utime(tmp_path / "pdfs/a.pdf", ns=(1, 1_000_000_000))
    (tmp_path / "pdfs/stranger.pdf").write_bytes(b"not the ledger's")
    bag, told = made(tmp_path / "new/bag", settings)
    assert told == {}
    n_bytes = sum(map(len, pdfs.values()))
    expected = Bag(path=tmp_path / "new/bag", pdfs=7, payload_bytes=n_bytes, left_out=0)
    assert bag == expected
    validate(bag.path)
    assert tree(bag.path / "data") == pdfs
    assert (bag.path / "data/a.pdf").stat().st_mtime == 1
    assert tree(tmp_path / "pdfs").keys() >= pdfs.keys()  # copied, not moved
    assert names(bag.path) == {
        *("bagit.txt", "bag-info.txt", "data", "manifest-sha256.txt", "tagmanifest-sha256.txt")
    }
    text = (bag.path / "bagit.txt").read_text()
    assert text == "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    manifest = (bag.path / "manifest-sha256.txt").read_text(encoding="utf-8")
    assert {decoded(line) for line in manifest.splitlines()} == {f"data/{name}" for name in pdfs}
    info = dict(line.split(": ") for line in (bag.path / "bag-info.txt").read_text().splitlines())
    assert info.keys() == {"Bag-Software-Agent", "Bagging-Date", "Payload-Oxum"}
    assert info["Payload-Oxum"] == f"{n_bytes}.7"
    assert datetime.fromisoformat(info["Bagging-Date"]).date() <= SystemClock().now().date()
    assert names(tmp_path / "new") == {"bag"}


def test_a_percent_sign_stands_for_itself_in_the_version_that_says_so(tmp_path: Path) -> None:
    pdfs = {"100%.pdf": b"1", "a%20b%25.pdf": b"2", "line\nbreak.pdf": b"3"}
    bag, told = made(tmp_path / "bag", convert(tmp_path / "pdfs", pdfs))
    assert told == {}
    validate(bag.path)
    assert tree(bag.path / "data") == pdfs
    assert (bag.path / "bagit.txt").read_text().startswith("BagIt-Version: 0.97\n")


def test_what_is_not_as_recorded_is_left_out_and_told(tmp_path: Path) -> None:
    stems = ["good", "gone", "gone/too", "differs", "longer", "folder", "pipe"]
    output = tmp_path / "pdfs"
    settings = convert(output, {f"{name}.pdf": b"%PDF" for name in stems})
    (output / "gone.pdf").unlink()
    (output / "gone/too.pdf").unlink()
    (output / "differs.pdf").write_bytes(b"%PdF")
    (output / "longer.pdf").write_bytes(b"%PDF\n")
    (output / "folder.pdf").unlink()
    (output / "folder.pdf").mkdir()
    (output / "pipe.pdf").unlink()
    os.mkfifo(output / "pipe.pdf")
    bag, told = made(tmp_path / "bag", settings)
    assert {name: reason.replace(f"{output}/", "") for name, reason in told.items()} == {
        "gone.pdf": "missing",
        "gone/too.pdf": "missing",
        "differs.pdf": "differs from what was recorded",
        "longer.pdf": "differs from what was recorded",
        "folder.pdf": "folder.pdf cannot be read: Is a directory",
        "pipe.pdf": "pipe.pdf is no file",
    }
    assert (bag.pdfs, bag.payload_bytes, bag.left_out) == (1, 4, 6)
    validate(bag.path)
    assert tree(bag.path / "data") == {"good.pdf": b"%PDF"}
    assert names(bag.path / "data") == {"good.pdf"}  # nor an empty folder


ODD = {
    b"caf\xe9.pdf": "not UTF-8",
    b"a%0Ab.pdf": "%0A",
    b"a%0db.pdf": "%0A",
    b"1\n2\n3\n.pdf": "line breaks",
    "a\u2028b.pdf".encode(): "control character",
    b"a\x0cb.pdf": "control character",
}


def test_a_name_that_readers_would_take_for_another_is_left_out(tmp_path: Path) -> None:
    pdfs = {os.fsdecode(name): b"1" for name in ODD} | {"good.pdf": b"2"}
    bag, told = made(tmp_path / "bag", convert(tmp_path / "pdfs", pdfs))
    validate(bag.path)
    assert tree(bag.path / "data") == {"good.pdf": b"2"}
    assert told.keys() == pdfs.keys() - {"good.pdf"}
    for name, reason in ODD.items():
        assert reason in told[os.fsdecode(name)]


PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1).map("{}.pdf".format)


@given(PATHS)
@example("1\n2\n.pdf")
@example("1\r2\r3\r.pdf")
@example("%0a.pdf")
@example("%\n0A.pdf")
def test_a_line_of_the_manifest_says_one_path_to_the_rfc_and_to_bagit_py(path: str) -> None:
    if obstacle(path) is not None:
        return
    line = f"{'0' * 64}  {manifest_path(path)}"
    assert len(line.splitlines()) == 1
    _, read = line.strip().split(None, 1)
    for char, escape in (("\r", "%0D"), ("\n", "%0A")):
        read = read.replace(escape, char, 2)
    assert read == f"data/{path}"
    if "%" not in path:
        assert decoded(line) == f"data/{path}"


@pytest.mark.parametrize("kind", ["file", "full", "dangling", "looped"])
def test_a_bag_takes_no_place_that_is_taken(kind: str, tmp_path: Path) -> None:
    settings = convert(tmp_path / "pdfs", {"a.pdf": b"1"})
    bag = tmp_path / "bag"
    if kind == "dangling":
        bag.symlink_to("elsewhere")
        made(bag, settings)
        validate(tmp_path / "elsewhere")
        return
    if kind == "looped":
        bag.symlink_to("bag")
    elif kind == "file":
        bag.touch()
    else:
        bag.mkdir()
        (bag / "mine").touch()
    with pytest.raises(UsageError, match=f"{bag} (is|cannot)"):
        made(bag, settings)
    assert names(tmp_path) == {"bag", "pdfs"}


def test_an_empty_folder_and_one_in_the_output_are_places(tmp_path: Path) -> None:
    settings = convert(tmp_path / "pdfs", {"a.pdf": b"1"})
    with pytest.raises(UsageError, match="a folder of this machine"):
        make_bag("s3://bucket/bag", settings)
    (tmp_path / "bag").mkdir()
    made(tmp_path / "bag", settings)
    validate(tmp_path / "bag")
    made(tmp_path / "pdfs/bag", settings)
    assert tree(tmp_path / "pdfs/bag/data") == {"a.pdf": b"1"}


def test_without_a_pdf_there_is_no_bag(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        made(tmp_path / "bag", settings_of(tmp_path / "nowhere"))
    empty = convert(tmp_path / "empty", {})
    with pytest.raises(UsageError, match="no PDF"):
        made(tmp_path / "bag", empty)
    settings = convert(tmp_path / "pdfs", {"a.pdf": b"1"})
    (tmp_path / "pdfs/a.pdf").unlink()
    with pytest.raises(OutputError, match="mounted"):
        made(tmp_path / "bag", settings)
    assert names(tmp_path) == {"empty", "pdfs"}


def test_what_a_dead_process_has_left_goes_and_what_is_at_work_stays(tmp_path: Path) -> None:
    settings = convert(tmp_path / "pdfs", {"a.pdf": b"1"})
    seen: list[Path] = []

    def look(_output: str, _reason: str) -> None:
        seen.extend(path for path in tmp_path.iterdir() if path.name.startswith(".batch"))
        raise KeyboardInterrupt

    (tmp_path / "pdfs/a.pdf").write_bytes(b"2")
    with pytest.raises(KeyboardInterrupt):
        make_bag(tmp_path / "bag", settings, on_left_out=look)
    (tmp_path / "pdfs/a.pdf").write_bytes(b"1")
    (hidden,) = seen
    assert not hidden.exists()
    dead, alive = (
        hidden.with_name(f"{hidden.name[:-13]}{name}.part") for name in ("dead", "alive")
    )
    other = hidden.with_name(f".batch-converter-bag-{'0' * 16}-dead.part")
    for left in (dead, alive, other):
        (left / "bag/data").mkdir(parents=True)
    named, naming = (hidden.with_name(f".batch-converter-bag-{n * 16}-a.part") for n in "12")
    for left in (named, naming):  # whose bags of another name have got it
        left.mkdir()
    with FileLock(alive / "lock", blocking=False), FileLock(naming / "lock", blocking=False):
        made(tmp_path / "bag", settings)
    assert names(tmp_path) == {alive.name, naming.name, other.name, "bag", "pdfs"}


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("", "x"),
        (" Contact-Name", "x"),
        ("Contact: Name", "x"),
        ("Contact\nName", "x"),
        ("Contact-Name", "x\nPayload-Oxum: 0.0"),
        ("Contact-Name", "\udcff"),
        ("payload-oxum", "1.1"),
        ("Bagging-Date", "today"),
    ],
)
def test_what_cannot_stand_in_bag_info_is_refused(label: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(label))):
        make_bag(tmp_path / "bag", settings_of(tmp_path), info=[(label, value)])


def test_what_the_user_says_of_the_bag_stands_in_it(tmp_path: Path) -> None:
    settings = convert(tmp_path / "pdfs", {"a.pdf": b"1"})
    info = [("Source-Organization", "Ústav: č. 1"), ("Contact-Name", "A"), ("Contact-Name", "B")]
    make_bag(tmp_path / "bag", settings, info=info)
    validate(tmp_path / "bag")
    text = (tmp_path / "bag/bag-info.txt").read_text(encoding="utf-8")
    assert text.startswith("Source-Organization: Ústav: č. 1\nContact-Name: A\nContact-Name: B\n")
