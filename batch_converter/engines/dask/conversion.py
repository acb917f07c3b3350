"""One document on its way through a cluster: at once, or in parts that are put together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import anyio

from batch_converter.djvu.jobs.part_files import remove_parts
from batch_converter.djvu.jobs.parts import parts_of
from batch_converter.djvu.work.answers import error_of
from batch_converter.engines.dask.orders import Order, Target
from batch_converter.engines.dask.shared_files import facts_of, remove_beside, write_word
from batch_converter.errors import OutputError, UnreadableError
from batch_converter.task_groups import first_raised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batch_converter.djvu.jobs.options import ConvertOptions
    from batch_converter.engines.base import SourceDocument
    from batch_converter.engines.dask.dispatch import Dispatch
    from batch_converter.engines.dask.shared_files import SourceFacts
    from batch_converter.engines.dask.wishes import Wishes
    from batch_converter.engines.local.asking import Workers
    from batch_converter.threads import DiskThreads

T = TypeVar("T")

_KEY_BYTES: Final = 16
_FIRST: Final = 1_000_000_000
"""What ends a document comes before all that is yet to be begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the documents of a run share.

    Attributes:
        dispatch: Gives out tasks.
        options: How documents are converted; nothing in them depends on a machine.
        at_home: A process on this machine, for what the cluster's do not see.
        told: Told of a document, by its name, why something of it is tried again.
    """

    dispatch: Dispatch
    wishes: Wishes
    options: ConvertOptions
    page_timeout_s: float
    at_home: Workers
    threads: DiskThreads
    told: Callable[[str, str], None]


class _Made(NamedTuple):
    """A PDF that was written; its length, where another machine has told it."""

    warnings: Sequence[str]
    place: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A task that has ended well."""

    told: Mapping[str, Any]
    place: str
    size_bytes: int
    is_shared: bool
    is_elsewhere: bool


class ClusterConversion:
    """The tasks of one document.

    Args:
        source: What is converted.
        target: The run's part file.
        means: What all documents share.
        order: Its place among the documents; the earlier come first.
    """

    def __init__(self, source: SourceDocument, target: str, means: Means, order: int) -> None:
        self._source = source
        self._target = Target(path=target, word=token_hex(_KEY_BYTES))
        self._means = means
        self._order = order
        self._document = token_hex(_KEY_BYTES)
        self._parts: list[str] = []
        self._was_retried = False

    async def run(self) -> Sequence[str]:
        """Convert it; returns its warnings.

        Raises:
            FileError: It cannot be converted, read or written, or workers die of it.
            MachineExhaustedError: This machine has no process to put parts together.
        """
        facts = await self._begun()
        try:
            warnings, place, size_bytes = await self._convert(facts)
            await self._means.threads.run(_take_place, place, self._target.path, size_bytes)
        except BaseException:
            await self._tidy(remove_beside, self._target.path)
            raise
        if self._was_retried:
            await self._tidy(remove_beside, self._target.path)
        elif self._parts:
            await self._tidy(remove_parts, self._parts)
        return warnings

    async def _tidy(self, remove: Callable[[T], None], what: T) -> None:
        """Remove parts, and what workers left that were given up."""
        with anyio.CancelScope(shield=True):
            await self._means.threads.start(remove, what)

    async def _convert(self, facts: SourceFacts) -> _Made:
        done = await self._ask(facts, "document", -self._order)
        if done.told.get("needs_others"):
            return await self._convert_here()
        if not done.told.get("is_long"):
            return _Made(done.told["warnings"], done.place, done.size_bytes)
        pages: int = done.told["pages"]
        parts = await self._convert_parts(facts, parts_of(pages))
        results = [part.told["result"] for part in parts]
        sizes = {part.place: part.size_bytes for part in parts}
        self._parts = list(sizes)
        if all(part.is_shared for part in parts):
            details = {"sizes": sizes, "results": results, "pages": pages}
            whole = await self._ask(facts, "assemble", _FIRST - self._order, **details)
            if not whole.is_elsewhere:
                return _Made(whole.told["warnings"], whole.place, whole.size_bytes)
        return await self._assemble_here(self._parts, results, pages)

    async def _convert_parts(self, facts: SourceFacts, parts: Sequence[range]) -> list[_Done]:
        """Have all parts done at once; the first failure calls the others off."""
        done: dict[int, _Done] = {}

        async def ask(number: int, pages: range) -> None:
            done[number] = await self._ask(
                facts, "part", -self._order, start=pages.start, stop=pages.stop
            )

        with first_raised():
            async with anyio.create_task_group() as group:
                for number, pages in enumerate(parts):
                    group.start_soon(ask, number, pages)
        return [done[number] for number in range(len(parts))]

    async def _assemble_here(self, parts: list[str], results: list[Any], pages: int) -> _Made:
        """Put parts together that came in pieces, or that no worker saw."""
        return await self._made_here("assemble", pages, parts=parts, results=results)

    async def _convert_here(self) -> _Made:
        """Convert a page that is no use without the files beside it, which workers do not see."""
        return await self._made_here("convert", 1)

    async def _made_here(self, kind: str, pages: int, **details: object) -> _Made:
        place = self._target.new_place()
        job = {"job": kind, "source": self._source.path, "target": place, **details}
        told = await self._means.at_home.ask(job, (float(self._order),), pages=pages)
        return _Made(told["warnings"], place, None)

    async def _begun(self) -> SourceFacts:
        threads = self._means.threads
        try:
            facts = await threads.run(facts_of, self._source.path)
        except OSError as error:
            raise UnreadableError(f"it cannot be read: {error.strerror}") from error
        try:
            await threads.run(write_word, self._target.path, self._target.word)
        except OSError as error:
            raise OutputError(f"the PDF cannot be written: {error.strerror}") from error
        return facts

    async def _ask(self, facts: SourceFacts, kind: str, priority: int, **details: object) -> _Done:
        """Have a task done.

        Raises:
            FileError: It failed.
        """
        answer = await self._means.dispatch.ask(
            partial(self._make_order, facts, kind, details),
            priority=priority,
            on_retry=self._note_retry,
        )
        told = answer.told or {}
        if "error" in told:
            raise error_of(told)
        return _Done(
            told=told,
            place=answer.place,
            size_bytes=answer.size_bytes,
            is_shared=answer.held_by is None,
            is_elsewhere=answer.is_elsewhere,
        )

    def _make_order(
        self, facts: SourceFacts, kind: str, details: Mapping[str, Any], *, is_alone: bool
    ) -> Order:
        return Order(
            key=f"djvu-{kind}-{token_hex(_KEY_BYTES)}",
            document=self._document,
            wishes=self._means.wishes,
            kind=kind,
            options=self._means.options,
            page_timeout_s=self._means.page_timeout_s,
            source=facts,
            target=self._target,
            details=details,
            is_alone=is_alone,
        )

    def _note_retry(self, reason: str) -> None:
        self._was_retried = True
        self._means.told(self._source.name, reason)


def _take_place(place: str, target: str, size_bytes: int | None) -> None:
    """Put what was written in the place of the part; blocking.

    Raises:
        OutputError: It is not there, or not what was written.
    """
    try:
        found_bytes = os.stat(place).st_size  # noqa: PTH116  # a path as str, its bytes kept
        if size_bytes is not None and found_bytes != size_bytes:
            raise OutputError(
                f"a worker has written {size_bytes} bytes of its PDF, and {found_bytes} are there"
            )
        os.replace(place, target)  # noqa: PTH105  # as above
    except OSError as error:
        raise OutputError(f"the PDF that a worker wrote is gone: {error.strerror}") from error
