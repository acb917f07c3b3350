"""The connection of a run to a cluster's scheduler: opened, watched, given up when it is lost."""

from __future__ import annotations

import logging
import warnings
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import anyio
import structlog
from distributed import Client, Security
from distributed.versions import VersionMismatchWarning

from batch_converter.engines.dask.orders import TOPIC
from batch_converter.engines.dask.release import PACKAGE, release
from batch_converter.engines.dask.tasks import unfitness
from batch_converter.errors import ConfigError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from anyio.abc import TaskGroup

    from batch_converter.engines.dask.wishes import Wishes

_log = structlog.get_logger()

_CONNECT_S: Final = 25
_LOOK_S: Final = 10
"""For each worker to say what it is; those that do not are looked at again when they do work."""

_BEAT_S: Final = 5.0
_SILENCE_S: Final = 30.0
_NO_WORKERS_S: Final = 60.0
_CLOSE_S: Final = 5.0
_NO_MODULE: Final = "No module named"
_ALL: Final = "all"
"""The scheduler's own topic for workers that come and go."""


class Cluster:
    """A scheduler, and which of its workers may convert.

    Args:
        address: Of the scheduler.
        wishes: What each worker has to be and have.
        security: Certificates; Dask's own configuration where absent.

    Attributes:
        client: Dask's, connected.
        unfit: Workers that may not convert, and why.
    """

    def __init__(self, address: str, wishes: Wishes, security: Mapping[str, Any] | None) -> None:
        self._address = address
        self._wishes = wishes
        self._security = Security(**security) if security else Security()
        self._scopes: set[anyio.CancelScope] = set()
        self._loss = ""
        self._group: TaskGroup | None = None
        self._listeners: list[Callable[[Mapping[str, Any]], None]] = []
        self._fit: set[str] = set()
        self._workers_changed = anyio.Event()
        self._stack = AsyncExitStack()
        self.client: Client
        self.unfit: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        """Connect, and look at the workers that are there.

        Raises:
            ConfigError: One is of another version, or lacks something.
            ServiceUnavailableError: The scheduler cannot be reached, is none, or says nothing.
        """
        _take_over_logs()
        async with AsyncExitStack() as stack:
            await self._connect(stack)
            self.client.subscribe_topic(_ALL, self._on_event)
            self.client.subscribe_topic(TOPIC, self._on_event)
            await self._look_at_all()
            self._group = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(self._group.cancel_scope.cancel)
            self._group.start_soon(self._watch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave the cluster; what it still does for the run is called off."""
        await self._stack.aclose()

    async def _connect(self, stack: AsyncExitStack) -> None:
        if self._address.startswith("tls") and not self._has_certificates():
            raise ConfigError(
                f"{self._address} wants certificates: name them in Dask's configuration"
                " (distributed.comm.tls.ca-file, .client.cert, .client.key)"
            )
        try:
            with anyio.fail_after(_CONNECT_S):
                self.client = await _connected(self._address, self._security, stack)
        except Exception as error:  # whatever a stranger's answer makes of Dask's protocol
            raise self._unavailable(f"cannot be reached: {_said(error)}") from error

    def _has_certificates(self) -> bool:
        arguments: Mapping[str, Any] = self._security.get_connection_args("client")
        return arguments.get("ssl_context") is not None

    def _unavailable(self, what: str) -> ServiceUnavailableError:
        return ServiceUnavailableError(
            f"the scheduler at {self._address} {what}; run the same command again when it is there"
        )

    # Workers

    async def _look_at_all(self) -> None:
        try:
            with anyio.fail_after(_LOOK_S):
                workers = await self.slots()
                await self._look_at_scheduler()
        except (OSError, TimeoutError) as error:
            raise self._unavailable(f"does not answer: {_said(error)}") from error
        async with anyio.create_task_group() as group:
            for worker in workers:
                group.start_soon(self._look_at, worker)
        if self.unfit:
            raise ConfigError(
                "; ".join(f"the worker {worker}: {why}" for worker, why in self.unfit.items())
                + ". Install the same version of batch-converter on all workers, and what the"
                " settings ask for; nothing was started"
            )
        _log.info(
            "cluster.joined",
            scheduler=self._address,
            workers=len(workers),
            slots=sum(workers.values()),
        )

    async def _look_at_scheduler(self) -> None:
        """Make sure that it can read tasks, which it does without running them.

        Raises:
            ConfigError: It has not our package, or another version of it.
        """
        try:
            there = await self.client.run_on_scheduler(release)
        except (OSError, TimeoutError):
            raise
        except Exception as error:  # noqa: BLE001  # what Dask makes of any error over there
            if _NO_MODULE not in str(error):
                return  # one that runs nothing itself, as it was configured
            there = {}
        found, wanted = there.get(PACKAGE, "is missing"), self._wishes.release[PACKAGE]
        if found != wanted:
            raise ConfigError(
                f"the scheduler at {self._address}: {PACKAGE} {found} where this machine has"
                f" {wanted}; tasks pass through it, so it needs the same; nothing was started"
            )

    async def _look_at(self, worker: str) -> None:
        """Ask a worker whether it may convert; of one that is gone, or slow, nothing is known."""
        told: Mapping[str, Any] = {}
        with anyio.move_on_after(_LOOK_S), suppress(OSError, KeyError):
            told = await self.client.run(
                unfitness, self._wishes, workers=[worker], on_error="return"
            )
        why = told.get(worker, OSError())
        if why is None:
            self._fit.add(worker)
            self._tell_changed()
        elif isinstance(why, str):
            self.refuse(worker, why)
        elif not isinstance(why, OSError):
            self.refuse(worker, f"it lacks batch-converter[dask], or has an older one ({why})")

    async def slots(self) -> Mapping[str, int]:
        """Return how many threads each worker has."""
        scheduler: Any = self.client.scheduler
        found: Mapping[str, int] = await scheduler.ncores()
        return found

    def refuse(self, worker: str, why: str) -> None:
        """Give a worker nothing any more."""
        self._fit.discard(worker)
        if worker not in self.unfit:
            self.unfit[worker] = why
            _log.warning("cluster.worker_refused", worker=worker, reason=why)
        self._tell_changed()

    def _tell_changed(self) -> None:
        changed, self._workers_changed = self._workers_changed, anyio.Event()
        changed.set()

    async def chosen_workers(self) -> list[str] | None:
        """Return which workers a task may go to; None for any, as long as all may convert.

        Waits where there are only others; before long that ends the run.
        """
        while self.unfit and not self._fit:
            await self._workers_changed.wait()
        return sorted(self._fit) if self.unfit else None

    # What happens

    def listen(self, listener: Callable[[Mapping[str, Any]], None]) -> None:
        """Have all that workers, and the scheduler of them, tell."""
        self._listeners.append(listener)

    def _on_event(self, event: tuple[float, Any]) -> None:
        told = event[1]
        if not isinstance(told, dict):
            return
        action, worker = told.get("action"), str(told.get("worker"))
        if action == "add-worker" and self._group is not None:
            self._group.start_soon(self._look_at, worker)
        elif action == "remove-worker":
            self._fit.discard(worker)
            self.unfit.pop(worker, None)
            self._tell_changed()
        for listener in self._listeners:
            listener(told)

    # Its loss

    @contextmanager
    def needed(self) -> Iterator[None]:
        """End what runs in here when the scheduler is lost.

        Raises:
            ServiceUnavailableError: It is.
        """
        if self._loss:
            raise self._unavailable(self._loss)
        scope = anyio.CancelScope()
        self._scopes.add(scope)
        try:
            with scope:
                yield
        finally:
            self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise self._unavailable(self._loss)

    def lose(self, what: str) -> None:
        """Give the scheduler up, for good."""
        if not self._loss:
            self._loss = what
            for scope in tuple(self._scopes):
                scope.cancel()

    async def _watch(self) -> None:
        """Ask the scheduler again and again how many workers it has."""
        without_s = 0.0
        while not self._loss:
            await anyio.sleep(_BEAT_S)
            workers = await self._count_workers()
            without_s = 0.0 if workers > len(self.unfit) else without_s + _BEAT_S
            if without_s >= _NO_WORKERS_S:
                without_s = 0.0
                self._tell_idle()

    def _tell_idle(self) -> None:
        """Say that there is nobody to work; where there are others, it will not get better."""
        if self.unfit:
            worker, why = next(iter(self.unfit.items()))
            self.lose(f"has none but workers that may not convert ({worker}: {why})")
        else:
            _log.warning("cluster.no_workers", scheduler=self._address)

    async def _count_workers(self) -> int:
        """Return how many there are; a scheduler that does not say is lost."""
        try:
            with anyio.fail_after(_SILENCE_S):
                if self.client.status == "running":
                    return len(await self.slots())
                self.lose("is gone")
        except Exception as error:  # noqa: BLE001  # whatever Dask raises of a connection
            self.lose(f"does not answer any more: {_said(error)}")
        return 0


def _take_over_logs() -> None:
    """Take Dask's own lines off standard error: the run tells itself what they are about.

    Of Dask itself other versions will do, as far as they understand each other.
    """
    warnings.simplefilter("ignore", VersionMismatchWarning)
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in {"distributed", "tornado"}:
            logger = logging.getLogger(name)  # noqa: TID251  # Dask's, which knows no structlog
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # noqa: TID251  # as above


async def _connected(address: str, security: Security, stack: AsyncExitStack) -> Client:
    client = Client(
        address,
        asynchronous=True,
        security=security,
        timeout=_CONNECT_S,
        set_as_default=False,
        name="batch-converter",
    )
    stack.push_async_callback(_close, client)
    return cast("Client", await client)


async def _close(client: Client) -> None:
    with anyio.move_on_after(_CLOSE_S, shield=True):
        await client.close()


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return str(error) or type(error).__name__
