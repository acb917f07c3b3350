"""What has changed: once, or as a stream of server-sent events for as long as the page is open."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import anyio
import orjson
from aiohttp import web

from batch_converter.server.guards import owner_of
from batch_converter.server.page.asking import answer_json, number_of
from batch_converter.server.page.documents import totals_of
from batch_converter.server.page.security import SESSION
from batch_converter.server.queue import Missed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_converter.clock import Clock
    from batch_converter.server.page.documents import DocumentRows
    from batch_converter.server.queue import DocumentQueue
    from batch_converter.server.sessions import Session, Sessions

_ROWS: Final = 200
PAUSE_S: Final = 0.25
"""Between two batches of changes."""

HEARTBEAT_S: Final = 15.0
"""Of silence, then the stream says that it is there."""

STREAMS: Final = 8
"""Of one session; the page needs one, all of a browser's tabs together."""

STREAM_HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
BEAT: Final = b":\n\n"


class ChangeFeed:
    """Says what has changed of an owner's documents since a sequence number.

    Args:
        queue: Where the rows are.
        rows: Says what is shown of them.
    """

    def __init__(self, queue: DocumentQueue, rows: DocumentRows) -> None:
        self._queue = queue
        self._rows = rows

    async def after(self, owner: str, sequence: int) -> dict[str, Any]:
        """Return the next changes, to be sent as JSON, and the number to ask from next.

        Raises:
            Missed: It is too long ago, or of another life of the service.
        """
        until = self._queue.sequence
        if sequence > until:
            raise Missed
        changed = await self._queue.changed(owner, after=sequence, limit=_ROWS)
        # After the rows: a removal has its number in the loop, at once, so none below theirs lacks.
        removed = self._queue.changes.removed_after(owner, sequence)
        latest = changed[-1].sequence if changed else 0
        return {
            "sequence": latest if len(changed) == _ROWS else max(until, latest),
            "documents": await self._rows.of(changed),
            "removed": removed,
            "totals": totals_of(self._queue.totals.of(owner)),
        }

    def anew(self, owner: str) -> dict[str, Any]:
        """Return that the list has to be loaded again, and the number to ask from then."""
        return {
            "reload": True,
            "sequence": self._queue.sequence,
            "documents": [],
            "removed": [],
            "totals": totals_of(self._queue.totals.of(owner)),
        }


class EventStreams:
    """Answers with changes; a session has a few streams at most, and the oldest gives way.

    A connection that has died is not noticed at once, so refusing the newest would keep a
    browser out that has just come back.

    Args:
        queue: Says when something has changed.
        feed: Says what.
        sessions: Says whether one may still go on.
        clock: Paces batches and heartbeats.
    """

    def __init__(
        self, queue: DocumentQueue, feed: ChangeFeed, sessions: Sessions, clock: Clock
    ) -> None:
        self._queue = queue
        self._feed = feed
        self._sessions = sessions
        self._clock = clock
        self._open: defaultdict[str, list[anyio.CancelScope]] = defaultdict(list)
        self._is_closed = False

    async def list_changes(self, request: web.Request) -> web.Response:
        """Answer with what has changed, once: for where streams do not pass."""
        owner, after = owner_of(request), _after(request)
        try:
            return answer_json(await self._feed.after(owner, after))
        except Missed:
            return answer_json(self._feed.anew(owner))

    async def stream_events(self, request: web.Request) -> web.StreamResponse:
        """Tell of changes until the browser goes, its session is over, or the service stops."""
        after = _after(request)
        response = web.StreamResponse(headers=STREAM_HEADERS)
        response.enable_chunked_encoding()
        await response.prepare(request)
        with suppress(ConnectionError):  # the browser has gone
            with self._opened(owner_of(request)) as scope, scope:
                await response.write(BEAT)  # so that a proxy lets the headers through
                await self._tell(response, request[SESSION], after)
            await response.write_eof()
        return response

    @contextmanager
    def _opened(self, owner: str) -> Iterator[anyio.CancelScope]:
        scopes, scope = self._open[owner], anyio.CancelScope()
        scopes.append(scope)
        if self._is_closed:
            scope.cancel()
        if len(scopes) > STREAMS:
            scopes.pop(0).cancel()
        try:
            yield scope
        finally:
            if scope in scopes:
                scopes.remove(scope)
            if not scopes and self._open.get(owner) is scopes:  # else another one's by now
                del self._open[owner]

    async def _tell(self, response: web.StreamResponse, session: Session, after: int) -> None:
        owner, beat_s = session.owner, self._clock.monotonic_s() + HEARTBEAT_S
        while self._sessions.is_live(session):
            with self._queue.changes.following(owner) as change:
                event, after = await self._next(owner, after)
                if event is None and self._clock.monotonic_s() < beat_s:
                    await self._clock.wait_until(beat_s, change)
                    continue
            await response.write(event or BEAT)
            now_s = self._clock.monotonic_s()
            beat_s = now_s + HEARTBEAT_S
            if event is not None:
                await self._clock.wait_until(now_s + PAUSE_S, anyio.Event())

    async def _next(self, owner: str, after: int) -> tuple[bytes | None, int]:
        """Return the next event, or None where nothing has changed, and what to ask after then."""
        try:
            changes = await self._feed.after(owner, after)
        except Missed:
            anew = self._feed.anew(owner)
            return _event("reload", anew), int(anew["sequence"])
        sequence = int(changes["sequence"])
        if not changes["documents"] and not changes["removed"]:
            return None, sequence
        return _event("change", changes), sequence

    def end(self, owner: str) -> None:
        """End the streams of a session that has signed out."""
        for scope in self._open.get(owner, ()):
            scope.cancel()

    async def close(self, _app: web.Application) -> None:
        """End all streams, so that nobody waits for them when the service stops."""
        self._is_closed = True
        for scopes in self._open.values():
            for scope in scopes:
                scope.cancel()


def _after(request: web.Request) -> int:
    return number_of(request.query.get("after"), "after", default=None)


def _event(name: str, value: dict[str, Any]) -> bytes:
    head = f"event: {name}\nid: {value['sequence']}\ndata: ".encode()
    return head + orjson.dumps(value) + b"\n\n"
