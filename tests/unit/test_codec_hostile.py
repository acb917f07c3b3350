"""Bodies that are made to be slow: what they cost is counted, not timed."""

from __future__ import annotations

import itertools
import json
import sys
import tracemalloc
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_converter import codec
from batch_converter.codec import (
    MAX_DEPTH,
    MAX_MARKS,
    MAX_SKELETON_BYTES,
    EnvelopeScanner,
    SubmissionScanner,
)
from batch_converter.errors import BadResponseError, FileError, RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from batch_converter.codec.json_walk import Mode

CODEC = str(Path(codec.__file__).parent)
PIECE_BYTES = 64 * 1024
SCANNERS: list[Callable[[], EnvelopeScanner | SubmissionScanner]] = [
    EnvelopeScanner,
    SubmissionScanner,
]
DEEP = MAX_DEPTH - 4


def nested(inner: bytes) -> bytes:
    return b'{"image":"QUJD","settings":{"a":' + b"[" * DEEP + inner + b"]" * DEEP + b"}}"


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "strings deep inside": lambda n: nested(b'"",' * n + b'""'),
    "numbers deep inside": lambda n: nested(b"1," * n + b"1"),
    "commas alone": lambda n: nested(b"," * n),
    "brackets deep inside": lambda n: nested(b"[]," * n + b"[]"),
    "objects deep inside": lambda n: nested(b'{"a":{}},' * n + b"{}"),
    "keys": lambda n: b"{" + b",".join(b'"%d":0' % i for i in range(n)) + b"}",
    "keys with escapes": lambda n: b"{" + b",".join(b'"\\u0061%d":0' % i for i in range(n)) + b"}",
    "one key again and again": lambda n: b'{"image":"QUJD"' + b',"a":0' * n + b"}",
    "a long key": lambda n: b'{"' + b"k" * 4 * n + b'":0}',
    "a key of escapes": lambda n: b'{"' + b'\\"' * 2 * n + b'":0}',
    "a long string": lambda n: b'{"error":"' + b"x" * 4 * n + b'"}',
    "a string of escaped quotes": lambda n: b'{"error":"' + b'\\"' * 2 * n + b'"}',
    "a string of backslashes": lambda n: b'{"error":"' + b"\\\\" * 2 * n + b'"}',
    "a long number": lambda n: b'{"error":' + b"9" * 4 * n + b"}",
    "white space": lambda n: b'{"error":' + b" \n\t\r" * n + b"0}",
    "messages": lambda n: b'{"error":{"messages":[' + b'"m",' * n + b'"m"]}}',
    "results": lambda n: b'{"results":[' + b'{"data":"","type":"a"},' * n + b"{}]}",
    "empty data": lambda n: b'{"results":[' + b'{"data":""},' * n + b"{}]}",
    "top level": lambda n: b'"",' * n,
}


def refused(scanner: EnvelopeScanner | SubmissionScanner, body: bytes) -> FileError | None:
    pieces = [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]
    try:
        for piece in pieces:
            scanner.feed(bytes(bytearray(piece)))  # an object of its own, as from a socket
        scanner.finish()
    except (BadResponseError, RejectedError) as error:
        return error
    return None


def calls(function: Callable[[], object]) -> int:
    """How many calls the codec makes, into C too: the same number on any machine."""
    count = itertools.count()

    def tally(frame: FrameType, event: str, _arg: object) -> None:
        if event in {"call", "c_call"} and frame.f_code.co_filename.startswith(CODEC):
            next(count)

    before = sys.getprofile()
    sys.setprofile(tally)
    try:
        function()
    finally:
        sys.setprofile(before)
    return next(count)


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_early_and_costs_no_more_for_being_longer(
    scanner: Callable[[], EnvelopeScanner | SubmissionScanner], name: str
) -> None:
    costs = []
    for count in (MAX_SKELETON_BYTES // 2, 2 * MAX_SKELETON_BYTES):
        body = HOSTILE[name](count)
        errors: list[FileError | None] = []
        costs.append(calls(lambda: errors.append(refused(scanner(), body))))  # noqa: B023  # called at once
        (error,) = errors
        assert error is not None
        assert "beside its data" in str(error) or "twice" in str(error)
        assert error.__cause__ is None
    assert costs[0] == costs[1]
    assert costs[0] < 40 * MAX_MARKS


@pytest.mark.parametrize("scanner", SCANNERS)
@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "top level"])
def test_the_cost_grows_no_faster_than_the_body(
    scanner: Callable[[], EnvelopeScanner | SubmissionScanner], name: str
) -> None:
    few, many = (calls(partial(refused, scanner(), HOSTILE[name](count))) for count in (300, 1200))
    assert many <= 4 * few + 50


