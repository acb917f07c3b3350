"""Long documents, made of one page again and again."""

from __future__ import annotations

import struct

from tests.support.djvu_files import SAMPLES, chunk


def book_of(pages: int) -> bytes:
    """A long document: the same page again and again, in a directory without names."""
    single = (SAMPLES / "bitonal.djvu").read_bytes()[4:]
    offsets, place = [], 16 + 8 + 3 + 4 * pages
    place += place & 1
    for _ in range(pages):
        offsets.append(place)
        place += len(single) + (len(single) & 1)
    table = struct.pack(f">BH{pages}I", 0x81, pages, *offsets)
    padded = single + b"\0" * (len(single) & 1)
    return b"AT&T" + chunk("FORM", b"DJVM" + chunk("DIRM", table) + padded * pages)
