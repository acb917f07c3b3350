from __future__ import annotations

import base64
import contextlib
import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.codec import (
    GATHER_BYTES,
    MAX_DEPTH,
    MAX_SKELETON_BYTES,
    READ_BYTES,
    Base64Decoder,
    Base64Frame,
    Envelope,
    EnvelopeScanner,
    JsonBase64Decoder,
    Signal,
    Submission,
    SubmissionScanner,
)
from batch_converter.errors import BadResponseError, RejectedError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PDF = b"%PDF-1.7 \xff\xfe\xfb\xef\xbe>>?? %%EOF\n"
B64 = base64.b64encode(PDF).decode()
ENVELOPE = (
    '{"id": "c4b60313", "taskStatus": "Completed", "responseStatusCode": "Ok",'
    ' "results": [{"type": "Pdf", "data": "@"}], "error": null}'
)

payloads = st.binary(max_size=200)


def cut(text: bytes, at: Iterable[int]) -> list[bytes]:
    """Cut a text at the given places."""
    places = [0, *sorted({place % (len(text) + 1) for place in at}), len(text)]
    return [text[begin:end] for begin, end in itertools.pairwise(places)]


cuts = st.lists(st.integers(0, 2000), max_size=8)


def scan(chunks: Sequence[bytes], gather_bytes: int = 0) -> tuple[bytes, Envelope]:
    """Do what an engine does: write pieces, empty the file where told."""
    scanner, written = EnvelopeScanner(gather_bytes=gather_bytes), b""
    for chunk in chunks:
        for piece in scanner.feed(chunk):
            written = b"" if piece is Signal.RESTART else written + piece
    return written, scanner.finish()


def scan_text(text: str) -> tuple[bytes, Envelope]:
    return scan([text.encode()])


def escaped(text: str, every: int) -> str:
    """Escape a string as JSON writers may: all, some or none of its characters."""
    plain = {"/": "\\/", "+": "\\u002B", "=": "\\u003d"}
    return "".join(
        plain.get(char, f"\\u{ord(char):04X}") if every and index % every == 0 else char
        for index, char in enumerate(text)
    )


# Base64 in pieces


@given(payloads, cuts)
def test_base64_decodes_alike_however_it_is_cut(data: bytes, at: list[int]) -> None:
    decoder = Base64Decoder()
    pieces = [part for piece in cut(base64.b64encode(data), at) for part in decoder.feed(piece)]
    decoder.finish()
    assert b"".join(pieces) == data


@given(payloads, cuts, st.sampled_from("=-_\n \x00é"), st.integers(0, 300))
def test_foreign_or_misplaced_characters_are_errors(
    data: bytes, at: list[int], foreign: str, place: int
) -> None:
    text = base64.b64encode(data)
    place %= len(text) + 1
    spoiled = text[:place] + foreign.encode() + text[place:]
    decoder = Base64Decoder()
    with pytest.raises(ValueError, match=r".+"):
        decode_all(decoder, cut(spoiled, at))


@given(st.binary(min_size=1, max_size=200), cuts, st.integers(1, 3))
def test_early_end_is_an_error(data: bytes, at: list[int], missing: int) -> None:
    text = base64.b64encode(data)[:-missing]
    with pytest.raises(ValueError, match=r".+"):
        decode_all(Base64Decoder(), cut(text, at))


@given(payloads, cuts, st.binary(min_size=1, max_size=9))
def test_text_after_padding_is_an_error(data: bytes, at: list[int], more: bytes) -> None:
    padded = base64.b64encode(data + bytes(1 if len(data) % 3 == 0 else 0))
    text = padded if padded.endswith(b"=") else base64.b64encode(data + b"..")
    if not text.endswith(b"="):
        text = b"QQ=="
    with pytest.raises(ValueError, match=r".+"):
        decode_all(Base64Decoder(), cut(text + base64.b64encode(more), at))


def decode_all(decoder: Base64Decoder, pieces: list[bytes]) -> bytes:
    decoded = b"".join(part for piece in pieces for part in decoder.feed(piece))
    decoder.finish()
    return decoded


def decode_json(pieces: list[bytes], gather_bytes: int) -> bytes:
    decoder = JsonBase64Decoder(gather_bytes)
    decoded = [part for piece in pieces for part in decoder.feed(piece)]
    return b"".join(decoded + decoder.finish())


gathers = st.sampled_from([0, 1, 7, 50, 1 << 20])


@given(
    payloads, cuts, gathers, st.integers(0, 5), st.sampled_from(["", "\\r\\n", "\\n", "\\u000a"])
)
def test_escaped_base64_decodes_alike_however_it_is_cut(
    data: bytes, at: list[int], gather_bytes: int, every: int, line_break: str
) -> None:
    text = base64.b64encode(data).decode()
    lines = [escaped(text[i : i + 7], every) for i in range(0, len(text), 7)]
    raw = (line_break.join(lines) + line_break).encode()
    assert json.loads(b'"%b"' % raw).translate({13: None, 10: None}) == text
    assert decode_json(cut(raw, at), gather_bytes) == data


