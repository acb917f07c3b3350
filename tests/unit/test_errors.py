"""The tree of errors: what it says of codes holds at any depth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batch_converter import errors
from batch_converter.errors import (
    LASTING_CODES,
    TASK_ENDING_CODES,
    BatchConverterError,
    ErrorCode,
    FileError,
    LastingError,
    PassingError,
    StartupError,
    kinds_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(error: type[BatchConverterError], depth: int = 0) -> Iterator[tuple[int, str, str]]:
    """Yield each error below one: how deep it is, its name, and what it ends with."""
    for kind in error.__subclasses__():
        if kind.__module__ == errors.__name__:
            exit_code, code = getattr(kind, "exit_code", None), getattr(kind, "code", None)
            shown = (f"exit {exit_code:d}" if exit_code else "", code or "")
            ends = " ".join(filter(None, shown))
            yield depth, kind.__name__, "nothing was started" if kind is StartupError else ends
            yield from tree(kind, depth + 1)


def test_the_tree_that_is_told_is_the_tree_that_is() -> None:
    told = re.findall(r"^    ([│ ]*)[├└]── (\w+) +(.*)$", errors.__doc__ or "", re.MULTILINE)
    branches = {"RunStoppedError", "FileError", "PassingError", "LastingError"}
    assert {
        (len(depth) // 4, name, " ".join(ends.split()) if name not in branches else "")
        for depth, name, ends in told
    } == set(tree(BatchConverterError))


def test_a_kind_of_a_kind_is_found_too() -> None:
    class AnyError(FileError):
        code = ErrorCode.NETWORK

    class KindError(AnyError):
        code = ErrorCode.TIMEOUT

    class KindOfKindError(KindError):
        code = ErrorCode.EXPIRED

    assert list(kinds_of(AnyError)) == [KindError, KindOfKindError]


def test_codes_last_or_pass_but_not_both() -> None:
    assert {error.code for error in kinds_of(LastingError)} == LASTING_CODES
    assert not LASTING_CODES & {error.code for error in kinds_of(PassingError)}


def test_a_task_that_failed_in_passing_is_not_ended() -> None:
    assert TASK_ENDING_CODES < LASTING_CODES
