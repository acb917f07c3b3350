"""Every error of the package, in one tree.

::

    BatchConverterError
    ├── StartupError                     nothing was started
    │   ├── UsageError                   exit 2
    │   │   ├── ConfigError              exit 2
    │   │   └── LedgerError              exit 2
    │   ├── LimitTooLowError             exit 2
    │   └── StateLockedError             exit 5
    ├── RunStoppedError                  ends the run, other files are left
    │   ├── AccountRefusedError          exit 3   auth
    │   ├── ServiceUnavailableError      exit 6   network
    │   ├── BudgetSpentError             exit 4   budget
    │   ├── OutputLostError              exit 1   output_error
    │   ├── OutputFullError              exit 1   output_error
    │   ├── LedgerWriteError             exit 1   output_error
    │   ├── QueueWriteError              exit 1   output_error
    │   └── MachineExhaustedError        exit 1   output_error
    └── FileError                        ends one file, the run goes on
        ├── PassingError                 a later run tries again
        │   ├── UnreadableError          unreadable
        │   ├── NetworkError             network
        │   │   └── SubmitUnknownError   network
        │   │       └── SubmitGarbledError   bad_response
        │   ├── BadResponseError         bad_response
        │   │   └── CorruptResultError   bad_response
        │   ├── TaskTimeoutError         timeout
        │   ├── ExpiredError             expired
        │   └── OutputError              output_error
        │       └── NoRoomError          output_error
        └── LastingError                 not tried again while the file is unchanged
            ├── NotDjvuError             not_djvu
            ├── TooLargeError            too_large
            ├── RejectedError            rejected
            ├── ConversionFailedError    conversion_error
            ├── BadPdfError              bad_pdf
            ├── PageMismatchError        bad_pdf
            └── EngineError              engine_error

Whether trying again can help is a branch of this tree, never a test of a
message. The codes are the contract's; logs, ledger and report spell them alike.
"""

from __future__ import annotations

import signal
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


class ExitCode(IntEnum):
    """What the process tells its caller; the contract's table."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    ACCOUNT_REFUSED = 3
    STOPPED_EARLY = 4
    LOCKED = 5
    UNAVAILABLE = 6
    SIGINT = 130
    SIGTERM = 143

    @classmethod
    def of_signal(cls, number: int) -> Self:
        """Return how a process ends that a signal has interrupted; all but SIGINT are one."""
        return cls.SIGINT if number == signal.SIGINT else cls.SIGTERM

    @classmethod
    def first_of(cls, codes: Collection[ExitCode]) -> ExitCode:
        """Return which of several is given: the contract's order, signals before all."""
        return next((code for code in _PRECEDENCE if code in codes), cls.OK)


_PRECEDENCE: Final = (
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.ACCOUNT_REFUSED,
    ExitCode.UNAVAILABLE,
    ExitCode.STOPPED_EARLY,
    ExitCode.SOME_FAILED,
)


class ErrorCode(StrEnum):
    """The stable names of what can happen to a file."""

    NOT_DJVU = "not_djvu"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    REJECTED = "rejected"
    CONVERSION_ERROR = "conversion_error"
    EXPIRED = "expired"
    BAD_RESPONSE = "bad_response"
    BAD_PDF = "bad_pdf"
    TIMEOUT = "timeout"
    NETWORK = "network"
    AUTH = "auth"
    BUDGET = "budget"
    OUTPUT_ERROR = "output_error"
    ENGINE_ERROR = "engine_error"
    CANCELLED = "cancelled"
    """Reserved: what is called off is pending again, or at the service, and has no error."""


class BatchConverterError(Exception):
    """The root of all errors that this package raises on purpose."""


