"""Tasks of a run on a cluster: given out, watched, tried again, their files brought home."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
from distributed.client import FutureCancelledError

from batch_converter.engines.dask.losses import Losses
from batch_converter.engines.dask.orders import Answer
from batch_converter.engines.dask.tasks import perform
from batch_converter.errors import EngineError
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from distributed import Future

    from batch_converter.engines.dask.cluster import Cluster
    from batch_converter.engines.dask.orders import Order
    from batch_converter.engines.dask.pieces import Pieces


_CONNECTION_LOST: Final = "scheduler-connection-lost"
"""Dask's own word; it connects again, to one that knows nothing of us."""


class MakeOrder(Protocol):
    """Returns a new order, told whether it is to be alone on its worker."""

    def __call__(self, *, is_alone: bool) -> Order: ...  # noqa: D102  # as the class says


@dataclass(slots=True)
class _Attempt:
    """One order on its way.

    Attributes:
        workers: Those that it may go to; None for any.
        begun_on: The worker at it.
        has_died: Whether that has died at it.
        wanted_by: The worker that wants the source's bytes.
        wanted: Set when one does.
    """

    order: Order
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    workers: set[str] | None = None
    begun_on: str | None = None
    has_died: bool = False
    wanted_by: str | None = None
    wanted: anyio.Event = field(default_factory=anyio.Event)

    def hear(self, what: str, worker: str) -> None:
        """Take note of what a worker tells of it."""
        if what == "begun":
            self.begun_on = worker
        elif what in {"ended", "left"} and self.begun_on == worker:
            self.begun_on = None
        elif what == "wants":
            self.wanted_by = worker
            self.wanted.set()

    def hear_of_end(self, worker: str, *, was_expected: bool) -> None:
        """Take note of a worker's end: where it died at it, this attempt is over.

        Dask has begun another already, and drops it with this one: tries are ours to count.
        """
        if self.begun_on == worker and not was_expected:
            self.has_died = True
            self.scope.cancel()
        if self.workers is not None:
            self.workers.discard(worker)
            if not self.workers:
                self.scope.cancel()


@dataclass(frozen=True, slots=True)
class _Accident:
    """Why an attempt has come to nothing, without anybody's fault."""

    reason: str


class Dispatch:
    """Gives out tasks, at most so many at once.

    Args:
        cluster: Where they are done.
        pieces: How files travel that are not shared.
        at_once: Tasks that are out at once.
    """

    def __init__(self, cluster: Cluster, pieces: Pieces, *, at_once: int) -> None:
        self._cluster = cluster
        self._pieces = pieces
        self._places = anyio.Semaphore(at_once)
        self._attempts: dict[str, _Attempt] = {}
        cluster.listen(self._hear)

    async def ask(
        self, make_order: MakeOrder, *, priority: int, on_retry: Callable[[str], None]
    ) -> Answer:
        """Have a task done; the run sees the file that was written.

        Args:
            make_order: Makes the order of each try.
            priority: Of tasks that wait, the greatest is done first.
            on_retry: Told why it is tried again.

        Raises:
            EngineError: It kills workers.
            NetworkError: It came to nothing again and again.
            FileError: Its source cannot be sent, or its file not be written.
        """
        losses = Losses()
        async with self._places:
            while True:
                outcome = await self._attempt(make_order(is_alone=losses.is_suspect), priority)
                if isinstance(outcome, Answer):
                    return outcome
                if outcome is None:
                    losses.note_death()
                    on_retry("the worker that converted it died")
                else:
                    losses.note_accident(outcome.reason)
                    on_retry(outcome.reason)

    async def _attempt(self, order: Order, priority: int) -> Answer | _Accident | None:
        """Try once; None is a worker's death."""
        attempt = _Attempt(order)
        self._attempts[order.key] = attempt
        outcome: Answer | _Accident = _Accident("it was called off")
        try:
            with attempt.scope:
                outcome = await self._outcome(attempt, priority)
        finally:
            del self._attempts[order.key]
        return None if attempt.has_died else outcome

    async def _outcome(self, attempt: _Attempt, priority: int) -> Answer | _Accident:
        order = attempt.order
        workers = await self._cluster.chosen_workers()
        attempt.workers = None if workers is None else set(workers)
        future = self._cluster.client.submit(
            perform,
            order,
            key=order.key,
            pure=False,
            retries=0,
            priority=priority,
            workers=workers,
            allow_other_workers=False if workers else None,
        )
        try:
            answer = await self._answer(attempt, future)
        finally:
            future.release()
        return await self._at_home(answer, order) if isinstance(answer, Answer) else answer

    async def _answer(self, attempt: _Attempt, future: Future[Any]) -> Answer | _Accident:
        with unwrapped():
            async with anyio.create_task_group() as group:
                group.start_soon(self._send_source, attempt)
                answer = await self._result(future)
                group.cancel_scope.cancel()
        if isinstance(answer, Answer):
            return self._judged(answer, attempt)
        return answer

    async def _result(self, future: Future[Any]) -> Answer | _Accident:
        try:
            answer = await future
        except FutureCancelledError as error:
            if error.reason == _CONNECTION_LOST or self._cluster.client.status != "running":
                self._cluster.lose("is gone")
                await anyio.sleep_forever()
            return _Accident(f"the cluster called it off ({error.reason})")
        except OSError as error:
            return _Accident(f"its result did not arrive: {error}")
        except Exception as error:  # noqa: BLE001  # KilledWorker, and what a worker cannot load
            return _Accident(f"the cluster gave it up: {type(error).__name__}: {error}")
        if not isinstance(answer, Answer):
            raise EngineError("a worker gave an answer that nobody understands; please report it")
        return answer

    def _judged(self, answer: Answer, attempt: _Attempt) -> Answer | _Accident:
        if answer.refusal is not None:
            self._cluster.refuse(answer.worker, answer.refusal)
            return _Accident(f"a worker may not convert for this run: {answer.refusal}")
        if answer.stalled is not None:
            return _Accident(f"the worker {attempt.begun_on}: {answer.stalled}")
        return answer

    async def _send_source(self, attempt: _Attempt) -> None:
        """Send the source to each worker that wants it; Dask may have tried several."""
        while True:
            await attempt.wanted.wait()
            attempt.wanted = anyio.Event()
            if attempt.wanted_by is not None:
                await self._pieces.send(attempt.order, attempt.wanted_by)

    async def _at_home(self, answer: Answer, order: Order) -> Answer | _Accident:
        """Fetch the file that a worker holds, if there is one."""
        if answer.held_by is None:
            if answer.place and not order.target.is_place(answer.place):
                raise EngineError("a worker named a file that is none of its own; please report it")
            return answer
        place = await self._pieces.fetch(order, answer)
        if place is None:
            return _Accident("the worker that had converted it went away with its file")
        return replace(answer, place=place)

    def _hear(self, told: Mapping[str, Any]) -> None:
        worker = str(told.get("worker"))
        attempt = self._attempts.get(str(told.get("key")))
        if attempt is not None:
            attempt.hear(str(told.get("what")), worker)
        elif told.get("action") == "remove-worker":
            was_expected = bool(told.get("expected"))
            for other in tuple(self._attempts.values()):
                other.hear_of_end(worker, was_expected=was_expected)
