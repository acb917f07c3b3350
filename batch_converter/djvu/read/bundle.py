"""An indirect DjVu, an index with its parts beside it, as one bundled file."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.read.directory import ComponentKind, read_components, read_directory
from batch_converter.djvu.read.iff import ByteSource, Chunk, open_source, read_top_form, walk
from batch_converter.djvu.read.index_parts import IndexPart, find_parts
from batch_converter.errors import NotDjvuError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MAGIC: Final = b"AT&T"
_BUNDLED_FLAG: Final = 0x80
_RECORDS: Final = (struct.Struct(">IBH"), struct.Struct(">I"))
"""A component in the directory, by its version: where it is, and in the older how long."""

_PIECE_BYTES: Final = 1 << 20
_MAX_INDEX_CHUNKS: Final = 64
_MAX_FORM_BYTES: Final = 0xFFFFFFFF


def bundle(
    path: str | os.PathLike[str], target: str | os.PathLike[str], *, keep_damaged: bool = False
) -> None:
    """Write the bundled form of an indirect document to `target`; blocking.

    The directory's compressed part (ids, names, titles) is taken over as it is, so each
    component keeps its place: an empty one stands in for what is missing or damaged.
    Nothing is synced to disk. On an error `target` may be there, in part.

    Args:
        path: The index.
        target: The file to write.
        keep_damaged: Whether a page whose file is damaged is left to be told by who
            converts the bundle, instead of failing it.

    Raises:
        NotDjvuError: Parts are missing or damaged, or the whole exceeds 4 GiB.
        UnreadableError: The index or a part cannot be read.
        OutputError: `target` cannot be written.
    """
    folder = os.path.dirname(os.fspath(path))  # noqa: PTH120  # surrogates and PathLike alike
    with open_source(path) as index:
        form = read_top_form(index)
        chunks = list(walk(index, form.start, form.end, max_chunks=_MAX_INDEX_CHUNKS))
        if not chunks or chunks[0].kind != "DIRM":
            raise NotDjvuError(f"{index.name} has no page directory")
        directory = read_directory(index, chunks[0])
        parts = find_parts(index.name, folder, read_components(index, directory))
        if not keep_damaged:
            _refuse_damage(parts)
        names = index.at(directory.names_start, directory.names_end - directory.names_start)
        others = b"".join(_whole_chunk(index, chunk) for chunk in chunks[1:])
        record = _RECORDS[directory.version]
        dirm_bytes = 3 + record.size * len(parts) + len(names)
        sizes = [_form_bytes(part) for part in parts]
        offsets = list(_offsets(16 + 8 + _even(dirm_bytes) + len(others), sizes))
        table = _table(directory.version, offsets, sizes)
        _write(target, _head(offsets[-1], table + names) + others, parts, offsets)


def _refuse_damage(parts: Sequence[IndexPart]) -> None:
    faults = [part.fault for part in parts if part.is_page]
    for number, fault in enumerate(faults, 1):
        if fault:
            raise NotDjvuError(f"page {number} is unusable: {fault}")


def _even(count: int) -> int:
    return count + (count & 1)


def _form_bytes(part: IndexPart) -> int:
    if _is_amiss(part):
        return len(_stand_in(part))
    with open_source(part.path) as source:
        return read_top_form(source).end - len(_MAGIC)


def _is_amiss(part: IndexPart) -> bool:
    return not part.path or bool(part.fault)


def _stand_in(part: IndexPart) -> bytes:
    """Return an empty component of the same kind: of a page one without a size, a lost one."""
    kind = {ComponentKind.PAGE: b"DJVU", ComponentKind.THUMBNAILS: b"THUM"}.get(
        part.component.kind or ComponentKind.SHARED, b"DJVI"
    )
    return b"FORM\0\0\0\4" + kind


def _offsets(first: int, sizes: Sequence[int]) -> Iterator[int]:
    """Where each part begins, and last of all where the file ends."""
    offset = first
    yield offset
    for size in sizes:
        offset = _even(offset + size)
        yield offset
    if offset > _MAX_FORM_BYTES:
        raise NotDjvuError("the parts together exceed 4 GiB, more than one DjVu file can hold")


def _table(version: int, offsets: Sequence[int], sizes: Sequence[int]) -> bytes:
    record = _RECORDS[version]
    rows = (
        (offset,) if version else (offset, size >> 16 & 0xFF, size & 0xFFFF)
        for offset, size in zip(offsets, sizes, strict=False)
    )
    head = struct.pack(">BH", _BUNDLED_FLAG | version, len(sizes))
    return head + b"".join(record.pack(*row) for row in rows)


def _head(end: int, directory: bytes) -> bytes:
    dirm = b"DIRM" + struct.pack(">I", len(directory)) + directory + b"\0" * (len(directory) & 1)
    return _MAGIC + b"FORM" + struct.pack(">I", end - 12) + b"DJVM" + dirm


def _whole_chunk(source: ByteSource, chunk: Chunk) -> bytes:
    data = source.at(chunk.start - 8, chunk.end - chunk.start + 8)
    return data + b"\0" * (len(data) & 1)


def _write(
    target: str | os.PathLike[str], head: bytes, parts: Sequence[IndexPart], offsets: Sequence[int]
) -> None:
    try:
        with open(target, "wb") as out:  # noqa: PTH123  # surrogates and PathLike alike
            out.write(head)
            for part, offset in zip(parts, offsets, strict=False):
                out.seek(offset)
                out.writelines([_stand_in(part)] if _is_amiss(part) else _form(part.path))
            out.truncate(offsets[-1])
    except OSError as error:
        name = os.path.basename(target)  # noqa: PTH119  # a path as str, its bytes kept
        raise OutputError(f"{name} cannot be written: {error.strerror or error}") from error


def _form(path: str) -> Iterator[bytes]:
    with open_source(path) as part:
        end = read_top_form(part).end
        for start in range(len(_MAGIC), end, _PIECE_BYTES):
            yield part.at(start, min(_PIECE_BYTES, end - start))
