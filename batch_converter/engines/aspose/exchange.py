"""One request and its answer: counted, watched, kept to its origin."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import aiohttp
import anyio

from batch_converter.engines.aspose.judgement import WHAT, judge_refusal
from batch_converter.engines.aspose.reading import read_beginning
from batch_converter.engines.aspose.request import Moved, redirected
from batch_converter.engines.aspose.retry import Trouble, retry_after_s
from batch_converter.engines.aspose.session import Departure
from batch_converter.engines.aspose.tls import advice
from batch_converter.engines.aspose.upload import StallWatch, UploadOrder, opened
from batch_converter.errors import (
    BadResponseError,
    NetworkError,
    SubmitGarbledError,
    SubmitUnknownError,
)
from batch_converter.models import CallKind, CallOutcome
from batch_converter.shortage import exhausted
from batch_converter.wire import JSON_TYPE, TEXT_TYPE, clean_message, read_refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from batch_converter.clock import Clock
    from batch_converter.config import AsposeSettings
    from batch_converter.engines.aspose.limits import Throttle
    from batch_converter.engines.aspose.request import Request
    from batch_converter.engines.aspose.session import Proxy
    from batch_converter.engines.aspose.upload import DocumentBody
    from batch_converter.redaction import Redactor
    from batch_converter.storage import OpenSource
    from batch_converter.threads import DiskThreads

T = TypeVar("T")

MAX_HOPS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SUCCESS: Final = range(200, 300)
_UNAUTHORIZED: Final = 401
_GONE: Final = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """401: the token is expired or revoked, or there is no account to give one to."""

    said: str


@dataclass(slots=True)
class _Fate(Departure):
    """What became of one request."""

    status: int | None = None
    answered: bool = False

    @property
    def outcome(self) -> CallOutcome:
        if self.answered and self.status is not None:
            done = self.status in _SUCCESS
            return CallOutcome.ANSWERED if done else CallOutcome.REFUSED
        return CallOutcome.LOST if self.left else CallOutcome.UNSENT


class Exchange:
    """Sends single requests over an open session."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        proxy: Proxy,
        *,
        settings: AsposeSettings,
        throttle: Throttle,
        clock: Clock,
        redactor: Redactor,
        threads: DiskThreads,
        open_source: OpenSource,
    ) -> None:
        self._session = session
        self._proxy = proxy
        self._settings = settings
        self._throttle = throttle
        self._clock = clock
        self._redactor = redactor
        self._threads = threads
        self._open_source = open_source
        self._uploads = UploadOrder()

    async def send(
        self,
        request: Request,
        token: str | None,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | Trouble | TokenRefused:
        """Send the request once, following redirects within its origin.

        Args:
            request: What is sent.
            token: The bearer token; None for the token endpoint.
            read: Reads a success's body; its `BadResponseError` is trouble.

        Raises:
            SubmitUnknownError: The document went out whole, and no answer came.
            ServiceUnavailableError: A pause keeps all requests back for too long.
            BudgetSpentError: A request would exceed the budget.
            MachineExhaustedError: No connection can be opened for want of descriptors or memory.
            BatchConverterError: The answer is final; see `judge_refusal`.
        """
        for _ in range(MAX_HOPS):
            result = await self._hop(request, token, read)
            if not isinstance(result, Moved):
                return result
            request = redirected(request, result, self._redactor)
        msg = f"the service redirected {WHAT[request.kind]} more than {MAX_HOPS} times"
        return Trouble(error=BadResponseError(msg))

    async def _hop(
        self,
        request: Request,
        token: str | None,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | Trouble | TokenRefused | Moved:
        async with self._body(request) as body:
            turn = await self._throttle.turn()
            call_id = await request.calls.begin(request.kind)
            fate = _Fate()
            try:
                result = await self._converse(request, token, read, body, fate)
            finally:
                request.calls.end(call_id, fate.outcome, http_status=fate.status)
            return replace(result, turn=turn) if isinstance(result, Trouble) else result

    def _body(self, request: Request) -> AbstractAsyncContextManager[DocumentBody | None]:
        if request.source is None or not request.uploads:
            return nullcontext()
        return opened(
            request.source,
            self._settings.settings,
            self._threads,
            self._uploads,
            self._open_source,
        )

    async def _converse(
        self,
        request: Request,
        token: str | None,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        body: DocumentBody | None,
        fate: _Fate,
    ) -> T | Trouble | TokenRefused | Moved:
        try:
            async with await self._start(request, token, body, fate) as response:
                fate.status = response.status
                result = await self._understand(request, response, read, fate)
                fate.answered = True
                return result
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return self._lost(request, body, fate, error)

    async def _start(
        self, request: Request, token: str | None, body: DocumentBody | None, fate: _Fate
    ) -> aiohttp.ClientResponse:
        """Send the request and wait for the head of the answer."""
        if body is None:
            return await self._request(request, token, None, fate)
        timeout_s = self._settings.read_timeout_s
        with anyio.CancelScope() as scope:
            watch = StallWatch(body, fate, scope, timeout_s=timeout_s)
            try:
                return await self._request(request, token, body, fate, watch.tracker)
            finally:
                watch.stop()
        msg = f"the service read nothing for {timeout_s:g} s"
        raise TimeoutError(msg)

    async def _request(
        self,
        request: Request,
        token: str | None,
        body: DocumentBody | None,
        fate: _Fate,
        tracker: aiohttp.UploadTracker | None = None,
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            request.method,
            request.url,
            headers=self._headers(request, token, body),
            data=request.form if body is None else body,
            allow_redirects=False,
            proxy=self._proxy.url,
            proxy_headers=self._proxy_headers(),
            trace_request_ctx=fate,
            upload_tracker=tracker,
        )

    def _headers(
        self, request: Request, token: str | None, body: DocumentBody | None
    ) -> dict[str, str]:
        headers = {"Accept": JSON_TYPE if token is None else TEXT_TYPE}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers |= {"Content-Type": JSON_TYPE, "Content-Length": str(body.content_length)}
        if self._proxy.authorization and request.url.scheme == "http":
            headers["Proxy-Authorization"] = self._proxy.authorization
        return headers

    def _proxy_headers(self) -> dict[str, str] | None:
        """Return what only the proxy may see, in the CONNECT of a TLS tunnel."""
        if self._proxy.authorization is None:
            return None
        return {"Proxy-Authorization": self._proxy.authorization}

    async def _understand(
        self,
        request: Request,
        response: aiohttp.ClientResponse,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
        fate: _Fate,
    ) -> T | Trouble | TokenRefused | Moved:
        status = response.status
        if status in _SUCCESS or (status in _GONE and request.kind is CallKind.CANCEL):
            return await self._read(request, response, read)
        location = response.headers.get("Location")
        if status in _REDIRECTS and location:
            return Moved(location=location, status=status)
        said = clean_message(read_refusal(await read_beginning(response)), self._redactor)
        fate.answered = True
        if status == _UNAUTHORIZED:
            return TokenRefused(said=said)
        judged = judge_refusal(
            request.kind, status, said, retry_after_s=self._retry_after_s(response)
        )
        if isinstance(judged, Trouble):
            return judged
        raise judged

    async def _read(
        self,
        request: Request,
        response: aiohttp.ClientResponse,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | Trouble:
        try:
            return await read(response)
        except BadResponseError as error:
            if request.uploads:
                raise _unknown(str(error), SubmitGarbledError) from error
            return Trouble(error=error)

    def _retry_after_s(self, response: aiohttp.ClientResponse) -> float | None:
        return retry_after_s(
            response.headers.get("Retry-After"),
            date=response.headers.get("Date"),
            now=self._clock.now(),
        )

    def _lost(
        self, request: Request, body: DocumentBody | None, fate: _Fate, error: Exception
    ) -> Trouble:
        """Return what a broken exchange means, by how far it came."""
        if body is not None and body.failure is not None:
            raise body.failure
        reason = clean_message(_reason(error), self._redactor) + advice(error, self._settings)
        is_cut = fate.status is not None and fate.status in _SUCCESS
        if fate.left and body is not None and body.is_whole:
            # `from None`: aiohttp's errors may quote what the service sent.
            raise _unknown(reason, SubmitGarbledError if is_cut else SubmitUnknownError) from None
        if not fate.left:
            if (lack := exhausted(error)) is not None:
                raise lack
            msg = f"{self._settings.base_url} cannot be reached: {reason}"
            return Trouble(error=NetworkError(msg))
        if is_cut:
            msg = f"the answer to {WHAT[request.kind]} was cut off: {reason}"
            return Trouble(error=BadResponseError(msg))
        msg = f"{WHAT[request.kind]} got no answer: {reason}"
        return Trouble(error=NetworkError(msg), overloaded=True)


def _unknown(reason: str, kind: type[SubmitUnknownError]) -> SubmitUnknownError:
    return kind(
        f"the document was sent, but the answer was lost ({reason}); it may have been billed"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"it answered in no known form ({error.status})"
    return str(error) or type(error).__name__
