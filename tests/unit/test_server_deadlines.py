"""How long a connection may keep the service waiting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batch_converter.server.deadlines import Allowance, ConnectionDeadlines, Overdue, Patience

PATIENCE = Patience(header_s=10, keep_alive_s=30, least_bytes_per_s=100, write_s=60, body_s=20)


def looked_at(
    deadlines: ConnectionDeadlines, now_s: float, *, awaits_body: bool = False, unsent: int = 0
) -> object:
    return deadlines.overdue(now_s, awaits_body=awaits_body, unsent_bytes=unsent)


def test_the_first_request_is_due_at_once() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    assert looked_at(deadlines, 9.9) is None
    assert looked_at(deadlines, 10) is Overdue.SILENT


def test_headers_end_a_while_after_their_first_byte_however_often_more_comes() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    for second in range(5, 15):
        deadlines.received(1, second)
        assert looked_at(deadlines, second) is None
    assert looked_at(deadlines, 15) is Overdue.HEADERS


def test_between_requests_a_connection_is_kept_longer() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    assert looked_at(deadlines, 1000) is None
    deadlines.request_ended(1000)
    assert looked_at(deadlines, 1029.9) is None
    assert looked_at(deadlines, 1030) is Overdue.SILENT


def test_headers_on_a_kept_connection_are_no_more_patiently_awaited() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    deadlines.request_ended(100)
    deadlines.received(1, 101)
    deadlines.received(1, 110)
    assert looked_at(deadlines, 110.9) is None
    assert looked_at(deadlines, 111) is Overdue.HEADERS


@pytest.mark.parametrize(("bytes_a_second", "ends"), [(100, False), (99, True), (0, True)])
def test_a_body_has_a_least_rate(bytes_a_second: int, *, ends: bool) -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    seen = set()
    for second in range(1, 3000):
        deadlines.received(bytes_a_second, second)
        seen.add(looked_at(deadlines, second, awaits_body=True))
    assert (Overdue.BODY in seen) is ends


def test_a_body_that_came_fast_may_not_stop_for_ever() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    deadlines.received(10_000_000, 1)
    assert looked_at(deadlines, 1, awaits_body=True) is None
    assert looked_at(deadlines, 20.9, awaits_body=True) is None
    assert looked_at(deadlines, 21.1, awaits_body=True) is Overdue.BODY


def test_a_body_that_the_service_does_not_take_is_not_the_clients_fault() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    assert looked_at(deadlines, 1000, awaits_body=False) is None
    assert looked_at(deadlines, 1019, awaits_body=True) is None


def test_without_a_least_rate_anything_that_moves_will_do() -> None:
    deadlines = ConnectionDeadlines(replace(PATIENCE, least_bytes_per_s=0), 0)
    deadlines.request_began()
    for second in range(0, 1000, 19):
        deadlines.received(1, second)
        assert looked_at(deadlines, second, awaits_body=True) is None
    assert looked_at(deadlines, 1010, awaits_body=True) is Overdue.BODY


def test_an_answer_has_to_be_read() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    assert looked_at(deadlines, 1, unsent=100_000) is None
    assert looked_at(deadlines, 60, unsent=100_000) is None
    assert looked_at(deadlines, 61.1, unsent=100_000) is Overdue.ANSWER


def test_an_answer_has_to_be_read_also_when_it_is_whole_and_the_connection_waits() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    deadlines.request_ended(0)
    assert looked_at(deadlines, 31, unsent=9) is None
    assert looked_at(deadlines, 92, unsent=9) is Overdue.ANSWER


def test_an_answer_that_is_read_slowly_but_fast_enough_is_no_fault() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    for second in range(1000):
        assert looked_at(deadlines, second, unsent=1_000_000 - 100 * second) is None


def test_an_answer_that_grows_has_been_read_before() -> None:
    deadlines = ConnectionDeadlines(PATIENCE, 0)
    deadlines.request_began()
    for second in range(0, 1000, 59):
        assert looked_at(deadlines, second, unsent=1000 + second) is None


def test_an_allowance_is_never_more_than_the_whole() -> None:
    allowance = Allowance(10, 1)
    assert not allowance.spend(1, 1_000_000)
    assert not allowance.spend(10, 0)
    assert allowance.spend(1, 0)
    allowance.renew()
    assert not allowance.spend(10, 0)


def test_connections_are_looked_at_often_enough_for_the_shortest_limit() -> None:
    assert PATIENCE.sweep_s == 1
    assert replace(PATIENCE, header_s=0.4).sweep_s == pytest.approx(0.1)
