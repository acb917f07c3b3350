from __future__ import annotations

import base64
import json
import re

import pytest
from aspose_ocr_cloud.models.language import Language
from aspose_ocr_cloud.models.ocr_response import OCRResponse
from aspose_ocr_cloud.models.ocr_settings_dj_vu2_pdf import OCRSettingsDjVu2PDF
from aspose_ocr_cloud.models.ocr_task_status import OCRTaskStatus
from aspose_ocr_cloud.models.problem_details import ProblemDetails
from aspose_ocr_cloud.models.response_status_code import ResponseStatusCode
from hypothesis import given
from hypothesis import strategies as st

from batch_converter import wire
from batch_converter.codec import MAX_SKELETON_BYTES
from batch_converter.errors import BadResponseError, ConfigError
from batch_converter.redaction import Redactor
from batch_converter.wire.settings import LANGUAGES, RecognitionSettings

TASK_ID = "c4b60313-4f78-45f8-b708-069eb98dc22e"

# The answers that the vendor's documentation prints, typed off.
DOCUMENTED_TOKEN = b'{"access_token": "eyJhbGciOi", "expires_in": 3600, "token_type": "bearer"}'
DOCUMENTED_PROCESSING = """
{
  "id": "c4b60313-4f78-45f8-b708-069eb98dc22e",
  "taskStatus": "Processing",
  "responseStatusCode": "Ok",
  "results": null,
  "error": null
}"""
DOCUMENTED_ERROR = """
{
  "id": "c4b60313-4f78-45f8-b708-069eb98dc22e",
  "taskStatus": "Error",
  "responseStatusCode": "Error",
  "results": null,
  "error": {
    "messages": ["The input file appears to be corrupted or is not a valid DjVu document."]
  }
}"""
DOCUMENTED_NOT_EXIST = """
{
  "id": "c4b60313-4f78-45f8-b708-069eb98dc22e",
  "taskStatus": "NotExist",
  "responseStatusCode": "Error",
  "results": null,
  "error": {
    "messages": ["The requested conversion task was not found."]
  }
}"""


def test_documented_token_is_read() -> None:
    answer = wire.read_token_answer(DOCUMENTED_TOKEN)
    assert answer == wire.TokenAnswer(access_token="eyJhbGciOi", lifetime_s=3600.0)
    assert "eyJ" not in repr(answer)


def test_written_token_reads_back() -> None:
    answer = wire.TokenAnswer(access_token="abc", lifetime_s=60.0)
    assert wire.read_token_answer(wire.write_token_answer(answer)) == answer


@pytest.mark.parametrize(
    "lifetime",
    [
        *("null", '"soon"', "true", "[]", "{}", "NaN", "Infinity", '"inf"', '"nan"'),
        *("-3", "0", "0.999", '"0"', "-0.0", "1e999", "9" * 400, '"' + "9" * 400 + '"'),
    ],
)
def test_token_with_odd_lifetime_lasts_the_documented_hour(lifetime: str) -> None:
    body = f'{{"access_token": "abc", "expires_in": {lifetime}}}'.encode()
    assert wire.read_token_answer(body).lifetime_s == 3600


@pytest.mark.parametrize(("given", "lifetime_s"), [('"120"', 120), ("1", 1), ("1e300", 1e300)])
def test_token_lifetime_may_be_text_and_of_any_length(given: str, lifetime_s: float) -> None:
    body = f'{{"access_token":"a","expires_in":{given}}}'.encode()
    assert wire.read_token_answer(body).lifetime_s == lifetime_s


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"access_token": ""}',
        b'{"access_token": "two\\r\\nlines: smuggled"}',
        b'{"access_token": 5}',
        b'\xff{"access_token": "a"}',
        b'{"access_token": "a"',
        b"[" * 100_000,
    ],
)
def test_unusable_token_answer_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponseError) as caught:
        wire.read_token_answer(body)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "body",
    [
        TASK_ID.encode(),
        f'"{TASK_ID}"'.encode(),
        f'"{TASK_ID}"  \r\n'.encode(),
        f"  {TASK_ID}\n".encode(),
        b"\xef\xbb\xbf" + TASK_ID.encode(),
    ],
)
def test_task_id_is_read_in_every_form_seen_in_the_wild(body: bytes) -> None:
    assert wire.read_task_id(body) == TASK_ID


