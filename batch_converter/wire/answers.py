"""The bodies of the REST interface, read for the client and written for the server.

Whatever reads raises `BadResponseError` for a body that is not the documented one;
unknown keys and unknown words are no error.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from batch_converter.errors import BadResponseError
from batch_converter.wire.bodies import RESULT_TYPE, OCRError, OCRResponse, OCRResult, Token
from batch_converter.wire.refusals import MAX_MESSAGE_CHARS
from batch_converter.wire.vocabulary import (
    ResponseCode,
    TaskStatus,
    response_code,
    task_status,
)

DEFAULT_LIFETIME_S: Final = 3600.0
_SHORTEST_LIFETIME_S: Final = 1.0
_DATA_SLOT: Final = "\0data\0"
_MAX_MESSAGES: Final = 50
_MAX_WRITTEN_BYTES: Final = 24 * 1024
"""Of each list of messages: readers bound what stands beside a PDF (`codec.json_walk`)."""

_TASK_ID: Final = re.compile(r"(?=.*[0-9])\{?[0-9A-Za-z][0-9A-Za-z._~:-]{0,126}\}?")
_CUT_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{0,26}")
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """A bearer token and how long it is valid from now on."""

    access_token: str = field(repr=False)
    lifetime_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskAnswer:
    """The envelope around a result, without the result's data.

    Attributes:
        task_id: The service's `id`; None where it was not given.
        status_word: `taskStatus` as it was spelled; None where it was null or absent.
        code_word: `responseStatusCode`, likewise.
        messages: `error.messages`; on a completed task these are no failure.
        warnings: `error.warnings`.
    """

    task_id: str | None = None
    status_word: str | None = None
    code_word: str | None = None
    messages: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> TaskStatus | None:
        """The status, or None for a word that is not documented."""
        return task_status(self.status_word)

    @property
    def code(self) -> ResponseCode | None:
        """The code, or None for a word that is not documented."""
        return response_code(self.code_word)


def read_token_answer(body: bytes) -> TokenAnswer:
    """Read the token endpoint's answer.

    Raises:
        BadResponseError: It holds no usable token; the message does not quote it.
    """
    fields = _json_object(body, what="token")
    token = fields.get("access_token")
    if not isinstance(token, str) or not _HEADER_SAFE.fullmatch(token):
        raise BadResponseError("the token endpoint's answer holds no usable access_token")
    return TokenAnswer(access_token=token, lifetime_s=_lifetime_s(fields.get("expires_in")))


def _lifetime_s(value: object) -> float:
    """Take a number or its text; without one that can be meant, the documented hour.

    A token of no time would have another one asked for before each request. One that
    ends sooner than the hour is refused one day, and renewed then.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return DEFAULT_LIFETIME_S
    try:
        seconds = float(value)
    except (ValueError, OverflowError):  # JSON's whole numbers have no end
        return DEFAULT_LIFETIME_S
    return seconds if _SHORTEST_LIFETIME_S <= seconds < float("inf") else DEFAULT_LIFETIME_S


def write_token_answer(answer: TokenAnswer) -> bytes:
    """Write a token answer."""
    token = Token(
        access_token=answer.access_token,
        expires_in=int(answer.lifetime_s),
        token_type="bearer",  # noqa: S106  # a word of OAuth, no secret
    )
    return _dump(asdict(token))


def read_task_id(body: bytes) -> str:
    """Read the answer to a submission: an id as text, or as JSON string, with white space.

    It is documented to be a GUID. Another word that may be an id is taken as well: the
    task is paid for, and would be lost with it.

    Raises:
        BadResponseError: It is no id, or a GUID cut off. The task may exist all the same.
    """
    text = body.decode("utf-8-sig", errors="replace").strip().strip('"').strip()
    if not _TASK_ID.fullmatch(text) or _CUT_GUID.fullmatch(text):
        raise BadResponseError(
            "the service answered a submission with something that is not a task id"
        )
    return text


