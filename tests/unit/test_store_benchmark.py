"""The benchmark of object stores: what it says of figures, and what its peers do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from obstore.store import S3Store

from benchmarks.service.processes import Process
from benchmarks.stores import archive as stores
from benchmarks.stores import copies, runs, server
from tests.support.object_store import ACCESS_KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.object_store import Bucket


def figures(wall_s: float) -> runs.Figures:
    return runs.Figures(wall_s=wall_s, cpu_s=wall_s, peak_mb=1.0, server_cpu_s=0.0, requests=3)


def archive(**found: list[tuple[float, float]]) -> stores.Archive:
    made = stores.Archive("local", folder=Path(), documents=11, server=Mock(spec_set=Process))
    for way, rounds in zip(stores.WAYS, found.values(), strict=True):
        made.found[way] = [(figures(whole), figures(one)) for whole, one in rounds]
    return made


def test_the_start_of_a_program_is_taken_off() -> None:
    made = archive(disk=[(12.0, 2.0)], store=[(23.0, 3.0)], copies=[(6.0, 1.0)])
    assert made.each(stores.STORE, "wall_s") == [2.0]
    assert made.each(stores.STORE, "requests") == [0.0]
    assert made.ratio("wall_s", stores.DISK) == "2.00 times (2.00 to 2.00)"
    assert made.ratio("wall_s", stores.COPIES) == "4.00 times (4.00 to 4.00)"
    assert made.shown_share() == "200% (200% to 200%)"


def test_ratios_are_of_one_round_each() -> None:
    made = archive(
        disk=[(11.0, 1.0), (21.0, 1.0), (11.0, 1.0)],
        store=[(12.0, 2.0), (41.0, 1.0), (16.0, 1.0)],
        copies=[(11.0, 1.0)] * 3,
    )
    assert made.ratio("wall_s", stores.DISK) == "1.50 times (1.00 to 2.00)"
    assert made.shown_share() == "50% (0% to 200%)"


def test_what_took_no_longer_than_a_start_is_no_measurement() -> None:
    made = archive(disk=[(1.0, 2.0)], store=[(3.0, 2.0)], copies=[(1.0, 1.0)])
    assert made.ratio("wall_s", stores.DISK) == made.shown_share() == stores.LOST


def test_the_server_counts_what_it_passes_on() -> None:
    def application(
        environ: dict[str, Any],
        start_response: Callable[..., Any],  # noqa: ARG001  # WSGI's
    ) -> Iterable[bytes]:
        return [environ["PATH_INFO"].encode()]

    counted = server.Counted(application)
    for path in ("/a", "/b"):
        assert list(counted({"PATH_INFO": path}, lambda *_: None)) == [path.encode()]
    (body,) = counted({"PATH_INFO": server.COUNTS}, lambda *_: None)
    assert json.loads(body)["requests"] == 2


async def test_copies_put_as_many_bytes_as_the_pdf_has(bucket: Bucket) -> None:
    sizes = {"a.djvu": 5_000, "deep/b.djvu": 0}
    for key in sizes:
        bucket.put(f"in/{key}", b"a document")

    def below(prefix: str) -> S3Store:
        return S3Store(
            bucket.name,
            prefix=prefix,
            endpoint=bucket.endpoint,
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET,
            region="us-east-1",
            client_options={"allow_http": True},
        )

    await copies.copy(below("in"), below("out"), sizes, at_once=2)
    assert {key: len(bucket.get(f"out/{key}.pdf")) for key in sizes} == sizes
    asked = sorted(request.method for request in bucket.requests if not request.is_listing)
    assert asked == ["GET", "GET", "PUT", "PUT"]
