"""The files of the page: package data, read once, and asked for again only when they change."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

_FOLDER: Final = resources.files("batch_converter.server") / "assets"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_OTHER: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asset:
    body: bytes
    content_type: str
    etag: str


class Assets:
    """What stands in a folder, by name.

    Args:
        files: Their contents.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._assets = {name: _asset(name, body) for name, body in files.items()}

    @classmethod
    def load(cls, folder: Traversable = _FOLDER) -> Assets:
        """Read all files of the folder; blocks."""
        return cls({one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()})

    async def send_asset(self, request: web.Request) -> web.Response:
        """Answer with the file of this name, or that it is what the browser has."""
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="there is no such file")
        headers: dict[str, str] = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{asset.etag}"'}
        matches = request.if_none_match or ()
        if any(one.value in {asset.etag, "*"} for one in matches):
            return web.Response(status=304, headers=headers)
        return self.response(request.match_info["name"], headers=headers)

    def response(self, name: str, *, headers: Mapping[str, str]) -> web.Response:
        """Return a file as an answer.

        Raises:
            HTTPNotFound: It is not there.
        """
        asset = self._assets.get(name)
        if asset is None:
            raise web.HTTPNotFound(text="there is no such file")
        about: dict[str, str] = {hdrs.CONTENT_TYPE: asset.content_type, **headers}
        return web.Response(body=asset.body, headers=about)


def _asset(name: str, body: bytes) -> _Asset:
    content_type = _TYPES.get(PurePosixPath(name).suffix.lower(), _OTHER)
    return _Asset(body=body, content_type=content_type, etag=hashlib.sha256(body).hexdigest()[:32])
