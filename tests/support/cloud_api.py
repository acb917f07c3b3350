"""The vendor's API as its documentation tells it: an account, tokens, and tasks.

It shares nothing with the package, so that client and service cannot be wrong together.
How it is served, and what goes wrong on the way, is its users' business.
"""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BODY_BYTES: Final = 1 << 30
_KINDS: Final = {
    ("POST", "/connect/token"): "token",
    ("POST", "/v5.0/ocr/djvu2pdf"): "submit",
    ("GET", "/v5.0/ocr/djvu2pdf"): "poll",
    ("DELETE", "/v5.0/ocr/djvu2pdf"): "cancel",
    ("GET", "/v5.0/ocr/utilities/gettaskstatus"): "poll",
}


@dataclass(slots=True, kw_only=True)
class CloudTask:
    """A document at the service."""

    document: bytes
    settings: object = None
    asked: int = 0
    fetched: bool = False


class CloudApi(ABC):
    """The service without a socket.

    Attributes:
        client_id, client_secret: The one account.
        lifetime_s: Of a token, as it is told.
        questions_needed: The question that finds a document done.
        fates: Document to the `taskStatus` answer that it gets instead of its PDF.
        next_token: What is given out as token; a new one each time where absent.
        tokens: All that were given out.
        tasks: Documents by the id that they were given.
        surprises: What no client should have done.
    """

    def __init__(self, *, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.lifetime_s = 3600
        self.questions_needed = 1
        self.fates: dict[bytes, Mapping[str, Any]] = {}
        self.next_token: str | None = None
        self.tokens: list[str] = []
        self.tasks: dict[str, CloudTask] = {}
        self.surprises: list[str] = []
        self._revoked: set[str] = set()

    @abstractmethod
    def expected(self, document: bytes) -> bytes:
        """Return the PDF that is delivered for a document."""

    def revoke_tokens(self) -> None:
        """No token that was given out is good any more."""
        self._revoked |= set(self.tokens)

    @staticmethod
    def kind_of(request: web.Request) -> str | None:
        """Return which request this is: token, submit, poll, cancel, or none of them."""
        return _KINDS.get((request.method, request.path.lower()))

    async def answer(self, kind: str, request: web.Request) -> web.Response:
        """Do what was asked, and answer as documented."""
        body = await request.read()
        if kind == "token":
            return self._token(dict((await request.post()).items()))
        if not self._is_authorised(request):
            problem = {"title": "Unauthorized", "status": 401}
            return web.json_response(problem, status=401, content_type="application/problem+json")
        if kind == "submit":
            return self.submit(request, body)
        task_id = request.query.get("id", "")
        if kind == "cancel":
            self.tasks.pop(task_id, None)
            return web.Response()
        return self._poll(task_id, fetches="djvu2pdf" in request.path.lower())

    def _token(self, form: Mapping[str, object]) -> web.Response:
        wanted = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }
        if form != wanted:
            return web.json_response({"error": "invalid_client"}, status=400)
        self.tokens.append(self.next_token or f"token-{uuid4().hex}")
        return web.json_response(
            {
                "access_token": self.tokens[-1],
                "expires_in": self.lifetime_s,
                "token_type": "bearer",
            }
        )

    def _is_authorised(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and token in self.tokens and token not in self._revoked

    def submit(self, request: web.Request, body: bytes) -> web.Response:
        """Take a document in."""
        if "Content-Length" not in request.headers:
            self.surprises.append("an upload without Content-Length")
        fields = json.loads(body)
        if set(fields) != {"image", "settings"} or request.content_type != "application/json":
            self.surprises.append(f"a submission with {sorted(fields)}")
        document = base64.b64decode(fields["image"], validate=True)
        return web.Response(text=self.take_in(document, fields["settings"]))

    def take_in(self, document: bytes, settings: object = None) -> str:
        """Make a document a task; return its id."""
        task_id = str(uuid4())
        self.tasks[task_id] = CloudTask(document=document, settings=settings)
        return task_id

    def _poll(self, task_id: str, *, fetches: bool) -> web.Response:
        task = self.tasks.get(task_id)
        if task is None:
            error = {"messages": ["The requested conversion task was not found."]}
            return _envelope(task_id, "NotExist", "Error", error=error)
        task.asked += 1
        if task.asked < self.questions_needed:
            return _envelope(task_id, "Processing" if task.asked > 1 else "Pending", "NotReady")
        task.fetched = True
        if fate := self.fates.get(task.document):
            return web.json_response({"id": task_id, "results": None, **fate})
        data = base64.b64encode(self.expected(task.document)).decode()
        results = [{"type": "Pdf", "data": data}] if fetches else None
        return _envelope(task_id, "Completed", "Ok", results)


def _envelope(
    task_id: str, status: str, code: str, results: object = None, error: object = None
) -> web.Response:
    return web.json_response(
        {
            "id": task_id,
            "taskStatus": status,
            "responseStatusCode": code,
            "results": results,
            "error": error,
        }
    )
