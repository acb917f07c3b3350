"""Whether a document's bytes are still the same: its file's and, of an indirect one, its parts'."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.djvu.read.iff import open_source
from batch_converter.djvu.read.index_parts import is_beside, is_plain
from batch_converter.djvu.read.inspect import folder_of, inspect, inspect_source
from batch_converter.djvu.read.layout import read_layout
from batch_converter.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_converter.djvu.read.iff import ByteSource
    from batch_converter.djvu.read.inspect import DjvuInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A document as it is on disk.

    Attributes:
        info: By its headers.
        mtime_ns: When its file was last changed.
        sha256: Digest of its file's bytes, and of its parts'.
        parts_fingerprint: Of an indirect document, how its parts looked before they were read.
    """

    info: DjvuInfo
    mtime_ns: int
    sha256: str
    parts_fingerprint: str | None


def identify(
    path: str,
    *,
    bundled_only: bool = False,
    on_inspected: Callable[[DjvuInfo], None] | None = None,
) -> Identity:
    """Inspect and hash a document; blocking, as long as it takes to read it.

    Args:
        path: Its file; of an indirect document, its index.
        bundled_only: Whether an index is refused, see `inspect`.
        on_inspected: Told what its headers say, before its bytes are hashed.

    Raises:
        NotDjvuError: It is none, is cut off, or lacks parts.
        UnreadableError: It or a part of it cannot be read.
    """
    with open_source(path) as source:
        info = inspect_source(source, folder_of(path, bundled_only=bundled_only))
        if on_inspected is not None:
            on_inspected(info)
        fingerprint = parts_fingerprint(info.parts)
        digest = content_sha256(source, info.parts)
        return Identity(
            info=info,
            mtime_ns=source.mtime_ns,
            sha256=digest,
            parts_fingerprint=fingerprint,
        )


def content_sha256(source: ByteSource, parts: Sequence[str]) -> str:
    """Return the digest of a file; with parts, one of the digests of all of them; blocking.

    Raises:
        UnreadableError: The file or a part cannot be read.
    """
    if not parts:
        return source.sha256()
    whole = hashlib.sha256(source.sha256().encode())
    for path in parts:
        with open_source(path) as part:
            whole.update(part.sha256().encode())
    return whole.hexdigest()


def parts_fingerprint(parts: Sequence[str]) -> str | None:
    """Return what differs once a part has another size or time, or is gone; None without parts."""
    if not parts:
        return None
    looks = "\n".join(_look(path) for path in parts)
    return hashlib.sha256(looks.encode()).hexdigest()


def _look(path: str) -> str:
    try:
        status = os.stat(path)  # noqa: PTH116  # a path as str, its bytes kept
    except OSError:
        return "gone"
    return f"{status.st_size} {status.st_mtime_ns}"


def listed_files(path: str) -> tuple[str, ...]:
    """Return the files beside an index that it lists, whatever else of it is missing.

    None of a document that has all in one file, and of what is no DjVu.
    """
    folder = os.path.dirname(path)  # noqa: PTH120  # a path as str, its bytes kept
    names = {name for names in listed_components(path) for name in names}
    return tuple(
        os.path.join(folder, name)  # noqa: PTH118  # surrogates
        for name in sorted(names)
        if is_beside(folder, name)
    )


def listed_components(path: str) -> tuple[tuple[str, ...], ...]:
    """Return the names that the file of each component of an index may have, there or not.

    None of a document that has all in one file, and of what is no DjVu. A name that leads
    to another folder is left out: nothing is ever read there.
    """
    try:
        with open_source(path) as source:
            layout = read_layout(source)
    except FileError:
        return ()
    if not layout.is_index:
        return ()
    return tuple(
        tuple(dict.fromkeys(filter(is_plain, (component.id, component.name))))
        for component in layout.components
    )


def indirect_parts(path: str, *, bundled_only: bool = False) -> tuple[str, ...]:
    """Return the files beside an index; none of a bundled document, or where some are amiss.

    What is broken is told where the document is converted.
    """
    try:
        info = inspect(path, bundled_only=bundled_only)
    except FileError:
        return ()
    return info.parts if info.all_parts_whole else ()
