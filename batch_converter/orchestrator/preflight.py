"""What can be known for free, before anything is paid for."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batch_converter.djvu.bundle import bundle
from batch_converter.djvu.inspect import inspect
from batch_converter.errors import OutputError, UnreadableError

if TYPE_CHECKING:
    from batch_converter.models import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that is fit to be submitted.

    Attributes:
        document: With its pages, and size and mtime as they are now.
        sent: What the engine is given: the same, or the bundled form of an
            indirect document, in a file of its own.
        source_sha256: Digest of the document's file.
        bundle: That file, to be removed when the engine is done with it.
    """

    document: Document
    sent: Document
    source_sha256: str
    bundle: Path | None = None

    def discard(self) -> None:
        """Remove the bundle, if there is one."""
        if self.bundle is not None:
            self.bundle.unlink(missing_ok=True)


def prepare(document: Document, bundle_path: Path) -> Prepared:
    """Check, measure and hash the source; blocking.

    Raises:
        NotDjvuError: It is none, is cut off, or lacks parts.
        UnreadableError: It cannot be read.
        OutputError: The bundled form cannot be written.
    """
    info = inspect(document.path)
    document = replace(_measured(document, document.path), pages=info.page_count)
    digest = _sha256(document.path)
    if info.bundled:
        return Prepared(document=document, sent=document, source_sha256=digest)
    try:
        bundle(document.path, bundle_path)
    except OSError as error:
        bundle_path.unlink(missing_ok=True)
        msg = f"the parts of {document.path} cannot be bundled at {bundle_path}: {error.strerror}"
        raise OutputError(msg) from error
    sent = replace(_measured(document, os.fspath(bundle_path)), path=os.fspath(bundle_path))
    return Prepared(document=document, sent=sent, source_sha256=digest, bundle=bundle_path)


def _measured(document: Document, path: str) -> Document:
    try:
        status = Path(path).stat()
    except OSError as error:
        raise _unreadable(path, error) from error
    return replace(document, size_bytes=status.st_size, mtime_ns=status.st_mtime_ns)


def _sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str, error: OSError) -> UnreadableError:
    return UnreadableError(f"{path} cannot be read: {error.strerror}")
