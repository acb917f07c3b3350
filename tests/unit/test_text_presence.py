from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batch_converter.djvu.read.text_presence import has_words
from tests.support.djvu_files import chunk, info, page, with_text, zone

if TYPE_CHECKING:
    from pathlib import Path


def plain_text(text: bytes) -> bytes:
    """A text chunk that is not packed, without zones."""
    return chunk("TXTa", len(text).to_bytes(3, "big") + text + b"\1")


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return os.fspath(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", False),
        (b" ", False),
        (b"\n\x0b\x1d\x1f\0 ", False),
        (b"x", True),
        (b" \n.", True),
        ("\u0436".encode(), True),
        (b" " * 5000, True),  # longer than white space is looked at
    ],
)
def test_white_space_is_no_text(tmp_path: Path, text: bytes, *, expected: bool) -> None:
    data = page(info(), plain_text(text))

    assert has_words(written(tmp_path / "x.djvu", data)) == expected


@pytest.mark.parametrize("text", ["", " ", "word", "two words"])
def test_packed_text_is_looked_into(tmp_path: Path, text: str) -> None:
    data = with_text(text, [zone("Page", (0, 0, 1240, 1748), text)])

    assert has_words(written(tmp_path / "x.djvu", data)) == bool(text.strip())


@pytest.mark.parametrize("chunks", [[], [chunk("TXTz", b"no such stream")], [chunk("TXTa", b"")]])
def test_a_page_without_text_or_with_a_damaged_one_has_none(
    tmp_path: Path, chunks: list[bytes]
) -> None:
    assert not has_words(written(tmp_path / "x.djvu", page(info(), *chunks)))


def test_text_on_any_page_counts(tmp_path: Path) -> None:
    empty, told = page(info(), plain_text(b" ")), page(info(), plain_text(b"x"))

    def bundle(*pages: bytes) -> bytes:
        """The pages one after another; the directory is not looked at for text."""
        head, place, offsets = 12 + 12 + 3 + 4 * len(pages), 0, []
        place = head + (head & 1)
        for data in pages:
            offsets.append(place.to_bytes(4, "big"))
            place += len(data) - 4
        table = b"\x81" + len(pages).to_bytes(2, "big") + b"".join(offsets)
        body = b"DJVM" + chunk("DIRM", table) + b"".join(data[4:] for data in pages)
        return b"AT&T" + chunk("FORM", body)

    assert has_words(written(tmp_path / "x.djvu", bundle(empty, told, empty)))
    assert not has_words(written(tmp_path / "y.djvu", bundle(empty, empty)))


def test_what_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert not has_words(os.fspath(tmp_path / "none.djvu"))
    assert not has_words(written(tmp_path / "x.djvu", b"%PDF-1.7"))
