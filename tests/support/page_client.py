"""A browser's side of the page's interface, over real HTTP."""

from __future__ import annotations

import hashlib
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from aiohttp import ClientSession, CookieJar

from tests.support.service import DJVU, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from aiohttp import ClientResponse
    from aiohttp.client import _RequestContextManager as Answering
    from yarl import URL

    from tests.support.service import Client, HandConverter

OPEN: dict[str, Any] = {"client_id": None, "client_secret": None}
"""Settings of a service that asks for no account."""


@dataclass
class Browser:
    """One browser that shows the page.

    Attributes:
        http: Its connections and cookies.
        service: What it talks to.
        csrf: What the page's session gave.
    """

    http: ClientSession
    service: Client
    csrf: str = ""

    async def open(self) -> dict[str, Any]:
        session: dict[str, Any] = await self.get("api/session")
        self.csrf = session["csrf"]
        return session

    @property
    def address(self) -> URL:
        """The page's."""
        return address_of(self.service)

    def take_cookies(self, cookies: dict[str, str]) -> None:
        """Go on as another browser."""
        self.http.cookie_jar.update_cookies(cookies, self.address)

    async def get(self, path: str) -> Any:  # noqa: ANN401  # JSON
        async with self.http.get(path) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    def write(self, method: str, path: str, *, json: object = None, **headers: str) -> Answering:
        given = {"X-CSRF-Token": self.csrf} | headers
        return self.http.request(method, path, json=json, headers=given)

    async def status(self, method: str, path: str, *, json: object = None) -> int:
        async with self.write(method, path, json=json) as response:
            return response.status

    async def start(self, name: str, content: bytes, *, sha256: bool = True) -> dict[str, Any]:
        """Announce a file."""
        upload: dict[str, object] = {"name": name, "size_bytes": len(content)}
        if sha256:
            upload["sha256"] = hashlib.sha256(content).hexdigest()
        async with self.write("POST", "api/uploads", json=upload) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == (200 if answer.get("known") else 201), answer
            return answer

    @asynccontextmanager
    async def piece(
        self, upload: str, offset: int, piece: bytes | AsyncIterator[bytes]
    ) -> AsyncIterator[ClientResponse]:
        headers = {"X-CSRF-Token": self.csrf, "Upload-Offset": str(offset)}
        async with self.http.patch(
            f"api/uploads/{upload}", data=piece, headers=headers
        ) as response:
            yield response

    async def send(self, upload: str, offset: int, piece: bytes) -> int:
        """Send a piece; returns the status."""
        async with self.piece(upload, offset, piece) as response:
            return response.status

    async def upload(self, name: str, content: bytes = DJVU, *, sha256: bool = True) -> str:
        """Send a file; returns its id."""
        started = await self.start(name, content, sha256=sha256)
        assert await self.send(started["id"], 0, content) == 204
        return str(started["id"])

    async def documents(self, query: str = "") -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = (await self.get(f"api/documents?{query}"))["documents"]
        return documents

    async def document(self, document_id: str) -> dict[str, Any]:
        (found,) = [one for one in await self.documents("limit=500") if one["id"] == document_id]
        return found

    async def until(self, document_id: str, state: str) -> dict[str, Any]:
        with anyio.fail_after(20):
            while (document := await self.document(document_id))["state"] != state:
                await self.service.breathe()
        return document

    async def ready(self, name: str, content: bytes = DJVU) -> str:
        """Send a file and wait for its PDF."""
        self.service.engine.gate.set()
        document_id = await self.upload(name, content)
        await self.until(document_id, "ready")
        return document_id


def address_of(service: Client) -> URL:
    """Return the address of a service."""
    address = service.session._base_url
    assert address is not None
    return address


@asynccontextmanager
async def another(service: Client) -> AsyncIterator[Browser]:
    """Give one more browser, with a session of its own."""
    jar = CookieJar(unsafe=True)
    async with ClientSession(address_of(service), cookie_jar=jar) as http:
        browser = Browser(http, service)
        await browser.open()
        yield browser


@asynccontextmanager
async def browsing(
    data: Path,
    engine: HandConverter,
    **changes: Any,  # noqa: ANN401  # settings
) -> AsyncIterator[Browser]:
    """Run a service that asks for no account, and give a browser that shows its page."""
    async with (
        running(data, engine, log_in=False, **(OPEN | changes)) as service,
        another(service) as browser,
    ):
        yield browser


@dataclass
class Events:
    """A stream of server-sent events."""

    response: ClientResponse

    async def next(self) -> tuple[str, Any]:
        """Return the next event's name and data; a comment's name is empty."""
        lines = []
        with anyio.fail_after(20):
            while (line := (await self.response.content.readline()).decode()) not in {"\n", ""}:
                lines.append(line.rstrip("\n"))
        if not lines:
            raise EOFError
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        return fields.get("event", ""), json.loads(fields.get("data", "null"))


@asynccontextmanager
async def listening(browser: Browser, after: int) -> AsyncIterator[Events]:
    async with browser.http.get(f"api/events?after={after}") as response:
        assert response.status == 200
        events = Events(response)
        assert await events.next() == ("", None)
        yield events
