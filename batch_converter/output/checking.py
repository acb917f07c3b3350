"""Is it a whole PDF, and has it the pages that it should have?"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

import pikepdf

from batch_converter.errors import BadPdfError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

Verify = Literal["full", "quick"]
"""`full` opens the PDF and counts its pages; `quick` looks at its first and last bytes."""

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


def check_pdf(path: Path, *, verify: Verify = "full") -> int | None:
    """Make sure that a file is a whole PDF; blocks, but gives up the GIL where it is long.

    A damaged PDF that every viewer repairs (a wrong cross-reference table) passes:
    it was paid for, and it can be read.

    Returns:
        The number of its pages; None where they were not counted.

    Raises:
        BadPdfError: It is none, or it has no pages.
        OutputError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return _checked(file, verify, pikepdf.AccessMode.mmap)
    except OSError as error:
        raise OutputError(f"{path} cannot be read back: {error.strerror}") from error


def check_pdf_bytes(data: bytes | bytearray, *, verify: Verify = "full") -> int | None:
    """Look at a PDF in memory; see `check_pdf`.

    Raises:
        BadPdfError: It is none, or it has no pages.
    """
    return _checked(io.BytesIO(data), verify, pikepdf.AccessMode.stream)


def _checked(file: BinaryIO, verify: Verify, access_mode: pikepdf.AccessMode) -> int | None:
    _check_ends(file)
    return _count_pages(file, access_mode) if verify == "full" else None


def _check_ends(file: BinaryIO) -> None:
    head = file.read(len(_HEADER))
    size_bytes = file.seek(0, os.SEEK_END)
    if head != _HEADER:
        raise BadPdfError(f"what arrived ({size_bytes} bytes) is no PDF: it has no PDF header")
    file.seek(max(0, size_bytes - _END_WITHIN_BYTES))
    if _END not in file.read():
        raise BadPdfError(f"the PDF ({size_bytes} bytes) is cut off: it has no end mark")
    file.seek(0)


def _count_pages(file: BinaryIO, access_mode: pikepdf.AccessMode) -> int:
    try:
        with pikepdf.open(file, access_mode=access_mode) as pdf:
            pages = len(pdf.pages)
    except _PDF_ERRORS as error:
        raise BadPdfError("the PDF is damaged beyond repair: qpdf cannot open it") from error
    if pages == 0:
        raise BadPdfError("the PDF has no pages")
    return pages


def page_warning(pages: int | None, expected_pages: int | None) -> str | None:
    """Return what to say where the PDF has other pages than the DjVu; unknown counts agree."""
    if pages is None or expected_pages is None or pages == expected_pages:
        return None
    return f"the PDF has {pages} pages, the DjVu {expected_pages}"
