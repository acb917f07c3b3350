"""The command from a bucket to a bucket: killed wherever it hurts, and finished by the next."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.command import run, started
from tests.support.object_store import ACCESS_KEY, SECRET
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.object_store import Bucket

pytestmark = pytest.mark.slow

FAULT_POINT: Final = "_BATCH_CONVERTER_FAULT_POINT"
NAMES: Final = ("a", "b c", "deep/d")


@pytest.fixture
def command(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, ...]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "states"))
    monkeypatch.setenv("BATCH_CONVERTER_RETRY__INITIAL_WAIT_S", "0.01")
    monkeypatch.setenv("BATCH_CONVERTER_LOCAL__WORKERS", "1")
    for name in NAMES:
        bucket.put(f"in/{name}.djvu", djvu_bytes(mark=name.encode()))
    places = (f"s3://{bucket.name}/in", "-o", f"s3://{bucket.name}/out")
    return ("convert", *places, "--engine", "local", "--json", "--max-in-flight", "1")


def killed_at(step: str, command: tuple[str, ...], tmp_path: Path) -> None:
    with started(tmp_path / step, *command, env={FAULT_POINT: step}) as process:
        assert process.finish().code == -signal.SIGKILL


def puts(bucket: Bucket) -> list[str]:
    return [request.key for request in bucket.requests if request.method == "PUT"]


def test_killed_before_during_and_after_a_pdf_is_put_there(
    bucket: Bucket, command: tuple[str, ...], tmp_path: Path
) -> None:
    killed_at("pdf.announced", command, tmp_path)
    assert not bucket.keys("out/")
    bucket.faults.add("stall", "PUT out/a.pdf")
    with started(tmp_path / "stalled", *command) as process:
        process.wait_until(bucket.stalled.is_set, "an upload")
        process.signal(signal.SIGKILL)
        process.finish()
    assert not bucket.keys("out/")
    assert not bucket.open_uploads()
    killed_at("pdf.published", command, tmp_path)
    assert bucket.keys("out/") == ["out/a.pdf"]
    bucket.requests.clear()
    done = run(*command)
    assert (done.code, done.json["totals"]["skipped"], done.json["totals"]["converted"]) == (
        0,
        1,
        2,
    )
    assert puts(bucket) == ["out/b c.pdf", "out/deep/d.pdf"]
    assert bucket.keys("out/") == [f"out/{name}.pdf" for name in NAMES]
    assert not bucket.open_uploads()
    (state,) = (tmp_path / "states/batch-converter").iterdir()
    assert not list((state / "parts").iterdir())
    told = "".join(path.read_text() for path in tmp_path.rglob("std*")) + done.err
    assert SECRET not in told
    assert ACCESS_KEY not in told
    check_other_commands(bucket, tmp_path)


def check_other_commands(bucket: Bucket, tmp_path: Path) -> None:
    output = ("-o", f"s3://{bucket.name}/out")
    bucket.put("out/a.pdf", b"other")
    bucket.delete("out/b c.pdf")
    found = run("verify", *output)
    assert found.out.splitlines() == [
        "a.pdf: differs from what was recorded",
        "b c.pdf: missing",
        "1 of 3 PDFs are as recorded",
    ]
    bag = tmp_path / "bag"
    some = run("bag", *output, bag)
    assert some.out.splitlines()[-1] == f"1 of 3 PDFs are in {bag}"
    assert (bag / "data/deep/d.pdf").read_bytes() == bucket.get("out/deep/d.pdf")
    assert run("status", *output, "--json").json["totals"]["converted"] == 3
