"""What can be known for free, before anything is paid for."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from batch_converter.engines.base import SourceDocument
from batch_converter.errors import BatchConverterError

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.jobs.document_facts import DocumentIdentity, DocumentOutlook
    from batch_converter.models import Document
    from batch_converter.sources import SourceInspector


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that is fit to be submitted.

    Attributes:
        document: With its pages, and size and mtime as they are now.
        source: What the engine is given: the same, or the bundled form of an
            indirect document, or a copy, in a file of its own.
        bundle: That file, to be removed when the engine is done with it.
        warnings: What is amiss in it although it is fit, one sentence each.
        outlook: What the PDF of this version should be like, where that is known already.
    """

    document: Document
    source: SourceDocument
    bundle: Path | None = None
    warnings: tuple[str, ...] = ()
    outlook: DocumentOutlook | None = None

    def discard(self) -> None:
        """Remove the bundle, if there is one."""
        if self.bundle is not None:
            _remove(self.bundle)


def prepare(
    document: Document,
    inspector: SourceInspector,
    bundle_path: Path,
    *,
    keep_damaged: bool = False,
) -> tuple[Prepared, DocumentIdentity]:
    """Check, measure and hash the source; blocking.

    Args:
        document: What is to be converted.
        inspector: Reads it.
        bundle_path: Where the bundled form of an indirect document goes, or a copy.
        keep_damaged: Whether the engine makes the best of pages that are damaged.

    Returns:
        What is fit to be submitted, and the document, parts and all, as it was read.

    Raises:
        NotDjvuError: It is none, is cut off, or lacks parts.
        UnreadableError: It cannot be read.
        EngineError: Reading it takes too much time or memory.
        OutputError: That cannot be written.
    """
    try:
        found = inspector.identify(
            document.path, bundle_path=bundle_path, keep_damaged=keep_damaged
        )
    except BatchConverterError:
        _remove(bundle_path)
        raise
    document = replace(
        document,
        size_bytes=found.size_bytes,
        mtime_ns=found.mtime_ns,
        etag=found.etag,
        pages=found.pages,
    )
    source = source_document(document)
    if found.bundle is not None:
        source = replace(
            source,
            path=os.fspath(bundle_path),
            size_bytes=found.bundle.size_bytes,
            mtime_ns=found.bundle.mtime_ns,
        )
    prepared = Prepared(
        document=document,
        source=source,
        bundle=None if found.bundle is None else bundle_path,
        warnings=found.warnings,
        outlook=found.outlook,
    )
    return prepared, found


def _remove(bundle: Path) -> None:
    """Remove a file that a run needs no more; one that a failing disk keeps fails nothing."""
    with suppress(OSError):  # the next run clears the folder, and says what it cannot clear
        bundle.unlink(missing_ok=True)


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
