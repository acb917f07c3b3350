from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from batch_converter.engines.aspose.limits import AdaptiveWindow, Outage, Throttle
from batch_converter.errors import NetworkError, ServiceUnavailableError
from tests.support.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def throttle_of(
    clock: ManualClock, *, requests_per_second: float | None = None, patience_s: float = 10_000
) -> Throttle:
    """Return a throttle with an outage of its own, in which a request has failed."""
    outage = Outage(unavailable_after_s=patience_s, clock=clock)
    outage.failed(NetworkError("429"))
    return Throttle(requests_per_second=requests_per_second, clock=clock, outage=outage)


def complain(throttle: Throttle, seconds: float, *, turn: int, asked_s: float = 0) -> bool:
    """Let a request that left in this turn come back with a complaint."""
    return throttle.pause(seconds, asked_s=asked_s, turn=turn)


async def start_times(
    clock: ManualClock, turn: Callable[[], Awaitable[object]], count: int
) -> list[float]:
    """Ask for so many turns at once; return when each was given, rounded to a ms."""
    given: list[float] = []
    began_s = clock.monotonic_s()

    async def one() -> None:
        await turn()
        given.append(round(clock.monotonic_s() - began_s, 3))

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(one)
        await clock.run_down()
    return given


async def test_without_limits_everybody_goes_at_once() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    assert await start_times(clock, throttle.turn, 4) == [0, 0, 0, 0]


async def test_a_rate_spaces_the_starts() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock, requests_per_second=4)
    assert await start_times(clock, throttle.turn, 4) == [0, 0.25, 0.5, 0.75]
    clock.at_s += 100
    assert await start_times(clock, throttle.turn, 2) == [0, 0.25]


async def test_a_pause_holds_everybody_and_ends_without_a_stampede() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    assert complain(throttle, 10, turn=0)
    assert await start_times(clock, throttle.turn, 3) == [10, 10.05, 10.1]


async def test_a_pause_also_holds_those_who_wait_already() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock, requests_per_second=1)
    turn = await throttle.turn()
    given: list[float] = []

    async def one() -> None:
        await throttle.turn()
        given.append(clock.at_s - 1000)

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        complain(throttle, 30, turn=turn)
        await clock.run_down()
    assert given == [30]


async def test_complaints_of_requests_that_left_together_slow_down_once() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    turns = [await throttle.turn() for _ in range(20)]
    assert [complain(throttle, 1, turn=turn) for turn in turns] == [True] + [False] * 19
    assert await start_times(clock, throttle.turn, 2) == [1, 1.05]


async def test_a_complaint_that_comes_after_the_pause_of_its_burst_is_no_news() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    early, late = await throttle.turn(), await throttle.turn()
    assert complain(throttle, 1, turn=early)
    clock.at_s += 100
    assert not complain(throttle, 1, turn=late)
    assert await start_times(clock, throttle.turn, 2) == [0, 0.05]


async def test_a_complaint_of_a_request_that_left_after_the_pause_is_news() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    assert complain(throttle, 0, turn=await throttle.turn())
    throttle.succeeded()
    assert complain(throttle, 1, turn=await throttle.turn())
    assert await start_times(clock, throttle.turn, 2) == [1, 1.09]


async def test_a_service_that_refuses_everything_makes_the_pace_no_slower() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    for turn in range(30):
        assert complain(throttle, 0, turn=turn)
    assert await start_times(clock, throttle.turn, 2) == [0, 0.05]


async def test_what_is_asked_for_lengthens_the_pause_of_a_burst_and_nothing_else_does() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    turns = [await throttle.turn() for _ in range(4)]
    complain(throttle, 1, turn=turns[0])
    complain(throttle, 500, turn=turns[1])  # another's backoff
    complain(throttle, 60, turn=turns[2], asked_s=60)
    complain(throttle, 5, turn=turns[3], asked_s=5)
    assert await start_times(clock, throttle.turn, 1) == [60]


async def test_the_pace_never_falls_below_one_request_in_five_seconds() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    for turn in range(30):
        throttle.succeeded()
        complain(throttle, 1, turn=turn)
        clock.at_s += 2
    assert await start_times(clock, throttle.turn, 2) == [0, 5]


