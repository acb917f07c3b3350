"""The list of the page, what a person does with documents, and whose they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio
import pytest

from batch_converter.engines.base import Ready
from batch_converter.errors import EngineError, ErrorCode, MachineExhaustedError
from batch_converter.server.conversions import PAUSE_S
from batch_converter.server.page.documents import ADVICE
from tests.support.clocks import ManualClock
from tests.support.page_client import another, browsing
from tests.support.service import DJVU, HandConverter

if TYPE_CHECKING:
    from pathlib import Path

    from structlog.typing import EventDict

    from batch_converter.engines.base import PdfTarget, SourceDocument

STATES = ("uploading", "waiting", "converting", "ready", "failed", "cancelled")


class SlowToEnd(HandConverter):
    """Takes its time to let go of a document that was called off."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = anyio.Event()

    async def convert(self, source: Any, target: Any) -> Ready:  # noqa: ANN401  # as the base's
        try:
            return await super().convert(source, target)
        finally:
            with anyio.CancelScope(shield=True):
                await self.may_end.wait()


def test_every_code_has_a_sentence_of_advice() -> None:
    assert set(ADVICE) == set(ErrorCode)
    for advice in ADVICE.values():
        assert advice.endswith(".")
        assert advice.count(". ") == 0


async def test_a_row_says_what_the_page_shows(tmp_path: Path) -> None:
    engine = HandConverter(Ready(warnings=("page 2 is odd",)))
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock, retention_hours=2) as browser:
        document_id = await browser.upload("a/b.DjVu")
        clock.advance(5)
        engine.gate.set()
        row = await browser.until(document_id, "ready")
        submitted = datetime.fromisoformat(row["submitted_at"])
        assert datetime.fromisoformat(row["ended_at"]) - submitted == timedelta(seconds=5)
        assert datetime.fromisoformat(row["kept_until"]) - submitted == timedelta(hours=2)
        assert submitted.utcoffset() == timedelta(0)
        assert row["started_at"] is not None
        assert row | {"submitted_at": "", "started_at": "", "ended_at": "", "kept_until": ""} == {
            "id": document_id,
            "name": "a/b.DjVu",
            "pdf_name": "a/b.pdf",
            "state": "ready",
            "size_bytes": len(DJVU),
            "received_bytes": len(DJVU),
            "pages": None,
            "pdf_bytes": len(engine.pdf),
            "place": None,
            "submitted_at": "",
            "started_at": "",
            "ended_at": "",
            "kept_until": "",
            "error": None,
            "warnings": ["page 2 is odd"],
            "sequence": row["sequence"],
        }


async def test_a_failed_row_says_why_and_what_to_do(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("page 3 is damaged"))
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.upload("a.djvu")
        engine.gate.set()
        row = await browser.until(document_id, "failed")
    assert row["error"] == {
        "code": "engine_error",
        "message": "page 3 is damaged",
        "advice": ADVICE["engine_error"],
    }


class NamingConverter(HandConverter):
    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:  # noqa: ARG002  # the Protocol's
        msg = f"{source.name}: {source.path} is cut off"
        raise EngineError(msg)


async def test_messages_call_a_document_by_its_name(tmp_path: Path) -> None:
    async with browsing(tmp_path, NamingConverter()) as browser:
        document_id = await browser.upload("box/a \u00fc.djvu")
        row = await browser.until(document_id, "failed")
    assert row["error"]["message"] == "a \u00fc.djvu: a \u00fc.djvu is cut off"


async def test_waiting_rows_know_their_place(tmp_path: Path, engine: HandConverter) -> None:
    engine.capacity = 1  # none is begun beside the first
    async with browsing(tmp_path, engine, workers=1) as browser:
        for number in range(4):
            await browser.upload(f"{number}.djvu", DJVU + bytes([number]))
        await browser.service.engine_until(running=1)
        places = [row["place"] for row in await browser.documents()]
        assert places == [None, 1, 2, 3]
        async with another(browser.service) as other:
            await other.upload("x.djvu")
            (row,) = await other.documents()
            assert row["place"] == 2
        assert [row["place"] for row in await browser.documents()] == [None, 2, 3, 4]


