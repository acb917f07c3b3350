from __future__ import annotations

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from structlog.testing import capture_logs

from batch_converter.config import AsposeSettings, RetrySettings
from batch_converter.engines.aspose import AsposeEngine
from batch_converter.engines.base import NotReady, Ready
from batch_converter.errors import (
    AccountRefusedError,
    BadResponseError,
    BudgetSpentError,
    ConfigError,
    ErrorCode,
    NetworkError,
    RejectedError,
    ServiceUnavailableError,
    SubmitUnknownError,
    TooLargeError,
    UnreadableError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web

    from tests.integration.aspose.conftest import Bench, Fault, Faults, FaultServer

BIG = 3 * 768 * 1024 + 5
PDF_OF_FORM = b"%PDF-1.7\n" + b"AT&TFORM"[::-1] + b"\n%%EOF\n"


async def test_a_document_goes_out_and_comes_back(bench: Bench) -> None:
    djvu = b"AT&TFORM" + bytes(range(256)) * 5000
    bench.server.questions_needed = 3
    document, sink = bench.document(djvu), bench.sink()
    async with bench.engine(settings={"language": "German", "Rotate": 90}) as engine:
        task = bench.task(await engine.submit(document))
        assert await engine.fetch(document, task, sink) == NotReady(status="Pending")
        assert await engine.fetch(document, task, sink) == NotReady(status="Processing")
        assert await engine.fetch(document, task, sink) == Ready()
    assert sink.pdf == b"%PDF-1.7\n" + djvu[::-1] + b"\n%%EOF\n"
    assert bench.server.tasks[task.task_id].document == djvu
    assert bench.server.tasks[task.task_id].settings == {"language": "German", "Rotate": 90}
    assert bench.calls.of("submit") == [("answered", 200)]
    assert bench.calls.left() == bench.server.count() == {"token": 1, "submit": 1, "poll": 3}


async def test_requests_are_as_documented(bench: Bench) -> None:
    document = bench.document(b"AT&TFORM")
    async with bench.engine() as engine:
        task = bench.task(await engine.submit(document))
        await engine.fetch(document, task, bench.sink())
        await engine.cancel(document, task)
    (_, token), (_, submit), (_, poll), (_, cancel) = bench.server.seen
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in token.headers
    assert json.loads(bench.server.bodies[0]) == {"image": "QVQmVEZPUk0=", "settings": {}}
    assert submit.headers["Content-Length"] == str(len(bench.server.bodies[0]))
    assert "Transfer-Encoding" not in submit.headers
    assert submit.headers["Content-Type"] == "application/json"
    assert submit.headers["Accept"] == "text/plain"
    for request in (submit, poll, cancel):
        assert request.headers["Authorization"].removeprefix("Bearer ") in bench.server.tokens
        assert request.path == "/v5.0/ocr/djvu2pdf"
    assert poll.query_string == cancel.query_string == f"id={task.task_id}"
    assert task.task_id not in bench.server.tasks


async def act(bench: Bench, endpoint: str, **settings: Any) -> object:  # noqa: ANN401  # of whichever library is measured
    """Do what makes one request to the endpoint (besides the token's)."""
    document, task, sink = bench.document(), bench.make_task(), bench.sink()
    async with bench.engine(**settings) as engine:
        if endpoint in {"token", "submit"}:
            return await engine.submit(document)
        if endpoint == "cancel":
            await engine.cancel(document, task)
            return None
        assert await engine.fetch(document, task, sink) == Ready()
        return bytes(sink.pdf)


PASSING: dict[str, tuple[str, int | None]] = {
    "reset": ("lost", None),
    "reset in body": ("lost", None),
    "408": ("refused", 408),
    "425": ("refused", 425),
    "429": ("refused", 429),
    "500": ("refused", 500),
    "502 page": ("refused", 502),
    "503": ("refused", 503),
    "504": ("refused", 504),
    "599": ("refused", 599),
}


def passing(faults: type[Faults], name: str) -> Any:  # noqa: ANN401  # a Fault
    if name == "reset":
        return faults.reset
    if name == "reset in body":
        return faults.reset_in_body
    if name == "502 page":
        page = b"<html><head><title>502 Bad Gateway</title>" + b"x" * 100_000
        return faults.status(502, page, "text/html")
    return faults.status(int(name))


STATUSES = [name for name in PASSING if not name.startswith("reset")]


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("token", "reset"),
        ("token", "reset in body"),
        ("poll", "reset"),
        ("cancel", "reset"),
        *(
            (endpoint, name)
            for endpoint in ("token", "submit", "poll", "cancel")
            for name in STATUSES
        ),
    ],
)
async def test_what_passes_is_tried_again_at_every_endpoint(
    bench: Bench, faults: type[Faults], endpoint: str, name: str
) -> None:
    bench.server.plan[endpoint].extend([passing(faults, name), None])
    await act(bench, endpoint)
    assert bench.calls.of(endpoint) == [PASSING[name], ("answered", 200)]
    assert bench.calls.left() == bench.server.count()
    assert bench.clock.waits_s[0] == pytest.approx(0.5)


