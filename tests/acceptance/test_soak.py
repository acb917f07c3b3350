"""Runs of every kind, killed at any instant: a few of the kills of `make soak`."""

from __future__ import annotations

import random
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from click.testing import CliRunner

from tests.soak.__main__ import soak
from tests.soak.archives import ObjectStage
from tests.soak.killing_runs import Soak, ViolationError
from tests.soak.kinds import opened_kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.soak.stage import Stage
    from tests.support.object_store import ObjectServer

pytestmark = pytest.mark.slow

SEED: Final = random.SystemRandom().randrange(1, 1 << 32)  # told by the violation, if there is one
KILLS: Final = {
    "cloud": 4,
    "local": 2,
    "serve": 2,
    "watch": 2,
    "bag": 3,
    "merge": 3,
    "weather": 2,
    "week": 1,
}
"""Dask's take too long: test_dask_command.py kills one."""


@pytest.mark.parametrize("kind", KILLS)
def test_killed_at_random_moments(kind: str, tmp_path: Path) -> None:
    with opened_kind(kind) as stage:
        kill(kind, stage, KILLS[kind], tmp_path)


def test_killed_between_two_stores(object_server: ObjectServer, tmp_path: Path) -> None:
    kill("objects", partial(ObjectStage, object_server), 2, tmp_path)


def kill(kind: str, stage: Callable[[Path, random.Random], Stage], kills: int, tmp: Path) -> None:
    """Kill so many runs, and see that they were."""
    run = Soak(kind, stage, SEED, tmp)
    run.run(kills)
    assert run.killed == kills
    assert run.lives > run.killed


@pytest.mark.parametrize(("end", "code"), [(KeyboardInterrupt(), 130), (ViolationError("so"), 1)])
def test_what_is_left_of_a_soak_is_what_a_violation_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: BaseException, code: int
) -> None:
    def broken_off(self: Soak, _kills: int) -> None:
        (self.folder / "0001").mkdir()
        raise end

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Soak, "run", broken_off)
    done = CliRunner().invoke(soak, ["--kind", "cloud", "--seed", "5"])
    assert (done.exit_code, "seed 5" in done.output) == (code, True)
    assert bool([*tmp_path.iterdir()]) == (code == 1)