async def test_the_list_is_read_in_pages_and_filtered(
    tmp_path: Path, engine: HandConverter
) -> None:
    names = [f"folder/{number}.djvu" for number in range(5)] + ["Über/A\u0308pfel_100%.djvu"]
    async with browsing(tmp_path, engine, workers=1) as browser:
        ids = [
            await browser.upload(name, DJVU + bytes([number])) for number, name in enumerate(names)
        ]
        await browser.service.engine_until(running=1)
        assert await browser.status("POST", f"api/documents/{ids[1]}/cancel") == 204
        answer = await browser.get("api/documents")
        assert [row["name"] for row in answer["documents"]] == names
        assert answer["total"] == 6
        assert answer["totals"] == dict.fromkeys(STATES, 0) | {
            "converting": 1,
            "waiting": 4,
            "cancelled": 1,
            "documents": 6,
            "bytes_in": 6 * (len(DJVU) + 1),
            "bytes_out": 0,
        }
        assert answer["sequence"] == max(row["sequence"] for row in answer["documents"])
        assert [row["name"] for row in await browser.documents("offset=1&limit=2")] == names[1:3]
        for text, found in (("FOLDER", 5), ("über/äpf", 1), ("100%", 1), ("%", 1), ("_", 1)):
            answer = await browser.http.get("api/documents", params={"filter": text})
            assert (await answer.json())["total"] == found, text
        answer = await browser.get("api/documents?state=cancelled&filter=folder")
        assert ([row["id"] for row in answer["documents"]], answer["total"]) == ([ids[1]], 1)
        assert answer["totals"]["documents"] == 6
        for query in ("limit=501", "limit=x", "offset=-1", "state=gone", f"offset={10**30}"):
            assert await browser.status("GET", f"api/documents?{query}") == 400, query


async def test_a_document_is_cancelled_and_tried_again(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine, workers=1) as browser:
        document_id = await browser.upload("a.djvu")
        await browser.service.engine_until(running=1)
        assert await browser.status("POST", f"api/documents/{document_id}/retry") == 409
        for _ in range(2):
            assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 204
        row = await browser.document(document_id)
        assert row["state"] == "cancelled"
        assert row["ended_at"] is not None
        await browser.service.engine_until(running=0)
        assert engine.called_off == 1
        assert await browser.status("POST", f"api/documents/{document_id}/retry") == 204
        engine.gate.set()
        await browser.until(document_id, "ready")
        assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 409
        assert await browser.status("POST", f"api/documents/{document_id}/retry") == 409
        assert browser.service.files() == [".djvu", ".pdf"]


async def test_what_failed_is_tried_again_with_its_kept_source(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("page 3 is damaged"))
    engine.gate.set()
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.upload("a.djvu")
        await browser.until(document_id, "failed")
        engine.outcome = Ready()
        assert await browser.status("POST", f"api/documents/{document_id}/retry") == 204
        row = await browser.until(document_id, "ready")
        assert row["error"] is None
    assert engine.documents == [DJVU, DJVU]


async def test_a_retry_waits_until_the_conversion_has_let_go(tmp_path: Path) -> None:
    engine = SlowToEnd()
    async with browsing(tmp_path, engine, workers=2) as browser:
        document_id = await browser.upload("a.djvu")
        await browser.service.engine_until(running=1)
        assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 204
        async with anyio.create_task_group() as tasks:

            async def retry() -> None:
                assert await browser.status("POST", f"api/documents/{document_id}/retry") == 204

            tasks.start_soon(retry)
            for _ in range(5):
                await browser.service.breathe()
            assert (await browser.document(document_id))["state"] == "cancelled"
            engine.may_end.set()
        engine.gate.set()
        await browser.until(document_id, "ready")
        assert browser.service.files() == [".djvu", ".pdf"]


