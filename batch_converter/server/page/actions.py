"""What a person does with documents: cancel, try again, remove, one or many."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import anyio
import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from batch_converter.server.guards import owner_of
from batch_converter.server.page.asking import answer_json, read_json
from batch_converter.server.queue import ENDED, OPEN, DocumentState
from batch_converter.server.requests import storing
from batch_converter.task_groups import unwrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from collections.abc import Set as AbstractSet

    from batch_converter.clock import Clock
    from batch_converter.server.admission import Admission
    from batch_converter.server.conversions import Conversions
    from batch_converter.server.page.asking import Documents
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.storage import DataFolder

_log = structlog.get_logger()

_AT_ONCE: Final = 500
_S = DocumentState
_AGAIN: Final = frozenset({_S.FAILED, _S.CANCELLED})


class BulkAction(BaseModel):
    """What is to be done with all documents that it is meant for."""

    model_config = ConfigDict(strict=True)

    action: Literal["retry_failed", "cancel_all", "remove_ended"]


class Actions:
    """Cancels, tries again and removes documents of a session.

    Args:
        documents: Finds the one that is named.
        queue: Where the rows are.
        folder: Where the files are.
        admission: Asked before a document takes a place in the queue again.
        conversions: Told of documents that are wanted, or not any more.
        clock: When a document was cancelled.
    """

    def __init__(
        self,
        documents: Documents,
        queue: DocumentQueue,
        folder: DataFolder,
        *,
        admission: Admission,
        conversions: Conversions,
        clock: Clock,
    ) -> None:
        self._documents = documents
        self._queue = queue
        self._folder = folder
        self._admission = admission
        self._conversions = conversions
        self._clock = clock

    # One document

    async def cancel_document(self, request: web.Request) -> web.Response:
        """End it; what was sent of it is kept, so that it can be wanted after all."""
        document = await self._documents.named(request)
        if document.state is not _S.CANCELLED and not await self._cancel(document):
            raise web.HTTPConflict(text="it has ended already")
        return web.Response(status=204)

    async def retry_document(self, request: web.Request) -> web.Response:
        """Have it converted again, or, where its upload was cancelled, sent to its end."""
        document = await self._documents.named(request)
        if document.state not in _AGAIN:
            raise web.HTTPConflict(text="only what failed or was cancelled can be tried again")
        if not await self._can_be_tried(document):
            raise web.HTTPConflict(text="its file is not here; choose it again")
        await self._retry(document)
        self._conversions.wake()
        return web.Response(status=204)

    async def remove_document(self, request: web.Request) -> web.Response:
        """Forget it, files and all."""
        await self._remove(await self._documents.named(request))
        return web.Response(status=204)

    # Many

    async def act_on_all(self, request: web.Request) -> web.Response:
        """Do something with all documents that it is meant for; answers with how many."""
        action = (await read_json(request, BulkAction)).action
        owner = owner_of(request)
        ways = {
            "retry_failed": self._retry_failed,
            "cancel_all": self._cancel_all,
            "remove_ended": self._remove_ended,
        }
        count = await ways[action](owner)
        _log.info("server.page_bulk_action", action=action, count=count)
        return answer_json({"count": count})

    async def _retry_failed(self, owner: str) -> int:
        """Try again as many as there is a place for; refuse if there is none."""
        count = 0
        refusals: list[web.HTTPException] = []

        async def retry(document: QueuedDocument) -> bool:
            try:
                return await self._retry(document)
            except web.HTTPException as refusal:
                refusals.append(refusal)
                return False

        async for page in self._pages(owner, {_S.FAILED}):
            count += await self._each([one for one in page if await self._can_be_tried(one)], retry)
            self._conversions.wake()
            if refusals:
                break
        if refusals and not count:
            raise refusals[0]
        return count

    async def _cancel_all(self, owner: str) -> int:
        count = 0
        async for page in self._pages(owner, OPEN):
            count += await self._each(page, self._cancel)
        return count

    async def _remove_ended(self, owner: str) -> int:
        count = 0
        async for page in self._pages(owner, ENDED):
            count += await self._each(page, partial(self._remove, only_from=ENDED))
        return count

    async def _pages(
        self, owner: str, states: AbstractSet[DocumentState]
    ) -> AsyncIterator[Sequence[QueuedDocument]]:
        """Give an owner's documents in these states, page by page."""
        after = 0
        while page := await self._queue.of_owner(owner, after=after, limit=_AT_ONCE):
            after = page[-1].number
            yield [one for one in page if one.state in states]

    async def _each(
        self,
        documents: Sequence[QueuedDocument],
        action: Callable[[QueuedDocument], Awaitable[bool]],
    ) -> int:
        """Do it with all at once, so that they share the flushes of the disk; count successes."""
        count = 0

        async def act(document: QueuedDocument) -> None:
            nonlocal count
            is_done = await action(document)  # before `count` is looked at: others count, too
            count += is_done

        with unwrapped():
            async with anyio.create_task_group() as tasks:
                for document in documents:
                    tasks.start_soon(act, document)
        return count

    # What is done with each

    async def _cancel(self, document: QueuedDocument) -> bool:
        with storing():
            cancelled = await self._queue.change(
                document.id, _S.CANCELLED, only_from=OPEN, ended_at=self._clock.now()
            )
        if cancelled is None:
            return False
        self._conversions.call_off(document.id)
        return True

    async def _can_be_tried(self, document: QueuedDocument) -> bool:
        """Whether its file is here, as far as it was sent; one that was cut short may go on."""
        if not document.is_whole and document.state is _S.FAILED:
            return False
        path = self._folder.upload_path(document.id)
        return await self._folder.threads.run(path.exists)

    async def _retry(self, document: QueuedDocument) -> bool:
        """Give it a place in the queue again.

        Raises:
            HTTPException: There is none, or that cannot be recorded.
        """
        state = _S.WAITING if document.is_whole else _S.UPLOADING
        changes: dict[str, Any] = {"started_at": None if document.is_whole else self._clock.now()}
        changes |= {"ended_at": None, "error_code": None, "messages": (), "crashes": 0}
        async with self._admission.admitted(document.owner, 0):
            await self._conversions.let_go(document.id)  # before, its files are not to be touched
            with storing():
                changed = await self._queue.change(document.id, state, only_from=_AGAIN, **changes)
        return changed is not None

    async def _remove(
        self, document: QueuedDocument, only_from: AbstractSet[DocumentState] = frozenset(_S)
    ) -> bool:
        with storing():
            removed = await self._queue.remove_one(document.id, only_from=only_from)
        if removed is None:
            return False
        self._conversions.call_off(document.id)
        await self._folder.remove(document.id)
        return True
