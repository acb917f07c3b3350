"""An instant service: every document is Completed as soon as it is asked for."""

from __future__ import annotations

import argparse
import base64
import io
import uuid

import pikepdf
from aiohttp import web


def _pdf(size_bytes: int) -> bytes:
    """Return a PDF of about this size."""
    out = io.BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.Root.Filler = pdf.make_stream(b"x" * size_bytes)
        pdf.save(out, compress_streams=False)
    return out.getvalue()


def application(pdf_bytes: int) -> web.Application:
    """Return the service; it remembers nothing."""
    data = base64.b64encode(_pdf(pdf_bytes))
    tail = (
        b'","taskStatus":"Completed","responseStatusCode":"Ok","results":[{"type":"Pdf","data":"'
        + data
        + b'"}],"error":null}'
    )

    async def token(_: web.Request) -> web.Response:
        return web.json_response(
            {"access_token": "t" * 40, "expires_in": 3600, "token_type": "bearer"}
        )

    async def submit(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(text=str(uuid.uuid4()))

    async def fetch(request: web.Request) -> web.Response:
        body = b'{"id":"' + request.query["id"].encode() + tail
        return web.Response(body=body, content_type="application/json")

    service = web.Application(client_max_size=1 << 30)
    service.router.add_post("/connect/token", token)
    for path in ("/v5.0/ocr/djvu2pdf", "/v5.0/ocr/DjVu2PDF"):
        service.router.add_post(path, submit)
        service.router.add_get(path, fetch)
    return service


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--pdf-bytes", type=int, required=True)
    given = arguments.parse_args()
    service = application(given.pdf_bytes)
    web.run_app(service, host="127.0.0.1", port=given.port, access_log=None)
