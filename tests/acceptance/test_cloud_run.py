"""A run against the service: what it counts is what the service counted."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.cloud import pdf_for
from tests.support.command import run
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud


@pytest.mark.slow
def test_two_hundred_documents_keep_within_the_limits_as_the_service_counts(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 200)
    cloud.questions_needed, cloud.latency_s = 2, 0.005
    report_path = tmp_path / "report.json"

    limits = ("--max-submissions", "5", "--max-in-flight", "40", "--max-pollers", "7")
    done = run("convert", source, "-o", output, "--report", report_path, "--json", *limits)

    assert done.code == 0
    assert 1 < cloud.peaks["submit"] <= 5
    assert 5 < cloud.peak_in_flight <= 40
    assert 1 < cloud.peaks["poll"] <= 7
    assert cloud.bill() == done.json["api_calls"]
    assert cloud.calls["submit"] == 200
    assert cloud.calls["token"] == 1
    assert len(cloud.submissions) == 200
    for path in paths:
        expected = pdf_for(path.read_bytes())
        assert (output / f"{path.stem}.pdf").read_bytes() == expected

    report = json.loads(report_path.read_bytes())
    assert {key: value for key, value in report.items() if key != "files"} == done.json
    assert sum(file["polls"] for file in report["files"]) == cloud.calls["poll"]
    assert sum(file["attempts"] for file in report["files"]) == cloud.calls["submit"]
    assert {file["task_id"] for file in report["files"]} == set(cloud.tasks)


def test_the_report_says_of_each_file_what_was_done(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    document = djvu_bytes(mark=b"one")
    (source / "a").mkdir()
    (source / "a" / "b.djvu").write_bytes(document)
    report_path = tmp_path / "new" / "report.json"

    done = run("convert", source, "-o", output, "--report", report_path)

    assert done.code == 0
    report = json.loads(report_path.read_bytes())
    assert report["schema"] == 1
    assert report["engine"] == "aspose"
    assert report["exit_code"] == 0
    assert report["started_at"] < report["finished_at"]
    pdf = pdf_for(document)
    totals = {"found": 1, "converted": 1, "skipped": 0, "failed": 0, "remaining": 0}
    sizes = {"bytes_in": len(document), "bytes_out": len(pdf), "pages": 1}
    assert report["totals"] == totals | sizes | {"with_warnings": 0}
    [file] = report["files"]
    expected = {
        "source": "a/b.djvu",
        "source_root": str(source),
        "output": "a/b.pdf",
        "status": "converted",
        "attempts": 1,
        "polls": 1,
        "task_id": next(iter(cloud.tasks)),
        "sha256": hashlib.sha256(pdf).hexdigest(),
        "error": None,
        **sizes,
    }
    assert {key: file[key] for key in expected} == expected
    assert report["started_at"] <= file["submitted_at"] <= file["completed_at"]
    assert file["completed_at"] <= report["finished_at"]


def test_two_calls_a_file_are_enough_where_the_service_is_quick(
    cloud: Cloud, source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BATCH_CONVERTER_POLLING__INTERVAL")  # the predictive polling
    make_archive(source, 10)
    done = run("convert", source, "-o", output, "--json")
    assert done.code == 0
    assert cloud.billed == done.json["api_calls"]["billed"] == 20


def test_a_request_is_as_the_documentation_has_it(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 1)
    assert run("convert", source, "-o", output).code == 0
    token, submit, poll = cloud.seen
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert token.path == "/connect/token"
    assert submit.path == poll.path == "/v5.0/ocr/djvu2pdf"
    assert submit.headers["Content-Type"] == "application/json"
    assert "Transfer-Encoding" not in submit.headers
    for seen in (submit, poll):
        assert seen.headers["Accept"] == "text/plain"
        assert seen.headers["Authorization"] == f"Bearer {cloud.tokens[0]}"
    assert poll.task_id == next(iter(cloud.tasks))
