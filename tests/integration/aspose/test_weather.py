"""Storms: a share of all requests goes wrong, and every document comes out byte-exact."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from batch_converter.engines.base import Gone, NotReady, Ready
from batch_converter.errors import CorruptResultError, SubmitUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_converter.engines.base import SourceDocument
    from tests.integration.aspose.conftest import Bench, Driven, Faults

DOCUMENTS = 60
SHARE = 0.15


def storm(faults: type[Faults], seed: int) -> Callable[[str], Any]:
    """Return a plan by chance: 15 % of all requests go wrong, at every endpoint alike."""
    chance = random.Random(seed)  # the same storm each time
    anywhere = [
        faults.reset,
        faults.reset_in_body,
        faults.lost,
        faults.cut(0.0),
        faults.cut(0.5),
        faults.cut(0.97, declared=False),
        faults.body(b"<html><title>Captive portal</title>", "text/html"),
        faults.body(b""),
        faults.body(b'{"taskStatus": '),
        *(faults.status(code) for code in (408, 425, 429, 500, 502, 503, 504)),
        faults.status(429, Retry_After="3"),
        faults.status(503, Retry_After="Sat, 01 Mar 2025 12:00:09 GMT"),
        faults.status(500, b"<h1>Server Error</h1>", "text/html"),
    ]
    polls = [
        faults.body(b'{"taskStatus": "Hibernating", "results": null}'),
        faults.body(b'{"taskStatus": "Completed", "results": null}'),
        faults.body(b'{"taskStatus": "Completed", "results": [{"type": "Pdf", "data": "QQ"}]}'),
        faults.body(b'{"taskStatus": "NotExist"}'),
    ]

    def plan(endpoint: str) -> Any:  # noqa: ANN401  # a Fault or None
        if endpoint == "other" or chance.random() >= SHARE:
            return None
        return chance.choice(anywhere + (polls if endpoint == "poll" else []))

    return plan


async def convert(bench: Bench, engine: Driven, document: SourceDocument) -> bytes:
    """Do what the orchestrator does, without its patience."""
    while True:
        try:
            task = bench.task(await engine.submit(document))
        except SubmitUnknownError:
            continue
        sink, fetched = bench.sink(), None
        while not isinstance(fetched, Ready | Gone):
            try:
                fetched = await engine.fetch(document, task, sink)
            except CorruptResultError:
                continue
            assert isinstance(fetched, Ready | Gone | NotReady)
        if isinstance(fetched, Ready):
            return bytes(sink.pdf)


@pytest.mark.parametrize("seed", range(4))
async def test_a_storm_loses_nothing_and_every_request_is_counted(
    bench: Bench, faults: type[Faults], seed: int
) -> None:
    bench.server.storm = storm(faults, seed)
    bench.server.questions_needed = 2
    bench.retry = {"request_attempts": 12, "unavailable_after_s": 100_000}
    chance = random.Random(seed)  # the same storm each time
    sources = {
        f"{n}.djvu": b"AT&TFORM" + chance.randbytes(chance.choice([5, 3000, 1_000_000]))
        for n in range(DOCUMENTS)
    }
    pdfs: dict[str, bytes] = {}
    async with bench.engine() as engine, anyio.create_task_group() as group:

        async def one(document: SourceDocument) -> None:
            pdfs[document.name] = await convert(bench, engine, document)

        for name, data in sources.items():
            group.start_soon(one, bench.document(data, name))
    assert len(pdfs) == DOCUMENTS
    for name, data in sources.items():
        assert pdfs[name] == b"%PDF-1.7\n" + data[::-1] + b"\n%%EOF\n"
    assert bench.calls.left() == bench.server.count()
    wrong = sum(
        outcome != "answered" for kind in ("submit", "poll") for outcome, _ in bench.calls.of(kind)
    )
    assert wrong > DOCUMENTS * SHARE
