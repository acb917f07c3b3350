"""One file after the other, as tutorials of such services have it: submit, ask, wait, write."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

CONVERT = "/v5.0/ocr/DjVu2PDF"
PAUSE_S = 5


def convert(source: Path, output: Path, url: str) -> None:
    """Submit a file, ask every few seconds whether it is done, write its PDF; then the next."""
    token = json.loads(_answer(f"{url}/connect/token", b"grant_type=client_credentials"))
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    for path in sorted(source.rglob("*.djvu")):
        image = base64.b64encode(path.read_bytes()).decode()
        body = json.dumps({"image": image, "settings": {}}).encode()
        submitted = {**headers, "Content-Type": "application/json"}
        task_id = _answer(url + CONVERT, body, submitted).decode().strip().strip('"')
        target = output / path.relative_to(source).with_suffix(".pdf")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(_completed(f"{url}{CONVERT}?id={task_id}", headers)))


def _completed(address: str, headers: dict[str, str]) -> str:
    while True:
        answer: Any = json.loads(_answer(address, None, headers))
        if answer["taskStatus"] == "Completed":
            data: str = answer["results"][0]["data"]
            return data
        time.sleep(PAUSE_S)


def _answer(address: str, body: bytes | None, headers: dict[str, str] | None = None) -> bytes:
    request = urllib.request.Request(address, data=body, headers=headers or {})  # noqa: S310  # our own
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # our own
        data: bytes = answer.read()
        return data
