"""The embedded engine on a cluster: documents, in parts where they are long, to its workers."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.djvu.work.kernel_folder import NoKernelFolderError, kernel_folder
from batch_converter.djvu.work.workers import WorkerPool
from batch_converter.engines.base import Converter, Ready
from batch_converter.engines.dask import NAME
from batch_converter.engines.dask.cluster import Cluster
from batch_converter.engines.dask.conversion import ClusterConversion, Means
from batch_converter.engines.dask.dispatch import Dispatch
from batch_converter.engines.dask.local_cluster import LocalCluster
from batch_converter.engines.dask.pieces import Pieces
from batch_converter.engines.dask.wishes import wishes_of
from batch_converter.engines.local.asking import Workers, about, capacity_of
from batch_converter.engines.local.options import digest_of, options_of
from batch_converter.errors import ErrorCode, FileError
from batch_converter.events import FileRetrying
from batch_converter.processors import usable_processors
from batch_converter.shortage import stopped_when_exhausted

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from batch_converter.config import LocalSettings
    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.engines.base import PdfTarget, SourceDocument
    from batch_converter.engines.dask.settings import DaskSettings
    from batch_converter.engines.dask.wishes import Wishes
    from batch_converter.events import EventStream
    from batch_converter.storage import OpenSource
    from batch_converter.threads import DiskThreads


class DaskEngine(Converter):
    """Converts on the workers of a Dask cluster, as the embedded engine does on this machine."""

    def __init__(
        self,
        settings: DaskSettings,
        conversion: LocalSettings,
        *,
        max_in_flight: int,
        threads: DiskThreads,
        events: EventStream,
        open_source: OpenSource,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            settings: The `[dask]` section.
            conversion: The `[local]` section, which is theirs too.
            max_in_flight: Tasks that are out at once.
            threads: Where files are looked at.
            events: Told what is tried again.
            open_source: Opens what is sent to workers.
        """
        self._settings = settings
        self._conversion = conversion
        self._given_options = options_of(conversion)
        self._max_in_flight = max_in_flight
        self._threads = threads
        self._events = events
        self._open_source = open_source
        self._workers = 0
        if not settings.scheduler:
            self._workers = settings.workers or usable_processors()
        self._orders = count()
        self._stack = AsyncExitStack()
        self._cluster: Cluster
        self._means: Means

    @property
    def name(self) -> str:
        """`dask`."""
        return NAME

    @property
    def capacity(self) -> int:
        """A few more documents than workers here; of a cluster that may grow, all that may be."""
        if self._settings.scheduler:
            return self._max_in_flight
        return capacity_of(self._workers)

    @property
    def keeps_damaged(self) -> bool:
        """As `local.on_damage` says."""
        return self._given_options.keep_damaged

    @property
    def options_digest(self) -> str:
        """As the embedded engine's."""
        return digest_of(self._given_options)

    async def __aenter__(self) -> Self:
        """Connect to the cluster, or start one, and look at its workers.

        Raises:
            ConfigError: Workers are of another version, or lack what the settings ask for.
            ServiceUnavailableError: The scheduler cannot be reached, is none, or says nothing.
        """
        wishes = await wishes_of(self._conversion)
        async with AsyncExitStack() as stack:
            cluster = self._cluster = await stack.enter_async_context(
                await self._reached(wishes, stack)
            )
            options = await anyio.to_thread.run_sync(_settled, self._given_options)
            pieces = Pieces(cluster, self._threads, self._open_source)
            pool = WorkerPool(size=1, max_memory_bytes=self._conversion.max_memory_bytes)
            stack.push_async_callback(pool.aclose)
            self._means = Means(
                dispatch=Dispatch(cluster, pieces, at_once=self._max_in_flight),
                wishes=wishes,
                options=options,
                page_timeout_s=self._conversion.page_timeout_s,
                at_home=Workers(pool, options, page_timeout_s=self._conversion.page_timeout_s),
                threads=self._threads,
                told=self._tell_retry,
            )
            self._stack = stack.pop_all()
        return self

    async def _reached(self, wishes: Wishes, stack: AsyncExitStack) -> Cluster:
        if self._settings.scheduler:
            return Cluster(self._settings.scheduler, wishes, None)
        local = LocalCluster(self._workers, self._threads)
        stack.push_async_callback(local.aclose)
        told = await local.start()
        return Cluster(told["address"], wishes, told["security"])

    def _tell_retry(self, name: str, reason: str) -> None:
        self._events.emit(
            FileRetrying(source=name, task_id=None, code=ErrorCode.NETWORK, message=reason)
        )

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the cluster, or end it where it is the run's own."""
        await self._stack.aclose()

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        """Convert the document into `target.path`; cancelling calls its tasks off.

        Raises:
            FileError: It cannot be converted, read or written, or workers die of it.
            ServiceUnavailableError: The scheduler is lost.
            MachineExhaustedError: This machine has no thread, process or memory for it.
        """
        conversion = ClusterConversion(
            source, os.fspath(target.path), self._means, next(self._orders)
        )
        try:
            with stopped_when_exhausted(), self._cluster.needed():
                warnings = await conversion.run()
                return Ready(warnings=tuple(warnings))
        except FileError as error:
            told = about(source.name, error)
            raise told from told.__cause__
        raise AssertionError("what is needed returns or raises")


def _settled(options: ConvertOptions) -> ConvertOptions:
    """Say outright what workers would choose by what is installed there; blocking."""
    if options.masks != "auto":
        return options
    try:
        kernel_folder(os.environ)
    except NoKernelFolderError:
        return replace(options, masks="g4")
    return replace(options, masks="jbig2")