@pytest.mark.parametrize(
    "raw",
    [
        "QUJD\\",
        "QUJD\\u00",
        "QUJD\\x41QUJ",
        "QUJD\\u00zz",
        "QUJD\\\\QUJ",
        "QUJD\\tQUJD",
        "QUJD\nQUJD",
        "QUJD\\u0000",
        "QUJD\\ud83d\\ude00",
        "QUJD\\ud83d",
        "QU\\u004",
        "QUJD\\\\nABCD",  # the backslash that an escape gave begins none with what comes next
    ],
)
def test_unsound_escapes_are_errors_however_they_are_cut(raw: str) -> None:
    for place in range(len(raw)):
        with pytest.raises(ValueError, match=r".+"):
            decode_json(cut(raw.encode(), [place]), 0)


# The envelope


def test_every_single_cut_of_the_documented_answer_reads_alike() -> None:
    text = b"\xef\xbb\xbf" + ENVELOPE.replace("@", escaped(B64, 3)).encode()
    for place in range(len(text) + 1):
        written, envelope = scan(cut(text, [place]))
        assert written == PDF
        assert envelope.pdf_bytes == len(PDF)
        assert envelope.fields["taskStatus"] == "Completed"
    assert scan([bytes([byte]) for byte in text])[0] == PDF


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def envelopes(draw: st.DrawFn) -> tuple[bytes, bytes, dict[str, object]]:
    """Draw an answer in any legal spelling, with its PDF and what else it says."""
    data = draw(payloads)
    others = [
        {"type": word, "data": draw(st.text(max_size=30) | st.none())} for word in ("Text", "Hocr")
    ]
    pdf: dict[str, object] = {"type": "Pdf", "data": "@DATA@", "extra": draw(json_values)}
    result = {key: pdf[key] for key in draw(st.permutations(sorted(pdf)))}
    fields: dict[str, object] = {
        "taskStatus": "Completed",
        "id": draw(st.text(max_size=10)),
        "error": {"messages": [draw(st.text(max_size=20))], "data": "not this one"},
        "results": draw(st.permutations([result, *others])),
        "unknown": {"results": [{"type": "Pdf", "data": "nor this"}], "": draw(json_values)},
    }
    text = json.dumps(
        {key: fields[key] for key in draw(st.permutations(sorted(fields)))},
        indent=draw(st.sampled_from([None, 0, 3, "\t", " \r\n"])),
        ensure_ascii=draw(st.booleans()),
    )
    b64 = escaped(base64.b64encode(data).decode(), draw(st.integers(0, 4)))
    text = text.replace("@DATA@", b64)
    if draw(st.booleans()):
        text = text.replace('"results"', '"res\\u0075lts"').replace('"data"', '"\\u0064ata"')
    return text.encode("utf-8", "surrogatepass"), data, fields


@given(envelopes(), cuts, gathers)
@settings(max_examples=150)
def test_any_legal_answer_reads_alike_however_it_is_cut(
    answer: tuple[bytes, bytes, dict[str, object]], at: list[int], gather_bytes: int
) -> None:
    text, data, fields = answer
    written, envelope = scan(cut(text, at), gather_bytes)
    assert (written, envelope.fault, envelope.pdf_bytes) == (data, None, len(data))
    for key in ("taskStatus", "id", "error", "unknown"):
        assert envelope.fields[key] == fields[key]


@given(envelopes(), cuts, st.integers(1, 3000))
def test_answer_that_is_cut_off_is_an_error(
    answer: tuple[bytes, bytes, dict[str, object]], at: list[int], missing: int
) -> None:
    text, _, _ = answer
    stump = text.rstrip()[: -min(missing, len(text.rstrip()))]
    with pytest.raises(BadResponseError):
        scan(cut(stump, at))


@given(st.binary(max_size=60), st.integers(0, 200), cuts)
def test_any_damage_is_an_error_or_a_result_but_never_a_crash(
    noise: bytes, place: int, at: list[int]
) -> None:
    text = ENVELOPE.replace("@", B64).encode()
    place %= len(text)
    with contextlib.suppress(BadResponseError):
        scan(cut(text[:place] + noise + text[place + len(noise) :], at))


