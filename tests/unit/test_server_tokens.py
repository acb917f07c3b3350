"""Tokens, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from anyio.to_thread import run_sync as off_loop

from batch_converter.server import tokens
from batch_converter.server.accounts import Accounts
from batch_converter.server.clients import ClientsFile
from batch_converter.server.credentials import Credentials
from batch_converter.server.sign_in import Refusal, SignIn
from batch_converter.server.tokens import TOKEN_LIFETIME_S, TokenDesk
from batch_converter.wire import TokenAnswer
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

HERE = "192.0.2.1"
RIGHT = Credentials(client_id="me", client_secret="right")
WRONG = Credentials(client_id="me", client_secret="wrong")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def desk_of(accounts: Accounts, clock: ManualClock) -> TokenDesk:
    return TokenDesk(SignIn(accounts, clock=clock.monotonic_s), accounts, clock=clock.monotonic_s)


@pytest.fixture
def desk(clock: ManualClock) -> TokenDesk:
    return desk_of(Accounts(RIGHT, None), clock)


async def issued(desk: TokenDesk, pair: Credentials = RIGHT) -> str:
    answer = await desk.issue(pair, HERE)
    assert isinstance(answer, TokenAnswer)
    return answer.access_token


async def test_the_right_pair_gets_a_token_that_is_its_own_for_an_hour(
    desk: TokenDesk, clock: ManualClock
) -> None:
    token = await issued(desk)
    clock.at_s += TOKEN_LIFETIME_S - 1
    assert desk.client_of(token) == "me"
    clock.at_s += 1
    assert desk.client_of(token) is None


async def test_every_token_is_another_and_what_was_never_given_is_nobodys(
    desk: TokenDesk, clock: ManualClock
) -> None:
    token = await issued(desk)
    assert await issued(desk) != token
    for stranger in ("", "made up", token[:-1], token + "A", "\ud800"):
        assert desk.client_of(stranger) is None
    assert desk_of(Accounts(RIGHT, None), clock).client_of(token) is None


async def test_expired_tokens_are_forgotten(desk: TokenDesk, clock: ManualClock) -> None:
    for _ in range(3):
        await issued(desk)
        clock.at_s += TOKEN_LIFETIME_S / 2
    await issued(desk)
    assert len(desk._tokens) == len(desk._of_client["me"]) == 2


@pytest.mark.parametrize(
    "pair",
    [
        WRONG,
        Credentials(client_id="you", client_secret="right"),
        Credentials(client_id="m", client_secret="eright"),
        Credentials(client_id="me", client_secret="\udcff"),
        Credentials(client_id="", client_secret=""),
    ],
)
async def test_any_other_pair_is_refused(desk: TokenDesk, pair: Credentials) -> None:
    assert await desk.issue(pair, HERE) == Refusal()


async def test_without_any_account_each_id_has_tokens_of_its_own(clock: ManualClock) -> None:
    desk = desk_of(Accounts(None, None), clock)
    mine, yours = [
        await issued(desk, Credentials(client_id=name, client_secret="any"))
        for name in ("me", "you")
    ]
    assert (desk.client_of(mine), desk.client_of(yours)) == ("me", "you")


async def test_the_tokens_of_a_client_end_with_his_removal_or_another_secret(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = ClientsFile(tmp_path / "clients.json")
    accounts = Accounts(None, file)
    desk = desk_of(accounts, clock)
    given = []
    for name in ("alice", "bob"):
        secret = await off_loop(file.add, name)
        given.append(await issued(desk, Credentials(client_id=name, client_secret=secret)))
    alice, bob = given
    for change in (file.remove, file.add):
        await off_loop(change, "alice")
        await off_loop(accounts.refresh)
        assert (desk.client_of(alice), desk.client_of(bob)) == (None, "bob")


async def test_the_first_client_ends_the_tokens_that_anybody_got(
    tmp_path: Path, clock: ManualClock
) -> None:
    file = ClientsFile(tmp_path / "clients.json")
    accounts = Accounts(None, file)
    desk = desk_of(accounts, clock)
    pair = Credentials(client_id="alice", client_secret="any")
    token = await issued(desk, pair)
    await off_loop(file.add, "alice")
    await off_loop(accounts.refresh)
    assert desk.client_of(token) is None
    assert await desk.issue(pair, HERE) == Refusal()


async def test_one_who_asks_for_many_tokens_ends_his_own_alone(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_MAX_TOKENS_EACH", 3)
    desk = desk_of(Accounts(None, None), clock)
    first = await issued(desk, Credentials(client_id="you", client_secret="any"))
    mine = [await issued(desk) for _ in range(5)]
    assert [desk.client_of(one) for one in mine] == [None, None, "me", "me", "me"]
    assert desk.client_of(first) == "you"


async def test_memory_is_bounded(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_MAX_TOKENS", 10)
    desk = desk_of(Accounts(None, None), clock)
    for number in range(30):
        await issued(desk, Credentials(client_id=f"c{number}", client_secret="any"))
    assert len(desk._tokens) == len(desk._of_client) == 10


async def test_secrets_and_tokens_stay_out_of_every_repr(desk: TokenDesk) -> None:
    assert "right" not in repr(RIGHT)
    answer = await desk.issue(RIGHT, HERE)
    assert isinstance(answer, TokenAnswer)
    assert answer.access_token not in repr(answer)
    assert answer.access_token not in repr(vars(desk))
