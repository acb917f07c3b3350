"""Settings of Python's garbage collector: how often it looks for objects in circles."""

from __future__ import annotations

import gc
from typing import Final

_OBJECTS_A_LOOK: Final = 10_000


def collect_seldom() -> None:
    """Look for circles among what comes from now on only, and not at every 700th object.

    What a service or a run has loaded by the time that it is ready stays for good, and requests
    and documents leave few circles; looking for them took a tenth of the processor time of a
    submission (`benchmarks.service`), and 2 to 3 % of that of a small file (`benchmarks.scale`).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_LOOK)
