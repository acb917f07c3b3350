"""Whether a PDF that the ledger does not know may be taken for a file's own. Blocks.

It is for those who lost a ledger and kept the PDFs. What such a PDF was made of
nobody can tell any more, so everything about it must fit: it is whole, has the
DjVu's number of pages, and is not older than the DjVu.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_converter.errors import BadPdfError, OutputError
from batch_converter.ledger import Adopted
from batch_converter.models import StoredPdf
from batch_converter.output import check_pdf, hash_file, page_difference

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.djvu.work.inspection import DjvuInspector
    from batch_converter.engines.base import Engine
    from batch_converter.models import Document


def examine(document: Document, target: Path, engine: Engine, inspector: DjvuInspector) -> Adopted:
    """Look at the PDF at `target` and at the DjVu that it may have been made of.

    Raises:
        OutputError: It does not fit; the message says why.
        FileError: The DjVu itself cannot be used.
    """
    source = inspector.identify(document.path)
    pages = source.pages
    try:
        pdf_pages = check_pdf(target).pages
    except BadPdfError as error:
        raise _misfit(target, str(error)) from error
    if difference := page_difference(pdf_pages, pages):
        raise _misfit(target, difference)
    status = target.stat()
    if status.st_mtime_ns < document.mtime_ns:
        raise _misfit(target, "the DjVu was changed after it")
    pdf = StoredPdf(
        path=target, sha256=hash_file(target), size_bytes=status.st_size, pages=pdf_pages
    )
    return Adopted(
        pdf=pdf,
        pages=pages or pdf_pages,
        source_sha256=source.sha256,
        parts_fingerprint=source.parts_fingerprint,
        engine=engine.name,
        options=engine.options_digest,
    )


def _misfit(target: Path, why: str) -> OutputError:
    return OutputError(
        f"{target} is there already and cannot be adopted: {why}; move it away, or use"
        " --overwrite always to replace it"
    )
