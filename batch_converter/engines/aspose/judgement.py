"""What an answer means: the contract's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from batch_converter.engines.aspose.retry import (
    OVERLOAD_STATUSES,
    THROTTLING_STATUSES,
    Trouble,
    is_passing,
)
from batch_converter.engines.base import Failed, Gone, NotReady, Ready
from batch_converter.errors import (
    AccountRefusedError,
    BadResponseError,
    CorruptResultError,
    NetworkError,
    RejectedError,
    TooLargeError,
)
from batch_converter.models import CallKind
from batch_converter.wire import LOST_RESULTS, TaskStatus, clean_message

if TYPE_CHECKING:
    from batch_converter.codec import Envelope
    from batch_converter.engines.base import Fetched
    from batch_converter.errors import BatchConverterError
    from batch_converter.redaction import Redactor
    from batch_converter.wire import TaskAnswer

WHAT: Final = {
    CallKind.TOKEN: "the request for a token",
    CallKind.SUBMIT: "the submission",
    CallKind.POLL: "the question for the result",
    CallKind.CANCEL: "the cancellation",
}
"""How a message names a request."""

_ACCOUNT_STATUSES: Final = frozenset({402, 403})
_TOO_LARGE: Final = 413
_BAD_REQUEST: Final = 400


def judge_refusal(
    kind: CallKind, status: int, said: str, *, retry_after_s: float | None
) -> Trouble | BatchConverterError:
    """Return what a status other than success means: trouble that passes, or an error.

    Args:
        kind: The endpoint.
        status: The HTTP status; 401 is judged by who knows the token.
        said: The body's message, without secrets; may be empty.
        retry_after_s: What `Retry-After` asks for.
    """
    text = _answered(kind, status, said)
    if is_passing(status):
        return Trouble(
            error=NetworkError(text),
            retry_after_s=retry_after_s,
            throttled=status in THROTTLING_STATUSES,
            overloaded=status in OVERLOAD_STATUSES,
        )
    if status in _ACCOUNT_STATUSES:
        return AccountRefusedError(text)
    if kind is CallKind.TOKEN and status == _BAD_REQUEST:
        return credentials_refused(status, said)
    if status == _TOO_LARGE:
        return TooLargeError(text)
    if status >= _BAD_REQUEST:
        return RejectedError(text)
    return Trouble(error=BadResponseError(text))


def credentials_refused(status: int, said: str) -> AccountRefusedError:
    """Return the error for a token endpoint that knows no such account (400, 401)."""
    return AccountRefusedError(
        f"{_answered(CallKind.TOKEN, status, said)};"
        " check ASPOSE_CLIENT_ID and ASPOSE_CLIENT_SECRET, or the [aspose] section"
    )


def _answered(kind: CallKind, status: int, said: str) -> str:
    return f"the service answered {WHAT[kind]} with {status}" + (f": {said}" if said else "")


def judge_answer(answer: TaskAnswer, envelope: Envelope, redactor: Redactor) -> Fetched:
    """Return what an answer to the question for a result means.

    Args:
        answer: The envelope's fields.
        envelope: What became of the PDF in it.
        redactor: Masks secrets in what the service says.

    Raises:
        CorruptResultError: The task is complete, and its data is unusable.
    """
    match answer.status:
        case TaskStatus.COMPLETED:
            return _completed(answer, envelope, redactor)
        case TaskStatus.PENDING | TaskStatus.PROCESSING as status:
            return NotReady(status=status.value)
        case TaskStatus.NOT_EXIST as status:
            return Gone(status=status.value)
        case TaskStatus.ERROR if answer.code not in LOST_RESULTS:
            return Failed(messages=_cleaned(redactor, *answer.messages, *answer.warnings))
        case _ if answer.code in LOST_RESULTS:
            return Gone(status=str(answer.code))
        case _:
            return NotReady(
                status=clean_message(answer.status_word or str(answer.code_word), redactor)
            )


def _completed(answer: TaskAnswer, envelope: Envelope, redactor: Redactor) -> Ready | Gone:
    complaints = _cleaned(redactor, *answer.warnings, *answer.messages)
    if envelope.pdf_bytes and not envelope.fault:
        return Ready(warnings=complaints)
    if answer.code in LOST_RESULTS:
        return Gone(status=str(answer.code))
    fault = envelope.fault or "the task is complete, but its answer holds no PDF"
    raise CorruptResultError("; ".join((clean_message(fault, redactor), *complaints)))


def _cleaned(redactor: Redactor, *texts: str) -> tuple[str, ...]:
    return tuple(clean_message(text, redactor) for text in texts)
