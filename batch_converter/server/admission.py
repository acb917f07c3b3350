"""What the service takes in: bounded in documents and in bytes, for all and for each client."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio
from aiohttp import web

from batch_converter.output import GROWTH, MARGIN_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from batch_converter.clock import Clock
    from batch_converter.config import ServeSettings
    from batch_converter.server.health import Health
    from batch_converter.server.queue import Totals
    from batch_converter.server.storage import DataFolder

_FULL_QUEUE_S: Final = 30
_FULL_DISK_S: Final = 60
_BESIDE_BYTES: Final = 64 << 10
"""What may stand in a body beside its document, and so be announced with it."""

_LOOK_LIFETIME_S: Final = 0.1
"""How long a look at the disk holds: where hundreds submit at once, each one's own would wait
behind all the flushes of the others."""

_PLACE: Final = "disk"


class Admission:
    """Says whether one more document is taken in, before its bytes are, and counts it meanwhile.

    Args:
        settings: The limits.
        totals: What there is already.
        folder: Where it would stand.
        health: Told when the disk has no room.
        clock: Ends what a look at the disk is good for.
    """

    def __init__(  # one parameter a part of the service
        self,
        settings: ServeSettings,
        totals: Totals,
        folder: DataFolder,
        health: Health,
        *,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._totals = totals
        self._folder = folder
        self._health = health
        self._clock = clock
        self._coming: Counter[str] = Counter()
        self._coming_bytes = 0
        self._spare_bytes = self._refused_bytes = 0
        self._spare_until_s = 0.0
        self._looks = 0
        self._looking: anyio.Event | None = None

    @property
    def most_document_bytes(self) -> int:
        """How long a document may be."""
        return self._settings.max_body_bytes

    @asynccontextmanager
    async def admitted(self, owner: str, size_bytes: int) -> AsyncIterator[None]:
        """Let a document in that there is a place for, and count it until its row does.

        The disk is asked first: nothing is awaited between what is checked and the count, so of
        any number that come at once only as many are let in as there are places.

        Args:
            owner: Whose it is.
            size_bytes: Of the DjVu, about; what it really has is checked as it comes.

        Raises:
            HTTPRequestEntityTooLarge: It is larger than any may be.
            HTTPTooManyRequests: The queue, or this owner's part of it, is full.
            HTTPInsufficientStorage: There is no room for it and its PDF.
            HTTPServiceUnavailable: The disk does not tell.
        """
        self.check_size(size_bytes - _BESIDE_BYTES)
        await self._see_disk(size_bytes)
        self._check_queue(owner)
        self._check_disk(size_bytes)
        with self._coming_in(owner, size_bytes):
            yield

    @contextmanager
    def _coming_in(self, owner: str, size_bytes: int) -> Iterator[None]:
        self._coming[owner] += 1
        self._coming_bytes += size_bytes
        try:
            yield
        finally:
            self._coming_bytes -= size_bytes
            self._spare_bytes -= (1 + GROWTH) * size_bytes  # a new look tells what it took
            self._coming[owner] -= 1
            if not self._coming[owner]:
                del self._coming[owner]

    def check_size(self, size_bytes: int) -> None:
        """Refuse what is larger than any document may be.

        Raises:
            HTTPRequestEntityTooLarge: It is.
        """
        limit_bytes = self._settings.max_body_bytes
        if size_bytes > limit_bytes:
            raise web.HTTPRequestEntityTooLarge(
                max_size=limit_bytes,
                actual_size=size_bytes,
                text=f"a document may have {limit_bytes} bytes here (serve.max_body_bytes)",
            )

    def _check_queue(self, owner: str) -> None:
        settings, totals = self._settings, self._totals
        if totals.all.open + self._coming.total() >= settings.max_queued:
            raise _busy(f"{settings.max_queued} documents wait already (serve.max_queued)")
        if totals.of(owner).open + self._coming[owner] >= settings.max_queued_per_client:
            most = settings.max_queued_per_client
            raise _busy(f"{most} documents of yours wait already (serve.max_queued_per_client)")

    def _check_disk(self, size_bytes: int) -> None:
        stored_bytes = self._totals.all.stored_bytes + self._coming_bytes + size_bytes
        if stored_bytes > self._settings.max_disk_bytes:
            raise _full("the service stores as much as it may (serve.max_disk_bytes)")
        has_room = self._has_room(size_bytes)
        self._refused_bytes = 0 if has_room else size_bytes
        self._tell_of_room(has_room=has_room)
        if not has_room:
            raise _full("the disk of the service is full")

    def _tell_of_room(self, *, has_room: bool) -> None:
        if has_room:
            self._health.clear(_PLACE)
        else:
            self._health.report(_PLACE, "the disk of the data folder is full")

    async def look_at_disk(self) -> None:
        """Tell the service's health whether there is room for what was refused last, if anything.

        Who is told that a service is not well sends it nothing: a document that is let in
        cannot be what shows that it is well again.
        """
        with suppress(web.HTTPServiceUnavailable):  # told to health as well
            await self._see_disk(self._refused_bytes)
            self._tell_of_room(has_room=self._has_room(self._refused_bytes))

    def _has_room(self, size_bytes: int) -> bool:
        return (1 + GROWTH) * (size_bytes + self._coming_bytes) <= self._spare_bytes

    async def _see_disk(self, size_bytes: int) -> None:
        """Look how much the disk takes, where the last look is old or left no room."""
        is_fresh = self._clock.monotonic_s() < self._spare_until_s
        if is_fresh and self._has_room(size_bytes):
            return
        try:
            await self._look()
        except OSError as error:
            self._health.report(_PLACE, f"the data folder cannot be reached: {error.strerror}")
            raise _unreachable() from error

    async def _look(self) -> None:
        """Ask the disk, or wait for who does so already: hundreds may come in one turn."""
        before = self._looks
        while self._looking is not None:
            await self._looking.wait()
            if self._looks > before:
                return
        looking = self._looking = anyio.Event()
        try:
            until_s = self._clock.monotonic_s() + _LOOK_LIFETIME_S
            free_bytes = await self._folder.threads.run(self._folder.free_bytes)
            self._spare_bytes, self._spare_until_s = free_bytes - MARGIN_BYTES, until_s
            self._looks += 1
        finally:
            self._looking = None
            looking.set()


def _busy(text: str) -> web.HTTPException:
    return web.HTTPTooManyRequests(text=text, headers={"Retry-After": str(_FULL_QUEUE_S)})


def _unreachable() -> web.HTTPException:
    text = "the service cannot reach its data folder; its log says why"
    return web.HTTPServiceUnavailable(text=text, headers={"Retry-After": str(_FULL_DISK_S)})


def _full(text: str) -> web.HTTPException:
    return web.HTTPInsufficientStorage(text=text, headers={"Retry-After": str(_FULL_DISK_S)})
