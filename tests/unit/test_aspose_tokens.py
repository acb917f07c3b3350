from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter.engines.aspose.tokens import TokenKeeper
from batch_converter.errors import AccountRefusedError, NetworkError
from batch_converter.events import EventStream, TokenObtained
from batch_converter.wire import TokenAnswer
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.events import RunEvent


REFUSAL = AccountRefusedError("a fresh token was refused")


class Endpoint:
    """Gives `token-1`, `token-2` and so on, or raises what it is told to."""

    def __init__(self, *, lifetime_s: float = 3600) -> None:
        self.lifetime_s = lifetime_s
        self.asked = 0
        self.failures: list[Exception] = []
        self.before_answer: Callable[[], object] = lambda: None

    async def __call__(self) -> TokenAnswer:
        self.asked += 1
        token = f"token-{self.asked}"
        self.before_answer()
        await anyio.wait_all_tasks_blocked()
        if self.failures:
            raise self.failures.pop(0)
        return TokenAnswer(access_token=token, lifetime_s=self.lifetime_s)


async def at_once(count: int, get: Callable[[], object]) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(get)  # type: ignore[arg-type]  # any coroutine function will do


async def test_all_share_one_request() -> None:
    endpoint = Endpoint()
    told: list[RunEvent] = []
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream([told.append]))
    tokens: list[str] = []

    async def get() -> None:
        tokens.append(await keeper.current())

    await at_once(20, get)
    assert tokens == ["token-1"] * 20
    assert endpoint.asked == 1
    assert told == [TokenObtained(lifetime_s=3600)]


@pytest.mark.parametrize(("lifetime_s", "margin_s"), [(3600, 60), (600, 60), (100, 10), (2, 0.2)])
async def test_the_token_is_renewed_a_little_before_its_end(
    lifetime_s: float, margin_s: float
) -> None:
    clock, endpoint = ManualClock(0.0), Endpoint(lifetime_s=lifetime_s)
    keeper = TokenKeeper(endpoint, clock=clock, events=EventStream())
    await keeper.current()
    clock.at_s = lifetime_s - margin_s - 0.01
    assert await keeper.current() == "token-1"
    clock.at_s = lifetime_s - margin_s
    assert await keeper.current() == "token-2"


async def test_the_token_lives_from_the_question_not_from_the_answer() -> None:
    clock, endpoint = ManualClock(0.0), Endpoint(lifetime_s=100)
    keeper = TokenKeeper(endpoint, clock=clock, events=EventStream())
    endpoint.before_answer = lambda: setattr(clock, "at_s", 50.0)
    await keeper.current()
    clock.at_s = 91
    assert await keeper.current() == "token-2"


async def test_a_refused_token_is_renewed_once_for_all() -> None:
    endpoint = Endpoint()
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    stale = await keeper.current()
    tokens: list[str] = []

    async def renew() -> None:
        tokens.append(await keeper.renew(stale=stale, refusal=REFUSAL))

    await at_once(20, renew)
    assert tokens == ["token-2"] * 20
    assert endpoint.asked == 2
    assert await keeper.renew(stale=stale, refusal=REFUSAL) == "token-2"
    keeper.works("token-2")
    assert await keeper.renew(stale="token-2", refusal=REFUSAL) == "token-3"


async def test_a_new_token_that_never_worked_is_refused_for_good() -> None:
    endpoint = Endpoint()
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    await keeper.renew(stale=await keeper.current(), refusal=REFUSAL)
    keeper.works("token-1")  # an answer that was late: it says nothing of the second
    for _ in range(2):  # by a request that began with it, and knows of no other
        with pytest.raises(AccountRefusedError, match="fresh"):
            await keeper.renew(stale=await keeper.current(), refusal=REFUSAL)
    assert endpoint.asked == 2


async def test_a_late_answer_to_the_old_token_does_not_unsay_that_the_new_one_works() -> None:
    endpoint = Endpoint()
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    await keeper.renew(stale=await keeper.current(), refusal=REFUSAL)
    keeper.works("token-2")
    keeper.works("token-1")
    assert await keeper.renew(stale="token-2", refusal=REFUSAL) == "token-3"


async def test_a_token_after_one_that_ended_by_itself_may_be_refused_once() -> None:
    clock, endpoint = ManualClock(0.0), Endpoint(lifetime_s=100)
    keeper = TokenKeeper(endpoint, clock=clock, events=EventStream())
    await keeper.current()
    clock.at_s = 200
    assert await keeper.renew(stale=await keeper.current(), refusal=REFUSAL) == "token-3"


async def test_a_refusal_of_the_credentials_is_final() -> None:
    endpoint = Endpoint()
    endpoint.failures = [AccountRefusedError("wrong client_id or client_secret")]
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    refused = 0

    async def get() -> None:
        nonlocal refused
        with pytest.raises(AccountRefusedError, match="wrong client_id"):
            await keeper.current()
        refused += 1

    await at_once(5, get)
    assert (refused, endpoint.asked) == (5, 1)


async def test_after_a_passing_failure_the_next_one_asks_again() -> None:
    endpoint = Endpoint()
    endpoint.failures = [NetworkError("reset")]
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    with pytest.raises(NetworkError):
        await keeper.current()
    assert await keeper.current() == "token-2"


async def test_a_waiter_takes_over_from_one_that_is_cancelled() -> None:
    endpoint = Endpoint()
    keeper = TokenKeeper(endpoint, clock=ManualClock(0.0), events=EventStream())
    tokens: list[str] = []

    async def get() -> None:
        tokens.append(await keeper.current())

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            endpoint.before_answer = scope.cancel
            await keeper.current()
        endpoint.before_answer = lambda: None
        group.start_soon(get)
    assert tokens == ["token-2"]


async def test_the_token_stands_in_no_repr() -> None:
    keeper = TokenKeeper(Endpoint(), clock=ManualClock(0.0), events=EventStream())
    await keeper.current()
    assert "token-1" not in repr(vars(keeper))
