"""What makes a method of the ledger out of an operation on its connection.

So each operation is written once, beside the queries that it runs, and is awaited
under the name that it has there.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Coroutine

    from batch_converter.ledger.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class LedgerPart:
    """The operations of one subject; `Ledger` is all of them over one connection.

    Args:
        store: Runs operations.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = 0
        """The row of the run that has begun."""


PartT = TypeVar("PartT", bound=LedgerPart)


def durable(
    operation: Callable[Concatenate[PartT, sqlite3.Connection, P], T],
) -> Callable[Concatenate[PartT, P], Coroutine[Any, Any, T]]:
    """Make a method that runs the operation in a transaction, on disk when it returns.

    Raises:
        LedgerWriteError: It could not be recorded; nothing of it counts.
    """

    @wraps(operation)
    async def method(self: PartT, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._store.execute(
            lambda connection: operation(self, connection, *args, **kwargs)
        )

    return method


def posted(
    operation: Callable[Concatenate[PartT, sqlite3.Connection, P], object],
) -> Callable[Concatenate[PartT, P], None]:
    """Make a method that queues the operation and returns; a later `durable` one is behind it."""

    @wraps(operation)
    def method(self: PartT, /, *args: P.args, **kwargs: P.kwargs) -> None:
        self._store.post(lambda connection: operation(self, connection, *args, **kwargs))

    return method
