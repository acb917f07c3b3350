"""What a worker does before and between its jobs with memory that it no longer needs."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_KEPT_BYTES: Final = 192 << 20
_PAGES: Final = Path("/proc/self/statm")


def give_back_freed_memory() -> None:
    """Hand what was freed to the system, where it is much; elsewhere than on glibc do nothing.

    The allocator is told to keep it, since each page of a document wants it again; but of a
    worker that has drawn one large scan half a gigabyte would stay for good, and of one that has
    compiled the kernels what the compiler took. What a usual document
    needs is kept: to fault it in again takes longer than a small one.
    """
    with suppress(OSError, ValueError, AttributeError):  # no /proc; no such function
        _, resident, of_files, *_ = map(int, _PAGES.read_text("ascii").split())
        if (resident - of_files) * os.sysconf("SC_PAGE_SIZE") > _KEPT_BYTES:
            ctypes.CDLL(None).malloc_trim(0)
