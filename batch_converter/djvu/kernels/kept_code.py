"""Machine code of kernels in its folder: found again only where it is that of this source.

numba looks at the file of a function and not at those of the functions that it calls, whose
code is in it. So each state of the kernels has a folder of its own. And what numba
cannot read or write there it raises, from within a kernel's first call: here that only costs
the time to compile again.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from batch_converter.djvu.kernels.compiling import FOLDER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    P = ParamSpec("P")
    R = TypeVar("R")

_NAME_DIGITS: Final = 16

# Inlined, and without counts of references, which a kernel does not need (it allocates
# nothing): a decision that is a function of its own takes 8 ns instead of 20.
_OPTIONS: Final[dict[str, Any]] = {
    "nogil": True,
    "forceinline": True,
    "_nrt": False,
}

_numba: Final[Any] = import_module("numba")
_caching: Final[Any] = import_module("numba.core.caching")


def _digest() -> str:
    """Name the state of all kernels."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:_NAME_DIGITS]


FOLDER: Final = Path(os.environ[FOLDER_VARIABLE]) / _digest()
"""Where what is compiled of this state of the kernels is kept."""

_numba.config.CACHE_DIR = str(FOLDER)


class _KeptCode:
    """What was compiled of a function; a folder that fails is as good as none."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    @cached_property
    def _files(self) -> Any:  # noqa: ANN401  # numba's
        """Where it is kept; None where it cannot be.

        Looked up when it is asked for, by a file that is written there: of a hundred kernels a
        third is called from Python.
        """
        with suppress(RuntimeError, OSError):  # no folder at all
            files = _caching.FunctionCache(self._function)
            if Path(files.cache_path).is_relative_to(FOLDER):  # and not one that numba thinks of
                return files
        return None

    def load_overload(self, sig: Any, target_context: Any) -> Any:  # noqa: ANN401  # numba's
        """Return what was kept, or None.

        `FunctionCache.load_overload` would first have numba learn all that it can compile, which
        what is compiled has no need of: seven tenths of the time, and 30 MB. Compiling has it
        learn that by itself.
        """
        found = None
        if self._files is not None:
            try:
                found = self._files._load_overload(sig, target_context)  # noqa: SLF001  # see above
            except Exception:  # noqa: BLE001  # a damaged pickle raises whatever it likes
                with suppress(OSError):
                    self._files.flush()
        if found is None:  # it is compiled then
            arrays: Any = import_module("numba.np.arrayobj")
            arrays.fix_integer_index = _unwrapped
        return found

    def save_overload(self, sig: Any, data: Any) -> None:  # noqa: ANN401  # as above
        if self._files is not None:
            with suppress(OSError):
                self._files.save_overload(sig, data)


def _unwrapped(context: Any, builder: Any, kind: Any, index: Any, _size: Any) -> Any:  # noqa: ANN401  # numba's
    """Take an index as it is: numba would look at each whether it counts from the end.

    No kernel's does. Without that look loops over words become vectors: books took 0.7 to 0.9
    times the processor time, the search for letters that are alike half of it.
    """
    return context.cast(builder, index, kind, _numba.types.intp)


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that is compiled when it is called, or was before.

    Once: for the constants that other kernels call it with, numba would do it again for each.
    """
    dispatcher: Any = _numba.njit(**_OPTIONS)(function)
    dispatcher._cache = _KeptCode(function)  # noqa: SLF001  # where `cache=True` puts its own
    compile_one = dispatcher.compile

    def compile_once(types: tuple[Any, ...]) -> object:
        return compile_one(tuple(_numba.types.unliteral(one) for one in types))

    dispatcher.compile = compile_once
    result: Callable[P, R] = dispatcher
    return result
