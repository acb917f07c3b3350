"""The directory of a multi-page DjVu: which components there are, by what names.

Two versions of it are known: 1 (DjVu 3 specification, 8.3.2) and the older 0, which
has sizes beside the offsets and other flags (learned from how DjVuLibre reads it).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.bzz import BzzError, decompress
from batch_converter.errors import NotDjvuError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.djvu.read.iff import ByteSource, Chunk

_BUNDLED: Final = 0x80
_HAS_NAME: Final = 0x80
_HAS_TITLE: Final = 0x40
_KIND_BITS: Final = 0x3F
_OLD_IS_PAGE: Final = 0x01
_OLD_HAS_NAME: Final = 0x02
_OLD_HAS_TITLE: Final = 0x04
_NEWEST_VERSION: Final = 1
_MAX_NAMES_BYTES: Final = 4 << 20
_BYTES_A_COMPONENT: Final = 1024
_SPARE_BYTES: Final = 256 << 10
_KEPT_BYTES: Final = 64 << 10
_KEPT_COMPONENTS: Final = 4096
_KEPT_DIRECTORIES: Final = 8


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
        size_bytes: How long the directory says it is, its header included; 0 where it is silent.
    """

    kind: ComponentKind | None
    id: str
    name: str
    title: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What stands uncompressed at the head of a `DIRM` chunk.

    Attributes:
        count: Components, pages and others.
        version: 0 or 1.
        offsets: Where each begins in a bundled file; empty for an indirect one.
        sizes: How long each is, where that stands beside the offset (version 0).
        names_start: Where the compressed part begins.
    """

    count: int
    bundled: bool
    version: int
    offsets: tuple[int, ...]
    sizes: tuple[int, ...]
    names_start: int
    names_end: int


def read_directory(source: ByteSource, chunk: Chunk) -> Directory:
    """Read the uncompressed head of a `DIRM` chunk.

    Raises:
        NotDjvuError: It is cut off, or of a version that nobody knows.
    """
    head = source.at(chunk.start, min(3, chunk.end - chunk.start))
    if len(head) < 3:  # noqa: PLR2004  # flags and count
        raise _damaged(source)
    version = head[0] & ~_BUNDLED
    if version > _NEWEST_VERSION:
        raise NotDjvuError(
            f"{source.name} has a page directory of version {version}; 0 and 1 are known"
        )
    count = int.from_bytes(head[1:3], "big")
    bundled = bool(head[0] & _BUNDLED)
    record = struct.Struct(">I" if version else ">IBH")
    table_bytes = record.size * count if bundled else 0
    table = source.at(chunk.start + 3, table_bytes)
    if len(table) < table_bytes or chunk.start + 3 + table_bytes > chunk.end:
        raise _damaged(source)
    records = list(record.iter_unpack(table))
    return Directory(
        count=count,
        bundled=bundled,
        version=version,
        offsets=tuple(entry[0] for entry in records),
        sizes=() if version else tuple(entry[1] << 16 | entry[2] for entry in records),
        names_start=chunk.start + 3 + table_bytes,
        names_end=chunk.end,
    )


def _damaged(source: ByteSource) -> NotDjvuError:
    return NotDjvuError(f"{source.name} has a damaged page directory")


def read_components(source: ByteSource, directory: Directory) -> tuple[Component, ...]:
    """Decode the names of all components: about 100 µs each, once for a document.

    Raises:
        NotDjvuError: They are damaged, or more than `directory.count` can need.
    """
    packed_bytes = min(directory.names_end - directory.names_start, _MAX_NAMES_BYTES)
    packed = source.at(directory.names_start, packed_bytes)
    is_kept = packed_bytes <= _KEPT_BYTES and directory.count <= _KEPT_COMPONENTS
    read = _components_once if is_kept else _components
    try:
        return read(packed, directory.count, directory.version, directory.sizes)
    except (BzzError, ValueError) as error:
        raise _damaged(source) from error


def _components(
    packed: bytes, count: int, version: int, sizes: tuple[int, ...]
) -> tuple[Component, ...]:
    limit = min(_MAX_NAMES_BYTES, _SPARE_BYTES + _BYTES_A_COMPONENT * count)
    plain = decompress(packed, max_bytes=limit)
    if version:
        table, plain = plain[: 3 * count], plain[3 * count :]
        sizes = tuple(int.from_bytes(table[i : i + 3], "big") for i in range(0, 3 * count, 3))
    return tuple(_cut(plain, count, version, sizes or (0,) * count))


_components_once = lru_cache(_KEPT_DIRECTORIES)(_components)
"""A document's directory is asked for again and again: by who plans, converts, assembles."""


def _cut(plain: bytes, count: int, version: int, sizes: tuple[int, ...]) -> Iterator[Component]:
    """Cut the decoded block into its lines: the flags of all, then the strings of all.

    The last line may lack strings at its end, as it may for DjVuLibre.
    """
    flags = plain[:count]
    strings = iter(plain[count:].removesuffix(b"\0").split(b"\0"))
    if len(flags) < count:
        raise ValueError("cut off")
    has_name, has_title = (_HAS_NAME, _HAS_TITLE) if version else (_OLD_HAS_NAME, _OLD_HAS_TITLE)
    for flag, size_bytes in zip(flags, sizes, strict=True):
        component_id = _string(strings)
        if component_id is None:
            raise ValueError("cut off")
        name = _string(strings) if flag & has_name else None
        title = _string(strings) if flag & has_title else None
        yield Component(
            kind=_kind(flag) if version else _old_kind(flag),
            id=component_id,
            name=component_id if name is None else name,
            title=component_id if title is None else title,
            size_bytes=size_bytes,
        )


def _string(strings: Iterator[bytes]) -> str | None:
    found = next(strings, None)
    return None if found is None else found.decode("utf-8", "surrogateescape")


def _kind(flag: int) -> ComponentKind | None:
    value = flag & _KIND_BITS
    return ComponentKind(value) if value <= max(ComponentKind) else None


def _old_kind(flag: int) -> ComponentKind:
    return ComponentKind.PAGE if flag & _OLD_IS_PAGE else ComponentKind.SHARED
