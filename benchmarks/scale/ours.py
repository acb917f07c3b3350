"""Ours as a program uses it: with the durable ledger, or with one in memory."""

from __future__ import annotations

import gc
import logging
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import anyio
import structlog

from batch_converter.cli.allocator import keep_freed_memory
from batch_converter.cli.collector import collect_seldom
from batch_converter.config import Settings
from batch_converter.ledger import Ledger
from batch_converter.opening import open_run
from batch_converter.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

import_module("batch_converter.engines.aspose.engine")  # else on first use, while the clocks run
gc.freeze()  # as `cli.loading` does with what a command needs


def convert(source: Path, output: Path, url: str) -> None:
    """Make a run through the public wiring."""
    keep_freed_memory()  # as the command does
    collect_seldom()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings.model_validate(
        {
            "engine": "aspose",
            "output": {"dir": output},
            "aspose": {"base_url": url, "client_id": "id", "client_secret": "bench-secret"},
            "polling": {"interval": 0.001},
        }
    )
    anyio.run(partial(_run, settings, Sources(paths=(str(source),))))


def convert_without_ledger(source: Path, output: Path, url: str) -> None:
    """Make the same run with a ledger that is never brought to the disk."""
    Ledger.open = Ledger.open_copy  # type: ignore[method-assign]  # replaced on purpose
    convert(source, output, url)


async def _run(settings: Settings, sources: Sources) -> None:
    async with open_run(settings, sources) as (run, opened):
        summary = await run.execute(opened.found, opened.roots)
    if summary.totals.failed or summary.totals.remaining:
        raise SystemExit(f"not everything was converted: {summary.totals}")
