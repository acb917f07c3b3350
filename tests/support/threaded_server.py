"""A server of the tests' own in a thread, for clients that are processes."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from anyio.from_thread import start_blocking_portal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from anyio.from_thread import BlockingPortal

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def served_in_thread(
    handler: Handler, *, max_body_bytes: int = 1 << 20
) -> Iterator[tuple[BlockingPortal, str]]:
    """Answer every request by one handler; yields the thread's door, and the server's address."""
    with start_blocking_portal("asyncio") as portal:
        server = _served(handler, max_body_bytes)
        with portal.wrap_async_context_manager(server) as address:
            yield portal, address


@asynccontextmanager
async def _served(handler: Handler, max_body_bytes: int) -> AsyncIterator[str]:
    app = web.Application(client_max_size=max_body_bytes)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