@pytest.mark.parametrize("endpoint", ["token", "poll"])
async def test_an_answer_that_was_cut_off_is_asked_for_again(
    bench: Bench, faults: type[Faults], endpoint: str
) -> None:
    for share in (0.0, 0.3, 0.99):
        for declared in (True, False):
            bench.server.plan[endpoint].append(faults.cut(share, declared=declared))
    bench.retry = {"request_attempts": 7}
    await act(bench, endpoint)
    assert bench.calls.left() == bench.server.count()
    assert bench.server.count()[endpoint] == 7


@pytest.mark.parametrize("endpoint", ["token", "poll"])
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{}", b"{", b"<html><title>Log in</title>", b"\xff\xfe", b"OK"],
)
async def test_a_200_that_is_not_the_documented_json_is_tried_again_and_then_a_bad_response(
    bench: Bench, faults: type[Faults], endpoint: str, body: bytes
) -> None:
    bench.server.plan[endpoint].append(faults.body(body))
    await act(bench, endpoint)
    assert bench.server.count()[endpoint] == 2
    if endpoint == "poll":
        bench.server.plan[endpoint].extend([faults.body(body)] * 6)
        with pytest.raises(BadResponseError):
            await act(bench, endpoint)
        assert bench.server.count()[endpoint] == 8


async def test_silence_is_tried_again(bench: Bench, faults: type[Faults]) -> None:
    bench.server.plan["poll"].append(faults.silent)
    assert await act(bench, "poll", read_timeout_s=0.2) == PDF_OF_FORM
    first, *again, last = bench.calls.of("poll")  # more than one, where the machine is as slow
    assert {first, *again} == {("lost", None)}
    assert last == ("answered", 200)


async def test_out_of_tries_is_a_network_error_for_the_document(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["poll"].extend([faults.status(500, b"boom")] * 9)
    with pytest.raises(NetworkError, match="with 500: boom"):
        await act(bench, "poll")
    assert bench.server.count()["poll"] == 6
    assert bench.clock.waits_s == [0.5, 1, 2, 4, 8]


# Submissions: never bought twice unseen


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("lost", ErrorCode.NETWORK),
        ("silent", ErrorCode.NETWORK),
        ("garbage", ErrorCode.BAD_RESPONSE),
        ("no id", ErrorCode.BAD_RESPONSE),
        ("cut", ErrorCode.BAD_RESPONSE),
    ],
)
async def test_a_submission_whose_answer_was_lost_is_its_own_state(
    bench: Bench, faults: type[Faults], name: str, code: ErrorCode
) -> None:
    fault: Any = {
        "lost": faults.lost,
        "silent": faults.silent,
        "garbage": faults.body(b"<html>", "text/html"),
        "no id": faults.body(b""),
        "cut": faults.cut(0.5),
    }[name]
    bench.server.plan["submit"].append(fault)
    with pytest.raises(SubmitUnknownError, match="may have been billed") as caught:
        await act(bench, "submit", read_timeout_s=0.3)
    assert caught.value.code == code
    assert bench.server.count()["submit"] == 1
    assert bench.calls.left() == bench.server.count()


async def test_an_upload_that_broke_off_half_way_is_sent_again_from_the_start(
    bench: Bench, faults: type[Faults]
) -> None:
    document = bench.document(b"AT&TFORM" + bytes(4 * BIG))
    bench.server.plan["submit"].extend([faults.reset, faults.reset_in_body])
    async with bench.engine() as engine:
        task_id = await engine.submit(document)
    assert bench.server.tasks[task_id].document == b"AT&TFORM" + bytes(4 * BIG)
    assert bench.calls.of("submit") == [("lost", None), ("lost", None), ("answered", 200)]


