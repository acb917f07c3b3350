"""When files are taken up: after they were quiet, with their folder, and never before."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.errors import UsageError
from batch_converter.watching import WatchOptions
from batch_converter.watching.settling import HEARD_S, Key, Look, Settling, Taken

SETTLE_S = 2.0
A, B, ELSEWHERE = (Key("in", path) for path in ("/in/a.djvu", "/in/b.djvu", "/in/sub/c.djvu"))
LOOK, LONGER = Look(10, 1), Look(20, 1)


def test_a_file_is_ready_once_it_was_quiet_for_the_settle_time() -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    assert settling.see(A, LOOK, at_s=100)
    assert settling.next_at_s == 102
    assert not settling.ready(101.99)
    assert settling.ready(102) == [A]
    assert settling.take(102) == {A: LOOK}
    assert (len(settling), settling.next_at_s) == (0, math.inf)


def test_a_change_and_a_write_that_does_not_show_begin_it_anew() -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    settling.see(A, LOOK, at_s=100)
    assert not settling.see(A, LOOK, at_s=101)  # looked at again, and nothing else
    assert settling.next_at_s == 102
    settling.see(A, LONGER, at_s=101.5)
    assert settling.next_at_s == 103.5
    settling.see(A, LONGER, at_s=103, is_written=True)
    assert not settling.ready(104.9)
    assert settling.take(105) == {A: LONGER}


@pytest.mark.parametrize(
    ("quiet_s", "ready_s"),
    [(-60, 2), (0, 2), (0.5, 1.5), (1.5, HEARD_S), (1.9, HEARD_S), (2, HEARD_S), (1e9, HEARD_S)],
)
def test_what_a_file_says_of_itself_shortens_the_wait_and_does_not_end_it(
    quiet_s: float, ready_s: float
) -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    settling.see(A, LOOK, at_s=100, quiet_s=quiet_s)
    assert settling.next_at_s == pytest.approx(100 + ready_s)


def test_without_a_settle_time_nothing_waits() -> None:
    settling = Settling(WatchOptions(settle_s=0))
    settling.see(A, LOOK, at_s=100)
    assert settling.take(100) == {A: LOOK}


def test_what_came_together_is_taken_up_together() -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    settling.see(A, LOOK, at_s=100)
    settling.see(ELSEWHERE, LOOK, at_s=100)
    settling.see(B, LOOK, at_s=101.5)
    assert settling.take(102) == {ELSEWHERE: LOOK}  # another folder waits for nobody here
    assert settling.next_at_s == 103.5
    assert settling.take(103.5) == {A: LOOK, B: LOOK}


def test_a_file_that_does_not_end_holds_its_folder_up_for_a_while_only() -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    settling.see(A, LOOK, at_s=100)
    for second in range(100, 120):
        settling.see(B, Look(second, second), at_s=second)
        if taken := settling.take(second):
            assert (second, taken) == (112, {A: LOOK})  # settled at 102, and five settle times
    assert len(settling) == 1


def test_a_file_that_goes_holds_nobody_up() -> None:
    settling = Settling(WatchOptions(settle_s=SETTLE_S))
    settling.see(A, LOOK, at_s=100)
    settling.see(B, LOOK, at_s=101)
    settling.forget(B)
    settling.forget(B)
    assert settling.take(102) == {A: LOOK}


@given(
    st.lists(
        st.tuples(
            st.sampled_from([A, B, ELSEWHERE]),
            st.integers(0, 2),
            st.booleans(),
            st.floats(0, 5, allow_nan=False),
        ),
        max_size=40,
    )
)
def test_nothing_is_taken_up_that_has_just_changed_and_nothing_is_forgotten(
    steps: list[tuple[Key, int, bool, float]],
) -> None:
    settling, now_s = Settling(WatchOptions(settle_s=SETTLE_S)), 0.0
    changed_s: dict[Key, float] = {}
    looks: dict[Key, Look] = {}
    for key, size, is_written, pause_s in steps:
        now_s += pause_s
        assert (settling.next_at_s <= now_s) == bool(settling.ready(now_s))
        for taken, look in settling.take(now_s).items():
            assert now_s - changed_s.pop(taken) >= SETTLE_S
            assert looks.pop(taken) == look
        look = Look(size, 0)
        if is_written or looks.get(key) != look:
            changed_s[key] = now_s
        looks[key] = look
        settling.see(key, look, at_s=now_s, is_written=is_written)
    assert settling.take(now_s + SETTLE_S) == looks


def test_what_was_taken_up_is_known_by_how_it_looked() -> None:
    taken = Taken()
    taken.add(A, LOOK)
    assert taken.has(A, LOOK)
    assert not taken.has(A, LONGER)
    assert not taken.has(B, LOOK)
    assert not taken.has(Key("elsewhere", A.path), LOOK)
    taken.add(A, LONGER)
    assert (taken.has(A, LOOK), taken.has(A, LONGER), len(taken)) == (False, True, 1)
    taken.forget(A)
    assert not taken.has(A, LONGER)


def test_names_that_are_not_utf_8_are_names() -> None:
    taken, odd = Taken(), Key("in", "/in/\udcff.djvu")
    taken.add(odd, LOOK)
    assert taken.has(odd, LOOK)


@pytest.mark.parametrize(
    "times",
    [
        {"settle_s": -1.0},
        {"settle_s": math.inf},
        {"settle_s": math.nan},
        {"rescan_s": 0.0},
        {"rescan_s": -1.0},
        {"rescan_s": math.inf},
    ],
)
def test_senseless_times_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        WatchOptions(**times)  # type: ignore[arg-type]  # each is a float
    WatchOptions(settle_s=0.0, rescan_s=0.1)
