"""Whether a PDF that the ledger does not know may be taken for a file's own. Blocks.

It is for those who lost a ledger and kept the PDFs. What such a PDF was made of
nobody can tell any more, so everything about it must fit: it is whole, has the
DjVu's number of pages, and is not older than the DjVu.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.errors import BadPdfError, OutputError
from batch_converter.ledger import Adopted
from batch_converter.models import StoredPdf
from batch_converter.output import page_difference

if TYPE_CHECKING:
    from batch_converter.engines.base import Engine
    from batch_converter.models import Document
    from batch_converter.output import OutputStore
    from batch_converter.sources import SourceInspector


_COARSEST_TIME_NS: Final = 2_000_000_000
"""FAT's; what keeps a time at all keeps it as well as that."""


def examine(
    document: Document,
    pdfs: OutputStore,
    engine: Engine,
    inspector: SourceInspector,
    *,
    has_preserved_time: bool = False,
) -> Adopted:
    """Look at the PDF that is there and at the DjVu that it may have been made of.

    Args:
        document: The DjVu, as the ledger has it now.
        pdfs: Where the PDF is.
        engine: What is held to have made it.
        inspector: Looks into the DjVu.
        has_preserved_time: The PDF has the DjVu's time of change, as well as its file
            system could keep it.

    Raises:
        OutputError: It does not fit; the message says why.
        FileError: The DjVu itself cannot be used.
    """
    address, source = pdfs.address(document.output), inspector.identify(document.path)
    pages = source.pages
    try:
        pdf_pages = pdfs.check(document.output).pages
    except BadPdfError as error:
        raise _misfit(address, str(error)) from error
    if difference := page_difference(pdf_pages, pages):
        raise _misfit(address, difference)
    found = pdfs.look(document.output)
    slack_ns = _COARSEST_TIME_NS if has_preserved_time else 0
    if found.mtime_ns < document.mtime_ns - slack_ns:
        raise _misfit(address, "the DjVu was changed after it")
    pdf = StoredPdf(
        sha256=pdfs.sha256(document.output),
        size_bytes=found.size_bytes or 0,
        pages=pdf_pages,
        etag=found.etag,
    )
    return Adopted(
        pdf=pdf,
        pages=pages or pdf_pages,
        source_sha256=source.sha256,
        parts_fingerprint=source.parts_fingerprint,
        engine=engine.name,
        options=engine.options_digest,
    )


def _misfit(address: str, why: str) -> OutputError:
    return OutputError(
        f"{address} is there already and cannot be adopted: {why}; move it away, or use"
        " --overwrite always to replace it"
    )
