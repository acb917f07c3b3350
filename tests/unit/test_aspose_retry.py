from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.config import RetrySettings
from batch_converter.engines.aspose.retry import (
    RetryPolicy,
    Trouble,
    is_passing,
    next_wait_s,
    reason_to_stop,
    retry_after_s,
)
from batch_converter.errors import NetworkError

POLICY = RetryPolicy()
NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)


def trouble(retry_after_s: float | None = None) -> Trouble:
    return Trouble(error=NetworkError("reset"), retry_after_s=retry_after_s)


def waits(policy: RetryPolicy, chance: float) -> list[float | None]:
    return [
        next_wait_s(policy, trouble(), attempt=attempt, random=lambda: chance)
        for attempt in range(1, policy.attempts + 1)
    ]


def test_waits_double_up_to_the_cap_and_end_with_the_last_try() -> None:
    policy = RetryPolicy(attempts=6, initial_wait_s=0.5, max_wait_s=3)
    assert waits(policy, 0.0) == [0.5, 1, 2, 3, 3, None]


def test_chance_takes_away_up_to_half() -> None:
    policy = RetryPolicy(attempts=4, initial_wait_s=1, max_wait_s=60)
    assert waits(policy, 1.0) == [0.5, 1, 2, None]
    assert waits(policy, 0.5) == [0.75, 1.5, 3, None]


def test_a_single_attempt_is_never_repeated() -> None:
    assert waits(RetryPolicy(attempts=1), 0.0) == [None]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_no_number_of_attempts_overflows(attempt: int, chance: float) -> None:
    policy = RetryPolicy(attempts=100_000)
    wait_s = next_wait_s(policy, trouble(), attempt=attempt, random=lambda: chance)
    assert wait_s is not None
    assert 0 < wait_s <= policy.max_wait_s


@pytest.mark.parametrize(
    ("asked_s", "wait_s"), [(None, 2), (0, 2), (1.9, 2), (2, 2), (2.1, 2.1), (700, 700)]
)
def test_what_the_service_asks_for_only_lengthens_the_wait(
    asked_s: float | None, wait_s: float
) -> None:
    assert next_wait_s(POLICY, trouble(asked_s), attempt=3, random=lambda: 0.0) == wait_s


def test_what_the_service_asks_for_gives_no_more_tries() -> None:
    assert next_wait_s(POLICY, trouble(1), attempt=6, random=lambda: 1.0) is None


def test_a_long_retry_after_stops_the_run() -> None:
    assert reason_to_stop(POLICY, trouble()) is None
    assert reason_to_stop(POLICY, trouble(900)) is None
    assert reason_to_stop(POLICY, trouble(901)) == "the service asks to be left alone for 901 s"


def test_defaults_are_those_of_the_configuration() -> None:
    configured = RetrySettings()
    assert (
        POLICY.attempts,
        POLICY.initial_wait_s,
        POLICY.max_wait_s,
        POLICY.max_retry_after_s,
    ) == (
        configured.request_attempts,
        configured.initial_wait_s,
        configured.max_wait_s,
        configured.max_retry_after_s,
    )


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 599])
def test_passing_statuses(status: int) -> None:
    assert is_passing(status)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 403, 404, 409, 413, 422, 600])
def test_lasting_statuses(status: int) -> None:
    assert not is_passing(status)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("\u0661\u0662", None),
        ("99999999999999999999", 1e9),
        ("9" * 400, 1e9),
        ("7.", 7.0),
        (".5", None),
        ("0x10", None),
        ("5, 5", None),
        ("Sat, 01 Mar 2025 12:01:30 GMT", 90.0),
        ("Sat, 01 Mar 2025 12:01:30 -0000", 90.0),
        ("Sat, 01 Mar 2025 13:01:30 +0100", 90.0),
        ("Saturday, 01-Mar-25 12:01:30 GMT", 90.0),
        ("Sat, 01 Mar 2025 11:00:00 GMT", 0.0),
        ("Sat, 99 Mar 2025 11:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Sat, 01 Mar 2025 12:01:30 +99999999999", None),
    ],
)
def test_retry_after_is_read(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, date=None, now=NOW) == seconds


def test_retry_after_date_is_counted_on_the_services_clock() -> None:
    asked = "Sat, 01 Mar 2025 15:00:30 GMT"
    assert retry_after_s(asked, date="Sat, 01 Mar 2025 15:00:00 GMT", now=NOW) == 30
    assert retry_after_s(asked, date="nonsense", now=NOW) == 3 * 3600 + 30


@pytest.mark.slow
@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,20} Mar \d{1,9} \d+:\d+:\d+ [+-]?\w+\Z"))
def test_whatever_the_service_writes_is_a_wait_or_none(value: str) -> None:
    for date in (None, value):
        wait_s = retry_after_s(value, date=date, now=NOW)
        assert wait_s is None or 0 <= wait_s < float("inf")
