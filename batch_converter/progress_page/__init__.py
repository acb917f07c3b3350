"""A live page of one run: looked at, never written to."""

from __future__ import annotations

from batch_converter.progress_page.rows import RunRows
from batch_converter.progress_page.serving import progress_page

__all__ = ["RunRows", "progress_page"]
