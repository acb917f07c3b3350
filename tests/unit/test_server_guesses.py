"""How guesses are slowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter.server import guesses
from batch_converter.server.callers import neighbourhood
from batch_converter.server.guesses import ADDRESS, CLIENT, Guesses, Slowdown, Try
from tests.support.clocks import ManualClock

HOUR_S = 3600.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def slow(clock: ManualClock) -> Guesses:
    return Guesses(clock.monotonic_s)


def guess(secret: object, *, client: str = "alice", address: str = "192.0.2.1") -> Try:
    return Try(client=client, address=address, digest=repr((client, secret)).encode())


def attack(slow: Guesses, clock: ManualClock, seconds: float, **who: str) -> int:
    """Guess as fast as one is heard, for so long; return how many guesses were looked at."""
    count, end_s = 0, clock.at_s + seconds
    while clock.at_s < end_s:
        tried = guess((who, count, clock.at_s), **who)
        if wait_s := slow.wait_s(tried):
            clock.at_s += wait_s
        else:
            slow.note(tried)
            count += 1
    return count


def test_five_failures_are_free_and_the_waits_double_to_ten_minutes(
    slow: Guesses, clock: ManualClock
) -> None:
    waits = []
    for number in range(14):
        tried = guess(number)
        waits.append(slow.wait_s(tried))
        clock.at_s += waits[-1]
        assert slow.wait_s(tried) == 0
        slow.note(tried)
    assert waits == [0.0] * 5 + [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_one_address_has_few_guesses_in_a_day_whatever_it_guesses(
    slow: Guesses, clock: ManualClock
) -> None:
    assert attack(slow, clock, 4) == 5
    assert attack(slow, clock, HOUR_S) <= 11
    assert attack(slow, clock, 24 * HOUR_S, client="bob") <= 24 * 6 + 1


def test_a_wait_counts_down(slow: Guesses, clock: ManualClock) -> None:
    for number in range(5):
        slow.note(guess(number))
    clock.at_s += 2.5
    assert slow.wait_s(guess("other")) == 7.5


def test_one_pair_waits_ten_minutes_after_five_failures(slow: Guesses, clock: ManualClock) -> None:
    for _ in range(5):
        slow.note(guess("same"))
    assert slow.wait_s(guess("same")) == 600
    assert slow.wait_s(guess("same", address="198.51.100.7")) == 600
    assert slow.wait_s(guess("right", address="198.51.100.7")) == 0
    clock.at_s += 600
    for _ in range(4):
        slow.note(guess("same", address="198.51.100.7"))
        assert slow.wait_s(guess("same", address="198.51.100.7")) == 0


def test_a_flood_from_one_address_leaves_the_client_alone_elsewhere(
    slow: Guesses, clock: ManualClock
) -> None:
    for _ in range(3 * 24):
        attack(slow, clock, HOUR_S)
        assert slow.wait_s(guess("right", address="198.51.100.7")) == 0


def test_guesses_from_many_addresses_slow_the_client_but_not_where_it_is_at_home(
    slow: Guesses, clock: ManualClock
) -> None:
    home = guess("right", address="198.51.100.7")
    slow.welcome(home)
    for number in range(CLIENT.free):
        slow.note(guess(number, address=f"10.0.0.{number}"))
    assert slow.wait_s(guess("right", address="203.0.113.1")) == CLIENT.first_wait_s
    assert slow.wait_s(guess("right", client="bob", address="203.0.113.1")) == 0
    assert slow.wait_s(home) == 0
    clock.at_s += CLIENT.forgiven_s
    slow.note(guess("x", address="10.0.1.0"))
    assert slow.wait_s(guess("right", address="203.0.113.1")) == CLIENT.first_wait_s


def test_who_is_at_home_is_not_kept_out_by_neighbours_but_by_guesses_of_his_own_id(
    slow: Guesses,
) -> None:
    slow.welcome(guess("right"))
    for number in range(9):
        slow.note(guess(number, client="mallory"))
    assert slow.wait_s(guess("right", client="bob")) > 0
    assert slow.wait_s(guess("right")) == 0
    for number in range(ADDRESS.free):
        slow.note(guess(number))
    assert slow.wait_s(guess("right")) == ADDRESS.first_wait_s


def test_an_own_account_wins_no_further_guesses(slow: Guesses, clock: ManualClock) -> None:
    heard = 0
    for number in range(1000):
        slow.welcome(guess("own", client="mallory"))
        if not slow.wait_s(tried := guess(number)):
            slow.note(tried)
            heard += 1
        clock.at_s += 0.001
    assert heard == ADDRESS.free


def test_success_forgives_the_clients_own_slips_at_home(slow: Guesses) -> None:
    slow.welcome(guess("right"))
    for number in range(20):
        slow.note(guess(number))
        slow.welcome(guess("right"))
    assert slow.wait_s(guess("right")) == 0


def test_failures_are_forgiven_one_by_one(clock: ManualClock) -> None:
    slow: Slowdown[str] = Slowdown(ADDRESS)
    for _ in range(5):
        slow.note("a", clock.at_s)
    clock.at_s += 3 * ADDRESS.forgiven_s - 1
    for free in (True, True, False):  # 5 - 2 + 1, the next at 3.0: 4 - 1 + 1, then 5
        slow.note("a", clock.at_s)
        assert (slow.wait_s("a", clock.at_s) == 0) is free
        clock.at_s += 1


def test_what_is_long_past_does_not_count(slow: Guesses, clock: ManualClock) -> None:
    for number in range(5):
        slow.note(guess(number))
    clock.at_s += 24 * HOUR_S
    for number in range(4):
        slow.note(guess(-number - 1))
        assert slow.wait_s(guess("right")) == 0


def test_memory_is_bounded(slow: Guesses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "_MAX_KEYS", 10)
    for number in range(50):
        slow.note(guess(number, client=f"c{number}", address=f"10.0.0.{number}"))
        slow.welcome(guess(number, client=f"h{number}", address=f"10.0.0.{number}"))
        slow.note(guess(number, client=f"h{number}", address=f"10.0.0.{number}"))
    sizes = [len(one) for one in (slow._pairs, slow._addresses, slow._clients, slow._at_home)]
    assert sizes == [10] * 4
    assert len(slow._homes) == 10


def test_each_wait_is_told_once(slow: Guesses) -> None:
    for number in range(5):
        slow.note(guess(number))
    assert [slow.tell(guess("x")) for _ in range(3)] == [True, False, False]
    slow.note(guess("x"))
    assert [slow.tell(guess("y")) for _ in range(2)] == [True, False]


@given(st.lists(st.tuples(st.floats(0, 5000), st.integers(0, 3)), max_size=60))
def test_no_order_of_tries_lets_more_through_than_the_pace(
    tries: list[tuple[float, int]],
) -> None:
    clock = ManualClock()
    slow = Guesses(clock.monotonic_s)
    heard: list[float] = []
    for number, (pause_s, client) in enumerate(tries):
        clock.at_s += pause_s
        if not slow.wait_s(tried := guess(number, client=f"c{client}")):
            slow.note(tried)
            heard.append(clock.at_s)
    for index, begin_s in enumerate(heard):
        within = [one for one in heard[index:] if one < begin_s + 10]
        assert len(within) <= ADDRESS.free


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::1", "127.0.0.1", False),
        ("", "unix", False),
    ],
)
def test_an_ipv6_guest_has_all_addresses_that_begin_alike(
    one: str, other: str, *, same: bool
) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same
