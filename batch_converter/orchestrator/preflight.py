"""What can be known for free, before anything is paid for."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.bundle import bundle
from batch_converter.djvu.identity import identify
from batch_converter.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.identity import Identity
    from batch_converter.models import Document

_SHELF_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that is fit to be submitted.

    Attributes:
        document: With its pages, and size and mtime as they are now.
        sent: What the engine is given: the same, or the bundled form of an
            indirect document, in a file of its own.
        bundle: That file, to be removed when the engine is done with it.
        warnings: What is amiss in it although it is fit, one sentence each.
    """

    document: Document
    sent: Document
    bundle: Path | None = None
    warnings: tuple[str, ...] = ()

    def discard(self) -> None:
        """Remove the bundle, if there is one."""
        if self.bundle is not None:
            self.bundle.unlink(missing_ok=True)


class Shelf:
    """Small sources, kept as they were read and hashed until they are sent.

    There is room for a few hundred scans of a page; what finds none is read again.
    """

    def __init__(self) -> None:
        self._contents: dict[int, bytes] = {}
        self._free_bytes = _SHELF_BYTES

    def put(self, document_id: int, content: bytes | None) -> None:
        """Keep a document's bytes, where they are known and there is room."""
        self.clear(document_id)
        if content is not None and len(content) <= self._free_bytes:
            self._contents[document_id] = content
            self._free_bytes -= len(content)

    def look(self, document_id: int) -> bytes | None:
        """Return what is kept."""
        return self._contents.get(document_id)

    def clear(self, document_id: int) -> None:
        """Let go of what is kept, if anything is."""
        self._free_bytes += len(self._contents.pop(document_id, b""))


def prepare(
    document: Document, bundle_path: Path, *, keep_damaged: bool = False
) -> tuple[Prepared, Identity]:
    """Check, measure and hash the source; blocking.

    Args:
        document: What is to be converted.
        bundle_path: Where the bundled form of an indirect document goes.
        keep_damaged: Whether the engine makes the best of pages that are damaged.

    Returns:
        What is fit to be submitted, and the document, parts and all, as it was read.

    Raises:
        NotDjvuError: It is none, is cut off, or lacks parts.
        UnreadableError: It cannot be read.
        OutputError: The bundled form cannot be written.
    """
    found = identify(document.path)
    document = replace(
        document,
        size_bytes=found.info.size_bytes,
        mtime_ns=found.mtime_ns,
        pages=found.info.certain_page_count,
    )
    if found.info.bundled:
        return Prepared(document=document, sent=document, warnings=found.info.warnings), found
    try:
        bundle(document.path, bundle_path, keep_damaged=keep_damaged)
        status = bundle_path.stat()
    except OSError as error:
        bundle_path.unlink(missing_ok=True)
        msg = f"the parts of {document.path} cannot be bundled at {bundle_path}: {error.strerror}"
        raise OutputError(msg) from error
    sent = replace(
        document,
        path=os.fspath(bundle_path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )
    faults = [(number, page.fault) for number, page in enumerate(found.info.pages, 1)]
    told = [f"page {number}: {fault}" for number, fault in faults if fault]
    warnings = (*found.info.warnings, *told)
    return Prepared(document=document, sent=sent, bundle=bundle_path, warnings=warnings), found