async def test_success_restores_full_speed() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock)
    complain(throttle, 0, turn=0)
    for _ in range(20):
        throttle.succeeded()
    assert await start_times(clock, throttle.turn, 3) == [0, 0, 0]


@pytest.mark.parametrize(("patience_s", "is_given_up"), [(600, True), (600.1, False)])
async def test_a_pause_is_not_waited_out_beyond_all_patience(
    patience_s: float, *, is_given_up: bool
) -> None:
    clock = ManualClock()
    throttle = throttle_of(clock, patience_s=patience_s)
    complain(throttle, 601 if is_given_up else 600, turn=0)
    ends: list[str] = []

    async def one() -> None:
        try:
            await throttle.turn()
            ends.append("a turn")
        except ServiceUnavailableError as error:
            ends.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(one)
        await clock.run_down()
    told = "no request has succeeded for 600 s; last: 429" if is_given_up else "a turn"
    assert ends == [told] * 3


async def test_the_users_own_rate_is_waited_out_however_slow() -> None:
    clock = ManualClock()
    throttle = throttle_of(clock, requests_per_second=0.001, patience_s=300)
    complain(throttle, 10, turn=0)
    assert await start_times(clock, throttle.turn, 3) == [10, 1010, 2010]


async def busiest(window: AdaptiveWindow, uploads: int) -> int:
    """Return how many of so many uploads ran at once."""
    running = highest = 0

    async def upload() -> None:
        nonlocal running, highest
        async with window.slot():
            running += 1
            highest = max(highest, running)
            await anyio.wait_all_tasks_blocked()
            running -= 1

    async with anyio.create_task_group() as group:
        for _ in range(uploads):
            group.start_soon(upload)
    return highest


async def test_the_window_starts_at_the_users_limit_and_never_exceeds_it() -> None:
    window = AdaptiveWindow(3)
    assert await busiest(window, 9) == 3
    for _ in range(50):
        window.grow()
    assert await busiest(window, 9) == 3


async def test_a_complaint_halves_the_window_once_for_all_under_way() -> None:
    window = AdaptiveWindow(8)

    async def upload() -> None:
        async with window.slot() as slot:
            await anyio.wait_all_tasks_blocked()
            slot.complained()

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(upload)
    assert window.size == 4
    assert await busiest(window, 9) == 4
    await upload()
    assert window.size == 2


async def test_the_window_never_closes_and_grows_again_by_one_a_round() -> None:
    window = AdaptiveWindow(4)
    for _ in range(10):
        async with window.slot() as slot:
            slot.complained()
    assert window.size == 1
    sizes = []
    for _ in range(12):
        async with window.slot() as slot:
            slot.succeeded()
        sizes.append(window.size)
    assert sizes[0] == 2
    assert sizes[-1] == 4
    assert sizes == sorted(sizes)


def test_an_outage_lasts_from_the_first_failure_to_the_next_success() -> None:
    clock = ManualClock()
    outage = Outage(unavailable_after_s=300, clock=clock)
    assert [outage.never_reached] == [True]
    clock.at_s = 1500  # idle time is no outage
    outage.failed(NetworkError("first"))
    outage.check()
    clock.at_s = 1799.9
    outage.failed(NetworkError("second"))
    outage.check()
    clock.at_s = 1800
    with pytest.raises(ServiceUnavailableError, match="succeeded for 300 s; last: second"):
        outage.check()
    outage.succeeded()
    assert [outage.never_reached] == [False]
    clock.at_s = 9000
    outage.failed(NetworkError("third"))
    outage.check()


async def test_a_success_while_others_wait_begins_the_time_anew() -> None:
    clock = ManualClock()
    outage = Outage(unavailable_after_s=300, clock=clock)
    outage.failed(NetworkError("503"))
    ends: list[float] = []

    async def one(until_s: float) -> None:
        try:
            await outage.endure(until_s)
            ends.append(clock.at_s)
        except ServiceUnavailableError:
            ends.append(-clock.at_s)

    async with anyio.create_task_group() as group:
        group.start_soon(one, 1400.0)
        group.start_soon(one, 1600.0)
        await anyio.wait_all_tasks_blocked()
        clock.at_s = 1200
        outage.succeeded()
        await clock.run_down()
    assert ends == [1400, -1500]
