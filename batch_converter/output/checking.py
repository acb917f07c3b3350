"""Is it a whole PDF, and has it the pages that it should have?"""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import pikepdf

from batch_converter.errors import BadPdfError, OutputError
from batch_converter.output.comparison import differences
from batch_converter.output.expected import ExpectedPdf

if TYPE_CHECKING:
    from pathlib import Path

Verify = Literal["full", "quick"]
"""`full` opens the PDF and counts its pages; `quick` looks at its first and last bytes."""

ANYTHING: Final = ExpectedPdf()
"""What every PDF agrees with."""
_HEADER: Final = b"%PDF-"
_END: Final = b"%%EOF"
_END_WITHIN_BYTES: Final = 2048
_PDF_ERRORS: Final = (
    pikepdf.PdfError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What qpdf's C++ exceptions become in Python when a PDF is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPdf:
    """A PDF that is whole.

    Attributes:
        pages: How many, 0 too; None where they could not be counted without more than a
            quick look.
        differences: In what else it differs from what was expected, one sentence each.
    """

    pages: int | None
    differences: tuple[str, ...] = ()


def check_pdf(
    path: Path, *, verify: Verify = "full", expected: ExpectedPdf = ANYTHING
) -> CheckedPdf:
    """Make sure that a file is a whole PDF; blocks, but gives up the GIL where it is long.

    A damaged PDF that every viewer repairs (a wrong cross-reference table) passes:
    it was paid for, and it can be read. A quick look counts pages too, by the number
    that the page tree claims, where the PDF can be opened as it is: nothing is repaired,
    nothing walked through, and what cannot be opened so passes uncounted.

    Args:
        path: The file.
        verify: How closely it is looked at.
        expected: What its pages are compared with; a quick look does not.

    Raises:
        BadPdfError: It is none.
        OutputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _checked(file, verify, expected, pikepdf.AccessMode.mmap)
    except OSError as error:
        raise OutputError(f"{path} cannot be read back: {error.strerror}") from error


def check_pdf_bytes(
    data: bytes | bytearray, *, verify: Verify = "full", expected: ExpectedPdf = ANYTHING
) -> CheckedPdf:
    """Look at a PDF in memory; see `check_pdf`.

    Raises:
        BadPdfError: It is none.
    """
    return _checked(io.BytesIO(data), verify, expected, pikepdf.AccessMode.stream)


def _checked(
    file: BinaryIO, verify: Verify, expected: ExpectedPdf, access_mode: pikepdf.AccessMode
) -> CheckedPdf:
    _check_ends(file)
    if verify == "quick":
        return CheckedPdf(pages=_claimed_pages(file, access_mode))
    return _opened(file, expected, access_mode)


def _check_ends(file: BinaryIO) -> None:
    head = file.read(len(_HEADER))
    size_bytes = file.seek(0, os.SEEK_END)
    if head != _HEADER:
        raise BadPdfError(f"what arrived ({size_bytes} bytes) is no PDF: it has no PDF header")
    file.seek(max(0, size_bytes - _END_WITHIN_BYTES))
    if _END not in file.read():
        raise BadPdfError(f"the PDF ({size_bytes} bytes) is cut off: it has no end mark")
    file.seek(0)


def _claimed_pages(file: BinaryIO, access_mode: pikepdf.AccessMode) -> int | None:
    try:
        with pikepdf.open(
            file, access_mode=access_mode, attempt_recovery=False, inherit_page_attributes=False
        ) as pdf:
            pages = int(pdf.Root.Pages.Count)
    except _PDF_ERRORS:
        return None
    return pages if pages >= 0 else None


def _opened(file: BinaryIO, expected: ExpectedPdf, access_mode: pikepdf.AccessMode) -> CheckedPdf:
    try:
        with pikepdf.open(file, access_mode=access_mode) as pdf:
            return CheckedPdf(pages=len(pdf.pages), differences=_compared(pdf, expected))
    except _PDF_ERRORS as error:
        raise BadPdfError("the PDF is damaged beyond repair: qpdf cannot open it") from error


def _compared(pdf: pikepdf.Pdf, expected: ExpectedPdf) -> tuple[str, ...]:
    """Return the differences; a part of the PDF that makes no sense is no reason to refuse it."""
    found: list[str] = []
    with suppress(*_PDF_ERRORS):
        found.extend(differences(pdf, expected))
    return tuple(found)


def page_difference(pages: int | None, expected_pages: int | None) -> str | None:
    """Return what to say where the PDF has other pages than the DjVu; unknown counts agree.

    No pages at all are too few for any DjVu.
    """
    if pages == 0:
        return f"the PDF has 0 pages, the DjVu {expected_pages or 'at least 1'}"
    if pages is None or expected_pages is None or pages == expected_pages:
        return None
    noun = "page" if pages == 1 else "pages"
    return f"the PDF has {pages} {noun}, the DjVu {expected_pages}"
