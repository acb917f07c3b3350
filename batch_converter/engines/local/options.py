"""What changes a conversion, out of the `[local]` section, and the digest of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from batch_converter.djvu.jobs.options import ConvertOptions

if TYPE_CHECKING:
    from batch_converter.config import LocalSettings

NAME: Final = "local"
_FORMAT_VERSION: Final = 2
_PRESETS: Final = {"archive": (0, 92), "balanced": (300, 80), "small": (200, 60)}
_BOUNDS: Final = ("max_memory_bytes", "max_pdf_bytes", "bundled_only")
"""Options that decide whether there is a PDF, and nothing about it."""


def options_of(settings: LocalSettings) -> ConvertOptions:
    """Pick what changes the conversion out of the `[local]` section; looks for no program."""
    color_dpi, jpeg_quality = _PRESETS[settings.preset]
    return ConvertOptions(
        color_dpi=color_dpi if settings.color_dpi is None else settings.color_dpi,
        jpeg_quality=jpeg_quality if settings.jpeg_quality is None else settings.jpeg_quality,
        masks=settings.masks,
        ocr=settings.ocr,
        encoding=settings.encoding,
        pdfa=settings.pdfa,
        keep_damaged=settings.on_damage == "keep",
        max_memory_bytes=settings.max_memory_bytes,
    )


def digest_of(options: ConvertOptions) -> str:
    """Return what changes with every option, and with every version, that changes the PDF."""
    told = {"format": _FORMAT_VERSION, **asdict(options)}
    for name in _BOUNDS:
        del told[name]
    if told["masks"] == "auto":  # what its forerunner was called
        told["jbig2"] = told.pop("masks")
    if not told["pdfa"]:  # PDFs of versions that had no such option are up to date
        del told["pdfa"]
    text = json.dumps(told, sort_keys=True)
    return f"{NAME}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
