"""The work itself: each task through the engine, as many at once as there are workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from batch_converter.engines.base import Failed, Ready
from batch_converter.errors import BatchConverterError, MachineExhaustedError
from batch_converter.server.files import FileWriter
from batch_converter.wire import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.clock import Clock
    from batch_converter.engines.base import Converter
    from batch_converter.server.metrics import ServerMetrics
    from batch_converter.server.storage import DataFolder
    from batch_converter.server.tasks import ServedTask

_log = structlog.get_logger()

PUBLIC_NAME: Final = "document.djvu"
"""What messages call the document: the client knows no name of ours."""

PUBLIC_PDF: Final = "document.pdf"
"""The same for its PDF."""

_EXHAUSTED_S: Final = 5.0
"""Between two tries of what the machine has no processes or memory for."""


class Conversions:
    """Takes tasks from Pending to their end."""

    def __init__(
        self,
        converter: Converter,
        folder: DataFolder,
        *,
        workers: int,
        metrics: ServerMetrics,
        clock: Clock,
    ) -> None:
        self._converter = converter
        self._folder = folder
        self._workers = anyio.CapacityLimiter(workers)
        self._metrics = metrics
        self._clock = clock

    async def run(self, task: ServedTask) -> None:
        """Convert the document, waiting for a free worker first.

        However it ends, the upload is deleted; of a task that was called off, so is
        the result.
        """
        with task.scope:
            async with self._workers:
                await self._convert(task)
        if task.status is TaskStatus.NOT_EXIST:
            await self._folder.remove(task.task_id)

    async def _convert(self, task: ServedTask) -> None:
        task.move(TaskStatus.PROCESSING)
        began_s = self._clock.monotonic_s()
        outcome = await self._outcome(task)
        await self._clear(task, outcome)
        if task.status is TaskStatus.NOT_EXIST:
            return
        self._settle(task, outcome)
        seconds = self._clock.monotonic_s() - began_s
        self._metrics.conversion_ended(task.status, seconds)
        _log.info(
            "server.task_ended",
            task_id=task.task_id,
            status=task.status,
            bytes_in=task.document.size_bytes,
            seconds=round(seconds, 3),
            messages=task.messages,
        )

    async def _clear(self, task: ServedTask, outcome: Ready | Failed) -> None:
        """Keep nothing but a whole PDF; an engine that failed may have left half of one."""
        if isinstance(outcome, Ready):
            await self._folder.remove_upload(task.task_id)
        else:
            await self._folder.remove(task.task_id)

    async def _outcome(self, task: ServedTask) -> Ready | Failed:
        """Convert; whatever goes wrong is this task's end and no other's."""
        target = FileWriter(task.result, self._folder.threads)
        try:
            ready = await self._convert_once_possible(task, target)
            await target.close()
        except BatchConverterError as error:
            return Failed(messages=(str(error),))
        except Exception:  # noqa: BLE001  # logged; one task's fault must not end the others
            _log.exception("server.task_crashed", task_id=task.task_id)
            return Failed(messages=("the conversion ended with an internal error",))
        else:
            return ready
        finally:
            await target.discard()

    async def _convert_once_possible(self, task: ServedTask, target: FileWriter) -> Ready:
        """Convert as soon as the machine has what that takes: no task fails for want of it."""
        while True:
            try:
                return await self._converter.convert(task.document, target)
            except MachineExhaustedError as error:
                _log.warning("server.machine_exhausted", task_id=task.task_id, message=str(error))
            await anyio.sleep(_EXHAUSTED_S)

    def _settle(self, task: ServedTask, outcome: Ready | Failed) -> None:
        match outcome:
            case Ready(warnings=warnings):
                task.warnings = _public(task, warnings)
                task.move(TaskStatus.COMPLETED)
            case Failed(messages=messages):
                task.messages = _public(task, messages) or ("the document could not be converted",)
                task.move(TaskStatus.ERROR)


def _public(task: ServedTask, texts: tuple[str, ...]) -> tuple[str, ...]:
    """Take our own names and paths out of what a client is told."""
    upload, result = Path(task.document.path), task.result
    names = {str(upload): PUBLIC_NAME, str(result): PUBLIC_PDF}
    names |= {upload.name: PUBLIC_NAME, result.name: PUBLIC_PDF}
    return tuple(_replaced(text, names) for text in texts)


def _replaced(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text
