from __future__ import annotations

import contextlib
import os
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.djvu.read.bundle import bundle
from batch_converter.djvu.read.bzz import BzzError, decompress
from batch_converter.djvu.read.directory import ComponentKind
from batch_converter.djvu.read.iff import ByteSource
from batch_converter.djvu.read.inspect import inspect, inspect_source
from batch_converter.errors import NotDjvuError, OutputError, UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.read.inspect import DjvuInfo

# Made by DjVuLibre's `bzz -e`.
THRICE = bytes.fromhex("ffffd1ff1bc21c98f05c0286164c729f533e2d5cdcf298457f")
NAMES = bytes.fromhex(
    "ffffcabf8a1fe7abd75e58de8e904eaaa917aaf1090d4765fa87a886dc952a6eb2d4aa44f54d82a4e892df"
)
OUTSIDE = bytes.fromhex("ffffecbf8a1fccf8beb5039915f111732b0270b02f")


def inspect_bytes(data: bytes) -> DjvuInfo:
    """Look at a document in memory."""
    return inspect_source(ByteSource("DjVu data", len(data), data=data), "")


def chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack(">I", len(data)) + data + b"\0" * (len(data) & 1)


def info(width: int = 640, height: int = 480, dpi: int = 300, flags: int = 1) -> bytes:
    return chunk(
        b"INFO", struct.pack(">HHBB", width, height, 26, 0) + struct.pack("<HBB", dpi, 22, flags)
    )


def form(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"FORM", kind + b"".join(chunks))


def single(*chunks: bytes) -> bytes:
    return b"AT&T" + form(b"DJVU", *chunks)


def bundled(*components: bytes, names: bytes = NAMES) -> bytes:
    offset = 16 + 8 + 3 + 4 * len(components) + len(names)
    offset += offset & 1
    offsets = []
    for component in components:
        offsets.append(offset)
        offset += len(component)
    table = struct.pack(f">BH{len(offsets)}I", 0x81, len(offsets), *offsets)
    return b"AT&T" + form(b"DJVM", chunk(b"DIRM", table + names), *components)


def three() -> tuple[bytes, bytes, bytes]:
    return (
        form(b"DJVI", chunk(b"Djbz", b"shapes")),
        form(b"DJVU", info(), chunk(b"TXTz", b"text")),
        form(b"DJVU", info(100, 200, dpi=1, flags=6)),
    )


@pytest.fixture
def indirect(tmp_path: Path) -> Path:
    index = tmp_path / "index.djvu"
    index.write_bytes(
        b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x01\x00\x03" + NAMES), chunk(b"NAVM", b"outline"))
    )
    for name, part in zip(("dict.djvi", "p1.djvu", "two.djvu"), three(), strict=True):
        (tmp_path / name).write_bytes(b"AT&T" + part)
    return index


def test_bzz_streams_of_djvulibre_decode() -> None:
    assert decompress(THRICE, max_bytes=100) == b"batch converter" * 3
    assert decompress(b"", max_bytes=0) == b""


def test_a_bzz_stream_is_stopped_at_its_limit() -> None:
    with pytest.raises(BzzError):
        decompress(THRICE, max_bytes=44)


@given(st.binary(max_size=200))
@settings(max_examples=100)
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(BzzError):
        assert len(decompress(data, max_bytes=2000)) <= 2000


def test_a_single_page() -> None:
    found = inspect_bytes(single(info(300, 200, 150), chunk(b"Sjbz", b"abc")))
    page = found.pages[0]
    assert (found.page_count, found.bundled, found.has_text) == (1, True, False)
    assert (page.width, page.height, page.dpi, page.whole) == (300, 200, 150, True)
    assert page.chunks == ("INFO", "Sjbz")


@pytest.mark.parametrize(("flags", "degrees"), [(1, 0), (6, 90), (2, 180), (5, 270), (0, 0)])
def test_rotations(flags: int, degrees: int) -> None:
    assert inspect_bytes(single(info(flags=flags))).pages[0].rotation_deg == degrees


def test_a_senseless_resolution_counts_as_300() -> None:
    page = inspect_bytes(single(info(dpi=1))).pages[0]
    assert (page.stated_dpi, page.dpi) == (1, 300)


def test_a_short_info_chunk_leaves_the_rest_open() -> None:
    page = inspect_bytes(single(chunk(b"INFO", b"\x01\x00\x02\x00\x11"))).pages[0]
    assert (page.width, page.height, page.stated_dpi, page.dpi) == (256, 512, 0, 300)


