from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.errors import ConfigError
from batch_converter.foreign_text import decoded, foreign_encoding, odd_space, read_text, trimmed

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "engine = 'local'\n# Zürich\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(mark: bytes) -> None:
    assert decoded(mark + TEXT.encode()) == TEXT


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wider_text_is_named_and_not_read_as_something_else(codec: str) -> None:
    with pytest.raises(ValueError, match=f"it is {codec.upper()[:6]} text; save it as UTF-8"):
        decoded(TEXT.encode(codec))


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\xff\xfea\0", "UTF-16"),
        (b"\xfe\xff\0a", "UTF-16"),
        (b"\xff\xfe\0\0a\0\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"/\0a\0.\0d\0j\0v\0u\0\n\0", "UTF-16"),
        (b"\0/\0a\0.\0d\0j\0v\0u\0\n", "UTF-16"),
        (b"", None),
        (b"a", None),
        (b"/a.djvu\0/b.djvu\0", None),
        (b"\xff\xfd", None),
        ("ü".encode("latin-1"), None),
    ],
)
def test_the_encoding_is_told_by_its_mark_or_its_nuls(beginning: bytes, name: str | None) -> None:
    assert foreign_encoding(beginning) == name


def test_what_is_no_utf_8_is_told_with_its_line_and_without_the_text() -> None:
    with pytest.raises(ValueError, match=r"not UTF-8 text \(line 3\); save it") as caught:
        decoded(b"one\ntwo\nt\xfcr-secret\n")
    assert caught.value.__suppress_context__
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "dirty",
    ["x\n", "x\r\n", "x\r", " x", "\tx ", "x\u00a0", "\ufeffx\n", "\u200b x \u2060\n", "x\0\n"],
)
def test_what_tools_leave_at_the_ends_is_taken_off(dirty: str) -> None:
    assert trimmed(dirty) == "x"


@given(st.text())
def test_trimming_is_done_once_and_takes_nothing_from_inside(text: str) -> None:
    kept = trimmed(text)
    assert trimmed(kept) == kept
    assert kept in text
    assert trimmed(f"a{text}b") == f"a{text}b"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 1\nb = 2", None),
        ("a = 1\nb\u00a0= 2", (2, "U+00A0")),
        ("\u3000a", (1, "U+3000")),
        ("a\n\nb\u200b", (3, "U+200B")),
    ],
)
def test_a_space_that_is_none_is_found(text: str, found: tuple[int, str] | None) -> None:
    assert odd_space(text) == found


@pytest.mark.parametrize(("size", "is_read"), [(100, True), (101, False)])
def test_a_file_that_is_too_long_is_not_read_to_its_end(
    tmp_path: Path, size: int, *, is_read: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    if is_read:
        assert read_text(path, "the file", max_bytes=100) == "x" * size
    else:
        with pytest.raises(ConfigError, match=r"cannot read the file .*more than 100 bytes"):
            read_text(path, "the file", max_bytes=100)
