"""What can be known for free, before anything is paid for."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch_converter.djvu.read.bundle import bundle
from batch_converter.djvu.read.identity import identify
from batch_converter.engines.base import SourceDocument
from batch_converter.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.read.identity import Identity
    from batch_converter.models import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that is fit to be submitted.

    Attributes:
        document: With its pages, and size and mtime as they are now.
        source: What the engine is given: the same, or the bundled form of an
            indirect document, in a file of its own.
        bundle: That file, to be removed when the engine is done with it.
        warnings: What is amiss in it although it is fit, one sentence each.
    """

    document: Document
    source: SourceDocument
    bundle: Path | None = None
    warnings: tuple[str, ...] = ()

    def discard(self) -> None:
        """Remove the bundle, if there is one."""
        if self.bundle is not None:
            self.bundle.unlink(missing_ok=True)


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
        source = source_document(document)
        return Prepared(document=document, source=source, warnings=found.info.warnings), found
    try:
        bundle(document.path, bundle_path, keep_damaged=keep_damaged)
        status = bundle_path.stat()
    except OSError as error:
        bundle_path.unlink(missing_ok=True)
        msg = f"the parts of {document.path} cannot be bundled at {bundle_path}: {error.strerror}"
        raise OutputError(msg) from error
    source = replace(
        source_document(document),
        path=os.fspath(bundle_path),
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
    )
    faults = [(number, page.fault) for number, page in enumerate(found.info.pages, 1)]
    told = [f"page {number}: {fault}" for number, fault in faults if fault]
    warnings = (*found.info.warnings, *told)
    return Prepared(document=document, source=source, bundle=bundle_path, warnings=warnings), found


def source_document(document: Document) -> SourceDocument:
    """Return what an engine may know of a document: its file, not its row."""
    return SourceDocument(
        number=document.id,
        name=document.source,
        path=document.path,
        size_bytes=document.size_bytes,
        mtime_ns=document.mtime_ns,
        pages=document.pages,
    )
