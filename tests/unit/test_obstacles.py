"""Why files stay where they are although they were to be moved."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from batch_converter.djvu.work.inspection import DjvuInspector
from batch_converter.ledger import Keepable, Move
from batch_converter.orchestrator.moving_groups import FolderView, MovingGroup
from batch_converter.orchestrator.obstacles import Obstacles
from batch_converter.output import PdfStore
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def bind(path: Path) -> None:
    """Leave a socket that nobody listens to."""
    with closing(socket.socket(socket.AF_UNIX)) as bound:
        bound.bind(os.path.relpath(path))  # a name of 108 bytes at most


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"x"), None),
        (lambda path: path.touch(), "is empty"),
        pytest.param(lambda path: path.symlink_to(__file__), "is a link", id="link"),
        pytest.param(lambda path: path.symlink_to("nowhere"), "is a link", id="dangling"),
        (lambda path: path.mkdir(), "is a folder"),
        (os.mkfifo, "is a named pipe"),
        (bind, "is no file"),
    ],
)
def test_what_is_no_file_with_contents_is_said_to_be_what_it_is(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], object],
    reason: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "part.djvu"
    make(source)
    move = Move(document=None, source=f"{source}", target=f"{tmp_path}/done/a", folder="done")
    group = MovingGroup(family=DOCUMENT, documents=(), moves=(move,))
    pdfs = PdfStore(output_dir=tmp_path, state_dir=tmp_path, run_id="run", threads=DiskThreads(1))
    told = Obstacles(pdfs, sharded=False).of(group, FolderView(), DjvuInspector())
    expected = reason and f"{source} {reason}; only files with contents are moved"
    assert told == expected


DOCUMENT = Keepable(
    id=1,
    path="index.djvu",
    source="index.djvu",
    output="index.pdf",
    size_bytes=1,
    mtime_ns=1,
    pdf_bytes=1,
    source_sha256=None,
    parts_fingerprint=None,
    is_converted=True,
)
