"""Settings of glibc's allocator: what it does with memory that was freed."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_LARGEST_KEPT_BYTES: Final = 24 << 20
_KEPT_BYTES: Final = 2 * _LARGEST_KEPT_BYTES
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def keep_freed_memory() -> None:
    """Make glibc keep freed memory and share one heap among threads; elsewhere do nothing.

    By itself it hands a block of more than 128 KiB back to the system and faults in
    new pages for the next: streaming a PDF in pieces of such a size spent more time on
    that than on decoding. And it gives each thread a heap of its own, whose gaps only
    that thread can fill, so that a run over many files grows slowly. Settings and their
    numbers: mallopt(3). To be called before there are threads.
    """
    if not _is_glibc():
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    libc.mallopt(_M_ARENA_MAX, 1)


def _is_glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):  # another system, or another C library
        return False
