"""The words of the REST interface: paths, headers, states."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

TOKEN_PATH: Final = "/connect/token"  # noqa: S105  # a path, no secret
CONVERT_PATH: Final = "/v5.0/ocr/djvu2pdf"
STATUS_PATH: Final = "/v5.0/ocr/Utilities/GetTaskStatus"
ID_PARAMETER: Final = "id"

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain"
PROBLEM_TYPE: Final = "application/problem+json"
FORM_TYPE: Final = "application/x-www-form-urlencoded"


class TaskStatus(StrEnum):
    """Where a task stands, as the service spells it."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    ERROR = "Error"
    NOT_EXIST = "NotExist"


class ResponseCode(StrEnum):
    """`responseStatusCode`: how the service judges its own answer."""

    OK = "Ok"
    PARTIALLY_NOT_FOUND = "PartiallyNotFound"
    NO_ANY_RESULT_DATA = "NoAnyResultData"
    RESULT_DATA_LOST = "ResultDataLost"
    TASK_NOT_FOUND = "TaskNotFound"
    NOT_READY = "NotReady"
    ERROR = "Error"


LOST_RESULTS: Final = frozenset(
    {
        ResponseCode.NO_ANY_RESULT_DATA,
        ResponseCode.RESULT_DATA_LOST,
        ResponseCode.TASK_NOT_FOUND,
    }
)
"""Codes that mean: this task brings no PDF any more, submit the file again."""


def task_status(word: str | None) -> TaskStatus | None:
    """Return the known status, in any case and with any white space around; else None."""
    return _TASK_STATUSES.get(_folded(word))


def response_code(word: str | None) -> ResponseCode | None:
    """Return the known code, in any case and with any white space around; else None."""
    return _RESPONSE_CODES.get(_folded(word))


def _folded(word: str | None) -> str:
    return (word or "").strip().casefold()


_TASK_STATUSES: Final = {status.casefold(): status for status in TaskStatus}
_RESPONSE_CODES: Final = {code.casefold(): code for code in ResponseCode}
