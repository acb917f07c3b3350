"""The least that a durable converter does, as a floor for what ours takes.

It reads, submits, fetches, decodes, flushes and names each file, and commits every
step to SQLite (`synchronous=FULL`, grouped) as ours does. It checks nothing, hashes
nothing, retries nothing, obtains no token, and holds each document whole in memory.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import aiohttp
import anyio
import orjson
import pybase64

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_FLIGHT = 64
UPLOADS = 8
DISK_THREADS = 4
_Step = tuple[asyncio.Future[None], str, tuple[object, ...]]


def convert(source: Path, output: Path, url: str) -> None:
    """Convert a folder with nothing but what it takes."""
    output.mkdir(parents=True)
    for folder in {path.parent for path in source.rglob("*.djvu")}:
        (output / folder.relative_to(source)).mkdir(exist_ok=True)
    anyio.run(_Bare(source, output, url).run)


class _Bare:
    def __init__(self, source: Path, output: Path, url: str) -> None:
        self._source = source
        self._output = output
        self._url = f"{url}/v5.0/ocr/djvu2pdf"
        self._disk = ThreadPoolExecutor(DISK_THREADS, thread_name_prefix="disk")
        self._uploads = asyncio.Semaphore(UPLOADS)

    async def run(self) -> None:
        self._steps = _Steps(self._output / "steps.db")
        files = enumerate(sorted(self._source.rglob("*.djvu")))
        connector = aiohttp.TCPConnector(limit=0)
        headers = {"Authorization": "Bearer token", "Content-Type": "application/json"}
        async with (
            aiohttp.ClientSession(connector=connector, headers=headers) as session,
            anyio.create_task_group() as group,
        ):
            for _ in range(IN_FLIGHT):
                group.start_soon(self._work, session, files)

    async def _work(
        self, session: aiohttp.ClientSession, files: Iterator[tuple[int, Path]]
    ) -> None:
        loop = asyncio.get_running_loop()
        for number, path in files:
            djvu = await loop.run_in_executor(self._disk, path.read_bytes)
            await self._steps.record("INSERT INTO step VALUES (?, 'submitting', '')", number)
            task = await self._submit(session, djvu)
            await self._steps.record(
                "UPDATE step SET state = 'out', task = ? WHERE id = ?", task, number
            )
            pdf = await self._fetch(session, task)
            target = self._output / path.relative_to(self._source).with_suffix(".pdf")
            await loop.run_in_executor(self._disk, _store, pdf, target)
            await self._steps.record("UPDATE step SET state = 'converted' WHERE id = ?", number)

    async def _submit(self, session: aiohttp.ClientSession, djvu: bytes) -> str:
        body = b'{"image":"' + pybase64.b64encode(djvu) + b'"}'
        async with self._uploads, session.post(self._url, data=body) as response:
            return await response.text()

    async def _fetch(self, session: aiohttp.ClientSession, task: str) -> bytes:
        async with session.get(self._url, params={"id": task}) as response:
            answer = orjson.loads(await response.read())
        return pybase64.b64decode(answer["results"][0]["data"], validate=True)


def _store(pdf: bytes, target: Path) -> None:
    part = target.with_suffix(".part")
    with part.open("wb") as file:
        file.write(pdf)
        file.flush()
        os.fsync(file.fileno())
    part.rename(target)


class _Steps:
    """What has happened, on disk before the next step; steps that wait share a commit."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("CREATE TABLE step (id INTEGER PRIMARY KEY, state, task)")
        self._waiting: queue.SimpleQueue[_Step] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._serve, name="ledger", daemon=True).start()

    async def record(self, statement: str, *values: object) -> None:
        future: asyncio.Future[None] = self._loop.create_future()
        self._waiting.put((future, statement, values))
        await future

    def _serve(self) -> None:
        while True:
            group = [self._waiting.get()]
            while not self._waiting.empty():
                group.append(self._waiting.get())
            self._connection.execute("BEGIN IMMEDIATE")
            for _, statement, values in group:
                self._connection.execute(statement, values)
            self._connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_wake, [future for future, *_ in group])


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)
