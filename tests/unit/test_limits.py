from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from batch_converter.limits import AdaptiveWindow, Outage, Throttle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class SteppedClock:
    """Stands still until `run_down` moves it from one waiter's moment to the next."""

    def __init__(self) -> None:
        self.at_s = 1000.0
        self.waiting: list[tuple[float, anyio.Event]] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at_s, UTC)

    def monotonic_s(self) -> float:
        return self.at_s

    async def wait_until(self, at_s: float, wake: anyio.Event) -> None:
        self.waiting.append((at_s, wake))
        await wake.wait()

    async def run_down(self) -> None:
        await anyio.wait_all_tasks_blocked()
        while self.waiting:
            self.waiting.sort(key=lambda entry: entry[0])
            at_s, wake = self.waiting.pop(0)
            self.at_s = max(self.at_s, at_s)
            wake.set()
            await anyio.wait_all_tasks_blocked()


async def start_times(
    clock: SteppedClock, turn: Callable[[], Awaitable[None]], count: int
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
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    assert await start_times(clock, throttle.turn, 4) == [0, 0, 0, 0]


async def test_a_rate_spaces_the_starts() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=4, clock=clock)
    assert await start_times(clock, throttle.turn, 4) == [0, 0.25, 0.5, 0.75]
    clock.at_s += 100
    assert await start_times(clock, throttle.turn, 2) == [0, 0.25]


async def test_a_pause_holds_everybody_and_ends_without_a_stampede() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    assert throttle.pause(10)
    assert await start_times(clock, throttle.turn, 3) == [10, 10.05, 10.1]


async def test_a_pause_also_holds_those_who_wait_already() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=1, clock=clock)
    await throttle.turn()
    given: list[float] = []

    async def one() -> None:
        await throttle.turn()
        given.append(clock.at_s - 1000)

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await anyio.wait_all_tasks_blocked()
        throttle.pause(30)
        await clock.run_down()
    assert given == [30]


async def test_complaints_of_one_pause_slow_down_once_and_those_after_it_again() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    assert throttle.pause(1)
    assert not any(throttle.pause(0.5) for _ in range(20))
    assert await start_times(clock, throttle.turn, 2) == [1, 1.05]
    clock.at_s += 100
    assert throttle.pause(1)
    assert await start_times(clock, throttle.turn, 2) == [1, 1.1]


async def test_a_longer_pause_replaces_a_shorter_one() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    throttle.pause(1)
    throttle.pause(60)
    throttle.pause(5)
    assert await start_times(clock, throttle.turn, 1) == [60]


async def test_the_pace_never_falls_below_one_request_in_five_seconds() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    for _ in range(30):
        throttle.pause(1)
        clock.at_s += 2
    assert await start_times(clock, throttle.turn, 2) == [0, 5]


async def test_success_restores_full_speed() -> None:
    clock = SteppedClock()
    throttle = Throttle(requests_per_second=None, clock=clock)
    throttle.pause(0)
    for _ in range(20):
        throttle.succeeded()
    assert await start_times(clock, throttle.turn, 3) == [0, 0, 0]


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
    clock = SteppedClock()
    outage = Outage(clock)
    assert [outage.never_reached] == [True]
    clock.at_s = 1500  # idle time is no outage
    assert outage.failed() == 0
    clock.at_s = 1600
    assert outage.failed() == 100
    outage.succeeded()
    assert [outage.never_reached] == [False]
    assert outage.failed() == 0
