"""Named steps at which a test may have the process die, as by `kill -9`.

Nothing happens unless the environment names a step when the process starts; the
tests do, nobody else should.
"""

from __future__ import annotations

import itertools
import os
import signal
from typing import Final

VARIABLE: Final = "_BATCH_CONVERTER_FAULT_POINT"
"""`STEP`, or `STEP#N` for the N-th time that it is reached."""

_step, _, _turn = os.environ.get(VARIABLE, "").partition("#")
_turns = itertools.count(1)


def reach(step: str) -> None:
    """Say that a step is reached; returns, unless a test wants the process dead here."""
    if step == _step and next(_turns) == int(_turn or 1):
        os.kill(os.getpid(), signal.SIGKILL)
