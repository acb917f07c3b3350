"""The time of day of a process that steps, ahead or back, at moments of its life.

Nothing of the machine's is touched: the command asks `SystemClock` alone for the time of day, and
that is what answers otherwise. What it measures goes on as before, as it does with a real step.
"""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from batch_converter.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

VARIABLE: Final = "TESTS_CLOCK_STEPS"


def spelled(steps: Iterable[tuple[float, float]]) -> str:
    """Return the variable's value for steps: after so many seconds, by so many hours."""
    return json.dumps(list(steps))


def install() -> None:
    """Have this process read the time of day as the variable says, from now on."""
    began_s = time.monotonic()
    steps = json.loads(os.environ[VARIABLE])
    true = SystemClock.now

    def now(self: SystemClock) -> datetime:
        life_s = time.monotonic() - began_s
        hours = sum(by_hours for after_s, by_hours in steps if life_s >= after_s)
        return true(self) + timedelta(hours=hours)

    SystemClock.now = now  # type: ignore[method-assign]  # of this process, which is the test's
