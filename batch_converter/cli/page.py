"""`convert --progress-page`: a run with a page to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import structlog

from batch_converter.progress_page import RunRows, progress_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch_converter.api import RunReport
    from batch_converter.config import Settings
    from batch_converter.counters import RunCounters
    from batch_converter.events import RunEvent
    from batch_converter.sources import Sources

log = structlog.get_logger()


async def run_with_page(
    run: Callable[..., Awaitable[RunReport]],
    port: int,
    counters: RunCounters,
    sources: Sources,
    settings: Settings,
) -> RunReport:
    """Run, observed by the counters and by a page on this port of 127.0.0.1.

    Raises:
        UsageError: The port cannot be had; nothing was started.
    """
    rows, max_api_calls = RunRows(), settings.budget.max_api_calls

    def observe(event: RunEvent) -> None:
        counters.observe(event)
        rows.observe(event)

    async with progress_page(port, rows, counters, max_api_calls=max_api_calls) as address:
        _say_where(address, settings)
        return await run(sources, settings, on_event=observe)


def _say_where(address: str, settings: Settings) -> None:
    """Tell the page's address on standard error, as quiet as that is."""
    if settings.logging.level in {"debug", "info"}:
        log.info("run.progress_page", address=address)
    else:
        click.echo(f"progress page: {address}", err=True)
