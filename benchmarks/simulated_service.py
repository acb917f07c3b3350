"""The documented API with made-up working times, in hours that pass faster.

    python -m benchmarks.simulated_service --trace fifo-8 --seed 101 --speed 30

serves the trace's documents: which one a submission is stands in the width of its first
page (see `write_document`). `GET /outcome` says what it all cost.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import struct
import time
from functools import cache
from typing import TYPE_CHECKING, Final

import pikepdf
from aiohttp import web

from batch_converter.polling import Answer
from batch_converter.wire import CONVERT_PATH, TOKEN_PATH
from benchmarks.polling.simulation import Service
from benchmarks.polling.traces import FIRST_TRACES, Trace, make_trace

if TYPE_CHECKING:
    from pathlib import Path

_STATUS: Final = {
    Answer.PENDING: ("Pending", "NotReady"),
    Answer.PROCESSING: ("Processing", "NotReady"),
    Answer.ENDED: ("Completed", "Ok"),
}
_INFO: Final = b"INFO\x00\x00\x00\x0a"


def write_document(path: Path, number: int, pages: int, *, batch: int = 0) -> None:
    """Write headers only: a bundled DjVu whose first page is `number` + 1 pixels wide.

    Its height is `batch` + 1: documents of two batches are never the same.
    """
    page = b"FORM" + struct.pack(">I", 22) + b"DJVU" + _INFO
    first = page + struct.pack(">HHBBHBB", number + 1, batch + 1, 24, 0, 300, 22, 0)[:10]
    forms = [first] * pages
    start = 4 + 8 + 4 + 8 + 3 + 4 * pages
    start += start % 2
    offsets = [start + index * len(first) for index in range(pages)]
    names = b""
    directory = struct.pack(">BH", 0x81, pages) + struct.pack(f">{pages}I", *offsets) + names
    chunk = b"DIRM" + struct.pack(">I", len(directory)) + directory
    chunk += b"\0" * (len(chunk) % 2)
    body = b"DJVM" + chunk + b"".join(forms)
    path.write_bytes(b"AT&TFORM" + struct.pack(">I", len(body)) + body)


def number_of(document: bytes) -> int:
    """Return which document of the trace it is."""
    at = document.index(_INFO) + len(_INFO)
    return int.from_bytes(document[at : at + 2], "big") - 1


@cache
def blank_pdf(pages: int) -> bytes:
    """Return a PDF of as many pages as the document has: one with others is not published."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        for _ in range(pages):
            pdf.add_blank_page()
        pdf.save(out)
    return out.getvalue()


class Simulated:
    """The service; its clock starts at the first submission.

    Args:
        speed: Simulated seconds in a real one.
    """

    def __init__(self, trace: Trace, *, speed: float) -> None:
        self._trace = trace
        self._service = Service(trace)
        self._speed = speed
        self._began: float | None = None
        self._calls = 0
        self._fetched: dict[int, float] = {}

    def application(self) -> web.Application:
        application = web.Application(client_max_size=1 << 30)
        application.router.add_post(TOKEN_PATH, self._token)
        application.router.add_post(CONVERT_PATH, self._submit)
        application.router.add_get(CONVERT_PATH, self._fetch)
        application.router.add_get("/outcome", self._outcome)
        return application

    def _now_s(self) -> float:
        if self._began is None:
            self._began = time.monotonic()
        return (time.monotonic() - self._began) * self._speed

    async def _token(self, _: web.Request) -> web.Response:
        answer = {"access_token": "t" * 40, "expires_in": 360_000, "token_type": "bearer"}
        return web.json_response(answer)

    async def _submit(self, request: web.Request) -> web.Response:
        self._calls += 1
        body = await request.json()
        number = number_of(base64.b64decode(body["image"]))
        self._service.submit(number, self._trace.jobs[number], self._now_s())
        return web.Response(text=f"00000000-0000-4000-8000-{number:012x}")

    async def _fetch(self, request: web.Request) -> web.Response:
        self._calls += 1
        task_id = request.query["id"]
        number, now_s = int(task_id[-12:], 16), self._now_s()
        answer = self._service.ask(number, now_s)
        status, code = _STATUS[answer]
        results = None
        if answer is Answer.ENDED:
            self._fetched.setdefault(number, now_s)
            data = base64.b64encode(blank_pdf(self._trace.jobs[number].pages)).decode()
            results = [{"type": "Pdf", "data": data}]
        return web.json_response(
            {
                "id": task_id,
                "taskStatus": status,
                "responseStatusCode": code,
                "results": results,
                "error": None,
            }
        )

    async def _outcome(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "calls": self._calls,
                "fetched": len(self._fetched),
                "makespan_s": max(self._fetched.values(), default=0.0),
                "done_s": max(self._service.done_s.values(), default=0.0),
            }
        )


async def _serve(simulated: Simulated, port: int) -> None:
    runner = web.AppRunner(simulated.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    bound = runner.addresses[0][1]
    print(f"listening on http://127.0.0.1:{bound}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--speed", type=float, default=30.0, help="simulated seconds in a real one")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    count = min(60, given.count) if given.trace in FIRST_TRACES else given.count
    trace = make_trace(given.trace, given.seed, count=count)
    asyncio.run(_serve(Simulated(trace, speed=given.speed), given.port))


if __name__ == "__main__":
    main()
