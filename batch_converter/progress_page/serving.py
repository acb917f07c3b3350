"""The page over HTTP: on this machine only, read-only, gone with the run."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from aiohttp import web
from anyio import CancelScope

from batch_converter.clock import SystemClock
from batch_converter.errors import UsageError
from batch_converter.pace import Pace
from batch_converter.server.answers import harden
from batch_converter.server.openapi import VERSION
from batch_converter.server.page import (
    BEAT,
    HEARTBEAT_S,
    PAGE_POLICY,
    PAUSE_S,
    STREAM_HEADERS,
    Assets,
)
from batch_converter.server.queue import DocumentState, Missed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from batch_converter.clock import Clock
    from batch_converter.counters import RunCounters
    from batch_converter.progress_page.rows import Row, RunRows

HOST: Final = "127.0.0.1"
_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
_MAX_ROWS: Final = 500
_MAX_CHANGES: Final = 200


@asynccontextmanager
async def progress_page(
    port: int,
    rows: RunRows,
    counters: RunCounters,
    *,
    max_api_calls: int | None,
    clock: Clock | None = None,
) -> AsyncIterator[str]:
    """Serve the page while it is entered; yields its address.

    Args:
        port: On 127.0.0.1; 0 takes a free one.
        rows: The run's documents; its `changed` is ours meanwhile.
        counters: The run's counts.
        max_api_calls: The run's budget; None is no limit.
        clock: Time, for tests.

    Raises:
        UsageError: The port cannot be had.
    """
    assets = await anyio.to_thread.run_sync(Assets.load)
    page = _Page(
        rows=rows,
        counters=counters,
        max_api_calls=max_api_calls,
        assets=assets,
        clock=clock or SystemClock(),
    )
    rows.changed = page.note
    runner = web.AppRunner(page.application(), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            msg = f"--progress-page {port}: cannot listen on {HOST}: {error.strerror}"
            raise UsageError(msg) from error
        yield f"http://{HOST}:{runner.addresses[0][1]}/"
    finally:
        page.close()
        with CancelScope(shield=True):
            await runner.cleanup()


@dataclass(slots=True, kw_only=True)
class _Page:
    """Answers from what the observers know."""

    rows: RunRows
    counters: RunCounters
    max_api_calls: int | None
    assets: Assets
    clock: Clock
    pace: Pace = field(default_factory=Pace)
    _happened: anyio.Event = field(default_factory=anyio.Event)
    _closed: anyio.Event = field(default_factory=anyio.Event)

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_guarded])
        app.on_response_prepare.append(harden)
        app.add_routes(
            [
                web.get("/", self.index),
                web.get("/assets/{name}", self.assets.send_asset),
                web.get("/api/session", self.session),
                web.get("/api/documents", self.documents),
                web.get("/api/changes", self.changes),
                web.get("/api/events", self.events),
            ]
        )
        return app

    def note(self) -> None:
        """Wake the streams."""
        happened, self._happened = self._happened, anyio.Event()
        happened.set()

    def close(self) -> None:
        """End the streams."""
        self._closed.set()
        self.note()

    async def index(self, _request: web.Request) -> web.Response:
        return self.assets.response("progress.html", headers=PAGE_POLICY)

    async def session(self, _request: web.Request) -> web.Response:
        return _json({"signed_in": True, "needs_sign_in": False, "csrf": "", "version": VERSION})

    async def documents(self, request: web.Request) -> web.Response:
        found, total = self.rows.page(
            offset=_number(request, "offset", 0),
            limit=min(_MAX_ROWS, _number(request, "limit", 100)),
            text=request.query.get("filter", ""),
            state=request.query.get("state", ""),
        )
        listed = {"documents": [_row(one) for one in found], "total": total}
        return _json(listed | self._whole())

    async def changes(self, request: web.Request) -> web.Response:
        return _json(self._changes_after(_number(request, "after", 0)))

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Stream changes, in batches, with a heartbeat while nothing happens."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        with suppress(ConnectionError):  # the browser has gone
            await response.write(BEAT)  # so that the headers leave, and the stream is open
            await self._tell(response, _number(request, "after", 0))
        return response

    async def _tell(self, response: web.StreamResponse, after: int) -> None:
        clock = self.clock
        beat_s = clock.monotonic_s() + HEARTBEAT_S
        while not self._closed.is_set():
            happened = self._happened
            event, after = self._next(after)
            if event is None and clock.monotonic_s() < beat_s:
                await clock.wait_until(beat_s, happened)
                continue
            await response.write(event or BEAT)
            now_s = clock.monotonic_s()
            beat_s = now_s + HEARTBEAT_S
            if event is not None:
                await clock.wait_until(now_s + PAUSE_S, self._closed)

    def _next(self, after: int) -> tuple[bytes | None, int]:
        """Return the next event, or None where nothing has changed, and what to ask after then."""
        if after == self.rows.sequence:
            return None, after
        change = self._changes_after(after)
        sequence = change["sequence"]
        name = "reload" if "reload" in change else "change"
        return f"event: {name}\nid: {sequence}\ndata: {_text(change)}\n\n".encode(), sequence

    def _changes_after(self, after: int) -> dict[str, Any]:
        """Return what has changed since, or that the list has to be loaded again."""
        try:
            removed = [str(number) for number in self.rows.removed_after(after)]
        except Missed:
            return {"reload": True, "documents": [], "removed": []} | self._whole()
        changed = self.rows.changed_after(after, _MAX_CHANGES)
        change = {"documents": [_row(one) for one in changed], "removed": removed} | self._whole()
        if len(changed) == _MAX_CHANGES:
            change["sequence"] = changed[-1].sequence
        return change

    def _whole(self) -> dict[str, Any]:
        """Return what is said of all documents, and of the run."""
        rows, counters = self.rows, self.counters
        totals: dict[str, int] = {state.value: rows.totals[state] for state in DocumentState}
        totals |= {"documents": rows.totals.total()}
        totals |= {"bytes_in": rows.bytes_in, "bytes_out": rows.bytes_out}
        self.pace.observe(counters.worked_off, at_s=self.clock.monotonic_s())
        left = counters.found - counters.done
        left_s = None if counters.discovering else self.pace.seconds_for(left)
        run = {
            "engine": rows.facts.engine,
            "output": rows.facts.output,
            "started_at": _iso(rows.facts.started_at),
            "ended": rows.facts.ended,
            "exit_code": rows.facts.exit_code,
            "stopped": rows.facts.stopped,
            "discovering": counters.discovering,
            "found": counters.found,
            "converted": counters.converted,
            "skipped": counters.skipped,
            "failed": counters.failed,
            "calls": counters.api_calls_billed,
            "max_calls": self.max_api_calls,
            "files_per_minute": self.pace.files_per_minute,
            "expected_end": left_s and _iso(self.clock.now() + timedelta(seconds=left_s)),
        }
        return {
            "totals": totals,
            "listed": rows.listed,
            "sequence": rows.sequence,
            "run": run,
        }


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer this machine's own names alone: another site's must not lead a browser here."""
    if request.url.host not in _NAMES:
        return web.Response(status=421, text="only localhost and 127.0.0.1 are answered here\n")
    return await handler(request)


def _row(row: Row) -> dict[str, object]:
    error = None
    if row.error is not None:
        error = {"code": row.error[0], "message": row.error[1], "advice": ""}
    return {
        "id": str(row.number),
        "name": row.name,
        "pdf_name": "",
        "state": row.state,
        "size_bytes": row.size_bytes,
        "received_bytes": row.size_bytes,
        "pages": row.pages,
        "pdf_bytes": row.pdf_bytes,
        "place": None,
        "submitted_at": _iso(row.submitted_at),
        "started_at": _iso(row.started_at),
        "ended_at": _iso(row.ended_at),
        "kept_until": None,
        "error": error,
        "warnings": row.warnings,
        "sequence": row.sequence,
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() else default


def _json(value: object) -> web.Response:
    return web.Response(body=_text(value).encode(), content_type="application/json")


def _text(value: object) -> str:
    """Return JSON in ASCII: the name of a file need not be text, and orjson refuses its bytes."""
    return json.dumps(value)
