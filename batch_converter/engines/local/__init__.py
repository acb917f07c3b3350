"""The embedded engine: DjVu to PDF in worker processes on this machine."""

from __future__ import annotations

from batch_converter.engines.local.engine import LocalEngine
from batch_converter.engines.local.limits import DocumentLimits
from batch_converter.engines.local.options import NAME, options_of
from batch_converter.engines.local.serving import serving_engine
from batch_converter.engines.local.spec import SPEC

__all__ = ["NAME", "SPEC", "DocumentLimits", "LocalEngine", "options_of", "serving_engine"]