@pytest.mark.parametrize("word", ["task-1", "1234567", "01JD7ZB2M8TQ", "{" + TASK_ID + "}"])
def test_an_id_of_another_kind_is_not_thrown_away(word: str) -> None:
    assert wire.read_task_id(word.encode()) == word


@pytest.mark.parametrize("length", range(TASK_ID.index("-") + 1, len(TASK_ID)))
def test_a_guid_cut_off_is_no_task_id(length: int) -> None:
    with pytest.raises(BadResponseError):
        wire.read_task_id(TASK_ID[:length].encode())


@pytest.mark.parametrize(
    "body",
    [b"", b'""', b"OK", b"null", b"<html>404</html>", b'{"code":1}', b"not found 4", b"1" * 200],
)
def test_anything_else_is_no_task_id(body: bytes) -> None:
    with pytest.raises(BadResponseError):
        wire.read_task_id(body)


def test_task_ids_are_compared_whatever_their_spelling() -> None:
    assert wire.same_task(TASK_ID, "{" + TASK_ID.upper() + "}")
    assert wire.same_task(TASK_ID, TASK_ID.replace("-", ""))
    assert not wire.same_task(TASK_ID, TASK_ID.replace("c4", "c5"))
    assert wire.same_task("plain ", "plain")
    assert not wire.same_task("plain", "other")


def test_documented_answers_are_read() -> None:
    processing = wire.read_task_answer(json.loads(DOCUMENTED_PROCESSING))
    failed = wire.read_task_answer(json.loads(DOCUMENTED_ERROR))
    gone = wire.read_task_answer(json.loads(DOCUMENTED_NOT_EXIST))
    assert processing == wire.TaskAnswer(
        task_id=TASK_ID, status_word="Processing", code_word="Ok", messages=(), warnings=()
    )
    assert (failed.status, failed.code) == (wire.TaskStatus.ERROR, wire.ResponseCode.ERROR)
    assert failed.messages == (
        "The input file appears to be corrupted or is not a valid DjVu document.",
    )
    assert gone.status is wire.TaskStatus.NOT_EXIST


def test_unknown_words_are_kept_and_are_no_error() -> None:
    answer = wire.read_task_answer({"taskStatus": "Queued", "responseStatusCode": "Fine"})
    assert (answer.status, answer.code) == (None, None)
    assert (answer.status_word, answer.code_word) == ("Queued", "Fine")


def test_known_words_are_known_in_any_case() -> None:
    assert wire.task_status(" completed ") is wire.TaskStatus.COMPLETED
    assert wire.response_code("RESULTDATALOST") is wire.ResponseCode.RESULT_DATA_LOST
    assert wire.task_status(None) is None


def test_vocabulary_is_the_vendors() -> None:
    assert [status.value for status in OCRTaskStatus] == list(wire.TaskStatus)
    assert [code.value for code in ResponseStatusCode] == list(wire.ResponseCode)
    assert {language.value for language in Language} == LANGUAGES
    ours = {field.alias or name for name, field in RecognitionSettings.model_fields.items()}
    theirs = {field.alias or name for name, field in OCRSettingsDjVu2PDF.model_fields.items()}
    assert ours == theirs


