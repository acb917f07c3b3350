"""The vendor's client in a pool of threads: it neither checks nor records anything."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api_client import ApiClient
from aspose_ocr_cloud.configuration import Configuration
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 32


def convert(source: Path, output: Path, url: str) -> None:
    """Submit, fetch and write each file with the vendor's client."""
    configuration = Configuration(host=url, access_token="token")  # noqa: S106  # no secret: the service of the benchmark takes any
    service = DjVu2PDFApi(ApiClient(configuration))

    def convert(path: Path) -> None:
        image = base64.b64encode(path.read_bytes()).decode()
        body = OCRDjVu2PDFBody(image=image, settings=OCRSettingsDjVu2PDF())
        answer = service.get_dj_vu2_pdf(service.post_dj_vu2_pdf(body).strip().strip('"'))
        target = output / path.relative_to(source).with_suffix(".pdf")
        target.parent.mkdir(parents=True, exist_ok=True)
        results: Any = answer.results  # this service always gives one, and as text
        target.write_bytes(base64.b64decode(results[0].data))

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(convert, sorted(source.rglob("*.djvu"))):
            pass
