"""A file's bytes as buffers that are no memory of the process's own."""

from __future__ import annotations

import mmap
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE_BYTES: Final = 1 << 20
_FEW_BYTES: Final = 32 << 20
_GIVE_BACK_EVERY_S: Final = 0.02
_GIVE_BACK: Final[int | None] = getattr(mmap, "MADV_DONTNEED", None)


@contextmanager
def mapped_pieces(file: Path) -> Iterator[Iterator[memoryview]]:
    """Lend the bytes of a file that is not empty, mapped, in pieces.

    Whoever sends them holds all pieces at once and reads them one after the other, more than
    once where it signs or tries again. Pages that it has read would count as the process's
    memory until the end: those of a long file are given back meanwhile, over and over; what
    is read again comes from the system's cache.
    """
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    view, done = memoryview(mapped), threading.Event()
    if len(mapped) > _FEW_BYTES and _GIVE_BACK is not None:
        with suppress(RuntimeError):  # the system has no more threads: it gets its pages later
            threading.Thread(
                target=_give_back, args=(mapped, _GIVE_BACK, done), name="mapped-file", daemon=True
            ).start()
    try:
        yield (view[at : at + _PIECE_BYTES] for at in range(0, len(view), _PIECE_BYTES))
    finally:
        done.set()


def _give_back(mapped: mmap.mmap, advice: int, done: threading.Event) -> None:
    while not done.wait(_GIVE_BACK_EVERY_S):
        mapped.madvise(advice)