async def test_a_service_that_stops_reading_is_noticed(bench: Bench, faults: type[Faults]) -> None:
    document = bench.document(bytes(8 * BIG))
    bench.server.plan["submit"].append(faults.deaf)
    async with bench.engine(read_timeout_s=2) as engine:
        task_id = await engine.submit(document)
    assert len(bench.server.tasks[task_id].document) == 8 * BIG
    assert bench.calls.of("submit") == [("lost", None), ("answered", 200)]


@pytest.mark.parametrize("size", [2000, 12 * BIG])
async def test_a_refusal_before_the_upload_is_through_is_heard(
    bench: Bench, faults: type[Faults], size: int
) -> None:
    document = bench.document(b"AT&TFORM" + bytes(size))
    bench.server.plan["submit"].append(faults.early)
    async with bench.engine() as engine:
        with pytest.raises(TooLargeError, match="413: Payload Too Large"):
            await engine.submit(document)


async def test_a_file_that_changes_under_the_hands_never_arrives(
    bench: Bench, faults: type[Faults]
) -> None:
    document = bench.document(bytes(12 * BIG))
    arrived: list[bytes] = []

    async def touch(server: FaultServer, request: web.Request, _: object) -> web.StreamResponse:
        await request.content.readany()
        (bench.folder / "a.djvu").write_bytes(b"1" * 12 * BIG)
        arrived.append(await request.read())
        return await faults.silent(server, request, lambda: server.handle(request))

    bench.server.plan["submit"].append(touch)
    async with bench.engine() as engine:
        with pytest.raises(UnreadableError, match=r"a\.djvu changed while it was read"):
            await engine.submit(document)
    assert arrived == []
    assert bench.calls.of("submit") == [("lost", None)]


@pytest.mark.parametrize("change", ["touched", "grown", "shrunk", "gone", "folder"])
async def test_a_file_that_is_not_the_one_that_was_found_is_not_sent(
    bench: Bench, change: str
) -> None:
    document = bench.document(b"AT&TFORM")
    path = bench.folder / "a.djvu"
    path.unlink()
    if change == "folder":
        path.mkdir()
    elif change != "gone":
        path.write_bytes({"touched": b"AT&TFORM", "grown": b"AT&TFORM+", "shrunk": b""}[change])
    async with bench.engine() as engine:
        with pytest.raises(UnreadableError, match=r"^a\.djvu "):
            await engine.submit(document)
    assert bench.server.count()["submit"] == 0
    assert bench.calls.of("submit") == []


async def test_a_file_above_the_limit_costs_no_call(bench: Bench) -> None:
    document = bench.document(bytes(1001))
    async with bench.engine(max_upload_bytes=1000) as engine:
        with pytest.raises(TooLargeError, match=r"1001 bytes, more than aspose\.max_upload_bytes"):
            await engine.submit(document)
    assert bench.server.seen == []


async def test_uploads_never_exceed_their_limit(bench: Bench) -> None:
    bench.max_submissions = 3
    document = bench.document(bytes(BIG))
    async with bench.engine() as engine, anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(engine.submit, document)
    assert len(bench.server.tasks) == 12
    assert bench.server.most_uploads <= 3


# The token


async def test_one_token_serves_all(bench: Bench) -> None:
    document = bench.document()
    async with bench.engine() as engine, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(engine.submit, document)
    assert bench.server.count() == {"token": 1, "submit": 20}


async def test_a_revoked_token_is_renewed_once_for_all(bench: Bench) -> None:
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.submit(document)
        bench.server.revoke_tokens()
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(engine.submit, document)
                group.start_soon(engine.fetch, document, task, bench.sink())
    assert bench.server.count()["token"] == 2
    assert bench.calls.left() == bench.server.count()


async def test_401_with_a_fresh_token_refuses_the_account(
    bench: Bench, faults: type[Faults]
) -> None:
    said = faults.status(401, b'{"title": "Unauthorized", "detail": "account closed"}')
    bench.server.plan["poll"].extend([said, said])
    with pytest.raises(AccountRefusedError, match="fresh token: Unauthorized: account closed"):
        await act(bench, "poll")
    assert bench.server.count() == {"token": 2, "poll": 2}


