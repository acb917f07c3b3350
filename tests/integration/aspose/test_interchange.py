"""Our client and the vendor's against `serve`: what one begins the other can end."""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import anyio.to_thread
import pytest
from aiohttp.test_utils import TestServer
from aspose_ocr_cloud.api.dj_vu2_pdf_api import DjVu2PDFApi
from aspose_ocr_cloud.api_client import ApiClient
from aspose_ocr_cloud.configuration import Configuration
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocrdj_vu2_pdf_body import OCRDjVu2PDFBody
from pydantic import SecretStr

from batch_converter.clock import SystemClock
from batch_converter.config import LocalSettings, ServeSettings
from batch_converter.engines.base import Failed, Gone, NotReady, Ready
from batch_converter.engines.local import LocalEngine
from batch_converter.errors import AccountRefusedError
from batch_converter.server import open_application

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from batch_converter.engines.base import Fetched, SourceDocument
    from tests.integration.aspose.conftest import Bench, Driven, MemorySink

SAMPLE = Path(__file__).parents[3] / "samples" / "bitonal.djvu"
ACCOUNT = {"client_id": "an-id", "client_secret": SecretStr("a-secret")}


class Vendor:
    """The vendor's client; its calls block, so they are made in threads."""

    def __init__(self, address: str, token: str) -> None:
        configuration = Configuration(host=address, access_token=token)
        self._api = DjVu2PDFApi(ApiClient(configuration))

    async def submit(self, document: bytes) -> str:
        image = base64.b64encode(document).decode()
        body = OCRDjVu2PDFBody(image=image, settings=OCRSettingsDjVu2PDF())
        task_id: str = await anyio.to_thread.run_sync(self._api.post_dj_vu2_pdf, body)
        return task_id

    async def fetch(self, task_id: str) -> Any:  # noqa: ANN401  # the client is untyped
        return await anyio.to_thread.run_sync(self._api.get_dj_vu2_pdf, task_id)

    async def cancel(self, task_id: str) -> None:
        await anyio.to_thread.run_sync(self._api.cancel_dj_vu2_pdf, task_id)


@asynccontextmanager
async def both(bench: Bench) -> AsyncIterator[tuple[Driven, Vendor]]:
    """Run the service and open both clients of it."""
    local = LocalEngine(LocalSettings(), workers=1)
    settings = ServeSettings.model_validate(ACCOUNT)
    bench.clock = SystemClock()  # type: ignore[assignment]  # conversions take real time
    async with (
        open_application(settings, local, workers=1) as app,
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
    ):
        address = str(server.make_url("/")).rstrip("/")
        form = {
            "grant_type": "client_credentials",
            "client_id": "an-id",
            "client_secret": "a-secret",
        }
        async with session.post(address + "/connect/token", data=form) as response:
            token = (await response.json())["access_token"]
        async with bench.engine(base_url=address, **ACCOUNT) as engine:
            yield engine, Vendor(address, token)


async def fetched(
    bench: Bench, engine: Driven, document: SourceDocument, task_id: str
) -> tuple[Fetched, MemorySink]:
    """Ask until the task has ended."""
    sink = bench.sink()
    while True:
        answer = await engine.fetch(document, bench.task(task_id), sink)
        if not isinstance(answer, NotReady):
            return answer, sink


async def test_what_one_client_submits_the_other_fetches_alike(bench: Bench) -> None:
    document = bench.document(SAMPLE.read_bytes())
    async with both(bench) as (ours, vendor):
        submissions: list[Callable[[], Any]] = [
            lambda: ours.submit(document),
            lambda: vendor.submit(SAMPLE.read_bytes()),
        ]
        for submit in submissions:
            task_id = await submit()
            answer, sink = await fetched(bench, ours, document, task_id)
            theirs = await vendor.fetch(task_id)
            assert answer == Ready()
            assert sink.pdf.startswith(b"%PDF-")
            assert sink.pdf == base64.b64decode(theirs.results[0].data, validate=True)


async def test_a_failure_says_the_same_to_both(bench: Bench) -> None:
    document = bench.document(b"this is no DjVu")
    async with both(bench) as (ours, vendor):
        task_id = await ours.submit(document)
        answer, _ = await fetched(bench, ours, document, task_id)
        theirs = await vendor.fetch(task_id)
    assert isinstance(answer, Failed)
    assert list(answer.messages) == theirs.error.messages


async def test_what_one_client_cancels_is_gone_for_the_other(bench: Bench) -> None:
    document = bench.document(SAMPLE.read_bytes())
    async with both(bench) as (ours, vendor):
        first, second = await vendor.submit(SAMPLE.read_bytes()), await ours.submit(document)
        await ours.cancel(document, bench.task(first))
        await vendor.cancel(second)
        await ours.cancel(document, bench.task(second))
        assert (await vendor.fetch(first)).task_status == "NotExist"
        answer, _ = await fetched(bench, ours, document, second)
    assert answer == Gone(status="NotExist")


async def test_wrong_credentials_are_refused_by_serve(bench: Bench) -> None:
    async with both(bench) as (ours, _):
        address = ours.engine.address
        async with bench.engine(base_url=address, client_id="somebody") as engine:
            with pytest.raises(AccountRefusedError, match="invalid_client"):
                await engine.submit(bench.document())