@pytest.mark.parametrize(
    "results",
    [
        [{"data": "@", "type": "Pdf"}],
        [{"type": "PDF", "data": "@"}],
        [{"type": ".pdf", "data": "@"}],
        [{"type": None, "data": "@"}],
        [{"data": "@"}],
        [{"data": "@", "type": None}],
        [
            {"type": "Text", "data": 'plain "text" \\ that is no Base64'},
            {"type": "Pdf", "data": "@"},
        ],
        [{"data": "no Base64", "type": "Text"}, {"data": "@", "type": "Pdf"}],
        [{"data": "QUJD", "type": "Text"}, {"data": "@", "type": "Pdf"}],
        [{"data": "@", "type": "Pdf"}, {"data": "QUJD", "type": "Text"}],
        [{"data": "@", "type": "Pdf"}, {"data": "QUJD", "type": "Pdf"}],
        [{"data": "QUJD"}, {"data": "@", "type": "Pdf"}],
        [{"type": "Text", "data": None}, {"type": "Pdf", "data": "@"}, {}],
        [None, 5, "data", [{"type": "Pdf", "data": "QUJD"}], {"type": "Pdf", "data": "@"}],
    ],
)
def test_the_pdf_is_found_among_the_results(results: list[object]) -> None:
    text = json.dumps({"taskStatus": "Completed", "results": results}).replace("@", B64)
    for chunks in ([text.encode()], [bytes([byte]) for byte in text.encode()]):
        written, envelope = scan(chunks)
        assert (written, envelope.pdf_bytes, envelope.fault) == (PDF, len(PDF), None)


@pytest.mark.parametrize(
    "results",
    [
        "null",
        "[]",
        "{}",
        '"@"',
        '[{"type": "Pdf"}]',
        '[{"type": "Pdf", "data": null}]',
        '[{"type": "Pdf", "data": ["@"]}]',
        '[{"type": "Pdf", "data": {"data": "@"}}]',
        '[{"type": "Text", "data": "@"}]',
        '[{"data": "@", "type": "Text"}]',
        '[{"data": "@", "type": "T\\u0065xt"}]',
        '{"type": "Pdf", "data": "@"}',
        '[["data", "@"]]',
    ],
)
def test_without_a_pdf_nothing_counts(results: str) -> None:
    text = f'{{"taskStatus": "Completed", "results": {results}}}'.replace("@", B64)
    written, envelope = scan_text(text)
    assert (written, envelope.pdf_bytes, envelope.fault) == (b"", None, None)


def test_empty_data_is_an_empty_pdf() -> None:
    assert scan_text(ENVELOPE.replace("@", ""))[1].pdf_bytes == 0


@pytest.mark.parametrize(
    "data", ["QUJ", "QUJD=", "QQ=", "QQ", "QUJD QUJD", 'QU\\"JD', "QUJD\\\\", "QQ==QUJD", "é"]
)
@pytest.mark.parametrize("order", ["type first", "data first"])
def test_data_that_is_no_base64_is_a_fault_and_the_rest_is_still_read(
    data: str, order: str
) -> None:
    fields = ['"type": "Pdf"', f'"data": "{data}"']
    if order == "data first":
        fields.reverse()
    text = f'{{"results": [{{{", ".join(fields)}}}], "error": {{"warnings": ["w"]}}}}'
    _, envelope = scan([bytes([byte]) for byte in text.encode()])
    assert envelope.fault is not None
    assert envelope.fault.startswith("the result's data is not Base64")
    assert envelope.fields["error"] == {"warnings": ["w"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "null",
        '"text"',
        "[]",
        "17",
        "{",
        '{"a": 1',
        '{"a": 1}}',
        '{"a": 1]',
        "[}",
        "]",
        '{"a": 1} {"b": 2}',
        '{"a": 1} trailing',
        "{'a': 1}",
        '{"a": 01}',
        '{"a" 1}',
        '{"a": "\\x"}',
        '{"\\x": 1}',
        '{"a": "line\nbreak"}',
        "<html><body>502</body></html>",
        '{"taskStatus": "Completed", "taskStatus": "Pending"}',
        '{"results": [{"type": "Pdf", "data": "QUJD", "data": "QUJD"}]}',
        '{"results": [{"type": "Text", "data": "QUJD", "type": "Pdf"}]}',
        "[" * (MAX_DEPTH + 1),
        '{"a": "' + "x" * MAX_SKELETON_BYTES,
        '{"a": ' + " " * MAX_SKELETON_BYTES,
    ],
)
def test_what_is_not_the_documented_json_is_a_bad_response(text: str) -> None:
    with pytest.raises(BadResponseError) as caught:
        scan_text(text)
    assert caught.value.__cause__ is None


def test_bytes_that_are_not_utf8_are_a_bad_response() -> None:
    with pytest.raises(BadResponseError, match="not JSON"):
        scan([b'{"taskStatus": "\xff"}'])


