"""The real service for a real browser: as a command, or with an engine that a test directs."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from batch_converter.clock import SystemClock
from batch_converter.server import open_application
from batch_converter.server.listening import answering, connection_limits, listen
from tests.support.command import Running, started, wait_until
from tests.support.service import HandConverter, serve_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 30
OPEN = {"client_id": None, "client_secret": None}


@contextmanager
def serving(folder: Path, *options: str | Path, port: int = 0) -> Iterator[tuple[Running, str]]:
    """Run `serve`; give it, and the page's address."""
    arguments = ("serve", "--port", str(port), *options)
    with started(folder, *arguments) as service:
        wait_until(lambda: service.out or service.is_over, "the line that says it listens")
        match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", service.out)
        assert match, service.out
        yield service, f"{match[1]}/"


class DirectedService:
    """The service in a thread of its own, with an engine that ends what the test says."""

    def __init__(self) -> None:
        self.engine = HandConverter()
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._over = asyncio.Event()

    def soon(self, what: Callable[[], object]) -> None:
        self._loop.call_soon_threadsafe(what)

    def let_one_batch_end(self, outcome: Exception | None = None) -> None:
        """End what is being converted; what comes later waits for the next time."""

        def end() -> None:
            if outcome is not None:
                self.engine.outcome = outcome
            self.engine.gate.set()
            self.engine.gate = anyio.Event()

        self.soon(end)

    async def _serve(self, data: Path) -> None:
        settings = serve_settings(data, **OPEN)
        limits = await to_thread.run_sync(partial(connection_limits, settings, workers=1))
        (bound,) = listen("127.0.0.1", 0, loopback_only=True)
        with bound:
            self.url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
            clock = SystemClock()
            async with (
                open_application(settings, self.engine, workers=1, clock=clock) as app,
                answering(app, [bound], limits),
            ):
                self._ready.set()
                await self._over.wait()

    @contextmanager
    def running(self, data: Path) -> Iterator[DirectedService]:
        thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve(data)])
        thread.start()
        try:
            assert self._ready.wait(PATIENCE_S)
            yield self
        finally:
            self.soon(self._over.set)
            thread.join(PATIENCE_S)
            self._loop.close()
