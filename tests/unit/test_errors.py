"""The tree of errors: what it says of codes holds at any depth."""

from __future__ import annotations

from batch_converter.errors import (
    LASTING_CODES,
    TASK_ENDING_CODES,
    ErrorCode,
    FileError,
    LastingError,
    PassingError,
    kinds_of,
)


def test_a_kind_of_a_kind_is_found_too() -> None:
    class AnyError(FileError):
        code = ErrorCode.NETWORK

    class KindError(AnyError):
        code = ErrorCode.TIMEOUT

    class KindOfKindError(KindError):
        code = ErrorCode.EXPIRED

    assert list(kinds_of(AnyError)) == [KindError, KindOfKindError]


def test_codes_last_or_pass_but_not_both() -> None:
    assert {error.code for error in kinds_of(LastingError)} == LASTING_CODES
    assert not LASTING_CODES & {error.code for error in kinds_of(PassingError)}


def test_a_task_that_failed_in_passing_is_not_ended() -> None:
    assert TASK_ENDING_CODES < LASTING_CODES
