"""The end of a run: counted, recorded, and told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from batch_converter.engines.base import TaskService
from batch_converter.events import RunFinished
from batch_converter.fault_points import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_converter.errors import ExitCode
    from batch_converter.models import RunSummary, Totals
    from batch_converter.orchestrator.context import RunContext

    JudgeEnd = Callable[[Totals], ExitCode]


async def record_end(context: RunContext, exit_code: JudgeEnd, causes: Sequence[str]) -> RunSummary:
    """Give what is left its outcome, count the run and record how it ended.

    Args:
        context: What the run shares.
        exit_code: Says how a run with these totals ends.
        causes: Why it took no new work any more.

    Raises:
        LedgerWriteError: It cannot be recorded.
    """
    ledger, engine = context.ledger, context.engine
    if isinstance(engine, TaskService):
        await ledger.remember(engine.address, context.polling.observations())
    summary = await ledger.finish_run(at=context.clock.now())
    reach("run.counted")
    code = exit_code(summary.totals)
    await ledger.end_run(code, causes=causes)
    reach("run.recorded")
    return replace(summary, exit_code=code, causes=tuple(causes))


async def sum_up(
    context: RunContext, found: int, exit_code: JudgeEnd, causes: Sequence[str]
) -> RunSummary:
    """Sum up a run whose end cannot be recorded; to the next one it will have died.

    Args:
        context: What the run shares.
        found: How many files it had found.
        exit_code: As of `record_end`.
        causes: Likewise.

    Raises:
        LedgerWriteError: The ledger cannot even be read any more.
    """
    summary = await context.ledger.summary()
    known = summary.totals
    ended = known.converted + known.skipped + known.failed
    found = max(found, ended)
    totals = replace(known, found=found, remaining=found - ended)
    return replace(
        summary,
        finished_at=context.clock.now(),
        totals=totals,
        exit_code=exit_code(totals),
        causes=tuple(causes),
    )


def run_finished(summary: RunSummary) -> RunFinished:
    """Return the event that tells of a run's end."""
    totals = summary.totals
    return RunFinished(
        exit_code=None if summary.exit_code is None else summary.exit_code.value,
        found=totals.found,
        converted=totals.converted,
        skipped=totals.skipped,
        failed=totals.failed,
        remaining=totals.remaining,
        with_warnings=totals.with_warnings,
        billed=summary.api_calls.billed,
    )
