"""What the service may say, spelled in every legal way, and what it may not."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from batch_converter.engines.base import Failed, Gone, NotReady, Ready
from batch_converter.errors import BadResponseError, CorruptResultError, OutputError

if TYPE_CHECKING:
    from batch_converter.engines.base import Fetched
    from tests.integration.aspose.conftest import Bench, Faults, MemorySink

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 900 + b"\n%%EOF\n"
B64 = base64.b64encode(PDF).decode()
TASK_ID = "c4b60313-4f78-45f8-b708-069eb98dc22e"


def completed(**changes: object) -> dict[str, Any]:
    return {
        "id": TASK_ID,
        "taskStatus": "Completed",
        "responseStatusCode": "Ok",
        "results": [{"type": "Pdf", "data": B64}],
        "error": None,
    } | changes


def spelled(fields: dict[str, Any], **options: Any) -> bytes:  # noqa: ANN401  # of whichever library is measured
    return json.dumps(fields, **options).encode()


def backwards(value: object) -> object:
    """Turn the order of all keys around."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


PLAIN = spelled(completed())
TEXT = {"type": "Text", "data": 'caf\u00e9 \\ "quoted" \U0001f600'}
LINES = "\\r\\n".join(B64[at : at + 76] for at in range(0, len(B64), 76)).encode()
LEGAL = {
    "plain": PLAIN,
    "compact": spelled(completed(), separators=(",", ":")),
    "spread out": spelled(completed(), indent="\t\r\n  "),
    "white space around": b" \r\n\t" + PLAIN + b"\n\n ",
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,
    "keys backwards": json.dumps(backwards(completed())).encode(),
    "slashes escaped": PLAIN.replace(b"/", b"\\/"),
    "plus and padding escaped": PLAIN.replace(b"+", b"\\u002B").replace(b"=", b"\\u003D"),
    "slashes as code points": PLAIN.replace(b"/", b"\\u002f"),
    "all escaped": PLAIN.replace(
        B64.encode(), b"".join(b"\\u%04x" % byte for byte in B64.encode())
    ),
    "lines": PLAIN.replace(B64.encode(), LINES),
    "keys escaped": PLAIN.replace(b'"data"', b'"d\\u0061ta"').replace(b'"type"', b'"\\u0074ype"'),
    "other results before": spelled(
        completed(results=[TEXT, {"type": "Hocr", "data": None}, {"type": "Pdf", "data": B64}])
    ),
    "other results after": spelled(
        completed(results=[{"type": "Pdf", "data": B64}, TEXT]), ensure_ascii=False
    ),
    "other results backwards": json.dumps(
        backwards(completed(results=[TEXT, {"type": "Pdf", "data": B64}, TEXT]))
    ).encode(),
    "no type": spelled(completed(results=[{"data": B64}])),
    "unknown keys": spelled(
        completed(results=[{"a": [{"data": "x"}], "type": "Pdf", "data": B64}], x={"y": [1, {}]})
    ),
    "id in other spelling": spelled(completed(id="{" + TASK_ID.upper() + "}")),
    "no id": spelled(completed(id=None)),
    "unknown code": spelled(completed(responseStatusCode="Splendid")),
    "no code": spelled(completed(responseStatusCode=None)),
    "partially": spelled(completed(responseStatusCode="PartiallyNotFound")),
    "empty error": spelled(completed(error={"messages": None, "warnings": []})),
}


async def ask(bench: Bench, fault: Any, sink: MemorySink | None = None) -> Fetched:  # noqa: ANN401  # of whichever library is measured
    """Ask for a task and let the fault answer, each time."""
    bench.server.plan["poll"].extend([fault] * 9)
    async with bench.engine() as engine:
        return await engine.fetch(
            bench.document(), bench.task(TASK_ID), bench.sink() if sink is None else sink
        )


@pytest.mark.parametrize("name", LEGAL)
async def test_every_legal_spelling_brings_the_pdf(
    bench: Bench, faults: type[Faults], name: str
) -> None:
    sink = bench.sink()
    assert await ask(bench, faults.body(LEGAL[name]), sink) == Ready()
    assert sink.pdf == PDF


@pytest.mark.parametrize("name", ["plain", "keys backwards", "all escaped", "byte order mark"])
@pytest.mark.parametrize("size", [997, 65_536])
async def test_every_cut_between_chunks_brings_the_pdf(
    bench: Bench, faults: type[Faults], name: str, size: int
) -> None:
    sink = bench.sink()
    assert await ask(bench, faults.drip(LEGAL[name], size), sink) == Ready()
    assert sink.pdf == PDF


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_answers_bring_the_pdf(
    bench: Bench, faults: type[Faults], encoding: str
) -> None:
    body = gzip.compress(PLAIN) if encoding == "gzip" else zlib.compress(PLAIN)
    sink = bench.sink()
    assert await ask(bench, faults.body(body, Content_Encoding=encoding), sink) == Ready()
    assert sink.pdf == PDF
    assert "gzip" in bench.server.seen[-1][1].headers["Accept-Encoding"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "text/html"])
