"""What a document's PDF should be like, as its DjVu tells."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.errors import FileError
from batch_converter.output import ExpectedPdf, PageSize
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from batch_converter.djvu.jobs.document_facts import DocumentOutlook
    from batch_converter.models import Document
    from batch_converter.sources import SourceStores


class Expectation(NamedTuple):
    """What is expected of a PDF, and what is amiss in its DjVu, one sentence each."""

    pdf: ExpectedPdf
    warnings: tuple[str, ...] = ()


def expectation(document: Document, path: str, sources: SourceStores) -> Expectation:
    """Look at the DjVu again, when its PDF is there; blocks.

    Sizes of pages of a long document need not be kept while it is out at a service, and of
    one that an earlier run sent, which may have counted pages in another way, they are not
    there. A DjVu that has changed or gone meanwhile tells nothing any more but what the
    ledger holds. What is amiss in it may have been found by an earlier run, which had no
    report yet to tell it in.

    Args:
        document: As its bytes were sent.
        path: Where those bytes are: its own file, or its bundled form.
        sources: Where both lie.
    """
    try:
        if _is_as_sent(document, sources):
            outlook = sources.inspector(path).outlook(path)
            return known_expectation(outlook, document, path, sources)
    except (FileError, OSError):
        pass  # it tells nothing any more
    return Expectation(ExpectedPdf(pages=document.pages))


def known_expectation(
    outlook: DocumentOutlook, document: Document, path: str, sources: SourceStores
) -> Expectation:
    """Return what follows from the headers of the very version that was sent.

    Args:
        outlook: What they say.
        document: As its bytes were sent.
        path: Where they are looked into where the PDF has no text.
        sources: Where both lie.
    """
    has_words = partial(_has_words, document, path, sources) if outlook.has_text else None
    pdf = ExpectedPdf(
        pages=outlook.pages,
        page_sizes=[size and PageSize(*size) for size in outlook.page_sizes],
        has_text=has_words,
    )
    return Expectation(pdf, outlook.warnings)


def _is_as_sent(document: Document, sources: SourceStores) -> bool:
    as_sent = SourceStatus(document.size_bytes, document.mtime_ns, document.etag)
    return sources.status(document.path).is_same(as_sent)


def _has_words(document: Document, path: str, sources: SourceStores) -> bool:
    """Whether the DjVu has words; one that cannot be read has none that anybody misses."""
    try:
        return _is_as_sent(document, sources) and sources.inspector(path).has_words(path)
    except (FileError, OSError):
        return False
