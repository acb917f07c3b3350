"""A file's bytes in mapped pieces."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from batch_converter.objects import mapped_file
from batch_converter.objects.mapped_file import mapped_pieces

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size_bytes", [1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_the_pieces_are_the_file_also_while_its_pages_are_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int
) -> None:
    monkeypatch.setattr(mapped_file, "_FEW_BYTES", 1 << 20)
    monkeypatch.setattr(mapped_file, "_GIVE_BACK_EVERY_S", 0)
    path = tmp_path / "x"
    data = os.urandom(size_bytes)
    path.write_bytes(data)
    with mapped_pieces(path) as lent:
        pieces = list(lent)
        assert all(len(piece) <= 1 << 20 for piece in pieces)
        for _ in range(20):
            assert b"".join(pieces) == data
    assert b"".join(pieces) == data


def test_it_goes_on_where_no_thread_can_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(mapped_file, "_FEW_BYTES", 0)
    monkeypatch.setattr("threading.Thread.start", refuse)
    (tmp_path / "x").write_bytes(b"data")
    with mapped_pieces(tmp_path / "x") as pieces:
        assert b"".join(pieces) == b"data"
