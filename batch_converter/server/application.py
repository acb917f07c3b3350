"""The service as an aiohttp application, with all that it needs opened around it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import anyio
from aiohttp import web

from batch_converter.clock import SystemClock
from batch_converter.errors import UsageError
from batch_converter.server.answers import json_response
from batch_converter.server.conversions import Conversions
from batch_converter.server.guards import admitting, counting, explaining
from batch_converter.server.metrics import CONTENT_TYPE, ServerMetrics
from batch_converter.server.openapi import BODY, VERSION
from batch_converter.server.page import PAGE
from batch_converter.server.requests import MAX_FORM_BYTES
from batch_converter.server.routes import Api
from batch_converter.server.storage import open_data_folder
from batch_converter.server.tasks import TaskBoard
from batch_converter.server.tokens import Credentials, TokenDesk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batch_converter.clock import Clock
    from batch_converter.config.settings import ServeSettings
    from batch_converter.engines.base import Converter

_SWEEP_INTERVAL: Final = timedelta(minutes=1)
_PAGE_POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


@asynccontextmanager
async def open_application(
    settings: ServeSettings,
    converter: Converter,
    *,
    workers: int,
    clock: Clock | None = None,
) -> AsyncIterator[web.Application]:
    """Open the data folder and the converter, and give the application that works on them.

    At the end conversions are called off and all files of the service deleted; the
    application must have stopped answering by then.

    Args:
        settings: Credentials and data folder; host and port are not looked at.
        converter: Where documents are converted; opened and closed here.
        workers: Conversions at once.
        clock: Time, for tests.

    Raises:
        UsageError: The settings contradict each other.
        StateLockedError: Another service works in the data folder.
    """
    account = account_of(settings)
    clock = clock or SystemClock()
    async with (
        open_data_folder(settings.data_dir) as folder,
        converter,
        anyio.create_task_group() as tasks,
    ):
        board = TaskBoard()
        metrics = ServerMetrics(board)
        conversions = Conversions(converter, folder, workers=workers, metrics=metrics, clock=clock)
        api = Api(
            desk=TokenDesk(account, clock=clock.monotonic_s),
            board=board,
            folder=folder,
            metrics=metrics,
            clock=clock,
            start=lambda task: tasks.start_soon(conversions.run, task),
        )
        tasks.start_soon(_sweep, api)
        yield _application(api)
        tasks.cancel_scope.cancel()


def account_of(settings: ServeSettings) -> Credentials | None:
    """Return the pair that the service asks for; None where any will do.

    Raises:
        UsageError: Half of the pair is given.
    """
    secret = settings.client_secret.get_secret_value() if settings.client_secret else None
    if not settings.client_id and not secret:
        return None
    if settings.client_id and secret:
        return Credentials(client_id=settings.client_id, client_secret=secret)
    raise UsageError("give both --client-id and --client-secret, or neither of them")


async def _sweep(api: Api) -> None:
    """Forget expired tasks also while nobody asks."""
    while True:
        await anyio.sleep(_SWEEP_INTERVAL.total_seconds())
        await api.expire()


def _application(api: Api) -> web.Application:
    app = web.Application(
        middlewares=[counting(api.metrics), explaining, admitting(api.desk)],
        client_max_size=MAX_FORM_BYTES,
    )
    app.add_routes(api.routes())
    app.add_routes(About(api.board, api.metrics).routes())
    return app


class About:
    """What the service tells about itself; no token is asked for."""

    def __init__(self, board: TaskBoard, metrics: ServerMetrics) -> None:
        self._board = board
        self._metrics = metrics

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get("/", self.page),
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
            web.get("/openapi.json", self.openapi),
        ]

    async def page(self, _request: web.Request) -> web.Response:
        """Return a page for a person."""
        return web.Response(text=PAGE, content_type="text/html", headers=_PAGE_POLICY)

    async def health(self, _request: web.Request) -> web.Response:
        """Return that the service is up, and how much it has to do."""
        health = {"status": "ok", "version": VERSION, "tasks": self._board.counts()}
        return json_response(json.dumps(health).encode())

    async def metrics(self, _request: web.Request) -> web.Response:
        """Return all counters."""
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, _request: web.Request) -> web.Response:
        """Return the description of the interface."""
        return json_response(BODY)
