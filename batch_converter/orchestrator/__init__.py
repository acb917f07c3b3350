"""The run: from sources to PDFs, every step through the ledger."""

from __future__ import annotations

from batch_converter.orchestrator.cancelling import Cancelling
from batch_converter.orchestrator.context import RunContext
from batch_converter.orchestrator.estimate import estimate
from batch_converter.orchestrator.meter import LedgerMeter
from batch_converter.orchestrator.planning import Planner
from batch_converter.orchestrator.run import Run
from batch_converter.orchestrator.stopping import StopReason

__all__ = ["Cancelling", "LedgerMeter", "Planner", "Run", "RunContext", "StopReason", "estimate"]
