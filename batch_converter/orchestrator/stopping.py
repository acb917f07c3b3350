"""Why a run ends before its work does, and the exit code that tells it."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from batch_converter.errors import (
    AccountRefusedError,
    BudgetSpentError,
    ExitCode,
    LedgerWriteError,
    MachineExhaustedError,
    OutputLostError,
    RunStoppedError,
    ServiceUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class StopReason(Enum):
    """Why a run ends before its work does."""

    SIGINT = auto()
    SIGTERM = auto()
    ACCOUNT_REFUSED = auto()
    UNAVAILABLE = auto()
    LEDGER_LOST = auto()
    OUTPUT_LOST = auto()
    EXHAUSTED = auto()
    BUDGET = auto()
    DEADLINE = auto()
    MAX_ERRORS = auto()


_EXIT_CODES: Final = {
    StopReason.SIGINT: ExitCode.SIGINT,
    StopReason.SIGTERM: ExitCode.SIGTERM,
    StopReason.ACCOUNT_REFUSED: ExitCode.ACCOUNT_REFUSED,
    StopReason.UNAVAILABLE: ExitCode.UNAVAILABLE,
    StopReason.LEDGER_LOST: ExitCode.SOME_FAILED,
    StopReason.OUTPUT_LOST: ExitCode.SOME_FAILED,
    StopReason.EXHAUSTED: ExitCode.SOME_FAILED,
    StopReason.BUDGET: ExitCode.STOPPED_EARLY,
    StopReason.DEADLINE: ExitCode.STOPPED_EARLY,
    StopReason.MAX_ERRORS: ExitCode.STOPPED_EARLY,
}
_REASONS: Final[Mapping[type[RunStoppedError], StopReason]] = {
    AccountRefusedError: StopReason.ACCOUNT_REFUSED,
    ServiceUnavailableError: StopReason.UNAVAILABLE,
    BudgetSpentError: StopReason.BUDGET,
    LedgerWriteError: StopReason.LEDGER_LOST,
    OutputLostError: StopReason.OUTPUT_LOST,
    MachineExhaustedError: StopReason.EXHAUSTED,
}
_PRECEDENCE: Final = (
    ExitCode.SIGINT,
    ExitCode.SIGTERM,
    ExitCode.ACCOUNT_REFUSED,
    ExitCode.UNAVAILABLE,
    ExitCode.STOPPED_EARLY,
    ExitCode.SOME_FAILED,
)
LETS_FINISH: Final = frozenset({StopReason.BUDGET, StopReason.DEADLINE, StopReason.MAX_ERRORS})
"""Reasons that only stop admission: what is out may end."""

WITHDRAWS: Final = frozenset({StopReason.DEADLINE, StopReason.MAX_ERRORS})
"""Those of them that leave what has a place in line and was not handed over: a spent
budget tells that to each document by itself."""


def reason_of(error: RunStoppedError) -> StopReason:
    """Return the reason that an error is."""
    return _REASONS[type(error)]


def exit_code(reasons: Collection[StopReason], *, remaining: int, failures: int) -> ExitCode:
    """Return how a run ends that stopped for these reasons, or for none.

    Args:
        reasons: All that came together.
        remaining: Files that are left; without any, it did not stop early.
        failures: Files that failed and count.
    """
    codes = {_EXIT_CODES[reason] for reason in reasons}
    if not remaining:
        codes.discard(ExitCode.STOPPED_EARLY)
    elif not codes:
        codes.add(ExitCode.STOPPED_EARLY)
    if failures:
        codes.add(ExitCode.SOME_FAILED)
    return next((code for code in _PRECEDENCE if code in codes), ExitCode.OK)