@pytest.mark.parametrize("scanner", SCANNERS)
def test_depth_costs_nothing_extra(
    scanner: Callable[[], EnvelopeScanner | SubmissionScanner],
) -> None:
    def body(depth: int) -> bytes:
        return b'{"a":' + b"[" * depth + b'"",' * 1000 + b'""' + b"]" * depth + b"}"

    shallow, deep = (
        calls(partial(refused, scanner(), body(depth))) for depth in (4, MAX_DEPTH - 1)
    )
    brackets = 2 * (MAX_DEPTH - 5)
    assert deep - shallow <= 10 * brackets


@pytest.mark.parametrize("base", SCANNERS)
@given(depth=st.integers(1, MAX_DEPTH - 1))
def test_no_path_is_kept_below_what_is_asked_for(
    base: type[EnvelopeScanner | SubmissionScanner], depth: int
) -> None:
    heard: list[tuple[str | None, ...]] = []

    class Spy(base):  # type: ignore[misc, valid-type]  # of either
        def _begins(self, path: tuple[str | None, ...]) -> Mode:
            assert len(self._keys) <= self.asked_depth
            heard.append(path)
            mode: Mode = super()._begins(path)
            return mode

    spy = Spy()
    body = b'{"a":' * depth + b'"x"' + b"}" * depth
    spy.feed(body)
    assert heard == ([("a",) * depth] if depth <= spy.asked_depth else [])


def padded(body: bytes, size: int) -> bytes:
    """The same with white space up to a size, the strings taken out not counted."""
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


@pytest.mark.parametrize("step", [1, 1000, 1 << 20])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_skeleton_may_be_as_long_as_the_limit(more: int, step: int) -> None:
    body = padded(b'{"settings":{"a":"\\"b"},"image":""}', MAX_SKELETON_BYTES + more)
    body = body.replace(b'"image":""', b'"image":"%s"' % (b"QUJD" * 50_000))
    scanner = SubmissionScanner()
    error = None
    try:
        for at in range(0, len(body), step):
            scanner.feed(body[at : at + step])
        assert scanner.finish().settings == {"a": '"b'}
    except RejectedError as caught:
        error = str(caught)
    said = "the request's body holds more than 64 KiB beside its data"
    assert error == (said if more > 0 else None)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_marks_may_be_as_many_as_the_limit(more: int) -> None:
    others = 6 + 4 + 1  # brackets, strings, the comma of the object
    commas = MAX_MARKS - others + more
    body = b'{"image":"QUJD","settings":{"a":[' + b"1," * commas + b"1]}}"
    scanner = SubmissionScanner()
    if more > 0:
        with pytest.raises(RejectedError, match="4096 brackets, commas and strings beside"):
            scanner.feed(body)
    else:
        scanner.feed(body)
        settings = scanner.finish().settings
        assert len(json.dumps(settings)) > MAX_MARKS


@given(
    st.text(alphabet='\\"/ab\n', max_size=30),
    st.lists(st.integers(0, 60), max_size=6),
    st.booleans(),
)
def test_escapes_end_where_json_says_however_they_are_cut(
    text: str,
    at: list[int],
    skipped: bool,  # noqa: FBT001  # hypothesis gives it by position
) -> None:
    data = {"type": "Text", "data": text} if skipped else {"type": text}
    body = json.dumps({"results": [data], "id": text}).encode()
    places = [0, *sorted({place % (len(body) + 1) for place in at}), len(body)]
    scanner = EnvelopeScanner()
    for begin, end in itertools.pairwise(places):
        assert not scanner.feed(body[begin:end])
    fields = scanner.finish().fields
    assert fields["id"] == text
    assert fields["results"] == [data | {"data": ""} if skipped else data]


@pytest.mark.parametrize("piece", [b"", b"QU"])
def test_many_pieces_of_next_to_nothing_take_no_more_memory_than_one(piece: bytes) -> None:
    scanner = SubmissionScanner()
    scanner.feed(b'{"image":"')
    tracemalloc.start()
    try:
        for _ in range(100_000):
            scanner.feed(bytes(bytearray(piece)))  # an object of its own, as from a socket
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1_000_000  # as objects of their own they took six times that
