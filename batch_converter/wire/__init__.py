"""The REST vocabulary, once for the client and for the server. Pure: no I/O."""

from __future__ import annotations

from batch_converter.wire.answers import (
    TaskAnswer,
    TokenAnswer,
    completed_frame,
    read_task_answer,
    read_task_id,
    read_token_answer,
    same_task,
    submission_frame,
    write_task_answer,
    write_token_answer,
)
from batch_converter.wire.refusals import (
    MAX_BODY_BYTES,
    clean_message,
    read_refusal,
    write_problem,
    write_token_refusal,
)
from batch_converter.wire.settings import RecognitionSettings, checked_settings
from batch_converter.wire.vocabulary import (
    CONVERT_PATH,
    FORM_TYPE,
    ID_PARAMETER,
    JSON_TYPE,
    LOST_RESULTS,
    PROBLEM_TYPE,
    STATUS_PATH,
    TEXT_TYPE,
    TOKEN_PATH,
    ResponseCode,
    TaskStatus,
    response_code,
    task_status,
)

__all__ = [
    "CONVERT_PATH",
    "FORM_TYPE",
    "ID_PARAMETER",
    "JSON_TYPE",
    "LOST_RESULTS",
    "MAX_BODY_BYTES",
    "PROBLEM_TYPE",
    "STATUS_PATH",
    "TEXT_TYPE",
    "TOKEN_PATH",
    "RecognitionSettings",
    "ResponseCode",
    "TaskAnswer",
    "TaskStatus",
    "TokenAnswer",
    "checked_settings",
    "clean_message",
    "completed_frame",
    "read_refusal",
    "read_task_answer",
    "read_task_id",
    "read_token_answer",
    "response_code",
    "same_task",
    "submission_frame",
    "task_status",
    "write_problem",
    "write_task_answer",
    "write_token_answer",
    "write_token_refusal",
]
