"""The run: from sources to PDFs, every step through the ledger."""

from __future__ import annotations

from batch_converter.orchestrator.run import Run, StopReason

__all__ = ["Run", "StopReason"]
