"""The numbers behind the HTML report's plots, what its head says, and what is to be done."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from batch_converter.errors import ErrorCode, ExitCode
from batch_converter.models import FileStatus, Phase, Totals
from batch_converter.report.formatting import short_duration
from batch_converter.report.page_data import PageData
from batch_converter.report.plot_data import MOST_STEPS, collect
from batch_converter.report.remedies import REMEDIES
from batch_converter.report.run_ending import run_ending
from tests.support.report_page import STOPPED, converted, embedded, failed, left
from tests.support.summaries import START

ERRORS = (Path(__file__).parents[2] / "docs/errors.md").read_text(encoding="utf-8")


def test_each_step_of_the_run_counts_what_ended_in_it() -> None:
    files = [converted("a", at_s=0), converted("b", at_s=301), converted("c", at_s=600)]
    figures = collect(STOPPED, [*files, failed("d", at_s=302), failed("e", at_s=9.875)])
    assert figures.step_s == 10
    assert sum(step.converted for step in figures.steps) == 3
    at = {step.began_at: (step.converted, step.failed) for step in figures.steps}
    assert len(at) == MOST_STEPS
    assert at[START] == (1, 0)
    assert at[START + timedelta(seconds=10)] == (0, 1)
    assert at[START + timedelta(seconds=300)] == (1, 1)
    assert at[START + timedelta(seconds=590)] == (1, 0)
    assert figures.busiest.began_at == START + timedelta(seconds=300)


@pytest.mark.parametrize(
    ("lasted_s", "step_s", "first"),
    [
        (0.5, 1, "12:00:00"),
        (60, 1, "12:00:00"),
        (61, 2, "12:00:00"),
        (3_600, 60, "12:00"),
        (86_400, 1_800, "12:00"),
        (90_000, 1_800, "05-01 12:00"),
        (60 * 86_400, 86_400, "05-01 12:00"),
        (100 * 86_400, 172_800, "05-01 12:00"),
    ],
)
def test_steps_are_round_and_their_axis_is_as_short_as_can_be(
    lasted_s: float, step_s: int, first: str
) -> None:
    run = replace(STOPPED, finished_at=START + timedelta(seconds=lasted_s))
    figures = collect(run, [converted("a", at_s=lasted_s / 2)])
    assert (figures.step_s, figures.axis[0]) == (step_s, first)
    assert 1 <= len(figures.steps) <= MOST_STEPS


def test_a_run_that_goes_on_is_as_long_as_what_has_ended() -> None:
    figures = collect(replace(STOPPED, finished_at=None), [converted("a", at_s=30)])
    assert len(figures.steps) == 30


def test_bars_count_waits_calls_and_sizes() -> None:
    figures = collect(
        STOPPED,
        [
            *(converted("a", waited_s=waited_s) for waited_s in (1, 4.9, 5, 9.9)),
            replace(converted("b", waited_s=90_000, polls=9), bytes_out=100),
        ],
    )
    waits = [(bar.label, bar.count) for bar in figures.waits]
    assert waits[:3] == [("1 s to 2 s", 1), ("2 s to 5 s", 1), ("5 s to 10 s", 2)]
    assert waits[-1] == ("over 4 h", 1)
    calls = [(bar.label, bar.count) for bar in figures.calls]
    assert calls[0] == ("2", 4)
    assert calls[-1] == ("8 or more", 1)
    ratios = [(bar.label, bar.count) for bar in figures.ratios]
    assert ratios[0] == ("under 0.25 times", 1)
    assert ratios[-1] == ("2 to 4 times", 4)
    assert figures.wait_s is not None
    assert (figures.wait_s.median, figures.wait_s.most) == (5, 90_000)


def test_the_time_is_split_into_phases_and_one_that_comes_again_counts_once() -> None:
    again = converted("b")
    assert again.timeline is not None
    twice = (*again.timeline.phases, (Phase.AT_SERVICE, 1.0))
    again = replace(again, timeline=replace(again.timeline, phases=twice))
    figures = collect(STOPPED, [converted("a"), again, left("c")])
    assert [phase.name for phase in figures.phases] == [
        "queued",
        "uploading",
        "at the service",
        "downloading",
        "checking",
    ]
    service = next(phase for phase in figures.phases if phase.phase is Phase.AT_SERVICE)
    assert (service.documents, service.seconds.median, service.seconds.most) == (2, 7, 8)
    assert sum(phase.share for phase in figures.phases) == pytest.approx(1)


def test_what_is_not_there_has_no_plot() -> None:
    nothing = collect(STOPPED, [left("a"), left("b", FileStatus.SKIPPED)])
    assert not any((nothing.steps, nothing.phases, nothing.waits, nothing.calls, nothing.ratios))
    assert not collect(STOPPED, [converted("a", polls=0)]).calls


def test_what_the_embedded_engine_converted_has_no_calls_beside_what_a_service_did() -> None:
    """A merged report has both."""
    here = embedded("a")
    figures = collect(STOPPED, [here, converted("b", polls=2)])
    assert [(bar.label, bar.count) for bar in figures.calls] == [("3", 1)]
    data = json.loads("".join(PageData(STOPPED, lambda: [here, converted("b", polls=2)])))
    columns = [data["columns"].index(name) for name in ("submissions", "polls")]
    assert [[row[column] for column in columns] for row in data["rows"]] == [[0, 0], [1, 2]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (7_260, "2 h 1 min"),
    ],
)
def test_short_durations_have_about_two_digits(seconds: float, text: str) -> None:
    assert short_duration(seconds) == text


# What the head says


@pytest.mark.parametrize(
    ("code", "totals", "tone", "words"),
    [
        (ExitCode.OK, Totals(found=2, converted=2), "good", "Exit code 0: every file has its PDF."),
        (ExitCode.OK, Totals(), "noted", "Exit code 0: there was nothing to do."),
        (ExitCode.OK, Totals(found=1, failed=1), "noted", "1 file that had failed before did not"),
        (
            ExitCode.OK,
            Totals(found=1, converted=1, with_warnings=1),
            "noted",
            "Exit code 0: every file",
        ),
        (ExitCode.SOME_FAILED, Totals(found=3, failed=2), "bad", "Exit code 1: 2 files failed."),
        (ExitCode.SOME_FAILED, Totals(found=3), "bad", "something could not be written"),
        (
            ExitCode.SOME_FAILED,
            Totals(found=3, failed=1, remaining=2),
            "bad",
            "1 file failed. The same command goes on with what remains.",
        ),
        (ExitCode.ACCOUNT_REFUSED, Totals(found=1, remaining=1), "bad", "refused the account"),
        (ExitCode.STOPPED_EARLY, Totals(found=1, remaining=1), "bad", "Stopped early"),
        (ExitCode.UNAVAILABLE, Totals(found=1, remaining=1), "bad", "could not be reached"),
        (ExitCode.SIGINT, Totals(found=1, remaining=1), "bad", "Exit code 130: Interrupted"),
        (ExitCode.SIGTERM, Totals(found=1, remaining=1), "bad", "Exit code 143: Interrupted"),
    ],
)
def test_each_end_is_told_with_its_code_and_what_now(
    code: ExitCode, totals: Totals, tone: str, words: str
) -> None:
    told = run_ending(replace(STOPPED, exit_code=code, totals=totals))
    assert told.tone == tone
    assert words in told.what
    if tone == "good":
        assert list(told.next_steps) == ["Nothing is to be done."]
    for count, step in ((totals.failed, "failed: what to do"), (totals.with_warnings, "warnings")):
        assert any(step in each for each in told.next_steps) == bool(count)


def test_a_run_that_died_is_told_from_one_that_goes_on() -> None:
    died = run_ending(replace(STOPPED, exit_code=None))
    going_on = run_ending(replace(STOPPED, exit_code=None, finished_at=None))
    assert (died.tone, going_on.tone) == ("bad", "noted")
    assert "the run died" in died.what
    assert "it goes on, or it died" in going_on.what


# What is to be done


@pytest.mark.parametrize("code", list(ErrorCode))
def test_the_page_on_errors_says_the_same_of_what_to_do(code: ErrorCode) -> None:
    sections = [part for part in ERRORS.split("\n#") if f"`{code.value}`" in part.split("\n")[0]]
    assert len(sections) == 1
    (told,) = [
        paragraph.removeprefix("**What to do:** ")
        for paragraph in " ".join(sections[0].splitlines()).replace("  ", "\n").splitlines()
        if paragraph.startswith("**What to do:** ")
    ]
    assert told.strip() == REMEDIES[code]
