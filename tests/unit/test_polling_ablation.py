from __future__ import annotations

import pytest

from batch_converter.polling.predictive import Predictive
from benchmarks.polling import ablation, parts

BATCH = ablation.Run(ablation.NOTHING, "fifo-2", 4, 1, 8)


@pytest.mark.parametrize("name", parts.PARTS)
def test_a_part_is_left_out_of_a_run_that_still_ends_and_is_back_afterwards(name: str) -> None:
    replaced = [(each.owner, each.name) for each in parts.PARTS[name].replacements]
    before = [vars(owner)[attribute] for owner, attribute in replaced]
    with parts.left_out([name]):
        assert all(vars(o)[a] != was for (o, a), was in zip(replaced, before, strict=True))
    assert ablation.cost_of(BATCH._replace(without=name)).calls >= 2.0
    assert [vars(owner)[attribute] for owner, attribute in replaced] == before


def fail_without(*names: str) -> None:
    with parts.left_out(names):
        raise RuntimeError


def test_several_parts_are_back_after_an_error() -> None:
    before = dict(vars(Predictive))
    with pytest.raises(RuntimeError):
        fail_without("wake-faster", "wake-end")
    assert dict(vars(Predictive)) == before


def test_what_a_part_is_worth_is_measured_on_the_same_seeds() -> None:
    whole, without = BATCH, BATCH._replace(without="spacing")
    costs = {
        whole: ablation.Cost(2.0, 1.0, 0.5),
        without: ablation.Cost(3.0, 1.0, 1.0),
        whole._replace(seed=2): ablation.Cost(2.0, 1.0, 0.5),
        without._replace(seed=2): ablation.Cost(2.0, 1.2, 1.0),
    }
    (calls,) = ablation.worths(costs, "spacing", 4, 0)
    (makespan,) = ablation.worths(costs, "spacing", 4, 1)
    assert (calls.share, calls.error) == pytest.approx((0.25, 0.25))
    assert (makespan.share, makespan.error) == pytest.approx((0.1, 0.1))
    assert not calls.is_sure


def test_the_table_has_a_row_a_part_and_names_the_trace_on_which_it_is_worth_most() -> None:
    runs = [
        BATCH._replace(trace=trace, seed=seed) for trace in ("hung", "instant") for seed in (1, 2)
    ]
    costs = {run: ablation.Cost(2.0, 1.0, 0.5) for run in runs}
    for run in runs:
        calls = 3.0 if run.trace == "hung" else 2.0
        costs[run._replace(without="pull")] = ablation.Cost(calls, 1.0, 1.0)
    head, rule, row = ablation.table(costs, ["pull"])
    assert head.count("|") == rule.count("|") == row.count("|")
    cells = [each.strip() for each in row.strip("|").split("|")]
    assert cells[0].startswith("`pull`")
    assert cells[1:] == ["+25.0%; +50.0% ± 0.0% hung", "+0.0%", "2.0 x, 2.0 x"]