async def test_what_was_cancelled_while_the_machine_is_in_trouble_stays_so(
    tmp_path: Path,
) -> None:
    engine = HandConverter(MachineExhaustedError("no process can be had"))
    engine.gate.set()
    clock = ManualClock()
    async with browsing(tmp_path, engine, workers=1, clock=clock) as browser:
        document_id = await browser.upload("a.djvu")
        await browser.until(document_id, "waiting")
        assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 204
        clock.advance(2 * PAUSE_S)
        other = await browser.upload("b.djvu", DJVU + b"b")
        engine.outcome = Ready()
        await browser.until(other, "ready")
        assert (await browser.document(document_id))["state"] == "cancelled"


async def test_an_upload_is_cancelled_and_wanted_after_all(
    tmp_path: Path, engine: HandConverter
) -> None:
    engine.gate.set()
    async with browsing(tmp_path, engine) as browser:
        upload = (await browser.start("a.djvu", DJVU))["id"]
        assert await browser.send(upload, 0, DJVU[:10]) == 204
        assert await browser.status("POST", f"api/documents/{upload}/cancel") == 204
        async with browser.piece(upload, 10, DJVU[10:]) as answer:
            assert (answer.status, answer.headers.get("Upload-Offset")) == (404, None)
        assert await browser.status("GET", f"api/uploads/{upload}") == 404
        assert await browser.status("POST", f"api/documents/{upload}/retry") == 204
        row = await browser.document(upload)
        assert (row["state"], row["received_bytes"]) == ("uploading", 10)
        assert await browser.send(upload, 10, DJVU[10:]) == 204
        await browser.until(upload, "ready")
    assert engine.documents == [DJVU]


async def test_a_retry_without_a_file_says_so(tmp_path: Path, engine: HandConverter) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.upload("a.djvu")
        assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 204
        (tmp_path / f"task-{document_id}.djvu").unlink()
        async with browser.write("POST", f"api/documents/{document_id}/retry") as response:
            assert response.status == 409
            assert "choose it again" in (await response.json())["detail"]


@pytest.mark.parametrize("state", ["uploading", "converting", "ready", "cancelled"])
async def test_what_is_removed_leaves_no_file(
    tmp_path: Path, engine: HandConverter, state: str
) -> None:
    async with browsing(tmp_path, engine) as browser:
        if state == "uploading":
            document_id = str((await browser.start("a.djvu", DJVU))["id"])
        else:
            document_id = await browser.upload("a.djvu")
            await browser.until(document_id, "converting")
        if state == "ready":
            engine.gate.set()
        if state == "cancelled":
            assert await browser.status("POST", f"api/documents/{document_id}/cancel") == 204
        await browser.until(document_id, state)
        assert await browser.status("DELETE", f"api/documents/{document_id}") == 204
        assert await browser.documents() == []
        await browser.service.files_until()
        assert await browser.status("DELETE", f"api/documents/{document_id}") == 404
        assert (await browser.get("api/documents"))["totals"]["documents"] == 0


async def test_many_are_tried_again_cancelled_and_removed_at_once(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("no"))
    engine.gate.set()
    async with browsing(tmp_path, engine, workers=2) as browser, another(browser.service) as other:

        async def bulk(action: str) -> int:
            async with browser.write("POST", "api/documents", json={"action": action}) as response:
                assert response.status == 200
                return int((await response.json())["count"])

        theirs = await other.upload("theirs.djvu")
        await other.until(theirs, "failed")
        failed = [await browser.upload(f"{one}.djvu", DJVU + bytes([one])) for one in range(3)]
        for one in failed:
            await browser.until(one, "failed")
        (await browser.start("half.djvu", DJVU + b"half"))["id"]
        engine.outcome, engine.gate = Ready(), anyio.Event()
        assert await bulk("retry_failed") == 3
        await browser.service.engine_until(running=2)
        assert await bulk("remove_ended") == 0
        assert await bulk("cancel_all") == 4
        await browser.service.engine_until(running=0)
        assert {row["state"] for row in await browser.documents()} == {"cancelled"}
        assert await bulk("retry_failed") == 0
        assert await bulk("remove_ended") == 4
        assert await browser.documents() == []
        assert (await other.document(theirs))["state"] == "failed"
        assert await browser.status("POST", "api/documents", json={"action": "burn"}) == 400
        assert browser.service.files() == [".djvu"]


