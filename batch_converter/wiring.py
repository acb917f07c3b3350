"""Where the concrete parts meet: settings in, a run ready to be executed out."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, assert_never

import anyio
import anyio.to_thread

from batch_converter.budget import Budget, month_start
from batch_converter.clock import SystemClock
from batch_converter.engines import aspose
from batch_converter.engines.local import LocalEngine
from batch_converter.errors import ConfigError
from batch_converter.ledger import Ledger
from batch_converter.models import EngineName
from batch_converter.orchestrator import LedgerMeter, RunContext
from batch_converter.output import PartFolder
from batch_converter.polling import FixedInterval, Predictive
from batch_converter.progress import Tally
from batch_converter.state import LEDGER_NAME, PARTS_NAME, output_dir

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.engines.base import CallMeter, Engine
    from batch_converter.polling import Observation, PollPolicy
    from batch_converter.redaction import Redactor


def choose_engine(settings: Settings) -> EngineName:
    """Return the engine that `auto` means, or the one that was asked for.

    Raises:
        ConfigError: The service was asked for and there are no credentials, or the
            service may be meant and half of them is missing.
    """
    if fault := settings.account_fault:
        raise ConfigError(fault)
    if settings.engine == "auto":
        return EngineName.ASPOSE if settings.aspose.has_credentials else EngineName.LOCAL
    engine = EngineName(settings.engine)
    if engine is EngineName.ASPOSE and not settings.aspose.has_credentials:
        raise ConfigError(
            "the aspose engine needs credentials: set ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET,"
            " or use --engine local"
        )
    return engine


def build_engine(
    name: EngineName, settings: Settings, meter: CallMeter, redactor: Redactor | None = None
) -> Engine:
    """Return the engine of that name, not yet opened; blocking: it looks for programs.

    Raises:
        ConfigError: Its settings cannot be used.
    """
    match name:
        case EngineName.ASPOSE:
            return aspose.AsposeEngine(
                settings.aspose,
                settings.retry,
                meter=meter,
                max_submissions=settings.concurrency.max_submissions,
                redactor=redactor,
            )
        case EngineName.LOCAL:
            return LocalEngine(settings.local)
        case _ as never:
            assert_never(never)


@asynccontextmanager
async def open_context(
    settings: Settings,
    name: EngineName,
    *,
    state: Path,
    run_id: str,
    tally: Tally | None = None,
    redactor: Redactor | None = None,
) -> AsyncIterator[RunContext]:
    """Open the ledger in `state` and wire a run over it; the engine is not opened.

    Raises:
        UsageError: The ledger or a setting cannot be used.
    """
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(await Ledger.open(state / LEDGER_NAME))
        clock, tally = SystemClock(), tally or Tally()
        budget = await _budget(settings, ledger)
        meter = LedgerMeter(ledger=ledger, budget=budget, clock=clock, tally=tally)
        target = output_dir(settings)
        service = settings.aspose.base_url if name is EngineName.ASPOSE else name.value
        yield RunContext(
            settings=settings,
            engine=await anyio.to_thread.run_sync(build_engine, name, settings, meter, redactor),
            ledger=ledger,
            meter=meter,
            policy=_policy(settings, await ledger.recall(service)),
            service=service,
            parts=PartFolder(
                output_dir=target, state_dir=state, run_id=run_id, verify=settings.output.verify
            ),
            clock=clock,
            tally=tally,
            output_dir=target,
            parts_dir=state / PARTS_NAME,
            pollers=anyio.CapacityLimiter(settings.concurrency.max_pollers),
        )


def _policy(settings: Settings, known: Sequence[Observation]) -> PollPolicy:
    if settings.polling.interval is not None:
        return FixedInterval(settings.polling.interval)
    max_in_flight = settings.concurrency.max_in_flight
    return Predictive(Random(), max_in_flight=max_in_flight, known=known)  # noqa: S311  # no secret


async def _budget(settings: Settings, ledger: Ledger) -> Budget:
    chosen = settings.budget
    limits = [] if chosen.max_api_calls is None else [chosen.max_api_calls]
    if chosen.monthly_api_calls is not None:
        since = month_start(datetime.now(UTC), starts_on=chosen.month_starts_on)
        limits.append(chosen.monthly_api_calls - await ledger.billed_since(since))
    return Budget(max(0, min(limits)) if limits else None)
