"""Raises the only error of a task group without its group.

A task group wraps what its body raises into an `ExceptionGroup`; where the body is
the work and the tasks only watch it, callers expect the error itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the only error of a group in its place; several stay a group."""
    try:
        yield
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__


@contextmanager
def first_raised() -> Iterator[None]:
    """Raise one error of a group in its place: what called the others off.

    Of several that failed in the same instant one is told; all of them are about one thing.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error = group.exceptions[0]
        raise error from error.__cause__
