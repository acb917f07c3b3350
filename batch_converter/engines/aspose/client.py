"""Requests that are tried again: token, retries, throttling, the upload window."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from batch_converter.engines.aspose.exchange import TokenRefused
from batch_converter.engines.aspose.judgement import credentials_refused
from batch_converter.engines.aspose.limits import AdaptiveWindow
from batch_converter.engines.aspose.reading import read_bounded
from batch_converter.engines.aspose.retry import RetryPolicy, Trouble, next_wait_s, reason_to_stop
from batch_converter.engines.aspose.tokens import TokenKeeper
from batch_converter.errors import (
    AccountRefusedError,
    LastingError,
    PassingError,
    ServiceUnavailableError,
    SubmitUnknownError,
)
from batch_converter.events import ServiceThrottled
from batch_converter.wire import read_token_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import aiohttp

    from batch_converter.clock import Clock
    from batch_converter.engines.aspose.exchange import Exchange
    from batch_converter.engines.aspose.limits import Outage, Throttle, UploadSlot
    from batch_converter.engines.aspose.request import Request
    from batch_converter.events import EventStream
    from batch_converter.redaction import Redactor
    from batch_converter.wire import TokenAnswer

T = TypeVar("T")

_MOST_REFUSALS: Final = 3
"""Of one request, one after the other, to tokens that work for others: each may have been revoked
while it waited for its turn, with all that were given out. One that never worked ends a run."""

_log = structlog.get_logger()


class Client:
    """Gets requests answered, as patiently as the policy says.

    Args:
        exchange: Sends single requests.
        token_request: How a token is asked for.
        policy: How often and how patiently.
        throttle: Shared with the exchange.
        outage: Shared with the throttle.
        max_submissions: Uploads at once, at most.
        clock: The time.
        random: Returns a number from 0 to 1.
        events: Told of throttling and of tokens.
        redactor: Learns each token before it is used.
    """

    def __init__(
        self,
        exchange: Exchange,
        token_request: Request,
        *,
        policy: RetryPolicy,
        throttle: Throttle,
        outage: Outage,
        max_submissions: int,
        clock: Clock,
        random: Callable[[], float],
        redactor: Redactor,
        events: EventStream,
    ) -> None:
        self._exchange = exchange
        self._token_request = token_request
        self._policy = policy
        self._throttle = throttle
        self._clock = clock
        self._random = random
        self._events = events
        self._redactor = redactor
        self._window = AdaptiveWindow(max_submissions)
        self._outage = outage
        self._tokens = TokenKeeper(self._ask_token, clock=clock, events=events)

    async def answered(
        self, request: Request, read: Callable[[aiohttp.ClientResponse], Awaitable[T]]
    ) -> T:
        """Send the request with the token until it is answered.

        Raises:
            SubmitUnknownError: The document went out whole, and no answer came.
            FileError: It is refused, or failed as often as it may be tried.
            RunStoppedError: No request makes sense any more.
        """

        async def send() -> T | Trouble:
            refusals = 0
            while True:
                token = await self._tokens.current()
                result = await self._sent(request, token, read)
                if not isinstance(result, TokenRefused):
                    if not isinstance(result, Trouble):
                        self._tokens.works(token)
                    return result
                refusals += 1
                if refusals > _MOST_REFUSALS:
                    raise _refused(result)
                await self._tokens.renew(stale=token, refusal=_refused(result))

        return await self._persist(request, send)

    async def authorize(self) -> None:
        """Obtain a token, if there is none that is fresh."""
        await self._tokens.current()

    async def _ask_token(self) -> TokenAnswer:
        request = self._token_request

        async def send() -> TokenAnswer | Trouble:
            result = await self._sent(request, None, _read_token)
            if isinstance(result, TokenRefused):
                raise credentials_refused(401, result.said)
            return result

        try:
            answer = await self._persist(request, send)
        except LastingError as error:
            msg = f"{error}; check aspose.base_url"
            raise ServiceUnavailableError(msg) from error
        except PassingError as error:
            if self._outage.never_reached:
                raise ServiceUnavailableError(str(error)) from error
            raise
        self._redactor.add_token(answer.access_token)
        return answer

    async def _persist(self, request: Request, send: Callable[[], Awaitable[T | Trouble]]) -> T:
        attempt = 0
        while True:
            result = await send()
            if not isinstance(result, Trouble):
                return result
            attempt += 1
            await self._recover(request, result, attempt=attempt)

    async def _recover(self, request: Request, trouble: Trouble, *, attempt: int) -> None:
        """Wait until the next try makes sense.

        Raises:
            PassingError: There is none.
            ServiceUnavailableError: For nobody.
        """
        reason = reason_to_stop(self._policy, trouble)
        if reason is not None:
            msg = f"{reason}; last: {trouble.error}"
            raise ServiceUnavailableError(msg) from trouble.error
        self._outage.failed(trouble.error)
        self._outage.check()
        wait_s = next_wait_s(self._policy, trouble, attempt=attempt, random=self._random)
        until_s = self._clock.monotonic_s() + (wait_s or 0.0)
        if trouble.throttled:
            self._slow_down(request, trouble, wait_s)
        if wait_s is None:
            raise trouble.error
        _log.info(
            "request.retrying",
            endpoint=request.kind.value,
            attempt=attempt,
            wait_s=round(wait_s, 3),
            reason=str(trouble.error),
            **({} if request.source is None else {"source": request.source.name}),
        )
        await self._outage.endure(until_s)

    def _slow_down(self, request: Request, trouble: Trouble, wait_s: float | None) -> None:
        """Hold everybody back; also for a request that is not tried again itself."""
        asked_s = trouble.retry_after_s or 0.0
        pause_s = max(self._policy.initial_wait_s, asked_s) if wait_s is None else wait_s
        if self._throttle.pause(pause_s, asked_s=asked_s, turn=trouble.turn):
            self._events.emit(
                ServiceThrottled(
                    endpoint=request.kind.value,
                    wait_s=round(pause_s, 3),
                    reason=str(trouble.error),
                )
            )

    async def _sent(
        self,
        request: Request,
        token: str | None,
        read: Callable[[aiohttp.ClientResponse], Awaitable[T]],
    ) -> T | Trouble | TokenRefused:
        """Send once, in the upload window where it is one, and tell the limits how it went."""
        async with self._window.slot() if request.uploads else nullcontext() as slot:
            try:
                result = await self._exchange.send(request, token, read)
            except (AccountRefusedError, LastingError):
                self._succeeded(None)
                raise
            except SubmitUnknownError as error:
                self._outage.failed(error)
                _complain(slot)
                raise
            if not isinstance(result, Trouble):
                self._succeeded(slot)
            elif result.overloaded:
                _complain(slot)
            return result

    def _succeeded(self, slot: UploadSlot | None) -> None:
        """The service answered; a refusal is an answer too."""
        self._outage.succeeded()
        self._throttle.succeeded()
        if slot is not None:
            slot.succeeded()


def _complain(slot: UploadSlot | None) -> None:
    if slot is not None:
        slot.complained()


async def _read_token(response: aiohttp.ClientResponse) -> TokenAnswer:
    return read_token_answer(await read_bounded(response))


def _refused(result: TokenRefused) -> AccountRefusedError:
    said = f": {result.said}" if result.said else ""
    return AccountRefusedError(f"the service refuses a fresh token{said}")
