"""The vendor's own client against our service: real uploads, the embedded engine, real PDFs."""

from __future__ import annotations

import base64
import io
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import anyio.to_thread
import pikepdf
import pytest
from aiohttp.test_utils import TestServer
from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api.utilities_api import UtilitiesApi
from aspose_ocr_cloud.api_client import ApiClient
from aspose_ocr_cloud.configuration import Configuration
from aspose_ocr_cloud.exceptions import UnauthorizedException
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody

from batch_converter.config import LocalSettings, ServeSettings
from batch_converter.engines.local import LocalEngine
from batch_converter.server import open_application
from tests.support.djvu_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FORM = {"grant_type": "client_credentials", "client_id": "any", "client_secret": "pair"}


@asynccontextmanager
async def service() -> AsyncIterator[tuple[str, str]]:
    """Run the service and give its address and a token, as the vendor's users fetch it."""
    engine = LocalEngine(LocalSettings(), workers=1)
    async with (
        open_application(ServeSettings(), engine, workers=1) as app,
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/connect/token"), data=FORM) as response,
    ):
        token = (await response.json())["access_token"]
        yield str(server.make_url("/")).rstrip("/"), token


class VendorClient:
    """The vendor's two interfaces; its calls block, so they are made in threads."""

    def __init__(self, address: str, token: str) -> None:
        configuration = Configuration(host=address, access_token=token)
        client = ApiClient(configuration)
        self._documents = DjVu2PDFApi(client)
        self._utilities = UtilitiesApi(client)

    async def post(self, document: bytes) -> str:
        body = OCRDjVu2PDFBody(
            image=base64.b64encode(document).decode(), settings=OCRSettingsDjVu2PDF()
        )
        task_id: str = await anyio.to_thread.run_sync(self._documents.post_dj_vu2_pdf, body)
        return task_id

    async def get(self, task_id: str) -> Any:  # noqa: ANN401  # the client is untyped
        return await anyio.to_thread.run_sync(self._documents.get_dj_vu2_pdf, task_id)

    async def status(self, task_id: str) -> Any:  # noqa: ANN401  # of whichever library is measured
        return await anyio.to_thread.run_sync(self._utilities.get_task_status, task_id)

    async def cancel(self, task_id: str) -> None:
        await anyio.to_thread.run_sync(self._documents.cancel_dj_vu2_pdf, task_id)

    async def wait(self, task_id: str) -> Any:  # noqa: ANN401  # of whichever library is measured
        with anyio.fail_after(50):
            while (await self.status(task_id)).task_status in {"Pending", "Processing"}:
                pass
        return await self.get(task_id)


async def test_a_document_goes_through_the_vendors_client() -> None:
    async with service() as (address, token):
        client = VendorClient(address, token)
        task_id = await client.post((SAMPLES / "book.djvu").read_bytes())
        assert str(uuid.UUID(task_id)) == task_id
        answer = await client.wait(task_id)
    assert answer.id == task_id
    assert answer.task_status == "Completed"
    assert answer.response_status_code == "Ok"
    assert answer.error is None
    (result,) = answer.results
    assert result.type == "Pdf"
    with pikepdf.open(io.BytesIO(base64.b64decode(result.data, validate=True))) as pdf:
        assert len(pdf.pages) > 1


async def test_the_vendors_client_understands_a_failure() -> None:
    async with service() as (address, token):
        client = VendorClient(address, token)
        answer = await client.wait(await client.post(b"this is no DjVu"))
    assert answer.task_status == "Error"
    assert answer.response_status_code == "Error"
    assert answer.results is None
    assert answer.error.messages


async def test_the_vendors_client_cancels_and_sees_it_gone() -> None:
    async with service() as (address, token):
        client = VendorClient(address, token)
        task_id = await client.post((SAMPLES / "bitonal.djvu").read_bytes())
        await client.cancel(task_id)
        for answer in (await client.get(task_id), await client.status(task_id)):
            assert answer.task_status == "NotExist"
            assert answer.results is None


async def test_the_vendors_client_understands_a_refused_token() -> None:
    async with service() as (address, _):
        client = VendorClient(address, "made up")
        with pytest.raises(UnauthorizedException) as caught:
            await client.post(b"x")
        with pytest.raises(UnauthorizedException):
            await client.get(str(uuid.uuid4()))
    assert caught.value.status == 401
