"""What the C library does with memory that was given back."""

from __future__ import annotations

from typing import Final

_LARGEST_KEPT_BYTES: Final = 24 << 20


def keep_freed_memory() -> None:
    """Have freed blocks of up to 24 MiB used again, where the C library is glibc.

    It begins by handing each block of more than 128 KiB back to the system, which then
    gives, page by page, new and empty memory to the next: streaming a PDF in pieces of
    such a size spends more time on that than on decoding. glibc raises its limit to the
    largest block that it has seen freed (mallopt(3), M_MMAP_THRESHOLD), so it is shown
    one, which is never touched and so takes no room. Elsewhere this does nothing.
    """
    bytes(_LARGEST_KEPT_BYTES)
