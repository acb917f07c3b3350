"""What a document's PDF should be like, as its DjVu tells now. Blocks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.errors import FileError
from batch_converter.output import ExpectedPdf, PageSize
from batch_converter.storage import SourceStatus

if TYPE_CHECKING:
    from batch_converter.models import Document
    from batch_converter.sources import SourceInspector, SourceStores


class Expectation(NamedTuple):
    """What is expected of a PDF, and what is amiss in its DjVu, one sentence each."""

    pdf: ExpectedPdf
    warnings: tuple[str, ...] = ()


def expectation(document: Document, path: str, sources: SourceStores) -> Expectation:
    """Look at the DjVu again, when its PDF is there.

    Sizes of pages need not be kept while a document is out at a service, perhaps since
    an earlier run, which may have counted pages in another way. A DjVu that has changed
    or gone meanwhile tells nothing any more but what the ledger holds. What is amiss in
    it may have been found by an earlier run, which had no report yet to tell it in.

    Args:
        document: As its bytes were sent.
        path: Where those bytes are: its own file, or its bundled form.
        sources: Where both lie.
    """
    known = Expectation(ExpectedPdf(pages=document.pages))
    inspector = sources.inspector(path)
    try:
        as_sent = SourceStatus(document.size_bytes, document.mtime_ns, document.etag)
        if not sources.status(document.path).is_same(as_sent):
            return known
        outlook = inspector.outlook(path)
    except (FileError, OSError):
        return known
    pdf = ExpectedPdf(
        pages=outlook.pages,
        page_sizes=[size and PageSize(*size) for size in outlook.page_sizes],
        has_text=partial(_has_words, inspector, path) if outlook.has_text else None,
    )
    return Expectation(pdf, outlook.warnings)


def _has_words(inspector: SourceInspector, path: str) -> bool:
    """Whether the DjVu has words; one that cannot be read has none that anybody misses."""
    try:
        return inspector.has_words(path)
    except FileError:
        return False
