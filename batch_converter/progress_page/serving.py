"""The page over HTTP: on this machine only, read-only, gone with the run."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
from aiohttp import web
from anyio import CancelScope

from batch_converter.clock import SystemClock
from batch_converter.errors import UsageError
from batch_converter.pace import Pace
from batch_converter.server.page import PAGE_POLICY, Assets

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batch_converter.counters import RunCounters
    from batch_converter.progress_page.rows import Row, RunRows

HOST: Final = "127.0.0.1"
_NAMES: Final = frozenset({"127.0.0.1", "localhost"})
_BATCH_S: Final = 0.25
_HEARTBEAT_S: Final = 15.0
_MAX_ROWS: Final = 500
_MAX_CHANGES: Final = 200
_STATES: Final = ("uploading", "waiting", "converting", "ready", "failed", "cancelled")
_HEADERS: Final = {
    "Cache-Control": "no-store",
    **PAGE_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@asynccontextmanager
async def progress_page(
    port: int, rows: RunRows, counters: RunCounters, *, max_api_calls: int | None
) -> AsyncIterator[str]:
    """Serve the page while it is entered; yields its address.

    Args:
        port: On 127.0.0.1; 0 takes a free one.
        rows: The run's documents; its `changed` is ours meanwhile.
        counters: The run's counts.
        max_api_calls: The run's budget; None is no limit.

    Raises:
        UsageError: The port cannot be had.
    """
    assets = await anyio.to_thread.run_sync(Assets.load)
    page = _Page(rows=rows, counters=counters, max_api_calls=max_api_calls, assets=assets)
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
    pace: Pace = field(default_factory=Pace)
    _happened: anyio.Event = field(default_factory=anyio.Event)
    _is_closed: bool = False

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_guarded])
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
        self._is_closed = True
        self.note()

    async def index(self, _request: web.Request) -> web.Response:
        return self.assets.response("progress.html", headers={})

    async def session(self, _request: web.Request) -> web.Response:
        version = metadata.version("batch-converter")
        return _json({"signed_in": True, "needs_sign_in": False, "csrf": "", "version": version})

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
        after = _number(request, "after", 0)
        response = web.StreamResponse(headers={"X-Accel-Buffering": "no", **_HEADERS})
        response.content_type = "text/event-stream"
        await response.prepare(request)
        while not self._is_closed:
            happened = self._happened
            if self.rows.sequence > after:
                change = self._changes_after(after)
                after = change["sequence"]
                data = f"event: change\nid: {after}\ndata: {json.dumps(change)}\n\n"
                await response.write(data.encode())
                await asyncio.sleep(_BATCH_S)
                continue
            with anyio.move_on_after(_HEARTBEAT_S) as waiting:
                await happened.wait()
            if waiting.cancelled_caught:
                await response.write(b": still here\n\n")
        return response

    def _changes_after(self, after: int) -> dict[str, Any]:
        changed = self.rows.changed_after(after, _MAX_CHANGES)
        removed = [str(number) for number in self.rows.removed_after(after)]
        change = {"documents": [_row(one) for one in changed], "removed": removed} | self._whole()
        if len(changed) == _MAX_CHANGES:
            change["sequence"] = changed[-1].sequence
        return change

    def _whole(self) -> dict[str, Any]:
        """Return what is said of all documents, and of the run."""
        rows, counters = self.rows, self.counters
        totals: dict[str, int] = {state: rows.totals[state] for state in _STATES}
        totals |= {"documents": rows.totals.total()}
        totals |= {"bytes_in": rows.bytes_in, "bytes_out": rows.bytes_out}
        self.pace.observe(counters.worked_off, at_s=anyio.current_time())
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
            "expected_end": left_s and _iso(SystemClock().now() + timedelta(seconds=left_s)),
        }
        return {"totals": totals, "sequence": rows.sequence, "run": run}


@web.middleware
async def _guarded(
    request: web.Request, handler: Callable[[web.Request], Any]
) -> web.StreamResponse:
    """Answer this machine's own names alone: another site's must not lead a browser here."""
    if request.url.host not in _NAMES:
        return web.Response(status=421, text="only localhost and 127.0.0.1 are answered here\n")
    response: web.StreamResponse = await handler(request)
    if not response.prepared:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response


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
    return web.Response(body=json.dumps(value).encode(), content_type="application/json")
