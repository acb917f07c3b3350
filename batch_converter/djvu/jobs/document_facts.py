"""What a worker process tells of a DjVu that it has read the headers of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class BundleFile(NamedTuple):
    """The bundled form of an indirect document, as it was written."""

    size_bytes: int
    mtime_ns: int


class ShownSize(NamedTuple):
    """A page's size as it is shown: in points where `is_to_scale`, else in pixels."""

    width: float
    height: float
    is_to_scale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentOutlook:
    """What a document's PDF should be like.

    Attributes:
        pages: How many; None where nobody can tell for sure.
        page_sizes: Of each page; None where its headers tell none.
        has_text: Whether any page has a text layer, be it empty.
        warnings: What is amiss in the document, one sentence each.
    """

    pages: int | None
    page_sizes: tuple[ShownSize | None, ...]
    has_text: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentIdentity:
    """A document as it is on disk.

    Attributes:
        size_bytes: Length of its file; of an indirect document, of the index.
        mtime_ns: When its file was last changed.
        pages: How many it has; None where nobody can tell for sure.
        sha256: Digest of its file's bytes, and of its parts'.
        parts_fingerprint: Of an indirect document, how its parts looked before they were read.
        warnings: What is amiss in it although it is fit, one sentence each.
        bundle: Of an indirect document whose bundled form was asked for, that form.
        etag: What its store told this version by; None on a disk.
        outlook: What its PDF should be like. None of an index, whose parts may change by
            themselves, and of a long document, of which there is too much to keep.
    """

    size_bytes: int
    mtime_ns: int
    pages: int | None
    sha256: str
    parts_fingerprint: str | None
    warnings: tuple[str, ...] = ()
    bundle: BundleFile | None = None
    etag: str | None = None
    outlook: DocumentOutlook | None = None
