"""Why a run ends before its work does, and the exit code that tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from batch_converter.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Collection

    from batch_converter.errors import RunStoppedError


@dataclass(frozen=True, slots=True)
class StopReason:
    """Why a run ends before its work does.

    Attributes:
        name: What it is called.
        exit_code: How the run ends where nothing weightier came beside it.
        lets_finish: It only stops admission: what is out may end.
        withdraws: What was let in and not handed over is left, too. (A spent budget
            tells that to each document by itself.)
    """

    name: str
    exit_code: ExitCode
    lets_finish: bool = False
    withdraws: bool = False

    @classmethod
    def of(cls, error: RunStoppedError) -> Self:
        """Return the reason that an error is."""
        return cls(
            type(error).__name__,
            error.exit_code,
            lets_finish=error.lets_finish,
            withdraws=error.withdraws,
        )

    @classmethod
    def of_signal(cls, number: int) -> Self:
        """Return the reason that a signal is."""
        code = ExitCode.of_signal(number)
        return cls(code.name, code)


DEADLINE: Final = StopReason("deadline", ExitCode.STOPPED_EARLY, lets_finish=True, withdraws=True)
MAX_ERRORS: Final = StopReason(
    "max_errors", ExitCode.STOPPED_EARLY, lets_finish=True, withdraws=True
)


def exit_code(reasons: Collection[StopReason], *, remaining: int, failures: int) -> ExitCode:
    """Return how a run ends that stopped for these reasons, or for none.

    Args:
        reasons: All that came together.
        remaining: Files that are left; without any, it did not stop early.
        failures: Files that failed and count.
    """
    codes = {reason.exit_code for reason in reasons}
    if not remaining:
        codes.discard(ExitCode.STOPPED_EARLY)
    elif not codes:
        codes.add(ExitCode.STOPPED_EARLY)
    if failures:
        codes.add(ExitCode.SOME_FAILED)
    return ExitCode.first_of(codes)
