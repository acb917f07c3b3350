"""The least that a durable submission can cost: a bare aiohttp handler that syncs one file each.

Run by `__main__.py`: `-m benchmarks.service.floor DIR`; prints the line that `serve` prints. It
knows no folders' fsync, no queue, no limits, no owner, and converts nothing.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiohttp import web


def application(folder: Path) -> web.Application:
    """Return the handler and the answer to whoever asks for a token."""
    threads = ThreadPoolExecutor(16)

    async def token(_: web.Request) -> web.Response:
        return web.json_response({"access_token": "t" * 40, "expires_in": 3600})

    async def submit(request: web.Request) -> web.Response:
        name = str(uuid.uuid4())
        document = base64.b64decode(json.loads(await request.read())["image"])
        await asyncio.get_running_loop().run_in_executor(threads, store, folder / name, document)
        return web.Response(text=name)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/connect/token", token)
    app.router.add_post("/v5.0/ocr/djvu2pdf", submit)
    return app


def store(path: Path, document: bytes) -> None:
    """Write a file whose bytes are on the disk."""
    with path.open("xb") as file:
        file.write(document)
        file.flush()
        os.fsync(file.fileno())


async def main(folder: Path) -> None:
    """Serve until killed."""
    runner = web.AppRunner(application(folder), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(f"listening on http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