class StartupError(BatchConverterError):
    """Nothing was started; the message says what to change."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class UsageError(StartupError):
    """The command line or what it names cannot be used."""


class ConfigError(UsageError):
    """A setting is unknown, malformed or forbidden."""


class LedgerError(UsageError):
    """The ledger is damaged, or was written by a newer version."""


class LimitTooLowError(StartupError):
    """A limit on this process leaves too little to begin: open files, processes, memory."""


class StateLockedError(StartupError):
    """Another run holds the state directory."""

    exit_code = ExitCode.LOCKED


class RunStoppedError(BatchConverterError):
    """Going on makes no sense for any file; what is left stays for a later run."""

    exit_code: ClassVar[ExitCode]
    code: ClassVar[ErrorCode]
    lets_finish: ClassVar[bool] = False
    """Whether what is out at the service may end all the same."""
    withdraws: ClassVar[bool] = False
    """Whether what was let in and not handed over is left then, without being asked."""


class AccountRefusedError(RunStoppedError):
    """The service refused the credentials or the account behind them."""

    exit_code = ExitCode.ACCOUNT_REFUSED
    code = ErrorCode.AUTH


class ServiceUnavailableError(RunStoppedError):
    """The service cannot be reached, or asks to be left alone for long."""

    exit_code = ExitCode.UNAVAILABLE
    code = ErrorCode.NETWORK


class BudgetSpentError(RunStoppedError):
    """The next call would cost more than the user allowed."""

    exit_code = ExitCode.STOPPED_EARLY
    code = ErrorCode.BUDGET
    lets_finish = True


class OutputLostError(RunStoppedError):
    """No PDF can be written any more: the disk is full, read-only or gone."""

    exit_code = ExitCode.SOME_FAILED
    code = ErrorCode.OUTPUT_ERROR


class OutputFullError(RunStoppedError):
    """There is room for what is out at the service, and for nothing more."""

    exit_code = ExitCode.SOME_FAILED
    code = ErrorCode.OUTPUT_ERROR
    lets_finish = True
    withdraws = True


class LedgerWriteError(RunStoppedError):
    """The ledger can no longer be written: nothing may be paid for any more."""

    exit_code = ExitCode.SOME_FAILED
    code = ErrorCode.OUTPUT_ERROR


class QueueWriteError(RunStoppedError):
    """The queue of the service cannot be written: nothing may be accepted until it can."""

    exit_code = ExitCode.SOME_FAILED
    code = ErrorCode.OUTPUT_ERROR


class MachineExhaustedError(RunStoppedError):
    """The machine has no more descriptors, processes or memory; no file is at fault."""

    exit_code = ExitCode.SOME_FAILED
    code = ErrorCode.OUTPUT_ERROR


class FileError(BatchConverterError):
    """One file could not be converted; every other goes on."""

    code: ClassVar[ErrorCode]


class PassingError(FileError):
    """The next run takes the file up again."""


class UnreadableError(PassingError):
    """The source is missing, forbidden, or changed while it was read."""

    code = ErrorCode.UNREADABLE


class NetworkError(PassingError):
    """A request failed as often as it may be tried."""

    code = ErrorCode.NETWORK


class SubmitUnknownError(NetworkError):
    """The document went out whole and no answer came: it may have been billed."""


class SubmitGarbledError(SubmitUnknownError):
    """An answer came, cut off or not the documented one: the task id is lost all the same."""

    code = ErrorCode.BAD_RESPONSE


class BadResponseError(PassingError):
    """The service answered something that its documentation does not know."""

    code = ErrorCode.BAD_RESPONSE


class CorruptResultError(BadResponseError):
    """A `Completed` task whose result is missing or is not Base64."""


class TaskTimeoutError(PassingError):
    """The service did not finish the document within the task timeout."""

    code = ErrorCode.TIMEOUT


class ExpiredError(PassingError):
    """The service no longer knows the task, and no attempt is left."""

    code = ErrorCode.EXPIRED


class OutputError(PassingError):
    """The PDF, or a report, could not be written: full, read-only or vanished disk."""

    code = ErrorCode.OUTPUT_ERROR


class NoRoomError(OutputError):
    """There is no room for one more PDF: no bytes, no inode or no quota; nothing was paid."""


class LastingError(FileError):
    """The same file would fail the same way; a change or `retry` takes it up."""


class NotDjvuError(LastingError):
    """The file is no DjVu, is cut off, or lacks its parts."""

    code = ErrorCode.NOT_DJVU


class TooLargeError(LastingError):
    """The file exceeds the configured limit or the service's."""

    code = ErrorCode.TOO_LARGE


class RejectedError(LastingError):
    """The service refused the request itself (a 4xx other than the known ones)."""

    code = ErrorCode.REJECTED


class ConversionFailedError(LastingError):
    """The service reported taskStatus `Error`."""

    code = ErrorCode.CONVERSION_ERROR


class BadPdfError(LastingError):
    """What came back decodes, but is not a whole PDF."""

    code = ErrorCode.BAD_PDF


class PageMismatchError(LastingError):
    """What came back is a whole PDF with other pages than the DjVu has: asking again is no help."""

    code = ErrorCode.BAD_PDF


class EngineError(LastingError):
    """The embedded engine could not convert the file."""

    code = ErrorCode.ENGINE_ERROR


def kinds_of(error: type[FileError]) -> Iterator[type[FileError]]:
    """Yield all kinds of an error, however far down the tree."""
    for kind in error.__subclasses__():
        yield kind
        yield from kinds_of(kind)


LASTING_CODES: Final = frozenset(error.code for error in kinds_of(LastingError))
"""Codes of failures that stand while the file is unchanged."""

TASK_ENDING_CODES: Final = frozenset({ErrorCode.CONVERSION_ERROR, ErrorCode.BAD_PDF})
"""After these a service has nothing better to give for the same task."""
