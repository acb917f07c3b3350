"""`curl` against `serve`, as the vendor's documentation would have it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.test_serve_command import serving
from tests.support.command import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = next((Path(__file__).parents[2] / "samples").rglob("*.djvu"))
CONVERT = "v5.0/ocr/djvu2pdf"
CURL = shutil.which("curl")

pytestmark = pytest.mark.skipif(CURL is None, reason="curl is not installed")


def curl(*arguments: str | Path) -> str:
    done = subprocess.run(
        [str(CURL), "--silent", "--show-error", "--fail", *arguments],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode()


def test_curl_converts_a_document(tmp_path: Path) -> None:
    body = tmp_path / "body.json"
    image = base64.b64encode(SAMPLE.read_bytes()).decode()
    body.write_text(json.dumps({"image": image, "settings": {"language": "English"}}))
    with serving(tmp_path, "--data-dir", tmp_path / "data") as (service, address):
        form = "grant_type=client_credentials&client_id=me&client_secret=secret"
        token = json.loads(curl("-d", form, f"{address}/connect/token"))["access_token"]
        bearer = ("-H", f"Authorization: Bearer {token}")
        json_type = ("-H", "Content-Type: application/json")
        task_id = curl(*bearer, *json_type, "-d", f"@{body}", f"{address}/{CONVERT}")
        expecting = ("-H", "Expect: 100-continue", "-H", "Transfer-Encoding: chunked")
        other = curl(
            *bearer, *json_type, *expecting, "-T", body, "-X", "POST", f"{address}/{CONVERT}"
        )

        def status(name: str) -> Callable[[], bool]:
            where = f"{address}/v5.0/ocr/Utilities/GetTaskStatus?id={name}"
            return lambda: bool(json.loads(curl(*bearer, where))["taskStatus"] == "Completed")

        for name in (task_id, other):
            wait_until(status(name), "a PDF")
            answer = json.loads(curl(*bearer, "--compressed", f"{address}/{CONVERT}?id={name}"))
            assert base64.b64decode(answer["results"][0]["data"]).startswith(b"%PDF-")
        curl(*bearer, "-X", "DELETE", f"{address}/{CONVERT}?id={task_id}")
        gone = json.loads(curl(*bearer, f"{address}/{CONVERT}?id={task_id}"))
        assert gone["taskStatus"] == "NotExist"
        service.signal(15)
        service.finish()
