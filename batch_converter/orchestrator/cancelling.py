"""Calling off what is out at the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog

from batch_converter.errors import ExitCode, FileError, RunStoppedError
from batch_converter.orchestrator.preflight import source_document

if TYPE_CHECKING:
    from batch_converter.engines.base import TaskService
    from batch_converter.models import Document, Task
    from batch_converter.orchestrator.context import RunContext

log = structlog.get_logger()


class Cancelling:
    """Deletes every task that is out; a document is back to pending once that is done.

    Args:
        context: What a run shares.
        service: Where the tasks are.

    Attributes:
        cancelled: Tasks that are gone.
        failed: Tasks that could not be deleted; they stay out.
    """

    def __init__(self, context: RunContext, service: TaskService) -> None:
        self._context = context
        self._service = service
        self._stopped: RunStoppedError | None = None
        self.cancelled = 0
        self.failed = 0

    async def execute(self) -> None:
        """Delete all.

        Raises:
            RunStoppedError: The account is refused, the service cannot be reached, or the
                ledger cannot be written; what was deleted is recorded, but for the last.
        """
        out = await self._out()  # what that raises is raised without a group
        async with anyio.create_task_group() as group:
            for document in out:
                if document.task is not None:
                    group.start_soon(self._cancel, document, document.task, group.cancel_scope)
        await self._record_end()
        if self._stopped is not None:
            raise self._stopped

    async def _out(self) -> list[Document]:
        return await self._context.ledger.out_at_service(
            at=self._context.clock.now(), engine=self._service.name
        )

    async def _cancel(self, document: Document, task: Task, scope: anyio.CancelScope) -> None:
        try:
            with self._context.calls.of(document.id) as calls:
                async with self._context.polling.pollers:
                    await self._service.cancel(source_document(document), task.task_id, calls)
            with anyio.CancelScope(shield=True):
                await self._context.ledger.released(document)
        except FileError as error:
            self.failed += 1
            message = str(error)
            log.warning("file.cancel_failed", source=document.source, message=message)
        except RunStoppedError as error:
            self._stopped = error
            scope.cancel()
        else:
            self.cancelled += 1
            log.info("file.cancelled", source=document.source, task_id=task.task_id)

    async def _record_end(self) -> None:
        exit_code = ExitCode.SOME_FAILED if self.failed else ExitCode.OK
        if self._stopped is not None:
            exit_code = self._stopped.exit_code
        with anyio.CancelScope(shield=True):
            await self._context.ledger.end_run(exit_code, at=self._context.clock.now())
