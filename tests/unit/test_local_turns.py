"""Whose job a worker takes up next, and how long workers may be at one document."""

from __future__ import annotations

from contextlib import ExitStack

import anyio
import pytest

from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.engines.local.turns import Turns
from batch_converter.engines.local.work_time import WorkTime
from batch_converter.errors import EngineError


def order_of(turns: Turns, documents: dict[str, int]) -> str:
    """Which documents' parts one worker takes up, all being there from the start."""
    with ExitStack() as stack:
        joined = {name: stack.enter_context(turns.of_document()) for name in documents}
        waiting = sorted(
            (joined[name].of_part(number), name)
            for name, parts in documents.items()
            for number in range(parts)
        )
    return "".join(name for _, name in waiting)


def test_a_batch_has_its_documents_done_one_after_the_other() -> None:
    assert order_of(Turns(are_shared=False), {"a": 4, "b": 1, "c": 2}) == "aaaabcc"


def test_a_service_has_its_documents_take_turns() -> None:
    assert order_of(Turns(are_shared=True), {"a": 4, "b": 1, "c": 2}) == "abcacaa"


def test_who_comes_later_waits_for_no_more_than_one_part_of_each() -> None:
    turns = Turns(are_shared=True)
    with turns.of_document() as long:
        parts = [long.of_part(number) for number in range(20)]
        for _ in parts[:10]:
            long.part_ended()
        with turns.of_document() as late:
            assert parts[9] < late.of_part() < parts[11]
            assert parts[11] < late.of_part(1) < parts[12]


def test_many_short_ones_do_not_starve_a_long_one() -> None:
    turns = Turns(are_shared=True)
    with turns.of_document() as long:
        parts = [long.of_part(number) for number in range(10)]
        short_ones = 0
        while parts:
            with turns.of_document() as short:
                place = short.of_part()
                if parts[0] < place:
                    parts.pop(0)
                    long.part_ended()
                short.part_ended()
                short_ones += 1
            assert short_ones < 30


def test_what_ends_a_document_comes_first_and_pictures_come_late() -> None:
    for are_shared in (False, True):
        turns = Turns(are_shared=are_shared)
        with turns.of_document() as first, turns.of_document() as second:
            picture = turns.of_picture()
            assert second.of_end() < first.of_part() < second.of_part() < picture
            assert turns.of_picture() > picture
    assert first.of_part(9) > picture  # or it would wait for ever where there is always work


def test_long_documents_are_cut_finer_where_others_wait() -> None:
    assert [len(part) for part in parts_of(10_000)][:2] == [313, 313]
    shared = parts_of(10_000, max_pages=64)
    assert {len(part) for part in shared[:-1]} == {64}
    assert [page for part in shared for page in part] == list(range(10_000))
    assert parts_of(100, max_pages=64) == parts_of(100)


class HandTime:
    """The event loop's time, moved by hand; deadlines are read, not waited for."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def left_s(time: WorkTime, clock: HandTime) -> float:
    return time._scope.deadline - clock()


async def test_the_time_of_all_workers_counts_and_waiting_does_not() -> None:
    clock = HandTime()
    time = WorkTime(60, now_s=clock)
    clock.now_s += 500
    with time.spent():
        assert left_s(time, clock) == 60
        clock.now_s += 10
        with time.spent():
            assert left_s(time, clock) == 25
            clock.now_s += 5
        assert left_s(time, clock) == 40
    assert left_s(time, clock) == float("inf")
    clock.now_s += 500
    with time.spent():
        assert left_s(time, clock) == 40


async def test_without_a_limit_there_is_no_deadline() -> None:
    time = WorkTime(0, now_s=HandTime())
    with time.spent():
        assert time._scope.deadline == float("inf")


async def test_time_that_is_up_ends_what_runs() -> None:
    time = WorkTime(0.001)
    with (
        pytest.raises(EngineError, match="too long"),
        time.limited(lambda: EngineError("too long")),
        time.spent(),
    ):
        await anyio.sleep_forever()