@pytest.mark.parametrize(
    ("statuses", "is_final"),
    [
        ([401], False),
        ([401, 401, 401], False),
        ([401, 401, 401, 401], True),
        ([401, 503, 401, 503, 401], False),
        ([401, 401, 401, 408, 401, 401, 401], False),
    ],
)
async def test_tokens_that_work_for_others_may_be_revoked_while_a_request_waits(
    bench: Bench, faults: type[Faults], statuses: list[int], *, is_final: bool
) -> None:
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:

        def answering(status: int) -> Fault:
            async def after_another_request(*arguments: Any) -> web.StreamResponse:  # noqa: ANN401  # a fault's
                await engine.submit(document)  # with the same token, which works for it
                return await faults.status(status)(*arguments)

            return after_another_request

        bench.server.plan["poll"].extend(map(answering, statuses))
        ending = pytest.raises(AccountRefusedError) if is_final else nullcontext()
        with ending:
            assert isinstance(await engine.fetch(document, task, bench.sink()), Ready)
    refused = statuses.count(401)
    assert bench.server.count()["token"] == refused + (not is_final)


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_wrong_credentials_are_never_tried_again(
    bench: Bench, faults: type[Faults], status: int
) -> None:
    bench.server.plan["token"].extend([faults.status(status, b'{"error": "invalid_client"}')] * 9)
    document = bench.document()
    refused = 0
    async with bench.engine() as engine:

        async def submit() -> None:
            nonlocal refused
            with pytest.raises(AccountRefusedError, match=f"{status}: invalid_client"):
                await engine.submit(document)
            refused += 1

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(submit)
    assert refused == 5
    assert bench.server.count() == {"token": 1}


async def test_a_short_lived_token_is_renewed_before_its_end(bench: Bench) -> None:
    bench.server.lifetime_s = 100
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.fetch(document, task, bench.sink())
        bench.clock.at_s += 91
        await engine.fetch(document, task, bench.sink())
    assert bench.server.count() == {"token": 2, "poll": 2}
    assert bench.calls.of("poll") == [("answered", 200)] * 2


# Refusals


@pytest.mark.parametrize("endpoint", ["submit", "poll"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RejectedError),
        (402, AccountRefusedError),
        (403, AccountRefusedError),
        (404, RejectedError),
        (405, RejectedError),
        (409, RejectedError),
        (413, TooLargeError),
        (415, RejectedError),
        (422, RejectedError),
        (451, RejectedError),
    ],
)
async def test_refusals_are_final_and_say_what_the_service_said(
    bench: Bench, faults: type[Faults], endpoint: str, status: int, error: type[Exception]
) -> None:
    said = b'{"title": "No", "detail": "because of reasons"}'
    bench.server.plan[endpoint].append(faults.status(status, said, "application/problem+json"))
    with pytest.raises(error, match=f"with {status}: No: because of reasons"):
        await act(bench, endpoint)
    assert bench.calls.of(endpoint) == [("refused", status)]


async def test_a_task_that_is_gone_already_is_cancelled(bench: Bench, faults: type[Faults]) -> None:
    bench.server.plan["cancel"].append(faults.status(404, b"no such task"))
    await act(bench, "cancel")
    bench.server.plan["cancel"].append(faults.status(405, b"cannot"))
    with pytest.raises(RejectedError, match="cancellation with 405: cannot"):
        await act(bench, "cancel")


# Throttling


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_holds_everybody_back(
    bench: Bench, faults: type[Faults], status: int
) -> None:
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.fetch(document, task, bench.sink())
        bench.server.plan["submit"].append(faults.status(status, Retry_After="120"))
        with capture_logs() as logs:
            await engine.submit(document)
        began_s = bench.clock.at_s
        assert began_s >= 120
    (throttled,) = [entry for entry in logs if entry["event"] == "service.throttled"]
    assert (throttled["wait_s"], throttled["endpoint"]) == (120, "submit")


