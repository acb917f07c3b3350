"""One document on its way through the workers: inspected, drawn in parts, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from batch_converter.djvu.jobs.part_files import part_names, remove_parts
from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.task_groups import first_raised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.work.workers import Priority
    from batch_converter.engines.local.asking import Workers
    from batch_converter.engines.local.turns import DocumentTurns
    from batch_converter.engines.local.work_time import WorkTime
    from batch_converter.threads import DiskThreads


class DocumentConversion:
    """The jobs of one document.

    Args:
        source: Its path.
        target: Where its PDF goes.
        workers: Who does them.
        turns: Their places in the queue.
        time: What workers may spend on it.
        max_part_pages: Of each part; None leaves that to the length of the document.
        threads: Where files are looked at.
    """

    def __init__(
        self,
        source: str,
        target: str,
        workers: Workers,
        *,
        turns: DocumentTurns,
        time: WorkTime,
        max_part_pages: int | None,
        threads: DiskThreads,
    ) -> None:
        self._source = source
        self._target = target
        self._workers = workers
        self._limits = workers.limits
        self._turns = turns
        self._time = time
        self._max_part_pages = max_part_pages
        self._threads = threads
        self._parts_bytes: list[int] = []

    async def run(self) -> Sequence[str]:
        """Convert it; returns its warnings.

        Raises:
            FileError: It cannot be converted, is beyond a limit, or takes too long.
            MachineExhaustedError: No worker can be started.
        """
        with self._time.limited(self._limits.took_too_long):
            counted = await self._ask("inspect", self._turns.of_part(), pages=0)
            self._limits.check_pages(counted["pages"])
            return await self._convert(counted["pages"])

    async def _convert(self, pages: int) -> Sequence[str]:
        """Convert a document at once or in parts; returns its warnings."""
        parts = parts_of(pages, max_pages=self._max_part_pages)
        names = part_names(self._target, len(parts))
        try:
            if len(parts) == 1:
                answer = await self._ask("convert", self._turns.of_part(), pages=pages)
                self._turns.part_ended()
            else:
                answer = await self._convert_parts(names, parts)
        finally:  # a worker that was killed has left its own
            with anyio.CancelScope(shield=True):
                await self._threads.start(remove_parts, names)
        warnings: Sequence[str] = answer["warnings"]
        return warnings

    async def _convert_parts(self, names: Sequence[str], parts: Sequence[range]) -> dict[str, Any]:
        """Ask for all parts at once; the first failure calls the others off."""
        results: list[dict[str, Any]] = [{}] * len(parts)

        async def ask(number: int) -> None:
            results[number] = await self._convert_part(number, names[number], parts[number])

        with first_raised():
            async with anyio.create_task_group() as group:
                for number in range(len(parts)):
                    group.start_soon(ask, number)
        return await self._ask(
            "assemble",
            self._turns.of_end(),
            pages=parts[-1].stop,
            parts=names,
            results=results,
        )

    async def _convert_part(self, number: int, name: str, pages: range) -> dict[str, Any]:
        answer = await self._ask(
            "part",
            self._turns.of_part(number),
            pages=len(pages),
            target=name,
            start=pages.start,
            stop=pages.stop,
        )
        self._turns.part_ended()
        self._parts_bytes.append(answer["size_bytes"])
        self._limits.check_parts(len(self._parts_bytes), sum(self._parts_bytes))
        result: dict[str, Any] = answer["result"]
        return result

    async def _ask(
        self, kind: str, priority: Priority, *, pages: int, **details: object
    ) -> dict[str, Any]:
        job = {"job": kind, "source": self._source, "target": self._target, **details}
        return await self._workers.ask(job, priority, pages=pages, at_work=self._time.spent)