@pytest.mark.parametrize(
    ("error", "messages", "warnings"),
    [
        (None, (), ()),
        ({}, (), ()),
        ({"messages": None, "warnings": ["page 3 is blank"]}, (), ("page 3 is blank",)),
        ({"messages": ["a", None, "", 5]}, ("a", "5"), ()),
        ({"messages": "one"}, ("one",), ()),
        ("broken", ("broken",), ()),
        (["a", "b"], ("a", "b"), ()),
        ({"messages": ["m"] * 50}, ("m",) * 50, ()),
        ({"messages": ["m"] * 51}, (*("m",) * 49, "and 2 more"), ()),
        ({"messages": ["m"] * 1000}, (*("m",) * 49, "and 951 more"), ()),
    ],
)
def test_error_of_any_shape_becomes_messages(
    error: object, messages: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    answer = wire.read_task_answer({"taskStatus": "Completed", "error": error})
    assert (answer.messages, answer.warnings) == (messages, warnings)


@pytest.mark.parametrize(
    "fields",
    [{}, {"taskStatus": None}, {"taskStatus": 1}, {"taskStatus": "Pending", "id": []}],
)
def test_undocumented_shape_is_a_bad_response(fields: dict[str, object]) -> None:
    with pytest.raises(BadResponseError):
        wire.read_task_answer(fields)


def test_written_answer_reads_back_here_and_at_the_vendor() -> None:
    answer = wire.TaskAnswer(
        task_id=TASK_ID,
        status_word=wire.TaskStatus.ERROR,
        code_word=wire.ResponseCode.ERROR,
        messages=("beschädigt",),
        warnings=("w",),
    )
    body = wire.write_task_answer(answer)
    assert wire.read_task_answer(json.loads(body)) == answer
    theirs = OCRResponse.from_json(body.decode())
    assert theirs is not None
    assert theirs.error is not None
    assert theirs.error.messages == ["beschädigt"]


def test_completed_frame_is_json_around_any_base64() -> None:
    answer = wire.TaskAnswer(
        task_id=TASK_ID, status_word=wire.TaskStatus.COMPLETED, code_word=wire.ResponseCode.OK
    )
    before, after = wire.completed_frame(answer)
    body = json.loads(before + b"JVBERi0=" + after)
    assert body["results"] == [{"type": "Pdf", "data": "JVBERi0="}]
    assert wire.read_task_answer(body) == answer


@pytest.mark.parametrize("count", [1, 49, 50, 51, 5000])
@pytest.mark.parametrize("text", ["page 7 is blank: x", "ž" * 499, "ž" * 500, "ž" * 100_000])
def test_written_messages_are_counted_and_fit_beside_a_pdf(text: str, count: int) -> None:
    answer = wire.TaskAnswer(
        task_id=TASK_ID,
        status_word=wire.TaskStatus.COMPLETED,
        code_word=wire.ResponseCode.OK,
        messages=(text,) * count,
        warnings=(text,) * count,
    )
    before, after = wire.completed_frame(answer)
    assert len(before) + len(after) < MAX_SKELETON_BYTES
    read = wire.read_task_answer(json.loads(before + after))
    for told in (read.messages, read.warnings):
        *whole, last = told
        more = re.fullmatch("and ([0-9]+) more", last)
        assert len(whole) + (int(more[1]) if more else 1) == count
        assert more is not None or len(text) > 500 or last == text


def test_submission_frame_carries_the_settings_verbatim() -> None:
    before, after = wire.submission_frame({"language": "German", "regions": []})
    body = json.loads(before + b"QVQm" + after)
    assert body == {"image": "QVQm", "settings": {"language": "German", "regions": []}}
    assert wire.submission_frame({}) == (b'{"image":"', b'","settings":{}}')


@pytest.mark.parametrize(
    "piece", [b"<h1>", b"<title>", b"<title", b"<", b"<title></", b"&amp;", b"<!--", b"<h1 a=>"]
)
@pytest.mark.parametrize("around", [b"<title>%b</title>", b"<%b", b"<h1>%b</h2>"])
def test_a_page_made_to_be_slow_is_read_once(piece: bytes, around: bytes) -> None:
    """A hundred times within the patience for a test: each took seconds when it was read anew."""
    body = around % (piece * (wire.MAX_BODY_BYTES // len(piece)))
    told = {wire.read_refusal(body) for _ in range(100)}
    assert len(told) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", ""),
        (b"   \r\n", ""),
        (b"Quota exceeded\r\n for this\tmonth", "Quota exceeded for this month"),
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b'{"title": "Bad Request", "status": 400}', "Bad Request"),
        (b'{"detail": "no image", "title": "Bad Request"}', "Bad Request: no image"),
        (b'{"title": "T", "errors": {"image": ["must be Base64"]}}', "T: must be Base64"),
        (b'{"error": {"messages": ["one", "two"], "warnings": null}}', "one: two"),
        (b'"just text"', "just text"),
        (b"<html><title>502 Bad\nGateway</title><h1>x</h1>", "502 Bad Gateway"),
        (b"<h1>Access &amp; <b>denied</b></h1>", "Access & denied"),
        (b"<p>nothing to quote</p>", ""),
        (b"\xef\xbb\xbfhello", "hello"),
        (b"caf\xe9 \x00\x1b[31mred", "caf\ufffd [31mred"),
        (b"[" * 70_000, "[" * wire.MAX_BODY_BYTES),
    ],
)
def test_error_bodies_of_every_kind_are_understood(body: bytes, message: str) -> None:
    assert wire.read_refusal(body) == message


