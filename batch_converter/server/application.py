"""The service as an aiohttp application, with all that it needs opened around it."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import anyio
from aiohttp import web
from anyio import to_thread

from batch_converter.clock import SystemClock
from batch_converter.server.access import Access, add_endpoints, check_declared
from batch_converter.server.accounts import open_accounts
from batch_converter.server.admission import Admission
from batch_converter.server.answers import harden, json_response
from batch_converter.server.callers import Proxies
from batch_converter.server.conversions import Conversions
from batch_converter.server.expectations import heeding_expectations
from batch_converter.server.guards import (
    admit_anybody,
    admit_by_token,
    admitting,
    bounding,
    counting,
    explaining,
    recognising,
)
from batch_converter.server.health import Health
from batch_converter.server.metrics import CONTENT_TYPE, ServerMetrics, task_counts
from batch_converter.server.openapi import BODY, VERSION
from batch_converter.server.origins import Names, answering_to, own_pages_only
from batch_converter.server.page import Assets, Page
from batch_converter.server.queue import DocumentQueue
from batch_converter.server.requests import MAX_FORM_BYTES, most_body_bytes
from batch_converter.server.retention import Retention
from batch_converter.server.routes import Api
from batch_converter.server.sessions import COOKIE_NAME, Sessions, cookie_name_of, signing_key
from batch_converter.server.sign_in import SignIn
from batch_converter.server.storage import open_data_folder
from batch_converter.server.tokens import TokenDesk
from batch_converter.task_groups import unwrapped
from batch_converter.wire.bodies import HealthAnswer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from batch_converter.clock import Clock
    from batch_converter.config import ServeSettings
    from batch_converter.engines.base import Converter
    from batch_converter.server.accounts import Accounts
    from batch_converter.server.storage import DataFolder

_WATCH_INTERVAL_S: Final = 1.0


@asynccontextmanager
async def open_application(
    settings: ServeSettings,
    converter: Converter,
    *,
    workers: int,
    clock: Clock | None = None,
    accounts: Accounts | None = None,
) -> AsyncIterator[web.Application]:
    """Open the data folder and the converter, and give the application that works on them.

    At the end conversions are called off; their documents wait for the next service in the
    folder. The application must have stopped answering by then.

    Args:
        settings: Credentials and data folder; host and port are not looked at.
        converter: Where documents are converted; opened and closed here.
        workers: Conversions at once.
        clock: Time, for tests.
        accounts: Who is let in, where the caller has looked already; else as the settings say.

    Raises:
        UsageError: The settings contradict each other.
        ConfigError: The file of clients, or the key of the sessions, is damaged.
        QueueWriteError: What an earlier service left cannot be recorded.
        OutputError: The disk does not do its part.
        StateLockedError: Another service works in the data folder.
    """
    if accounts is None:
        accounts = await to_thread.run_sync(open_accounts, settings)
    names = Names(settings.hosts, accounts)
    clock = clock or SystemClock()
    async with (
        open_data_folder(settings.data_dir) as folder,
        await DocumentQueue.open(folder.queue_path, since=_milliseconds(clock)) as queue,
        converter,
    ):
        parts = _Parts(
            settings=settings,
            accounts=accounts,
            sign_in=SignIn(accounts, clock=clock.monotonic_s),
            converter=converter,
            folder=folder,
            queue=queue,
            health=Health(),
            clock=clock,
        )
        api = parts.api(workers)
        await api.retention.clear_leftovers()
        page = await parts.page(api)
        await page.uploads.resume()
        async with _working(api, accounts):
            yield _application(api, page, parts.health, settings, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a service is made of, and how it hangs together."""

    settings: ServeSettings
    accounts: Accounts
    sign_in: SignIn
    converter: Converter
    folder: DataFolder
    queue: DocumentQueue
    health: Health
    clock: Clock

    def api(self, workers: int) -> Api:
        """Return the interface of programs, and what the page shares with it."""
        settings, queue, folder, health = self.settings, self.queue, self.folder, self.health
        clock, metrics = self.clock, ServerMetrics(queue.totals)
        conversions = Conversions(
            self.converter,
            queue,
            folder,
            workers=workers,
            metrics=metrics,
            health=health,
            clock=clock,
        )
        kept = timedelta(hours=settings.retention_hours)
        return Api(
            desk=TokenDesk(self.sign_in, self.accounts, clock=clock.monotonic_s),
            queue=queue,
            folder=folder,
            admission=Admission(settings, queue.totals, folder, health, clock=clock),
            conversions=conversions,
            retention=Retention(queue, folder, conversions, clock=clock, kept=kept),
            metrics=metrics,
            clock=clock,
        )

    async def page(self, api: Api) -> Page:
        """Return the page over the interface's parts.

        Raises:
            ConfigError: The key of the sessions is damaged.
        """
        key = await to_thread.run_sync(signing_key, self.folder.path)
        return Page(
            api,
            self.converter,
            accounts=self.accounts,
            sign_in=self.sign_in,
            sessions=Sessions(
                key,
                self.accounts,
                now=self.clock.now,
                cookie_name=cookie_name_of(key) if self.settings.data_dir else COOKIE_NAME,
            ),
            assets=await to_thread.run_sync(Assets.load),
            settings=self.settings,
        )


