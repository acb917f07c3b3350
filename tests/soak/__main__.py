"""`make soak`: kill runs of every kind at any instant, resume them, and look at what is left."""

from __future__ import annotations

import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from tests.soak import own_mounts
from tests.soak.killing_runs import Soak, ViolationError
from tests.soak.kinds import KINDS, opened_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED: Final = 128 + signal.SIGINT


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="All, unless said.")
@click.option("--kills", default=500, show_default=True, help="Of each kind.")
@click.option("--seed", default=0, help="Of every moment; 0 takes a new one.")
def soak(kinds: Sequence[str], kills: int, seed: int) -> None:
    """Kill runs until enough were; the first violation ends it and says how to repeat it.

    What a violation has left stays; after Ctrl-C nothing does.
    """
    if "week" in (kinds or KINDS):
        own_mounts.enter()
    seed = seed or random.SystemRandom().randrange(1, 1 << 32)
    folder = Path(tempfile.mkdtemp(prefix="batch-converter-soak-"))
    click.echo(f"seed {seed}, in {folder}")
    name = ""
    try:
        for name in kinds or KINDS:
            _soak(name, kills, seed, folder / name)
    except ViolationError as violation:
        click.echo(f"{violation}\nmake soak KIND={name} KILLS={kills} SEED={seed}")
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo(f"{name}: interrupted, seed {seed}, no violation so far")
        shutil.rmtree(folder)
        sys.exit(_INTERRUPTED)
    shutil.rmtree(folder)


def _soak(name: str, kills: int, seed: int, folder: Path) -> None:
    began_s = time.monotonic()
    folder.mkdir()
    with opened_kind(name) as stage:
        run = Soak(name, stage, seed, folder)
        run.run(kills)
    took_s = time.monotonic() - began_s
    counts = f"{run.killed} kills in {run.lives} lives"
    played = "".join(f"; {count} {what}" for what, count in sorted(run.played.items()))
    click.echo(f"{name}: {counts}, seed {seed}, no violation, {took_s:.0f} s{played}")


if __name__ == "__main__":
    soak()
