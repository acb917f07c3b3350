"""What `doctor` says of the cluster: whether it can be reached, and whether its workers fit."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.engines.dask.cluster import Cluster
from batch_converter.engines.dask.wishes import wishes_of
from batch_converter.engines.spec import Finding
from batch_converter.processors import usable_processors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.config import LocalSettings
    from batch_converter.engines.dask.settings import DaskSettings


async def diagnose(settings: DaskSettings, conversion: LocalSettings) -> Sequence[Finding]:
    """Look at the cluster.

    Raises:
        ConfigError: Workers are of another version, or lack what the settings ask for.
        ServiceUnavailableError: The scheduler cannot be reached, is none, or says nothing.
    """
    dask = f"Dask distributed {await anyio.to_thread.run_sync(version, 'distributed')}"
    if settings.scheduler is None:
        count = settings.workers or await anyio.to_thread.run_sync(usable_processors)
        return [Finding(is_good=True, text=f"cluster: on this machine, {count} workers; {dask}")]
    wishes = await wishes_of(conversion)
    async with Cluster(settings.scheduler, wishes, None) as cluster:
        slots = await cluster.slots()
    found = f"{len(slots)} workers with {sum(slots.values())} threads"
    return [Finding(is_good=True, text=f"cluster: {settings.scheduler}, {found}; {dask}")]
