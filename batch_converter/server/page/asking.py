"""What requests of the page say: numbers, JSON, and which document they mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from batch_converter.server.answers import json_response
from batch_converter.server.expectations import ask_for_body
from batch_converter.server.guards import owner_of
from batch_converter.wire import JSON_TYPE

if TYPE_CHECKING:
    from batch_converter.server.queue import DocumentQueue, QueuedDocument
    from batch_converter.server.retention import Retention

Model = TypeVar("Model", bound=BaseModel)

MOST: Final = 2**53 - 1
"""The greatest whole number that a browser knows exactly."""


def number_of(text: str | None, name: str, *, default: int | None, most: int = MOST) -> int:
    """Return the whole number that a request gives.

    Raises:
        HTTPBadRequest: It is none, or out of bounds, or missing without a default.
    """
    if text is None and default is not None:
        return default
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST))):
        raise web.HTTPBadRequest(text=f"{name} has to be a whole number")
    if (number := int(text)) > most:
        raise web.HTTPBadRequest(text=f"{name} may be {most} at most")
    return number


async def read_json(request: web.Request, model: type[Model]) -> Model:
    """Return the body as what it has to be.

    Raises:
        HTTPUnsupportedMediaType: It is not called JSON.
        HTTPBadRequest: It is not what it has to be.
    """
    if request.content_type != JSON_TYPE:
        raise web.HTTPUnsupportedMediaType(text=f"the body has to be {JSON_TYPE}")
    await ask_for_body(request)
    body = await request.read()
    try:
        # Not pydantic's own parser: names of files may hold half of a surrogate pair.
        given = json.loads(body)
    except (ValueError, RecursionError) as error:  # of ValueErrors one is of a number too long
        raise web.HTTPBadRequest(text="the body is no JSON") from error
    try:
        return model.model_validate(given)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise web.HTTPBadRequest(text="the body will not do: " + "; ".join(faults)) from error


def answer_json(value: object, *, status: int = 200) -> web.Response:
    """Return the value as JSON."""
    return json_response(orjson.dumps(value), status=status)


class Documents:
    """Finds what requests name.

    Args:
        queue: Where the rows are.
        retention: Knows whose time is over.
    """

    def __init__(self, queue: DocumentQueue, retention: Retention) -> None:
        self._queue = queue
        self._retention = retention

    async def named(self, request: web.Request) -> QueuedDocument:
        """Return the document that the path names.

        Raises:
            HTTPNotFound: There is none of this session's.
        """
        found = await self._queue.find(request.match_info["id"], owner_of(request))
        if found is None or self.is_over(found):
            raise web.HTTPNotFound(text="there is no such document")
        return found

    def is_over(self, document: QueuedDocument) -> bool:
        """Whether the document's time is over, swept or not."""
        return self._retention.is_over(document)