@asynccontextmanager
async def _working(api: Api, accounts: Accounts) -> AsyncIterator[None]:
    """Convert, forget what is over, and see clients who are removed, until the end."""
    with unwrapped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.conversions.run)
            tasks.start_soon(api.retention.run)
            tasks.start_soon(_watch, accounts)
            yield
            tasks.cancel_scope.cancel()


def _milliseconds(clock: Clock) -> int:
    """Return what grows faster than documents change, from one life of a service to the next."""
    return int(clock.now().timestamp() * 1000)


async def _watch(accounts: Accounts) -> None:
    """See a client who was removed also while nobody asks for a token: his end at once."""
    while True:
        await anyio.sleep(_WATCH_INTERVAL_S)
        await to_thread.run_sync(accounts.refresh)


def _application(
    api: Api, page: Page, health: Health, settings: ServeSettings, names: Names
) -> web.Application:
    admit = {
        Access.OPEN: admit_anybody,
        Access.BEARER: admit_by_token(api.desk),
        Access.SESSION: page.guard.admit,
    }
    app = web.Application(
        middlewares=[
            counting(api.metrics),
            recognising(Proxies(settings.trusted_proxies)),
            explaining,
            answering_to(names),
            own_pages_only,
            admitting(admit),
            bounding(most_body_bytes(settings.max_body_bytes)),
            heeding_expectations,
        ],
        client_max_size=MAX_FORM_BYTES,
    )
    add_endpoints(app, Access.OPEN, api.open_routes())
    add_endpoints(app, Access.BEARER, api.bearer_routes())
    add_endpoints(app, Access.OPEN, About(api, health).routes())
    page.add_to(app)
    app.on_response_prepare.append(harden)
    app.on_startup.append(check_declared)
    return app


class About:
    """What the service tells about itself; no token is asked for."""

    def __init__(self, api: Api, health: Health) -> None:
        self._totals = api.queue.totals
        self._metrics = api.metrics
        self._admission = api.admission
        self._health = health

    def routes(self) -> list[web.RouteDef]:
        """Return the endpoints."""
        return [
            web.get("/health", self.health),
            web.get("/metrics", self.metrics),
            web.get("/openapi.json", self.openapi),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        """Return whether the service can do its work, and how much it has to do."""
        await self._admission.look_at_disk()
        reasons = self._health.reasons
        health = HealthAnswer(
            status="degraded" if reasons else "ok",
            version=VERSION,
            tasks=dict(task_counts(self._totals)),
            reasons=reasons,
        )
        return json_response(json.dumps(asdict(health)).encode(), status=503 if reasons else 200)

    async def metrics(self, _request: web.Request) -> web.Response:
        """Return all counters."""
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    async def openapi(self, _request: web.Request) -> web.Response:
        """Return the description of the interface."""
        return json_response(BODY)
