"""The run: from sources to PDFs, every step through the ledger."""

from __future__ import annotations

from batch_converter.orchestrator.calls import CallBook
from batch_converter.orchestrator.cancelling import Cancelling
from batch_converter.orchestrator.context import RunContext
from batch_converter.orchestrator.disk_room import DiskRoom
from batch_converter.orchestrator.estimate import estimate
from batch_converter.orchestrator.keeping import SourceKeeper, finish_moves
from batch_converter.orchestrator.planner import Planner
from batch_converter.orchestrator.poll_schedule import PollSchedule
from batch_converter.orchestrator.run import Run
from batch_converter.orchestrator.stopping import StopReason

__all__ = [
    "CallBook",
    "Cancelling",
    "DiskRoom",
    "Planner",
    "PollSchedule",
    "Run",
    "RunContext",
    "SourceKeeper",
    "StopReason",
    "estimate",
    "finish_moves",
]
