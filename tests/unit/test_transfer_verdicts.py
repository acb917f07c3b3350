"""The benchmark of transfers: ours is held to the sum of its parts, round by round."""

from __future__ import annotations

import pytest

from benchmarks.transfer import verdicts


def rounds(*cpu_s: float) -> list[dict[str, float]]:
    return [{"cpu_s": each, "wall_s": each, "peak_mb": 9.0, "idle_mb": 4.0} for each in cpu_s]


def found(plain: tuple[float, float], dense: tuple[float, float]) -> verdicts.Rounds:
    wholes = {name: rounds(*plain) for name in (verdicts.OURS, verdicts.STORED)}
    wholes |= {name: rounds(*dense) for name in (verdicts.OURS_DENSE, verdicts.STORED_DENSE)}
    return wholes | {part: rounds(1.0, 2.0) for part in verdicts.PARTS}


def test_ratios_are_of_one_round_each() -> None:
    all_rounds = found(plain=(4.0, 12.0), dense=(5.0, 10.0))
    parts = verdicts.SUMS[verdicts.OURS]
    assert verdicts.over_sum(all_rounds, verdicts.OURS, parts) == [1.0, 1.5]


@pytest.mark.parametrize(("dense_s", "missed"), [(7.5, 0), (7.6, 1)])
def test_what_is_above_a_limit_is_said_to_be_missed(dense_s: float, missed: int) -> None:
    told = verdicts.against_parts(found((5.0, 10.0), (dense_s, 2 * dense_s)), 10**9)
    assert told.count("**missed:**") == missed
    assert f"| {verdicts.DIGEST} | 1.500 | 1.000 to 2.000 |" in told
    assert f"≤ 1.5 times | {'**missed:** ' * missed}{dense_s / 5:.2f} times" in told


def test_the_whole_is_held_to_1_3_times_the_sum() -> None:
    told = verdicts.against_parts(found((5.2, 10.4), (5.2, 10.4)), 10**9)
    assert "**missed:**" not in told.split(verdicts.STORED)[0]
    told = verdicts.against_parts(found((5.3, 10.6), (5.3, 10.6)), 10**9)
    assert "≤ 1.3 times | **missed:** 1.32 times" in told


def test_what_escapes_cost_stands_beside_what_their_parts_cost() -> None:
    told = verdicts.against_parts(found((5.0, 10.0), (5.0, 10.0)), 10**9)
    assert "| the same of the sums of their parts | | 1.20 times (1.20 to 1.20) |" in told
