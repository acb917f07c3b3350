"""What workers of a cluster are asked to run, found there by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
from distributed import get_worker

from batch_converter.engines.dask.orders import Answer
from batch_converter.engines.dask.worker_plugin import ConversionPlugin

if TYPE_CHECKING:
    from distributed import Worker

    from batch_converter.engines.dask.orders import Order
    from batch_converter.engines.dask.wishes import Wishes


async def unfitness(wishes: Wishes) -> str | None:
    """Say why the worker's machine may not convert for a run; None where it may."""
    return await anyio.to_thread.run_sync(wishes.unfitness)


async def perform(order: Order) -> Answer:
    """Do a task of a run, on the worker that it was given to."""
    worker = get_worker()
    if (refusal := order.wishes.refusal()) is not None:
        return Answer(refusal=refusal, worker=worker.address)
    return await (await ConversionPlugin.of(worker)).perform(order)


async def receive(document: str, offset: int, data: bytes, dask_worker: Worker) -> bool:
    """Take a piece of a source in; returns whether the next one is wanted."""
    plugin = await ConversionPlugin.of(dask_worker)
    return await plugin.incoming.receive(document, offset, data)


async def read(key: str, offset: int, count: int, dask_worker: Worker) -> bytes | None:
    """Return a piece of a result."""
    return await (await ConversionPlugin.of(dask_worker)).read(key, offset, count)


async def drop(key: str, dask_worker: Worker) -> None:
    """Remove a result that has been fetched."""
    await (await ConversionPlugin.of(dask_worker)).drop(key)
