"""The directory of a multi-page DjVu: which components there are, by what names."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.bzz import BzzError, decompress
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.djvu.iff import ByteSource, Chunk

_BUNDLED: Final = 0x80
_HAS_NAME: Final = 0x80
_HAS_TITLE: Final = 0x40
_KIND_BITS: Final = 0x3F
_MAX_NAMES_BYTES: Final = 4 << 20
_BYTES_A_COMPONENT: Final = 1024


class ComponentKind(IntEnum):
    """What a component is for, as the directory numbers it."""

    SHARED = 0
    PAGE = 1
    THUMBNAILS = 2
    SHARED_ANNOTATIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A line of the directory.

    Attributes:
        kind: None where the file was written by a program with other ideas.
        id: What bookmarks, links and `INCL` chunks call it.
        name: Its file's name in the indirect form; undecodable bytes are surrogates.
        title: The page's label for people; the id where it has none.
    """

    kind: ComponentKind | None
    id: str
    name: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What stands uncompressed at the head of a `DIRM` chunk.

    Attributes:
        count: Components, pages and others.
        offsets: Where each begins in a bundled file; empty for an indirect one.
        names_start: Where the compressed part begins.
    """

    count: int
    bundled: bool
    offsets: tuple[int, ...]
    names_start: int
    names_end: int


def read_directory(source: ByteSource, chunk: Chunk) -> Directory:
    """Read the uncompressed head of a `DIRM` chunk.

    Raises:
        NotDjvuError: It is cut off.
    """
    head = source.at(chunk.start, min(3, chunk.end - chunk.start))
    if len(head) < 3:  # noqa: PLR2004  # flags and count
        raise NotDjvuError(f"{source.name} has a damaged page directory")
    count = int.from_bytes(head[1:3], "big")
    bundled = bool(head[0] & _BUNDLED)
    table_bytes = 4 * count if bundled else 0
    table = source.at(chunk.start + 3, table_bytes)
    if len(table) < table_bytes or chunk.start + 3 + table_bytes > chunk.end:
        raise NotDjvuError(f"{source.name} has a damaged page directory")
    return Directory(
        count=count,
        bundled=bundled,
        offsets=struct.unpack(f">{len(table) // 4}I", table),
        names_start=chunk.start + 3 + table_bytes,
        names_end=chunk.end,
    )


def read_components(source: ByteSource, directory: Directory) -> tuple[Component, ...]:
    """Decode the names of all components: about 10 µs each.

    Raises:
        NotDjvuError: They are damaged, or more than `directory.count` can need.
    """
    packed_bytes = min(directory.names_end - directory.names_start, _MAX_NAMES_BYTES)
    limit = min(_MAX_NAMES_BYTES, _BYTES_A_COMPONENT * (directory.count + 1))
    try:
        plain = decompress(source.at(directory.names_start, packed_bytes), max_bytes=limit)
        return tuple(_components(plain, directory.count))
    except (BzzError, ValueError) as error:
        raise NotDjvuError(f"{source.name} has a damaged page directory") from error


def _components(plain: bytes, count: int) -> Iterator[Component]:
    """Cut the decoded block: sizes (3 bytes each), flags, then the strings."""
    flags = plain[3 * count : 4 * count]
    strings = iter(plain[4 * count :].split(b"\0"))
    if len(flags) < count:
        raise ValueError("cut off")
    for flag in flags:
        component_id = _string(strings)
        name = _string(strings) if flag & _HAS_NAME else component_id
        title = _string(strings) if flag & _HAS_TITLE else component_id
        yield Component(kind=_kind(flag), id=component_id, name=name, title=title)


def _string(strings: Iterator[bytes]) -> str:
    found = next(strings, None)
    if found is None:
        raise ValueError("cut off")
    return found.decode("utf-8", "surrogateescape")


def _kind(flag: int) -> ComponentKind | None:
    value = flag & _KIND_BITS
    return ComponentKind(value) if value <= max(ComponentKind) else None
