"""Large files read piece by piece, beside an event loop that goes on."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import aiofiles

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.threads import DiskThreads

PIECE_BYTES: Final = 1 << 20
"""Hashing as much takes some hundred times as long as the way to a thread."""


async def hash_file_in(threads: DiskThreads, path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, read in the threads.

    It can be cancelled between two pieces, however large the file is.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    async with aiofiles.open(path, "rb", buffering=0, executor=threads.executor) as file:
        while piece := await file.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
