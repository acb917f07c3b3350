"""Python's collector of garbage, kept away from what a process loads for good."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector away from what is loaded, now and at the end of the process.

    All of it stays to the end. Going through it again and again, and once more when the
    interpreter is cleared away, is a sixth of what a short command takes, and a seventh of what
    a worker takes to load its libraries.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
