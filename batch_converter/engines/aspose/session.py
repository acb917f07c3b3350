"""The HTTP session: TLS, proxy, timeouts, and nothing that acts on its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

import aiohttp
import anyio.to_thread
from yarl import URL

from batch_converter.engines.aspose.tls import tls_context
from batch_converter.errors import ConfigError
from batch_converter.proxies import environment_proxy

if TYPE_CHECKING:
    from types import SimpleNamespace

    from batch_converter.config import AsposeSettings

READ_BUFFER_BYTES: Final = 256 * 1024
_USER_AGENT: Final = f"batch-converter/{version('batch-converter')}"
_PROXY_WANTED: Final = (
    "the proxy (aspose.proxy, or HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment)"
    " must be an http or https address"
)
_PROXY_SCHEMES: Final = frozenset({"http", "https"})


class ConnectionLostError(aiohttp.ClientConnectionError):
    """The connection broke, said in a way that aiohttp does not answer by repeating."""


@dataclass(slots=True)
class Departure:
    """Whether a request has begun to leave; set by the session's trace."""

    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where requests go through; both None for none."""

    url: URL | None = None
    authorization: str | None = field(default=None, repr=False)


async def open_session(settings: AsposeSettings) -> tuple[aiohttp.ClientSession, Proxy]:
    """Open a session for the configured service.

    Neither cookies nor `.netrc` are used: `trust_env` would read the latter and put
    its password beside or instead of the token. The proxies of the environment are
    looked up here.

    Raises:
        ConfigError: The CA file, the client certificate or the proxy cannot be used.
    """
    tls = await anyio.to_thread.run_sync(tls_context, settings)
    proxy = await anyio.to_thread.run_sync(find_proxy, settings)
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_note_departure)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=tls),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=settings.connect_timeout_s,
            sock_connect=settings.connect_timeout_s,
            sock_read=settings.read_timeout_s,
        ),
        headers={"User-Agent": _USER_AGENT, "Cache-Control": "no-cache"},
        trace_configs=[trace],
        middlewares=(_repeat_nothing,),
        read_bufsize=READ_BUFFER_BYTES,
        trust_env=False,
    )
    return session, proxy


async def _note_departure(
    session: aiohttp.ClientSession,  # noqa: ARG001  # the signature is aiohttp's
    context: SimpleNamespace,
    params: aiohttp.TraceRequestHeadersSentParams,  # noqa: ARG001  # aiohttp's signature
) -> None:
    departure: Departure = context.trace_request_ctx
    departure.left = True


async def _repeat_nothing(
    request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Hide broken connections from aiohttp, which would send idempotent requests again.

    Every request that leaves is counted, so none may leave unseen.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLostError(str(error) or type(error).__name__) from error


def find_proxy(settings: AsposeSettings) -> Proxy:
    """Return the configured proxy, else the environment's for this service; blocking.

    Raises:
        ConfigError: It is no http or https proxy.
    """
    address = settings.proxy or environment_proxy(URL(settings.base_url))
    if not address:
        return Proxy()
    try:
        url = URL(address if "://" in address else f"http://{address}")
    except ValueError:
        # `from None`: the address may hold a password.
        raise ConfigError(_PROXY_WANTED) from None
    if url.scheme not in _PROXY_SCHEMES or not url.host:
        raise ConfigError(_PROXY_WANTED)
    if url.user is None:
        return Proxy(url=url)
    authorization = aiohttp.encode_basic_auth(url.user, url.password or "", "utf-8")
    return Proxy(url=url.with_user(None), authorization=authorization)
