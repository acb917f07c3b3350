"""The vendor's client in a pool of threads: it neither checks nor records anything."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import aspose_ocr_cloud

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 32


def convert(source: Path, output: Path, url: str) -> None:
    """Submit, fetch and write each file with the vendor's client."""
    client = aspose_ocr_cloud
    configuration = client.Configuration(host=url, access_token="token")  # noqa: S106  # no secret: the service of the benchmark takes any
    service = client.DjVu2PDFApi(client.ApiClient(configuration))

    def convert(path: Path) -> None:
        image = base64.b64encode(path.read_bytes()).decode()
        body = client.OCRDjVu2PDFBody(image=image, settings=client.OCRSettingsDjVu2PDF())
        answer = service.get_dj_vu2_pdf(service.post_dj_vu2_pdf(body).strip().strip('"'))
        target = output / path.relative_to(source).with_suffix(".pdf")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(base64.b64decode(answer.results[0].data))

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(convert, sorted(source.rglob("*.djvu"))):
            pass
