"""An indirect DjVu, an index with its parts beside it, as one bundled file."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from batch_converter.djvu.directory import read_components, read_directory
from batch_converter.djvu.iff import ByteSource, Chunk, open_source, read_top_form, walk
from batch_converter.djvu.inspect import part_paths
from batch_converter.errors import NotDjvuError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BUNDLED_FLAG: Final = 0x80
_PIECE_BYTES: Final = 1 << 20
_MAX_INDEX_CHUNKS: Final = 64
_PART_FORMS: Final = frozenset({"FORM:DJVU", "FORM:DJVI", "FORM:THUM"})
_MAX_FORM_BYTES: Final = 0xFFFFFFFF


def bundle(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Write the bundled form of an indirect document to `target`; blocking.

    The directory's compressed part (ids, names, titles) is taken over as it is.
    Nothing is synced to disk. On an error `target` may be there, in part.

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
        parts = part_paths(index.name, folder, read_components(index, directory))
        names = index.at(directory.names_start, directory.names_end - directory.names_start)
        others = b"".join(_whole_chunk(index, chunk) for chunk in chunks[1:])
        dirm_bytes = 3 + 4 * len(parts) + len(names)
        offset = 16 + 8 + _even(dirm_bytes) + len(others)
        offsets = list(_offsets(offset, [_form_bytes(part) for part in parts]))
        head = _head(offsets, dirm_bytes, names) + others
        _write(target, head, parts, offsets)


def _even(count: int) -> int:
    return count + (count & 1)


def _form_bytes(path: str) -> int:
    with open_source(path) as part:
        form = read_top_form(part)
        if form.kind not in _PART_FORMS:
            raise NotDjvuError(f"{part.name} is a {form.kind} and no part of a document")
        return form.end - 4


def _offsets(first: int, sizes: Sequence[int]) -> Iterator[int]:
    """Where each part begins, and last of all where the file ends."""
    offset = first
    yield offset
    for size in sizes:
        offset = _even(offset + size)
        yield offset
    if offset > _MAX_FORM_BYTES:
        raise NotDjvuError("the parts together exceed 4 GiB, more than one DjVu file can hold")


def _head(offsets: Sequence[int], dirm_bytes: int, names: bytes) -> bytes:
    table = struct.pack(
        f">BH{len(offsets) - 1}I", _BUNDLED_FLAG | 1, len(offsets) - 1, *offsets[:-1]
    )
    body = b"DIRM" + struct.pack(">I", dirm_bytes) + table + names + b"\0" * (dirm_bytes & 1)
    return b"AT&TFORM" + struct.pack(">I", offsets[-1] - 12) + b"DJVM" + body


def _whole_chunk(source: ByteSource, chunk: Chunk) -> bytes:
    data = source.at(chunk.start - 8, chunk.end - chunk.start + 8)
    return data + b"\0" * (len(data) & 1)


def _write(
    target: str | os.PathLike[str], head: bytes, parts: Sequence[str], offsets: Sequence[int]
) -> None:
    try:
        with open(target, "wb") as out:  # noqa: PTH123  # surrogates and PathLike alike
            out.write(head)
            for part, offset in zip(parts, offsets, strict=False):
                out.seek(offset)
                _copy_form(part, out)
            out.truncate(offsets[-1])
    except OSError as error:
        name = os.path.basename(target)  # noqa: PTH119  # a path as str, its bytes kept
        raise OutputError(f"{name} cannot be written: {error.strerror or error}") from error


def _copy_form(path: str, out: BinaryIO) -> None:
    with open_source(path) as part:
        end = read_top_form(part).end
        out.writelines(
            part.at(start, min(_PIECE_BYTES, end - start)) for start in range(4, end, _PIECE_BYTES)
        )
