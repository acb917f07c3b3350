from __future__ import annotations

import pytest

from batch_converter.server.tokens import (
    FAILURES_ALLOWED,
    LOCKOUT_S,
    TOKEN_LIFETIME_S,
    Credentials,
    TokenDesk,
    TokenRefusal,
)
from batch_converter.wire import TokenAnswer
from tests.support.clocks import ManualClock

RIGHT = Credentials(client_id="me", client_secret="right")
WRONG = Credentials(client_id="me", client_secret="wrong")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def desk(clock: ManualClock) -> TokenDesk:
    return TokenDesk(RIGHT, clock=clock.monotonic_s)


def issued(desk: TokenDesk, pair: Credentials = RIGHT) -> str:
    answer = desk.issue(pair)
    assert isinstance(answer, TokenAnswer)
    return answer.access_token


def test_the_right_pair_gets_a_token_that_is_admitted_for_an_hour(
    desk: TokenDesk, clock: ManualClock
) -> None:
    token = issued(desk)
    clock.at_s += TOKEN_LIFETIME_S - 1
    assert desk.admits(token)
    clock.at_s += 1
    assert not desk.admits(token)


def test_every_token_is_another_and_strangers_are_not_admitted(desk: TokenDesk) -> None:
    assert issued(desk) != issued(desk)
    assert not desk.admits("")
    assert not desk.admits("made up")
    assert not TokenDesk(RIGHT).admits(issued(desk))


def test_expired_tokens_are_forgotten(desk: TokenDesk, clock: ManualClock) -> None:
    for _ in range(3):
        issued(desk)
        clock.at_s += TOKEN_LIFETIME_S / 2
    issued(desk)
    assert len(desk._ends_s) == 2


@pytest.mark.parametrize(
    "pair",
    [
        WRONG,
        Credentials(client_id="you", client_secret="right"),
        Credentials(client_id="m", client_secret="eright"),
        Credentials(client_id="me", client_secret="\udcff"),
    ],
)
def test_any_other_pair_is_refused(desk: TokenDesk, pair: Credentials) -> None:
    assert desk.issue(pair) == TokenRefusal()


def test_without_an_account_any_pair_will_do() -> None:
    desk = TokenDesk(None)
    assert desk.admits(issued(desk, WRONG))


def test_the_sixth_failure_of_a_pair_is_locked_out_for_ten_minutes(
    desk: TokenDesk, clock: ManualClock
) -> None:
    for _ in range(FAILURES_ALLOWED):
        assert desk.issue(WRONG) == TokenRefusal()
    assert desk.issue(WRONG) == TokenRefusal(retry_after_s=600)
    clock.at_s += 1.5
    assert desk.issue(WRONG) == TokenRefusal(retry_after_s=599)
    clock.at_s += LOCKOUT_S - 1.5
    assert desk.issue(WRONG) == TokenRefusal()
    assert desk.issue(WRONG) == TokenRefusal()


def test_a_lockout_is_the_pairs_own(desk: TokenDesk) -> None:
    for _ in range(FAILURES_ALLOWED + 1):
        desk.issue(WRONG)
    assert desk.admits(issued(desk))
    assert desk.issue(Credentials(client_id="you", client_secret="wrong")) == TokenRefusal()


def test_old_failures_do_not_add_up(desk: TokenDesk, clock: ManualClock) -> None:
    for _ in range(FAILURES_ALLOWED - 1):
        desk.issue(WRONG)
    clock.at_s += LOCKOUT_S
    assert desk.issue(WRONG) == TokenRefusal()
    assert desk.issue(WRONG) == TokenRefusal()


def test_guessing_many_pairs_does_not_fill_the_memory(
    desk: TokenDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_converter.server.tokens._MAX_STRANGERS", 10)
    for number in range(50):
        desk.issue(Credentials(client_id="me", client_secret=str(number)))
    assert len(desk._strangers) == 10


def test_a_secret_stays_out_of_every_repr(desk: TokenDesk) -> None:
    assert "right" not in repr(RIGHT)
    assert issued(desk) not in repr(desk.issue(RIGHT))
