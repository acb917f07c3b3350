"""The Aspose.OCR Cloud client as an engine."""

from __future__ import annotations

from batch_converter.engines.aspose.engine import AsposeEngine

__all__ = ["AsposeEngine"]
