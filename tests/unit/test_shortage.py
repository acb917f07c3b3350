from __future__ import annotations

import errno
import os

import pytest

from batch_converter.djvu.jobs.verdicts import OUT_OF_MEMORY, SHORTAGE
from batch_converter.djvu.work.child import _failure
from batch_converter.errors import (
    EngineError,
    ErrorCode,
    ExitCode,
    MachineExhaustedError,
    OutputError,
    UnreadableError,
)
from batch_converter.shortage import exhausted, shortage_of

NO_THREAD = RuntimeError("can't start new thread")


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def during(error: Exception, handled: Exception) -> Exception:
    error.__context__ = handled
    return error


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (os_error(errno.EMFILE), "ulimit -n"),
        (os_error(errno.ENFILE), "whole system"),
        (os_error(errno.EAGAIN), "ulimit -u"),
        (os_error(errno.ENOMEM), "ulimit -v"),
        (MemoryError(), "memory"),
        (NO_THREAD, "threads"),
        (ImportError("libqpdf.so: failed to map segment from shared object"), "memory"),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "ulimit -n"),
        (caused(UnreadableError("a"), os_error(errno.EMFILE)), "ulimit -n"),
        (caused(EngineError("a"), caused(ValueError(), NO_THREAD)), "threads"),
        (during(ValueError(), MemoryError()), "memory"),
        (ExceptionGroup("g", [ValueError(), ExceptionGroup("g", [NO_THREAD])]), "threads"),
    ],
)
def test_what_the_machine_lacks_is_told_from_what_is_at_fault(error: Exception, word: str) -> None:
    assert word in (shortage_of(error) or "")
    stop = exhausted(error)
    assert isinstance(stop, MachineExhaustedError)
    assert stop.exit_code is ExitCode.SOME_FAILED
    assert stop.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        os_error(errno.ENOSPC),
        os_error(errno.EACCES),
        os_error(errno.ENOENT),
        OSError("no number"),
        RuntimeError("another one"),
        ImportError("No module named 'x'"),
        ValueError(),
        EngineError("a"),
        ExceptionGroup("g", [ValueError(), os_error(errno.EIO)]),
    ],
)
def test_other_errors_are_no_shortage(error: Exception) -> None:
    assert shortage_of(error) is None
    assert exhausted(error) is None


def test_a_context_that_was_left_out_on_purpose_does_not_count() -> None:
    with pytest.raises(ValueError, match="x") as caught:
        _raise_from_nothing()
    assert shortage_of(caught.value) is None


def _raise_from_nothing() -> None:
    try:
        bytes(1 << 62)
    except MemoryError:
        raise ValueError("x") from None


@pytest.mark.parametrize(
    ("error", "verdict", "number"),
    [
        (os_error(errno.EMFILE), SHORTAGE, None),
        (NO_THREAD, SHORTAGE, None),
        (ImportError("No module named 'PIL.WebPImagePlugin'"), SHORTAGE, None),
        (caused(UnreadableError("a"), os_error(errno.EMFILE)), SHORTAGE, None),
        (MemoryError(), OUT_OF_MEMORY, None),
        (os_error(errno.ENOMEM), OUT_OF_MEMORY, None),
        (caused(EngineError("a"), MemoryError()), OUT_OF_MEMORY, None),
        (os_error(errno.ENOSPC), ErrorCode.OUTPUT_ERROR, errno.ENOSPC),
        (os_error(errno.EDQUOT), ErrorCode.OUTPUT_ERROR, errno.EDQUOT),
        (os_error(errno.EIO), ErrorCode.OUTPUT_ERROR, errno.EIO),
        (
            caused(OutputError("a"), os_error(errno.EROFS)),
            ErrorCode.OUTPUT_ERROR,
            errno.EROFS,
        ),
        (EngineError("page 1"), ErrorCode.ENGINE_ERROR, None),
        (ZeroDivisionError("x"), ErrorCode.ENGINE_ERROR, None),
        (os_error(errno.EPERM), ErrorCode.ENGINE_ERROR, None),
    ],
    ids=[f"case-{number}" for number in range(14)],
)
def test_a_worker_blames_the_document_only_for_its_own(
    error: Exception, verdict: str, number: int | None
) -> None:
    answer = _failure(error)
    assert answer["error"] == verdict
    assert answer.get("errno") == number
    assert answer["message"]
