"""Kernels as machine code, by numba, where the extra `[fast]` is installed.

numba compiles the very source that runs without it. It takes seconds, so what it makes is
kept in a folder, and without such a folder nothing is compiled: each new process would spend
longer on it than it saves. What starts worker processes names the folder; so the process of a
run never loads numba, and tests run the source as it is unless they ask for more.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    P = ParamSpec("P")
    R = TypeVar("R")

FOLDER_VARIABLE: Final = "NUMBA_CACHE_DIR"
"""Where compiled kernels are kept; numba's own."""

OFF_VARIABLE: Final = "NUMBA_DISABLE_JIT"
"""Set to 1, nothing is compiled; numba's own."""


def _is_wanted() -> bool:
    return (
        bool(os.environ.get(FOLDER_VARIABLE))
        and os.environ.get(OFF_VARIABLE, "0") in {"", "0"}
        and find_spec("numba") is not None
    )


COMPILED: Final = _is_wanted()
"""Whether kernels are machine code in this process."""


# Inlined, and without counts of references, which a kernel does not need (it allocates
# nothing): a decision that is a function of its own takes 8 ns instead of 20.
_OPTIONS: Final[dict[str, Any]] = {
    "cache": True,
    "nogil": True,
    "forceinline": True,
    "_nrt": False,
}


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function compiled, or as it is.

    Its arguments are integers and buffers (`bytes`, `bytearray`, `array`), never lists, tuples
    or numpy's arrays, which plain Python reads at a third of the speed. It calls nothing
    but other kernels, allocates nothing, and the tables of its module are tuples or `bytes`.
    What it reads from a byte buffer it multiplies or adds and never shifts to the left: numba
    takes it for unsigned, and unsigned with signed for a float.
    """
    if not COMPILED:
        return function
    import numba  # noqa: PLC0415  # 0.4 s, for those who want it

    compiled: Any = numba.njit(**_OPTIONS)(function)
    result: Callable[P, R] = compiled
    return result
