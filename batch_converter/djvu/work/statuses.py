"""The statuses with which a worker process ends by itself."""

from __future__ import annotations

from typing import Final

CRASHED: Final = 70
"""A job went wrong in a way after which the process cannot be trusted with more."""

NO_THREAD: Final = 71
"""The thread that it needs could not be started."""

NO_KERNELS: Final = 72
"""Its kernels could not be compiled, nor loaded."""

KERNELS_MADE: Final = 73
"""It has compiled the kernels for all that come after it, which need less memory."""