def same_task(one: str, other: str) -> bool:
    """Whether two spellings mean the same task (case, hyphens and braces aside)."""
    try:
        return uuid.UUID(one.strip()) == uuid.UUID(other.strip())
    except ValueError:
        return one.strip() == other.strip()


def read_task_answer(fields: Mapping[str, object]) -> TaskAnswer:
    """Read the envelope's fields, parsed and without the results' data.

    Raises:
        BadResponseError: A documented field has an undocumented type, or neither
            `taskStatus` nor `responseStatusCode` is given.
    """
    status, code = _word(fields, "taskStatus"), _word(fields, "responseStatusCode")
    if status is None and code is None:
        raise BadResponseError(
            "the service's answer holds neither taskStatus nor responseStatusCode"
        )
    messages, warnings = _complaints(fields.get("error"))
    return TaskAnswer(
        task_id=_word(fields, "id"),
        status_word=status,
        code_word=code,
        messages=messages,
        warnings=warnings,
    )


def _word(fields: Mapping[str, object], key: str) -> str | None:
    value = fields.get(key)
    if value is None or isinstance(value, str):
        return value
    msg = f"the service's answer holds a {key} that is not text"
    raise BadResponseError(msg)


def _complaints(error: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return messages and warnings; an `error` of any other shape is one message."""
    if isinstance(error, Mapping):
        return _texts(error.get("messages")), _texts(error.get("warnings"))
    return _texts(error), ()


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    texts = [item if isinstance(item, str) else _plain(item) for item in items]
    return _few([text for text in texts if text])


def _few(texts: Sequence[str]) -> tuple[str, ...]:
    """Keep the first 50, or say in the last one's place how many more there are."""
    if len(texts) <= _MAX_MESSAGES:
        return tuple(texts)
    shown = _MAX_MESSAGES - 1
    return (*texts[:shown], f"and {len(texts) - shown} more")


def _plain(value: object) -> str:
    return "" if value is None else json.dumps(value)


def write_task_answer(answer: TaskAnswer) -> bytes:
    """Write an answer without a result."""
    return _dump(asdict(_envelope(answer, results=None)))


def completed_frame(answer: TaskAnswer) -> tuple[bytes, bytes]:
    """Return what stands before and after the result's Base64 text."""
    results = [OCRResult(type=RESULT_TYPE, data=_DATA_SLOT)]
    before, _, after = _dump(asdict(_envelope(answer, results=results))).partition(
        json.dumps(_DATA_SLOT)[1:-1].encode()
    )
    return before, after


def submission_frame(settings: Mapping[str, object]) -> tuple[bytes, bytes]:
    """Return what stands before and after the document's Base64 text in a submission."""
    return b'{"image":"', b'","settings":' + _dump(settings) + b"}"


def _envelope(answer: TaskAnswer, *, results: list[OCRResult] | None) -> OCRResponse:
    error = OCRError(messages=_written(answer.messages), warnings=_written(answer.warnings))
    return OCRResponse(
        id=answer.task_id,
        taskStatus=answer.status_word,
        responseStatusCode=answer.code_word,
        results=results,
        error=error if answer.messages or answer.warnings else None,
    )


def _written(texts: Sequence[str]) -> list[str]:
    """Return as many as an answer may hold, each shortened, and how many more there are."""
    told: list[str] = []
    left_bytes = _MAX_WRITTEN_BYTES
    for whole in _few(texts):
        cut = len(whole) > MAX_MESSAGE_CHARS
        text = whole[: MAX_MESSAGE_CHARS - 1] + "…" if cut else whole
        left_bytes -= len(_dump(text)) + 1
        if left_bytes < 0:
            return [*told, f"and {len(texts) - len(told)} more"]
        told.append(text)
    return told


def _json_object(body: bytes, *, what: str) -> dict[str, object]:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        msg = f"the {what} endpoint's answer is not JSON"
        # `from None`: the cause holds the body, and the body may hold a token.
        raise BadResponseError(msg) from None
    if isinstance(value, dict):
        return value
    msg = f"the {what} endpoint's answer is not a JSON object"
    raise BadResponseError(msg)


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