async def test_the_content_type_decides_nothing(
    bench: Bench, faults: type[Faults], content_type: str
) -> None:
    assert await ask(bench, faults.body(PLAIN, content_type)) == Ready()


async def test_warnings_and_messages_come_with_the_pdf(bench: Bench, faults: type[Faults]) -> None:
    error = {"messages": ["page 2 has no text"], "warnings": ["page 3 is blank"]}
    assert await ask(bench, faults.body(spelled(completed(error=error)))) == Ready(
        warnings=("page 3 is blank", "page 2 has no text")
    )


SLOW = {
    "strings deep inside": PLAIN[:-1] + b',"x":' + b"[" * 60 + b'"",' * 340_000 + b'""' + b"]" * 60,
    "messages": spelled(completed(error={"messages": ["page 1 is blank"] * 5000})),
    "results": spelled(completed(results=[{"type": "Text", "data": "x"}] * 3000)),
    "white space": b" " * 1_000_000 + PLAIN,
    "a long number": PLAIN[:-1] + b',"x":' + b"9" * 1_000_000 + b"}",
}


@pytest.mark.parametrize("name", SLOW)
async def test_an_answer_made_to_be_slow_is_refused_by_name(
    bench: Bench, faults: type[Faults], name: str
) -> None:
    with pytest.raises(BadResponseError, match=r"holds more than .* beside its data"):
        await ask(bench, faults.body(SLOW[name]))


async def test_as_much_as_may_stand_beside_the_pdf_does_no_harm(
    bench: Bench, faults: type[Faults]
) -> None:
    messages = ["page 1 is blank: its image data is damaged"] * 1200
    assert await ask(bench, faults.body(spelled(completed(error={"messages": messages})))) == Ready(
        warnings=(*messages[:49], "and 1151 more")
    )


@pytest.mark.parametrize(
    ("fields", "fetched"),
    [
        ({"taskStatus": "Pending"}, NotReady(status="Pending")),
        (
            {"taskStatus": "Processing", "responseStatusCode": "NotReady"},
            NotReady(status="Processing"),
        ),
        ({"taskStatus": "processing"}, NotReady(status="Processing")),
        ({"taskStatus": "Queued"}, NotReady(status="Queued")),
        ({"taskStatus": None, "responseStatusCode": "NotReady"}, NotReady(status="NotReady")),
        (
            {"taskStatus": "Pending", "results": [{"type": "Pdf", "data": ""}]},
            NotReady(status="Pending"),
        ),
        ({"taskStatus": "NotExist", "responseStatusCode": "Error"}, Gone(status="NotExist")),
        ({"taskStatus": None, "responseStatusCode": "TaskNotFound"}, Gone(status="TaskNotFound")),
        (
            {"taskStatus": "Error", "responseStatusCode": "ResultDataLost"},
            Gone(status="ResultDataLost"),
        ),
        (
            {"taskStatus": "Completed", "responseStatusCode": "NoAnyResultData"},
            Gone(status="NoAnyResultData"),
        ),
        (
            {"taskStatus": "Completed", "responseStatusCode": "ResultDataLost", "results": []},
            Gone(status="ResultDataLost"),
        ),
        ({"taskStatus": "Error", "responseStatusCode": "Error"}, Failed()),
        (
            {"taskStatus": "Error", "error": {"messages": ["corrupted"], "warnings": ["w"]}},
            Failed(messages=("corrupted", "w")),
        ),
    ],
)
async def test_every_status_means_what_the_documentation_says(
    bench: Bench, faults: type[Faults], fields: dict[str, Any], fetched: Fetched
) -> None:
    body = {"id": TASK_ID, "results": None, "error": None} | fields
    assert await ask(bench, faults.body(spelled(body))) == fetched
    assert bench.server.count()["poll"] == 1


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (None, "holds no PDF"),
        ([], "holds no PDF"),
        ([{"type": "Pdf", "data": None}], "holds no PDF"),
        ([{"type": "Pdf", "data": ""}], "holds no PDF"),
        ([{"type": "Text", "data": B64}], "holds no PDF"),
        ([{"data": B64, "type": "Text"}], "holds no PDF"),
        ([{"type": "Pdf", "data": B64[:-1]}], "not Base64"),
        ([{"type": "Pdf", "data": B64 + "="}], "not Base64"),
        ([{"type": "Pdf", "data": B64[:1000] + "*" + B64[1001:]}], "not Base64"),
        ([{"type": "Pdf", "data": "a b"}], "not Base64"),
        ([{"data": "QQ==QQ==", "type": "Pdf"}], "not Base64"),
    ],
)
async def test_a_complete_task_without_a_usable_pdf_is_corrupt_at_once(
    bench: Bench, faults: type[Faults], results: object, message: str
) -> None:
    body = spelled(completed(results=results, error={"messages": ["so sorry"]}))
    with pytest.raises(CorruptResultError, match=f"{message}.*so sorry"):
        await ask(bench, faults.body(body))
    assert bench.server.count()["poll"] == 1


