"""What a hostile document can make of the service: a failure of its own, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from batch_converter.config import ServeSettings, Settings
from batch_converter.engines.local import serving_engine
from tests.support.bundles import Part, bundle_of, offsets_of, packed_names, page_form, pages
from tests.support.service import STATUS, Client, running

if TYPE_CHECKING:
    from pathlib import Path


async def outcome(folder: Path, *documents: bytes, max_pages: int = 10_000) -> list[dict[str, Any]]:
    """What the service answers for documents that it gets one after the other."""
    settings = Settings(serve=ServeSettings(max_pages=max_pages))
    engine: Any = serving_engine(settings, workers=1)
    answers = []
    async with running(folder, engine, workers=1) as client:
        for document in documents:
            task_id = await client.submit(document)
            answers.append(await ended(client, task_id))
    return answers


async def ended(client: Client, task_id: str) -> dict[str, Any]:
    """Wait for a real worker, on a machine however busy; the suite's timeout is the limit."""
    while (await client.ask(task_id, STATUS))["taskStatus"] not in {"Completed", "Error"}:
        await anyio.lowlevel.checkpoint()
    return await client.ask(task_id)


def named_often(count: int) -> bytes:
    """One page of some length, and a directory that leads there for each of many."""
    first = Part(form=page_form(), id="p0.djvu")
    others = [Part(form=first.form, id=f"p{n}.djvu", stored=False) for n in range(1, count)]
    parts = [first, *others]
    place = offsets_of(parts, len(packed_names(parts)))[0]
    return bundle_of([replace(part, at=place) for part in parts])


@pytest.mark.parametrize("count", [2, 20, 5000])
async def test_one_page_that_is_named_often_makes_no_huge_pdf(tmp_path: Path, count: int) -> None:
    (answer, next_one) = await outcome(tmp_path, named_often(count), bundle_of(pages(1)))
    assert answer["taskStatus"] == "Error"
    assert answer["results"] is None
    (message,) = answer["error"]["messages"]
    assert "the directory leads to page 1 for it" in message
    assert next_one["taskStatus"] == "Completed"


async def test_a_limit_is_told_to_the_client(tmp_path: Path) -> None:
    long, short = bundle_of(pages(3)), bundle_of(pages(2))
    (answer, next_one) = await outcome(tmp_path, long, short, max_pages=2)
    assert answer["taskStatus"] == "Error"
    assert answer["error"]["messages"] == [
        "document.djvu: it has 3 pages, more than the 2 that serve.max_pages allows"
    ]
    assert next_one["taskStatus"] == "Completed"