def test_written_refusals_are_read_here_and_at_the_vendor() -> None:
    body = wire.write_problem(status=401, title="Unauthorized", detail="the token has expired")
    assert wire.read_refusal(body) == "Unauthorized: the token has expired"
    theirs = ProblemDetails.from_json(body.decode())
    assert theirs is not None
    assert theirs.status == 401
    assert wire.read_refusal(wire.write_token_refusal()) == "invalid_client"


@given(st.binary(max_size=300))
def test_any_error_body_becomes_one_line(body: bytes) -> None:
    assert len(wire.read_refusal(body).splitlines()) <= 1


@pytest.mark.parametrize(
    "echo",
    [
        "QVQmVEZPUk0AAA",
        "AT&TFORM\x01\x02",
        "AT&TFORM   DJVMDIRM",
        "AT&TFORM\ufffd\ufffdDJVU",
        "\ufffd\ufffda\ufffd",
        "JVBERi0xLjc",
        "%PDF-1.7",
        base64.b64encode(bytes(100)).decode(),
    ],
)
def test_document_content_is_masked(echo: str) -> None:
    assert wire.clean_message(f"cannot read {echo}", Redactor()).startswith("cannot read […]")
    assert echo not in wire.clean_message(f"cannot read {echo}", Redactor())


@pytest.mark.parametrize(
    "text", ["it does not begin with AT&TFORM", "neither 'AT&TFORM' nor %PDF-, but caf\ufffd"]
)
def test_the_names_of_formats_are_no_documents(text: str) -> None:
    assert wire.clean_message(text, Redactor()) == text


def test_task_ids_and_prose_stay_readable_and_short() -> None:
    text = f"task {TASK_ID} was not found: 任务不存在" + "任" * 60
    assert wire.clean_message(text, Redactor("secret")) == text
    assert len(wire.clean_message("word " * 1000, Redactor())) == 500


def test_documented_settings_pass_unchanged() -> None:
    settings = {
        "language": "German",
        "Rotate": 90,
        "makeSkewCorrect": True,
        "dsrMode": "TextDetector",
        "dsrConfidence": "Mid",
        "resultType": "TextAndPdf",
        "resultTypeTable": "Csv",
        "regions": [{"rect": {"topLeftX": 1, "bottomRightY": 5}, "order": 0}],
    }
    assert wire.checked_settings(settings) == settings
    assert wire.checked_settings({}) == {}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"langauge": "German"}, r"settings\.langauge'; the nearest known key is 'language'"),
        ({"rotate": 90}, "nearest known key is 'Rotate'"),
        ({"language": "german"}, "nearest is 'German'"),
        ({"makeSkewCorrect": "yes"}, r"aspose\.settings\.makeSkewCorrect: .*boolean"),
        ({"Rotate": 1.5}, r"aspose\.settings\.Rotate"),
        ({"resultType": "Text"}, "'Pdf', 'TextAndPdf'"),
        ({"regions": [{"rectangle": {}}]}, r"aspose\.settings\.regions\.0\.rectangle"),
    ],
)
def test_undocumented_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wire.checked_settings(settings)
