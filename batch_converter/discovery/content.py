"""What a file is by its first bytes, whatever its name. Nothing behind them is looked at."""

from __future__ import annotations

import os
from typing import Final

_MAGIC: Final = b"AT&TFORM"
_KIND: Final = slice(12, 16)  # behind the form's length (DjVu3 spec 8.1.1)
_PARTS: Final = frozenset({b"DJVI", b"THUM"})


def begins_like_a_document(path: str) -> bool:
    """Tell whether a file begins like a DjVu that may be a document.

    One that says there that it is shared data or thumbnails is a part of an indirect
    document, and was never meant to be opened alone.

    Raises:
        OSError: It cannot be opened or read.
    """
    # Should a FIFO have taken the file's place meanwhile, nobody waits for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb", buffering=_KIND.stop) as file:
        beginning = file.read(_KIND.stop) or b""
    return is_head_of_document(beginning)


def is_head_of_document(head: bytes) -> bool:
    """Tell the same of the first bytes of a file, at least 16 of them."""
    return head.startswith(_MAGIC) and head[_KIND] not in _PARTS
