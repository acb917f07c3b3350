"""What a conversion can be told, and what it tells back; plain values that cross a pipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """How a document is converted.

    Attributes:
        color_dpi: Colour layers with more pixels an inch are reduced to this;
            0 keeps them as they are. Masks are never reduced.
        jpeg_quality: 1 to 95, as libjpeg counts.
        masks: How masks are coded: `jbig2`, `g4`, or `auto`, which is `jbig2` where the
            kernels are compiled.
        ocr: Languages to look for text in, as tesseract names them (`ces+rus`), in
            documents that have none; empty for no OCR.
        encoding: What texts are in that are not UTF-8, as Python names it; empty
            keeps their bytes as Latin-1 reads them.
        pdfa: Whether it becomes PDF/A-2b, or fails.
        keep_damaged: Whether a page that cannot be decoded leaves a blank page
            and a warning, instead of failing the document.
        max_memory_bytes: Address space of the worker; larger pages are refused
            before they are decoded.
        max_pdf_bytes: No PDF is written that is longer; 0 is no limit.
        bundled_only: Whether nothing beside the document's own file is looked for: an
            index is refused, and what a single page shares is missing.
    """

    color_dpi: int = 300
    jpeg_quality: int = 80
    masks: Literal["auto", "jbig2", "g4"] = "auto"
    ocr: str = ""
    encoding: str = ""
    pdfa: bool = False
    keep_damaged: bool = False
    max_memory_bytes: int = 2048 * MIB
    max_pdf_bytes: int = 0
    bundled_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A PDF that was written.

    Attributes:
        pages: How many.
        warnings: What was lost, one sentence each.
    """

    pages: int
    warnings: tuple[str, ...] = ()