@pytest.mark.parametrize(
    "body",
    [
        PLAIN[:-1],
        PLAIN[: len(PLAIN) // 2],
        PLAIN + b"}",
        PLAIN.replace(b'"Completed"', b"17"),
        PLAIN.replace(TASK_ID.encode(), TASK_ID.replace("c4", "c5").encode()),
        PLAIN.replace(b"Ok", b"\xff"),
        b"[" + PLAIN + b"]",
        b'{"results": null}',
        b'{"taskStatus": "Pending", "taskStatus": "Completed"}',
        b'{"taskStatus": "Pending", "junk": "' + b"x" * 2_000_000 + b'"}',
        b'{"a": ' * 5000,
    ],
)
async def test_what_is_not_the_documented_json_is_a_bad_response_when_no_try_is_left(
    bench: Bench, faults: type[Faults], body: bytes
) -> None:
    with pytest.raises(BadResponseError) as caught:
        await ask(bench, faults.body(body))
    assert not isinstance(caught.value, CorruptResultError)
    assert bench.server.count()["poll"] == 6
    assert bench.calls.left() == bench.server.count()


async def test_a_broken_gzip_stream_is_asked_for_again(bench: Bench, faults: type[Faults]) -> None:
    broken = gzip.compress(PLAIN)[:-20] + bytes(20)
    bench.server.plan["poll"].append(faults.body(broken, Content_Encoding="gzip"))
    sink = bench.sink()
    assert await ask(bench, faults.body(PLAIN), sink) == Ready()
    assert sink.pdf == PDF
    assert bench.server.count()["poll"] == 2


async def test_a_second_try_starts_the_file_anew(bench: Bench, faults: type[Faults]) -> None:
    other = PLAIN.replace(B64.encode(), base64.b64encode(bytes(500_000)))
    bench.server.plan["poll"].append(faults.body(other[:-2]))
    sink = bench.sink()
    assert await ask(bench, faults.body(PLAIN), sink) == Ready()
    assert sink.pdf == PDF


LARGE_PDF = b"%PDF-1.7\n" + bytes(range(256)) * 20_000


def large(**changes: object) -> bytes:
    data = base64.b64encode(LARGE_PDF).decode()
    return spelled(completed(results=[{"type": "Pdf", "data": data} | changes]))


@pytest.mark.parametrize("escaped", ["", "/"])
async def test_a_large_pdf_is_written_in_order_while_it_arrives(
    bench: Bench, faults: type[Faults], escaped: str
) -> None:
    body = large().replace(b"/", b"\\/") if escaped else large()
    bench.server.plan["poll"].append(faults.body(body[: len(body) * 2 // 3]))
    sink = bench.sink()
    assert await ask(bench, faults.body(body), sink) == Ready()
    assert sink.pdf == LARGE_PDF
    assert bench.server.count()["poll"] == 2


async def test_large_data_of_another_type_is_taken_back(bench: Bench, faults: type[Faults]) -> None:
    text = {"data": base64.b64encode(bytes(4_000_000)).decode(), "type": "Text"}
    body = spelled(completed(results=[text, {"type": "Pdf", "data": B64}]))
    sink = bench.sink()
    assert await ask(bench, faults.body(body), sink) == Ready()
    assert sink.pdf == PDF


@pytest.mark.parametrize("failing_write", range(1, 6))
async def test_one_write_that_fails_is_enough_and_nothing_is_tried_again(
    bench: Bench, faults: type[Faults], failing_write: int
) -> None:
    sink = bench.sink()
    sink.failing_write = failing_write
    with pytest.raises(OutputError, match="disk full"):
        await ask(bench, faults.body(large()), sink)
    assert bench.calls.of("poll") == [("lost", 200)]


@pytest.mark.parametrize("form", ["{}", '"{}"', '"{}" \r\n', "  {}\n", "\ufeff{}"])
async def test_every_form_of_the_task_id_is_understood(
    bench: Bench, faults: type[Faults], form: str
) -> None:
    bench.server.plan["submit"].append(faults.body(form.format(TASK_ID).encode(), "text/plain"))
    async with bench.engine() as engine:
        assert await engine.submit(bench.document()) == TASK_ID
