"""The list: documents as the page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from batch_converter.errors import ErrorCode
from batch_converter.naming import wanted_output
from batch_converter.server.guards import owner_of
from batch_converter.server.page.asking import answer_json, number_of
from batch_converter.server.queue import DocumentState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from batch_converter.server.queue import DocumentQueue, OwnerTotals, QueuedDocument
    from batch_converter.server.retention import Retention

_LIMIT: Final = 100
_MOST: Final = 500

_AGAIN: Final = "Try it again; if that does not help, ask whoever runs the service."
ADVICE: Final[Mapping[str, str]] = {
    ErrorCode.NOT_DJVU: "Choose a whole DjVu file, fetched again if it is cut off; one whose"
    " pages are files of their own has to be saved as a single (bundled) document first.",
    ErrorCode.UNREADABLE: "Remove it, and choose the file again.",
    ErrorCode.TOO_LARGE: "Split the document into smaller ones, or ask whoever runs the service to"
    " raise its limits.",
    ErrorCode.REJECTED: "Remove it, and choose the file again.",
    ErrorCode.CONVERSION_ERROR: "See whether a DjVu viewer shows the document; if it does not, scan"
    " or fetch it again.",
    ErrorCode.EXPIRED: _AGAIN,
    ErrorCode.BAD_RESPONSE: _AGAIN,
    ErrorCode.BAD_PDF: _AGAIN,
    ErrorCode.TIMEOUT: _AGAIN,
    ErrorCode.NETWORK: _AGAIN,
    ErrorCode.AUTH: "Ask whoever runs the service to look at its credentials.",
    ErrorCode.BUDGET: "Ask whoever runs the service to raise its budget.",
    ErrorCode.OUTPUT_ERROR: "Try it again when the service has room on its disk.",
    ErrorCode.ENGINE_ERROR: "See whether a DjVu viewer shows the document; if it does, try it"
    " again.",
    ErrorCode.CANCELLED: "Try it again if it is wanted after all.",
}
"""What to do about each code, in one sentence."""


class DocumentRows:
    """Says of documents what the page shows.

    Args:
        queue: Knows places in the queue.
        retention: Knows how long each is kept.
    """

    def __init__(self, queue: DocumentQueue, retention: Retention) -> None:
        self._queue = queue
        self._retention = retention

    async def of(self, documents: Sequence[QueuedDocument]) -> list[dict[str, Any]]:
        """Return documents of one owner, to be sent as JSON."""
        places = await self._queue.places(documents)
        return [self._row(one, places.get(one.number)) for one in documents]

    def _row(self, document: QueuedDocument, place: int | None) -> dict[str, Any]:
        begun = None if document.state is DocumentState.UPLOADING else document.started_at
        ready = document.state is DocumentState.READY
        return {
            "id": document.id,
            "name": document.name,
            # The link's, called as its row is; what the file is saved as has to suit any system.
            "pdf_name": wanted_output(document.name),
            "state": document.state.value,
            "size_bytes": document.size_bytes,
            "received_bytes": document.received_bytes,
            "pages": document.pages,
            "pdf_bytes": document.pdf_bytes if ready else None,
            "place": place if document.state is DocumentState.WAITING else None,
            "submitted_at": _time(document.submitted_at),
            "started_at": _time(begun),
            "ended_at": _time(document.ended_at),
            "kept_until": _time(self._retention.kept_until(document)),
            "error": _error(document),
            "warnings": list(document.warnings),
            "sequence": document.sequence,
        }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _error(document: QueuedDocument) -> dict[str, str | None] | None:
    if document.state is not DocumentState.FAILED:
        return None
    code = document.error_code or ErrorCode.ENGINE_ERROR.value
    message = "; ".join(document.messages)
    return {"code": code, "message": message, "advice": ADVICE.get(code)}


def totals_of(totals: OwnerTotals) -> dict[str, int]:
    """Return an owner's totals, to be sent as JSON."""
    states = {state.value: totals.states[state] for state in DocumentState}
    return states | {
        "documents": totals.documents,
        "bytes_in": totals.bytes_in,
        "bytes_out": totals.bytes_out,
    }


class DocumentList:
    """Answers with pages of the list.

    Args:
        queue: Where the rows are.
        rows: Says what is shown of them.
    """

    def __init__(self, queue: DocumentQueue, rows: DocumentRows) -> None:
        self._queue = queue
        self._rows = rows

    async def list_documents(self, request: web.Request) -> web.Response:
        """Answer with some documents in the order in which they came, filtered."""
        owner, query = owner_of(request), request.query
        offset = number_of(query.get("offset"), "offset", default=0)
        limit = number_of(query.get("limit"), "limit", default=_LIMIT, most=_MOST)
        sequence = self._queue.sequence  # before looking: what changes meanwhile is told again
        found, total = await self._queue.page(
            owner,
            offset=offset,
            limit=limit,
            text=query.get("filter", ""),
            state=_state_of(query.get("state", "")),
        )
        rows = await self._rows.of(found)
        return answer_json(
            {
                "documents": rows,
                "total": total,
                "totals": totals_of(self._queue.totals.of(owner)),
                "sequence": sequence,
            }
        )


def _state_of(text: str) -> str:
    if text and text not in set(DocumentState):
        raise web.HTTPBadRequest(text=f"state has to be one of: {', '.join(DocumentState)}")
    return text