async def test_retry_after_may_be_a_date(bench: Bench, faults: type[Faults]) -> None:
    asked = faults.status(
        503, Retry_After="Sat, 01 Mar 2025 10:02:00 GMT", Date="Sat, 01 Mar 2025 10:00:00 GMT"
    )
    bench.server.plan["poll"].append(asked)
    await act(bench, "poll")
    assert bench.clock.at_s == pytest.approx(120)


async def test_retry_after_counts_for_other_statuses_too(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["poll"].append(faults.status(500, Retry_After="77"))
    await act(bench, "poll")
    assert bench.clock.waits_s == [77]


async def test_a_service_that_wants_to_be_left_alone_for_long_ends_the_run(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["poll"].append(faults.status(429, b"quota", Retry_After="901"))
    with pytest.raises(ServiceUnavailableError, match=r"left alone for 901 s.*429: quota"):
        await act(bench, "poll")
    assert bench.server.count()["poll"] == 1


async def test_the_token_endpoints_retry_after_is_obeyed(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["token"].append(faults.status(429, Retry_After="299"))
    await act(bench, "poll")
    assert bench.clock.at_s == pytest.approx(299, abs=0.1)
    assert bench.server.count()["token"] == 2


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("endpoint", ["token", "submit", "poll"])
async def test_a_pause_beyond_all_patience_is_not_waited_out(
    bench: Bench, faults: type[Faults], endpoint: str, status: int
) -> None:
    bench.retry = {"unavailable_after_s": 300}
    bench.server.plan[endpoint].append(faults.status(status, Retry_After="600"))
    with pytest.raises(ServiceUnavailableError, match=rf"for 300 s; last: .* with {status}"):
        await act(bench, "poll" if endpoint == "poll" else "submit")
    assert bench.clock.at_s == 300
    assert bench.server.count()[endpoint] == 1


@pytest.mark.parametrize(
    ("endpoint", "status", "asked"),
    [
        *(("token", status, "0") for status in (408, 429, 500, 503)),
        *(("submit", 429, asked) for asked in ("0.0", "1", "-1", "soon", "")),
        ("submit", 503, "Sat, 01 Mar 2025 11:59:00 GMT"),
        ("poll", 429, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("poll", 502, "0"),
    ],
)
async def test_the_service_cannot_have_all_tries_made_at_once(
    bench: Bench, faults: type[Faults], endpoint: str, status: int, asked: str
) -> None:
    bench.retry = {"request_attempts": 5, "initial_wait_s": 2}
    refusal = faults.status(status, Retry_After=asked, Date="Sat, 01 Mar 2025 12:00:00 GMT")
    bench.server.plan[endpoint].extend([refusal] * 4)
    await act(bench, "poll" if endpoint == "poll" else "submit")
    assert bench.clock.at_s == pytest.approx(2 + 4 + 8 + 16, abs=0.2)


async def test_a_wait_that_is_too_long_to_be_meant_ends_the_run(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["poll"].append(faults.status(503, Retry_After="9" * 30))
    with pytest.raises(ServiceUnavailableError, match="left alone for 1000000000 s"):
        await act(bench, "poll")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_burst_of_complaints_is_one(
    bench: Bench, faults: type[Faults], status: int
) -> None:
    bench.max_submissions = 8
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.fetch(document, task, bench.sink())
        complaint = faults.status(status, Retry_After="0")

        async def once_all_are_in(server: FaultServer, *rest: Any) -> web.StreamResponse:  # noqa: ANN401  # a fault's
            while server.count()["submit"] < 8:
                await anyio.lowlevel.checkpoint()
            return await complaint(server, *rest)

        bench.server.plan["submit"].extend([once_all_are_in] * 8)
        with capture_logs() as logs:
            async with anyio.create_task_group() as group:
                for _ in range(8):
                    group.start_soon(engine.submit, document)
    assert [entry["event"] for entry in logs].count("service.throttled") == 1
    assert bench.server.count()["submit"] == 16


async def test_a_complaint_narrows_the_upload_window(bench: Bench, faults: type[Faults]) -> None:
    bench.max_submissions = 8
    bench.server.plan["submit"].extend([faults.status(503, Retry_After="0")] * 8)
    document = bench.document(bytes(BIG))
    async with bench.engine() as engine:
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(engine.submit, document)
        assert engine.engine._client is not None
        assert engine.engine._client._window.size < 8
    assert bench.server.most_uploads <= 4


# Out of reach


async def test_a_service_that_was_never_reached_ends_the_run(bench: Bench, unused_url: str) -> None:
    with pytest.raises(ServiceUnavailableError, match=f"{unused_url} cannot be reached"):
        await act(bench, "poll", base_url=unused_url)
    assert bench.calls.of("token") == [("unsent", None)] * 6


async def test_a_token_that_fails_later_fails_the_document_only(
    bench: Bench, faults: type[Faults]
) -> None:
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.fetch(document, task, bench.sink())
        bench.server.revoke_tokens()
        bench.server.plan["token"].extend([faults.status(500)] * 6)
        with pytest.raises(NetworkError, match="the request for a token with 500"):
            await engine.fetch(document, task, bench.sink())
        assert await engine.fetch(document, task, bench.sink()) == Ready()


async def test_a_wrong_address_ends_the_run(bench: Bench, faults: type[Faults]) -> None:
    bench.server.plan["token"].append(faults.status(404, b"no such page"))
    with pytest.raises(ServiceUnavailableError, match=r"404: no such page; check aspose\.base_url"):
        await act(bench, "poll")


async def test_long_failure_ends_the_run(bench: Bench, faults: type[Faults]) -> None:
    bench.retry = {"request_attempts": 99, "max_wait_s": 60, "unavailable_after_s": 300}
    bench.server.plan["poll"].extend([faults.status(500)] * 99)
    with pytest.raises(ServiceUnavailableError, match="no request has succeeded for 3"):
        await act(bench, "poll")
    assert bench.server.count()["poll"] < 15


# Redirects


@pytest.mark.parametrize("endpoint", ["token", "submit", "poll", "cancel"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_within_the_origin_is_followed_and_counted(
    bench: Bench, faults: type[Faults], endpoint: str, status: int
) -> None:
    paths = {"token": "/connect/token"}
    place = paths.get(endpoint, "/v5.0/ocr/djvu2pdf")
    task = bench.make_task()
    query = f"?id={task.task_id}" if endpoint in {"poll", "cancel"} else ""
    bench.server.plan[endpoint].append(faults.status(status, Location=place + query))
    document, sink = bench.document(bytes(BIG)), bench.sink()
    async with bench.engine() as engine:
        if endpoint in {"token", "submit"}:
            task_id = await engine.submit(document)
            assert len(bench.server.tasks[task_id].document) == BIG
        elif endpoint == "poll":
            await engine.fetch(document, task, sink)
            assert sink.pdf == PDF_OF_FORM
        else:
            await engine.cancel(document, task)
            assert task.task_id not in bench.server.tasks
    assert bench.calls.left() == bench.server.count()
    assert bench.server.count()[endpoint] == 2


@pytest.mark.parametrize("endpoint", ["submit", "poll", "cancel"])
async def test_a_redirect_elsewhere_is_refused_and_nothing_goes_there(
    bench: Bench, other_server: FaultServer, faults: type[Faults], endpoint: str
) -> None:
    there = f"{other_server.url}/v5.0/ocr/djvu2pdf"
    bench.server.plan[endpoint].append(faults.status(307, Location=there))
    with pytest.raises(BadResponseError, match=r"redirects .* refused"):
        await act(bench, endpoint)
    assert other_server.seen == []


async def test_credentials_do_not_follow_a_redirect(
    bench: Bench, other_server: FaultServer, faults: type[Faults]
) -> None:
    there = f"{other_server.url}/connect/token"
    bench.server.plan["token"].append(faults.status(307, Location=there))
    with pytest.raises(ServiceUnavailableError, match="redirects the request for a token"):
        await act(bench, "poll")
    assert other_server.seen == []


async def test_see_other_leads_to_the_answer(bench: Bench, faults: type[Faults]) -> None:
    task = bench.make_task()
    there = f"/v5.0/ocr/djvu2pdf?id={task.task_id}"
    bench.server.plan["cancel"].append(faults.status(303, Location=there))
    async with bench.engine() as engine:
        await engine.cancel(bench.document(), task)
    assert bench.server.seen[-1][1].method == "GET"
    assert bench.calls.of("cancel") == [("refused", 303), ("answered", 200)]


@pytest.mark.parametrize("place", ["http://[", "//user@127.0.0.1/x", "javascript:alert(1)"])
async def test_an_odd_redirect_is_refused(bench: Bench, faults: type[Faults], place: str) -> None:
    bench.server.plan["poll"].append(faults.status(302, Location=place))
    with pytest.raises(BadResponseError):
        await act(bench, "poll")


@pytest.mark.parametrize("status", [204, 300, 304, 307])
async def test_a_success_without_an_answer_is_a_bad_response(
    bench: Bench, faults: type[Faults], status: int
) -> None:
    bench.server.plan["poll"].extend([faults.status(status)] * 9)
    with pytest.raises(BadResponseError):
        await act(bench, "poll")
    assert bench.server.count()["poll"] == 6


async def test_redirects_without_end_are_given_up(bench: Bench, faults: type[Faults]) -> None:
    again = faults.status(302, Location="/v5.0/ocr/djvu2pdf")
    bench.server.plan["poll"].extend([again] * 99)
    bench.retry = {"request_attempts": 2}
    with pytest.raises(BadResponseError, match="more than 5 times"):
        await act(bench, "poll")
    assert bench.server.count()["poll"] == 10
    assert bench.calls.left() == bench.server.count()


# Every request is counted, and only those


@pytest.mark.parametrize("endpoint", ["poll", "cancel"])
async def test_nothing_is_repeated_behind_our_back(
    bench: Bench, faults: type[Faults], endpoint: str
) -> None:
    """A connection that is reused and then breaks is where aiohttp would try again."""
    bench.retry = {"request_attempts": 1}
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine:
        await engine.fetch(document, task, bench.sink())
        for fault in (faults.reset, faults.lost):
            before = bench.server.count()[endpoint]
            bench.server.plan[endpoint].append(fault)
            with pytest.raises(NetworkError):
                await (
                    engine.cancel(document, task)
                    if endpoint == "cancel"
                    else engine.fetch(document, task, bench.sink())
                )
            assert bench.server.count()[endpoint] == before + 1
            assert await engine.submit(document)
    assert bench.calls.left() == bench.server.count()


async def test_a_spent_budget_sends_nothing(bench: Bench) -> None:
    bench.calls.limit = 1
    with pytest.raises(BudgetSpentError):
        await act(bench, "submit")
    assert bench.server.count() == {"token": 1}


async def test_a_request_that_is_cancelled_is_ended_as_lost(
    bench: Bench, faults: type[Faults]
) -> None:
    bench.server.plan["poll"].append(faults.silent)
    document, task = bench.document(), bench.make_task()
    async with bench.engine() as engine, anyio.create_task_group() as group:
        group.start_soon(engine.fetch, document, task, bench.sink())
        while not bench.server.count()["poll"]:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert bench.calls.of("poll") == [("lost", None)]


# Settings


async def test_credentials_are_needed(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="client_id and client_secret"):
        AsposeEngine(AsposeSettings(), RetrySettings(), calls=bench.calls, max_submissions=1)


async def test_the_engine_promises_what_the_service_keeps(bench: Bench) -> None:
    async with bench.engine() as engine:
        assert engine.engine.name == "aspose"
        assert engine.engine.result_lifetime == timedelta(hours=24)


async def test_requests_keep_to_the_users_rate(bench: Bench) -> None:
    document, task = bench.document(), bench.make_task()
    async with bench.engine(requests_per_second=4) as engine:
        for _ in range(3):
            await engine.fetch(document, task, bench.sink())
    assert bench.clock.waits_s == [0.25, 0.25, 0.25]


async def test_undocumented_recognition_settings_are_refused(bench: Bench) -> None:
    with pytest.raises(ConfigError, match="nearest known key is 'language'"):
        async with bench.engine(settings={"langage": "German"}):
            pass


async def test_the_digest_of_the_options_follows_the_recognition_settings(bench: Bench) -> None:
    digests = []
    for settings in ({}, {"Rotate": 1}, {"Rotate": 1, "language": "Thai"}, {}):
        async with bench.engine(settings=settings) as engine:
            digests.append(engine.engine.options_digest)
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]


async def test_an_unusable_ca_file_is_a_configuration_error(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        async with bench.engine(ca_file=tmp_path / "none.pem"):
            pass


@pytest.fixture
def unused_url() -> str:
    """An address where nobody listens."""
    return "http://127.0.0.1:1"