async def test_only_as_many_are_tried_again_as_there_is_a_place_for(tmp_path: Path) -> None:
    engine = HandConverter(EngineError("no"))
    engine.gate.set()
    async with browsing(tmp_path, engine, workers=1, max_queued_per_client=2) as browser:
        for number in range(3):
            one = await browser.upload(f"{number}.djvu", DJVU + bytes([number]))
            await browser.until(one, "failed")
        engine.gate = anyio.Event()
        action = {"action": "retry_failed"}
        async with browser.write("POST", "api/documents", json=action) as response:
            assert await response.json() == {"count": 2}
        async with browser.write("POST", "api/documents", json=action) as response:
            assert (response.status, "Retry-After" in response.headers) == (429, True)
        (left,) = await browser.documents("state=failed")
        assert await browser.status("POST", f"api/documents/{left['id']}/retry") == 429


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "api/documents/{id}/cancel"),
        ("POST", "api/documents/{id}/retry"),
        ("DELETE", "api/documents/{id}"),
        ("GET", "api/uploads/{id}"),
        ("GET", "documents/{id}/pdf"),
        ("GET", "documents/{id}/picture"),
    ],
)
async def test_foreign_and_unknown_ids_are_not_there(
    tmp_path: Path, engine: HandConverter, method: str, path: str
) -> None:
    async with browsing(tmp_path, engine) as browser, another(browser.service) as other:
        theirs = await other.ready("a.djvu")
        for document_id in (theirs, str(uuid4()), "x", "%2e%2e"):
            assert await browser.status(method, path.format(id=document_id)) == 404
        assert await browser.documents() == []
        headers = {"X-CSRF-Token": browser.csrf, "Upload-Offset": "0"}
        async with browser.http.patch(
            f"api/uploads/{theirs}", data=b"AT&TFORM", headers=headers
        ) as response:
            assert response.status == 404
        assert (await other.document(theirs))["state"] == "ready"


async def test_programs_do_not_see_the_documents_of_the_page(
    tmp_path: Path, engine: HandConverter
) -> None:
    async with browsing(tmp_path, engine) as browser:
        document_id = await browser.ready("a.djvu")
        await browser.service.log_in()
        answer = await browser.service.ask(document_id)
        assert answer["taskStatus"] == "NotExist"
        task_id = await browser.service.submit()
        assert await browser.status("GET", f"documents/{task_id}/pdf") == 404


async def test_what_is_kept_for_seconds_is_not_listed_for_a_minute(
    tmp_path: Path, engine: HandConverter
) -> None:
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock, retention_hours=0.01) as browser:
        await browser.ready("a.djvu")
        clock.advance(36)
        with anyio.fail_after(20):
            while await browser.documents():
                await browser.service.breathe()
        await browser.service.files_until()


async def test_what_is_over_is_not_there(tmp_path: Path, engine: HandConverter) -> None:
    clock = ManualClock()
    async with browsing(tmp_path, engine, clock=clock, retention_hours=1) as browser:
        document_id = await browser.ready("a.djvu")
        clock.at_s += 3600
        assert await browser.status("GET", f"documents/{document_id}/pdf") == 404
        assert "known" not in await browser.start("a.djvu", DJVU)


class NamingEngine(HandConverter):
    """Says of a file by its name why it fails, as engines do."""

    async def convert(self, source: SourceDocument, target: PdfTarget) -> Ready:
        del target
        raise EngineError(f"{source.name} is odd ({source.path})")


async def test_an_owner_reads_the_name_of_a_document_and_the_log_does_not(
    tmp_path: Path, logs: list[EventDict]
) -> None:
    async with browsing(tmp_path, NamingEngine()) as browser:
        document_id = await browser.upload("letters/dear anna.djvu")
        error = (await browser.until(document_id, "failed"))["error"]
    assert error["message"] == "dear anna.djvu is odd (dear anna.djvu)"
    (end,) = [one for one in logs if one["event"] == "server.task_ended"]
    assert list(end["messages"]) == ["document.djvu is odd (document.djvu)"]
    assert "anna" not in repr(logs)