def test_a_bundled_document_with_its_names() -> None:
    found = inspect_bytes(bundled(*three()))
    pages = [each for each in found.components if each.kind is ComponentKind.PAGE]
    assert [(each.id, each.title) for each in pages] == [
        ("p1.djvu", "Ř i"),
        ("p2.djvu", "p2.djvu"),
    ]
    assert [(p.width, p.dpi, p.rotation_deg) for p in found.pages] == [
        (640, 300, 0),
        (100, 300, 90),
    ]
    assert found.has_text


def test_pages_are_counted_without_names(tmp_path: Path) -> None:
    path = tmp_path / "a.djvu"
    path.write_bytes(bundled(*three(), names=b"no bzz stream"))
    found = inspect(path)
    assert (found.page_count, found.components, found.is_counted) == (2, (), True)


def test_a_page_that_is_not_where_the_directory_says_still_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.djvu"
    data = bytearray(bundled(*three()))
    data[16 + 8 + 3 + 8 : 16 + 8 + 3 + 12] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    found = inspect(path)
    assert [page.whole for page in found.pages] == [True, False]


def test_a_chunk_longer_than_its_page_is_told() -> None:
    page = inspect_bytes(single(info(), b"BG44\x7f\xff\xff\xff" + b"\0" * 10)).pages[0]
    assert (page.whole, page.width) == (False, 640)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"%PDF-1.7 and so on and on", "AT&TFORM"),
        (b"AT&TFORM", "AT&TFORM"),
        (single(info())[:-1], "cut off"),
        (b"AT&T" + form(b"DJVI", chunk(b"Djbz", b"x")), "no document"),
        (b"AT&T" + form(b"DJVM"), "no page directory"),
        (b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x81\x00")), "damaged page directory"),
        (b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x81\xff\xff\0")), "damaged page directory"),
        (b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x01\x00\x03\0\0")), "damaged page directory"),
        (b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x81\x00\x00")), "no pages"),
    ],
)
def test_what_is_no_djvu_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(NotDjvuError, match=says):
        inspect_bytes(data)


@given(st.binary(max_size=60), st.integers(0, 60))
@settings(max_examples=200)
def test_damaged_headers_are_read_or_refused(damage: bytes, place: int) -> None:
    data = bytearray(bundled(*three()))
    data[place : place + len(damage)] = damage
    with contextlib.suppress(NotDjvuError):
        assert inspect_bytes(bytes(data)).page_count > 0


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.djvu"
    os.mkfifo(fifo)
    for path in (tmp_path / "missing.djvu", tmp_path, fifo):
        with pytest.raises(UnreadableError, match=path.name):
            inspect(path)


def test_an_indirect_document_counts_the_pages_of_its_parts(indirect: Path) -> None:
    found = inspect(indirect)
    assert (found.bundled, found.page_count, found.has_text) == (False, 2, True)


def test_missing_parts_are_named(indirect: Path) -> None:
    (indirect.parent / "two.djvu").unlink()
    with pytest.raises(NotDjvuError, match=r"two\.djvu"):
        inspect(indirect)


def test_damaged_parts_are_told(indirect: Path) -> None:
    (indirect.parent / "two.djvu").write_bytes(b"nothing of the kind")
    faults = [page.fault for page in inspect(indirect).pages]
    assert faults[0] == ""
    assert faults[1].startswith("two.djvu is no DjVu file")


def test_parts_are_never_looked_for_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "below"
    folder.mkdir()
    (tmp_path / "p1.djvu").write_bytes(single(info()))
    index = folder / "index.djvu"
    index.write_bytes(b"AT&T" + form(b"DJVM", chunk(b"DIRM", b"\x01\x00\x01" + OUTSIDE)))
    with pytest.raises(NotDjvuError, match="beside it"):
        inspect(index)


def test_bundling_gives_the_same_document_in_one_file(indirect: Path, tmp_path: Path) -> None:
    target = tmp_path / "bundle.djvu"
    bundle(indirect, target)
    whole, parts = inspect(target), inspect(indirect)
    assert whole.bundled
    assert (whole.pages, whole.components) == (parts.pages, parts.components)
    assert b"NAVM\x00\x00\x00\x07outline" in target.read_bytes()


def test_bundling_a_document_that_is_a_part_is_refused(indirect: Path, tmp_path: Path) -> None:
    (indirect.parent / "two.djvu").write_bytes(bundled(*three()))
    with pytest.raises(NotDjvuError, match=r"two\.djvu"):
        bundle(indirect, tmp_path / "bundle.djvu")
    with pytest.raises(NotDjvuError, match="no page directory"):
        bundle(indirect.parent / "p1.djvu", tmp_path / "bundle.djvu")


def test_bundling_onto_a_full_disk_is_an_output_error(indirect: Path) -> None:
    with pytest.raises(OutputError):
        bundle(indirect, "/dev/full")
