"""How a run ended, for who looks at it in the morning: good or bad, why, and what now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from batch_converter.errors import ExitCode
from batch_converter.report.formatting import pluralized, sentence
from batch_converter.report.human import FAILED_IN_PASSING, ending, what_goes_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.models import RunSummary

Tone = Literal["good", "noted", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnding:
    """What the head of a report says.

    Attributes:
        tone: Whether all is well, something is to be looked at, or to be done.
        what: How it ended, with the exit code and how to go on.
        next_steps: What else is to be done, a sentence each.
    """

    tone: Tone
    what: str
    next_steps: Sequence[str]


def run_ending(summary: RunSummary) -> RunEnding:
    """Say how a run ended and what is to be done."""
    code = summary.exit_code
    if code is None:
        return _unknown(summary)
    how_to_go_on = ending(summary)
    told = [f"Exit code {int(code)}:", _what(code, summary), how_to_go_on]
    return RunEnding(
        tone=_tone(code, summary),
        what=" ".join(part for part in told if part),
        next_steps=_next_steps(summary) or ([] if how_to_go_on else ["Nothing is to be done."]),
    )


def _unknown(summary: RunSummary) -> RunEnding:
    """Say what can be said of a run that did not record its end; the next one closes it."""
    goes_on = summary.finished_at is None
    what = "it goes on, or it died" if goes_on else "the run died, or could not record its end"
    return RunEnding(
        tone="noted" if goes_on else "bad",
        what=f"No exit code: {what}. {sentence(what_goes_on(summary))} from here.",
        next_steps=_next_steps(summary),
    )


def _tone(code: ExitCode, summary: RunSummary) -> Tone:
    if code is not ExitCode.OK:
        return "bad"
    totals = summary.totals
    return "noted" if totals.with_warnings or totals.failed or not totals.found else "good"


def _what(code: ExitCode, summary: RunSummary) -> str:
    """Say what the code stands for; of a run that was stopped, `ending` says it."""
    totals = summary.totals
    failed = pluralized(totals.failed, "file")
    if code is ExitCode.SOME_FAILED:
        return f"{failed} failed." if totals.failed else "something could not be written."
    if code is not ExitCode.OK:
        return ""
    if not totals.found:
        return "there was nothing to do."
    if totals.failed:
        return f"done; {failed} that had failed before did not count."
    return "every file has its PDF."


def _next_steps(summary: RunSummary) -> list[str]:
    totals = summary.totals
    steps = []
    if totals.failed:
        failed = pluralized(totals.failed, "file")
        steps.append(f"{failed} failed: what to do stands below. {FAILED_IN_PASSING}")
    if totals.with_warnings:
        files = pluralized(totals.with_warnings, "file")
        steps.append(f"{files} with warnings: look at them before you rely on the PDFs.")
    return steps
