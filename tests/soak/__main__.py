"""`make soak`: kill runs of every kind at any instant, resume them, and look at what is left."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.soak.killing_runs import Soak, ViolationError
from tests.soak.kinds import KINDS, opened_kind

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="All, unless said.")
@click.option("--kills", default=500, show_default=True, help="Of each kind.")
@click.option("--seed", default=0, help="Of every moment; 0 takes a new one.")
def soak(kinds: Sequence[str], kills: int, seed: int) -> None:
    """Kill runs until enough were; the first violation ends it and says how to repeat it."""
    seed = seed or random.SystemRandom().randrange(1, 1 << 32)
    folder = Path(tempfile.mkdtemp(prefix="batch-converter-soak-"))
    click.echo(f"seed {seed}, in {folder}")
    for name in kinds or KINDS:
        began_s = time.monotonic()
        (folder / name).mkdir()
        with opened_kind(name) as stage:
            run = Soak(name, stage, seed, folder / name)
            try:
                run.run(kills)
            except ViolationError as violation:
                click.echo(f"{violation}\nmake soak KIND={name} KILLS={kills} SEED={seed}")
                sys.exit(1)
        took_s = time.monotonic() - began_s
        click.echo(
            f"{name}: {run.killed} kills in {run.lives} lives, seed {seed}, no violation,"
            f" {took_s:.0f} s"
        )
    shutil.rmtree(folder)


if __name__ == "__main__":
    soak()
