"""The embedded engine as `serve` runs it: for documents of people who do not trust each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.engines.local.engine import LocalEngine
from batch_converter.engines.local.limits import DocumentLimits

if TYPE_CHECKING:
    from batch_converter.config import Settings

_MAX_KILLS: Final = 2
"""A batch has its night for a third try; here others wait for the workers meanwhile."""


def serving_engine(settings: Settings, *, workers: int | None = None) -> LocalEngine:
    """Return an engine with bounds, in which no document holds up or sees another.

    Args:
        settings: The sections `[local]` and `[serve]` are heeded.
        workers: Overrides `local.workers`.
    """
    return LocalEngine(
        settings.local,
        workers=workers,
        limits=DocumentLimits(
            max_pages=settings.serve.max_pages,
            max_pdf_bytes=settings.serve.max_pdf_bytes,
            max_seconds=settings.serve.max_document_s,
        ),
        bundled_only=True,
        shares_workers=True,
        max_kills=_MAX_KILLS,
    )
