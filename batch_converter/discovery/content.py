"""What a file is by its first bytes, whatever its name. Nothing behind them is looked at."""

from __future__ import annotations

import os
from typing import Final

MAGIC: Final = b"AT&TFORM"
"""What every DjVu begins with."""

HEAD_BYTES: Final = 32
"""Of these `is_head_of_index` and the others can tell all that they tell."""

_KIND: Final = slice(12, 16)  # behind the form's length (DjVu3 spec 8.1.1)
_PARTS: Final = frozenset({b"DJVI", b"THUM"})
_SEVERAL: Final = b"DJVM"
_FIRST_CHUNK: Final = slice(16, 20)
_DIRECTORY: Final = b"DIRM"
_FLAGS_AT: Final = 24  # behind that chunk's length
_BUNDLED_FLAG: Final = 0x80


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
    return head.startswith(MAGIC) and head[_KIND] not in _PARTS


def is_head_of_several(head: bytes) -> bool:
    """Whether a file begins as a document of several components: a bundle or an index."""
    return head.startswith(MAGIC) and head[_KIND] == _SEVERAL


def is_head_of_index(head: bytes) -> bool:
    """Whether a file begins as an index, whose directory says that its pages are elsewhere.

    The directory is the first chunk; of its flags the highest is that of a bundle (DjVu3
    spec 8.3.2).
    """
    is_directory = is_head_of_several(head) and head[_FIRST_CHUNK] == _DIRECTORY
    return is_directory and len(head) > _FLAGS_AT and not head[_FLAGS_AT] & _BUNDLED_FLAG
