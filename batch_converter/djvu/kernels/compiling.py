"""Kernels as machine code, by numba, where the extra `[fast]` is installed.

numba compiles the very source that runs without it. It takes seconds, so what it makes is
kept in a folder, and without such a folder nothing is compiled: each new process would spend
longer on it than it saves. What starts worker processes names the folder; so the process of a
run never loads numba, and tests run the source as it is unless they ask for more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    P = ParamSpec("P")
    R = TypeVar("R")

FOLDER_VARIABLE: Final = "NUMBA_CACHE_DIR"
"""Where compiled kernels are kept; numba's own."""

OFF_VARIABLE: Final = "NUMBA_DISABLE_JIT"
"""Set to 1, nothing is compiled; numba's own."""


def _is_wanted() -> bool:
    folder = os.environ.get(FOLDER_VARIABLE, "")
    return (
        bool(folder)
        and os.environ.get(OFF_VARIABLE, "0") in {"", "0"}
        and find_spec("numba") is not None
        and _is_writable(Path(folder))
    )


def _is_writable(folder: Path) -> bool:
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    return False


COMPILED: Final = _is_wanted()
"""Whether kernels are machine code in this process."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function compiled, or as it is.

    Its arguments are integers and buffers (`bytes`, `bytearray`, `array`), never lists, tuples
    or numpy's arrays, which plain Python reads at a third of the speed. It calls nothing
    but other kernels, allocates nothing, and the tables of its module are made by `table`.
    What it reads from a byte buffer it multiplies or adds and never shifts to the left: numba
    takes it for unsigned, and unsigned with signed for a float. No index leaves its buffer,
    whatever the data, and none is negative: compiled code does not look.
    """
    if not COMPILED:
        return function
    from batch_converter.djvu.kernels.kept_code import compiled  # noqa: PLC0415  # loads numba

    return compiled(function)


def table(values: Sequence[int]) -> Sequence[int]:
    """Return numbers as kernels read them fastest: numba compiles tuples thrice as long."""
    if not COMPILED:
        return tuple(values)
    import numpy as np  # noqa: PLC0415  # only what is compiled needs it

    found: Any = np.array(values, np.int64)
    result: Sequence[int] = found
    return result