def test_data_is_handed_out_in_large_pieces_and_not_kept() -> None:
    scanner = EnvelopeScanner()
    scanner.feed(b'{"results": [{"type": "Pdf", "data": "')
    text = b"QUJD" * (GATHER_BYTES // 4 + 1)
    for _ in range(5):
        assert not scanner.feed(text[: GATHER_BYTES // 2 + 1])
        (piece,) = scanner.feed(text[GATHER_BYTES // 2 + 1 :])
        assert isinstance(piece, bytes)
        assert abs(len(piece) - GATHER_BYTES * 3 // 4) < 16
    assert len(scanner._skeleton) < 100


def test_after_a_fault_nothing_more_is_handed_out() -> None:
    scanner = EnvelopeScanner(gather_bytes=0)
    scanner.feed(b'{"results": [{"type": "Pdf", "data": "')
    assert not scanner.feed(b"*" + b"QUJD\\/QUJD" * 100_000)
    assert not scanner.feed(b"QUJD")


def test_results_passed_over_may_be_of_any_size() -> None:
    scanner = EnvelopeScanner()
    scanner.feed(b'{"results": [{"type": "Hocr", "data": "')
    for _ in range(3):
        assert not scanner.feed(b'<p class=\\"x\\">' * (MAX_SKELETON_BYTES // 8))
    scanner.feed(b'"}, {"type": "Pdf", "data": "QUJD"}]}')
    assert scanner.finish().pdf_bytes == 3


# The submission


def read_submission(chunks: Sequence[bytes]) -> tuple[bytes, Submission]:
    scanner = SubmissionScanner(gather_bytes=len(chunks) % 3 * 10)
    document = b"".join(piece for chunk in chunks for piece in scanner.feed(chunk))
    return document, scanner.finish()


@given(st.binary(min_size=1, max_size=200), cuts, st.integers(0, 4), st.sampled_from([1, -1]))
def test_any_legal_submission_reads_alike(
    data: bytes, at: list[int], every: int, order: int
) -> None:
    b64 = base64.b64encode(data).decode()
    fields: dict[str, object] = {"image": "@", "settings": {"image": "x", "Rotate": 90}}
    body = (
        json.dumps(dict(list(fields.items())[::order]))
        .replace('"@"', f'"{escaped(b64, every)}"')
        .encode()
    )
    document, submission = read_submission(cut(body, at))
    assert document == data
    assert submission == Submission(size_bytes=len(data), settings={"image": "x", "Rotate": 90})


@pytest.mark.parametrize("tail", ["}", ', "settings": null}', ', "settings": {}}'])
def test_settings_may_be_missing(tail: str) -> None:
    assert read_submission([b'{"image": "QUJD"' + tail.encode()])[1].settings == {}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "cut off"),
        ('{"image": "QUJD"', "cut off"),
        ('{"image": "QUJ"}', "not Base64"),
        ('{"image": "QU!D"}', "not Base64"),
        ('{"image": ""}', "no image"),
        ('{"image": null}', "no image"),
        ("{}", "no image"),
        ('{"image": "QUJD", "image": "QUJD"}', "one thing twice"),
        ('{"image": "QUJD", "settings": 5}', "settings that are not an object"),
        ('["QUJD"]', "not a JSON object"),
        ('{"image": "QUJD",}', "not JSON"),
    ],
)
def test_malformed_submissions_are_rejected_and_never_quoted(body: str, message: str) -> None:
    with pytest.raises(RejectedError, match=message) as caught:
        read_submission([body.encode()])
    assert caught.value.__cause__ is None


# What is sent


class Reader:
    """Gives at most `step` bytes at a time, as a pipe would."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data = data
        self.step = step

    async def __call__(self, size: int) -> bytes:
        piece, self.data = self.data[: min(size, self.step)], self.data[min(size, self.step) :]
        return piece


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, 4, READ_BYTES - 1, READ_BYTES, READ_BYTES + 1, 2 * READ_BYTES + 5]
)
@pytest.mark.parametrize("step", [100_001, 10 * READ_BYTES])
async def test_frame_is_exactly_as_long_as_it_says(size: int, step: int) -> None:
    data = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    data = data[:size]
    frame = Base64Frame(before=b'{"image":"', payload_bytes=size, after=b'","settings":{}}')
    pieces = [piece async for piece in frame.pieces(Reader(data, step))]
    assert sum(map(len, pieces)) == frame.content_length
    assert base64.b64decode(json.loads(b"".join(pieces))["image"], validate=True) == data
    assert max(map(len, pieces)) <= READ_BYTES // 3 * 4 + 30


async def test_frame_stops_where_the_file_became_shorter() -> None:
    frame = Base64Frame(before=b"", payload_bytes=10, after=b"")
    with pytest.raises(UnreadableError, match="shorter"):
        _ = [piece async for piece in frame.pieces(Reader(bytes(9), 4))]
