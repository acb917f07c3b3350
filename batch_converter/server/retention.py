"""What is kept, for how long, and what is swept away."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.errors import ErrorCode, QueueWriteError
from batch_converter.server.conversions import VANISHED
from batch_converter.server.queue import DocumentState

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from batch_converter.clock import Clock
    from batch_converter.server.conversions import Conversions
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()

_SWEEP_INTERVAL_S: Final = 60.0
_LEAST_INTERVAL_S: Final = 1.0
"""Where documents are kept for minutes: lists shall not show them for one more."""

_IDLE_UPLOAD: Final = timedelta(days=1)


class Retention:
    """Forgets documents once their time is over, files and all.

    Args:
        queue: Where their rows are.
        folder: Where their files are.
        conversions: Told of those that are being converted.
        clock: The time of day, which counts while the service is down, too.
        kept: How long, from a document's submission.
    """

    def __init__(
        self,
        queue: DocumentQueue,
        folder: DataFolder,
        conversions: Conversions,
        *,
        clock: Clock,
        kept: timedelta,
    ) -> None:
        self._queue = queue
        self._folder = folder
        self._conversions = conversions
        self._clock = clock
        self._kept = kept
        often_s = max(_LEAST_INTERVAL_S, kept.total_seconds() / 10)
        self._interval_s = min(_SWEEP_INTERVAL_S, often_s)

    def kept_until(self, document: QueuedDocument) -> datetime:
        """Return when the document is forgotten."""
        return document.submitted_at + self._kept

    def is_over(self, document: QueuedDocument) -> bool:
        """Whether the document's time is over, swept or not."""
        return self.kept_until(document) <= self._clock.now()

    async def run(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            try:
                await self.sweep()
            except QueueWriteError as error:
                _log.warning("server.sweep_failed", message=str(error))
            due_s = self._clock.monotonic_s() + self._interval_s
            await self._clock.wait_until(due_s, anyio.Event())

    async def sweep(self) -> None:
        """Forget what is over, and uploads that nobody goes on with.

        Raises:
            QueueWriteError: That cannot be recorded.
        """
        now = self._clock.now()
        while idle := await self._queue.remove_uploads_idle_since(now - _IDLE_UPLOAD):
            await self._folder.remove(*(document.id for document in idle))
            _log.info("server.uploads_expired", count=len(idle))
        while removed := await self._queue.remove_submitted_before(now - self._kept):
            for document in removed:
                self._conversions.call_off(document.id)
            await self._folder.remove(*(document.id for document in removed))
            _log.info("server.tasks_expired", count=len(removed))

    async def clear_leftovers(self) -> None:
        """Delete files without a row, and fail rows without their file, as a service starts.

        Raises:
            QueueWriteError: That cannot be recorded.
        """
        documents = await self._queue.standing()
        waiting = {one.id for one in documents if one.state is DocumentState.WAITING}
        await self._fail_lost(waiting)
        uploads = {one.id for one in documents if one.state is not DocumentState.READY}
        uploads |= {one.id for one in documents if one.keeps_source}
        results = {one.id for one in documents if one.state is DocumentState.READY}
        swept = await self._folder.threads.run(self._folder.sweep, uploads, results)
        if swept:
            _log.info("server.leftovers_deleted", count=swept)
        if documents:
            _log.info("server.queue_resumed", documents=len(documents), waiting=len(waiting))

    async def _fail_lost(self, waiting: AbstractSet[str]) -> None:
        there = await self._folder.threads.run(self._folder.uploads)
        for document_id in sorted(waiting - there):
            _log.error("server.upload_lost", task_id=document_id)
            await self._queue.change(
                document_id,
                DocumentState.FAILED,
                ended_at=self._clock.now(),
                error_code=ErrorCode.UNREADABLE.value,
                messages=(VANISHED,),
            )
