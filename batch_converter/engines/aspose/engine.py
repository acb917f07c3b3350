"""The engine that converts at Aspose.OCR Cloud, or at whatever speaks its API."""

from __future__ import annotations

import base64
import hashlib
import json
import random as chance
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from yarl import URL

from batch_converter.clock import SystemClock
from batch_converter.engines.aspose import NAME
from batch_converter.engines.aspose.client import Client
from batch_converter.engines.aspose.exchange import Exchange
from batch_converter.engines.aspose.judgement import judge_answer
from batch_converter.engines.aspose.limits import Outage, Throttle
from batch_converter.engines.aspose.reading import read_bounded, read_envelope
from batch_converter.engines.aspose.request import Request
from batch_converter.engines.aspose.retry import RetryPolicy
from batch_converter.engines.aspose.session import open_session
from batch_converter.engines.base import TaskService
from batch_converter.errors import BadResponseError, ConfigError, TooLargeError
from batch_converter.events import EventStream
from batch_converter.models import CallKind
from batch_converter.redaction import Redactor
from batch_converter.storage import FileBytes
from batch_converter.threads import DiskThreads
from batch_converter.wire import (
    CONVERT_PATH,
    ID_PARAMETER,
    TOKEN_PATH,
    checked_settings,
    read_task_answer,
    read_task_id,
    same_task,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    import aiohttp

    from batch_converter.clock import Clock
    from batch_converter.codec import Envelope
    from batch_converter.config import AsposeSettings, RetrySettings
    from batch_converter.engines.base import CallRecorder, Fetched, PdfTarget, SourceDocument
    from batch_converter.storage import OpenSource
    from batch_converter.wire import TaskAnswer

_RESULT_LIFETIME: Final = timedelta(hours=24)  # API-FACTS, Fetch: kept so long from submission


class AsposeEngine(TaskService):
    """The service as a `TaskService`; its session is open between enter and exit.

    Args:
        settings: The service and the account.
        retry: How often and how patiently requests are tried again.
        calls: Records requests for tokens.
        max_submissions: Uploads at once, at most.
        redactor: Learns the secret and each token; of its own where absent.
        clock: The time; the system's where absent.
        random: Returns a number from 0 to 1, for jitter.
        events: Told of throttling and of tokens.
        threads: Where documents are read; its own where absent.
        open_source: Opens them; from this disk where absent.

    Raises:
        ConfigError: Credentials are missing, or recognition settings are not known.
    """

    def __init__(
        self,
        settings: AsposeSettings,
        retry: RetrySettings,
        *,
        calls: CallRecorder,
        max_submissions: int,
        redactor: Redactor | None = None,
        clock: Clock | None = None,
        random: Callable[[], float] = chance.random,
        events: EventStream | None = None,
        threads: DiskThreads | None = None,
        open_source: OpenSource = FileBytes,
    ) -> None:
        if settings.client_id is None or settings.client_secret is None:
            raise ConfigError("the aspose engine needs client_id and client_secret")
        self._settings = settings
        self._recognition = checked_settings(settings.settings)
        self._secret = settings.client_secret.get_secret_value()
        self._redactor = redactor or Redactor()
        self._redactor.add(self._secret)
        self._retry = retry
        self._calls = calls
        self._max_submissions = max_submissions
        self._clock: Clock = clock or SystemClock()
        self._random = random
        self._events = events or EventStream()
        self._threads = threads or DiskThreads()
        self._open_source = open_source
        self._session: aiohttp.ClientSession | None = None
        self._client: Client | None = None

    @property
    def name(self) -> str:
        """`aspose`."""
        return NAME

    @property
    def address(self) -> str:
        """The base URL."""
        return self._settings.base_url

    @property
    def result_lifetime(self) -> timedelta:
        """24 hours from the submission."""
        return _RESULT_LIFETIME

    @cached_property
    def options_digest(self) -> str:
        """A digest of the recognition settings."""
        text = json.dumps(self._recognition, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    async def __aenter__(self) -> Self:
        """Open the session; nothing is sent yet.

        Raises:
            ConfigError: The CA file or the proxy cannot be used.
        """
        self._session, proxy = await open_session(self._settings)
        if proxy.authorization:
            pair = proxy.authorization.removeprefix("Basic ")
            self._redactor.add(pair)
            self._redactor.add(base64.b64decode(pair).decode().partition(":")[2])
        outage = Outage(unavailable_after_s=self._retry.unavailable_after_s, clock=self._clock)
        throttle = Throttle(
            requests_per_second=self._settings.requests_per_second,
            clock=self._clock,
            outage=outage,
        )
        exchange = Exchange(
            self._session,
            proxy,
            settings=self._settings,
            throttle=throttle,
            clock=self._clock,
            redactor=self._redactor,
            threads=self._threads,
            open_source=self._open_source,
        )
        self._client = Client(
            exchange,
            self._token_request(),
            policy=_policy(self._retry),
            throttle=throttle,
            outage=outage,
            max_submissions=self._max_submissions,
            clock=self._clock,
            random=self._random,
            redactor=self._redactor,
            events=self._events,
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections; tasks live on at the service."""
        if self._session is not None:
            await self._session.close()

    async def authorize(self) -> None:
        """Obtain a token, if there is none yet; not billed.

        Raises:
            AccountRefusedError: The credentials are wrong.
            ServiceUnavailableError: The service cannot be reached.
        """
        await self._opened().authorize()

    async def submit(self, source: SourceDocument, calls: CallRecorder) -> str:
        """Upload the document; see `TaskService.submit`.

        Raises:
            TooLargeError: It exceeds `max_upload_bytes`; nothing was sent.
            UnreadableError: It cannot be read, or changed meanwhile.
        """
        limit = self._settings.max_upload_bytes
        if limit and source.size_bytes > limit:
            msg = (
                f"{source.name} has {source.size_bytes} bytes, more than"
                f" aspose.max_upload_bytes = {limit}"
            )
            raise TooLargeError(msg)
        request = Request(
            kind=CallKind.SUBMIT,
            method="POST",
            url=self._convert_url,
            calls=calls,
            source=source,
            uploads=True,
        )
        return await self._opened().answered(request, self._read_task_id)

    async def fetch(
        self, source: SourceDocument, task_id: str, target: PdfTarget, calls: CallRecorder
    ) -> Fetched:
        """Ask for the task and stream its PDF into the target; see `TaskService.fetch`."""

        async def read(response: aiohttp.ClientResponse) -> tuple[TaskAnswer, Envelope]:
            envelope = await read_envelope(response, target)
            answer = read_task_answer(envelope.fields)
            if answer.task_id and not same_task(answer.task_id, task_id):
                raise BadResponseError("the service answered for another task")
            return answer, envelope

        request = Request(
            kind=CallKind.POLL,
            method="GET",
            url=self._task_url(task_id),
            calls=calls,
            source=source,
        )
        answer, envelope = await self._opened().answered(request, read)
        return judge_answer(answer, envelope, self._redactor)

    async def cancel(self, source: SourceDocument, task_id: str, calls: CallRecorder) -> None:
        """Delete the task at the service; see `TaskService.cancel`."""
        request = Request(
            kind=CallKind.CANCEL,
            method="DELETE",
            url=self._task_url(task_id),
            calls=calls,
            source=source,
        )
        await self._opened().answered(request, _ignore)

    @cached_property
    def _convert_url(self) -> URL:
        return self._url(CONVERT_PATH)

    def _task_url(self, task_id: str) -> URL:
        return self._convert_url.with_query({ID_PARAMETER: task_id})

    def _url(self, path: str) -> URL:
        return URL(self._settings.base_url.rstrip("/") + path)

    def _token_request(self) -> Request:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._settings.client_id or "",
            "client_secret": self._secret,
        }
        return Request(
            kind=CallKind.TOKEN,
            method="POST",
            url=self._url(TOKEN_PATH),
            calls=self._calls,
            form=form,
        )

    def _opened(self) -> Client:
        if self._client is None:
            raise RuntimeError("the engine is used outside its `async with`")
        return self._client

    async def _read_task_id(self, response: aiohttp.ClientResponse) -> str:
        task_id = read_task_id(await read_bounded(response))
        if self._redactor.holds_secret(task_id):
            raise BadResponseError("the service answered a submission with a credential")
        return task_id


def _policy(retry: RetrySettings) -> RetryPolicy:
    return RetryPolicy(
        attempts=retry.request_attempts,
        initial_wait_s=retry.initial_wait_s,
        max_wait_s=retry.max_wait_s,
        max_retry_after_s=retry.max_retry_after_s,
    )


async def _ignore(response: aiohttp.ClientResponse) -> None:
    await read_bounded(response)
