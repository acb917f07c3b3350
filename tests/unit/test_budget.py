"""The budget: never overrun, whatever the order of calls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.budget import Budget, month_start
from batch_converter.errors import BudgetSpentError

if TYPE_CHECKING:
    from collections.abc import Callable

DOCUMENTS = st.integers(min_value=1, max_value=5)
STEPS = st.lists(
    st.tuples(st.sampled_from(["submit", "fetch", "promise", "release", "other"]), DOCUMENTS),
    max_size=60,
)


@given(limit=st.integers(min_value=0, max_value=12), steps=STEPS)
def test_no_order_of_calls_overruns_the_limit(limit: int, steps: list[tuple[str, int]]) -> None:
    budget, spent = Budget(limit), 0
    actions: dict[str, Callable[[int], None]] = {
        "submit": budget.spend_on_submission,
        "fetch": budget.spend_on_fetch,
        "promise": budget.promise_fetch,
        "release": budget.release,
        "other": lambda _: budget.spend(),
    }
    for action, document in steps:
        try:
            actions[action](document)
        except BudgetSpentError:
            continue
        spent += action in {"submit", "fetch", "other"}
        assert spent <= limit
        assert budget.free is not None
        assert 0 <= budget.free <= limit - spent


def test_a_submission_keeps_the_fetch_that_it_will_need() -> None:
    budget = Budget(3)
    budget.spend_on_submission(1)
    with pytest.raises(BudgetSpentError, match="takes 2 billed calls, and the budget has 1 left"):
        budget.spend_on_submission(2)
    budget.spend_on_fetch(1)
    assert budget.free == 1


def test_a_submission_is_not_made_without_its_fetch() -> None:
    budget = Budget(1)
    with pytest.raises(BudgetSpentError):
        budget.spend_on_submission(1)
    assert budget.free == 1


def test_another_try_of_a_submission_takes_one_call_only() -> None:
    budget = Budget(3)
    budget.spend_on_submission(1)
    budget.spend_on_submission(1)
    budget.spend_on_fetch(1)
    assert budget.free == 0


def test_a_second_question_may_not_eat_anothers_fetch() -> None:
    budget = Budget(4)
    budget.spend_on_submission(1)
    budget.spend_on_submission(2)
    budget.spend_on_fetch(1)
    with pytest.raises(BudgetSpentError):
        budget.spend_on_fetch(1)
    budget.spend_on_fetch(2)


def test_a_call_that_never_left_is_given_back() -> None:
    budget = Budget(2)
    budget.spend_on_submission(1)
    budget.refund()
    budget.spend_on_submission(1)
    budget.spend_on_fetch(1)


def test_without_a_limit_everything_is_allowed() -> None:
    budget = Budget(None)
    for document in range(1_000):
        budget.spend_on_submission(document)
    assert budget.free is None


@pytest.mark.parametrize(
    ("now", "starts_on", "began"),
    [
        ((2026, 3, 15), 1, (2026, 3, 1)),
        ((2026, 3, 15), 15, (2026, 3, 15)),
        ((2026, 3, 14), 15, (2026, 2, 15)),
        ((2026, 1, 1), 28, (2025, 12, 28)),
    ],
)
def test_billing_months_begin_where_they_are_said_to(
    now: tuple[int, int, int], starts_on: int, began: tuple[int, int, int]
) -> None:
    moment = datetime(*now, 12, tzinfo=UTC)
    assert month_start(moment, starts_on=starts_on) == datetime(*began, tzinfo=UTC)
