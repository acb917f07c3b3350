"""Sources that change or vanish while a run goes on, and what PDFs are accepted."""

from __future__ import annotations

import base64
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cloud import Reply, pdf_for
from tests.support.command import run, started, wait_until
from tests.support.pdfs import djvu_bytes, make_archive, pdf_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud


def files(report: Path) -> dict[str, dict[str, Any]]:
    """Return the report's files by their source."""
    return {file["source"]: file for file in json.loads(report.read_bytes())["files"]}


@pytest.mark.slow
def test_a_document_that_changes_at_the_service_is_converted_again_by_the_next_run(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    old, new = path.read_bytes(), djvu_bytes(mark=b"another")
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--json")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"], "a poll")
        path.write_bytes(new)
        cloud.release("poll")
        assert process.finish().code == 0
    assert (output / "00000.pdf").read_bytes() == pdf_for(old)

    again = run(*arguments)
    assert again.json["totals"]["converted"] == 1
    assert (output / "00000.pdf").read_bytes() == pdf_for(new)
    assert cloud.submissions == {old: 1, new: 1}
    assert run(*arguments).json["totals"]["skipped"] == 1


@pytest.mark.slow
def test_a_document_that_changes_between_two_runs_gives_up_its_task(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    old, new = path.read_bytes(), djvu_bytes(mark=b"another")
    cloud.hold("poll")
    arguments = ("convert", source, "-o", output, "--json")
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"], "a poll")
        process.signal(9)
        process.finish()
    cloud.release("poll")
    path.write_bytes(new)
    assert run(*arguments).code == 0
    assert (output / "00000.pdf").read_bytes() == pdf_for(new)
    assert cloud.submissions == {old: 1, new: 1}


@pytest.mark.slow
def test_sources_that_vanish_in_mid_run_are_not_paid_for_and_lose_no_pdf(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 8)
    contents = [path.read_bytes() for path in paths]
    cloud.hold("poll")
    report = tmp_path / "report.json"
    arguments = ("convert", source, "-o", output, "--max-in-flight", "2", "--report", report)
    with started(tmp_path / "p", *arguments) as process:
        wait_until(lambda: cloud.active["poll"] == 2, "polls")
        shutil.move(source, tmp_path / "unmounted")
        cloud.release("poll")
        done = process.finish()

    assert done.code == 1
    assert cloud.calls["submit"] == 2
    found = files(report)
    assert [found[path.name]["status"] for path in paths] == ["converted"] * 2 + ["failed"] * 6
    assert found["00007.djvu"]["error"]["code"] == "unreadable"
    assert (output / "00000.pdf").read_bytes() == pdf_for(contents[0])

    shutil.move(tmp_path / "unmounted", source)
    assert run(*arguments).code == 0
    assert set(cloud.submissions.values()) == {1}
    for path in paths:
        assert (output / f"{path.stem}.pdf").read_bytes() == pdf_for(path.read_bytes())


def delivered(pdf: bytes) -> Reply:
    """Return the answer that delivers these bytes as the PDF."""
    results = [{"type": "Pdf", "data": base64.b64encode(pdf).decode()}]
    answer = {"taskStatus": "Completed", "responseStatusCode": "Ok", "results": results}
    return Reply(body=json.dumps(answer), headers={"Content-Type": "application/json"})


@pytest.mark.slow
@pytest.mark.parametrize("verify", ["full", "quick"])
def test_other_pages_than_the_djvu_has_fail_for_good_and_are_not_published(
    cloud: Cloud, source: Path, output: Path, verify: str
) -> None:
    make_archive(source, 2)
    cloud.reply("poll", delivered(pdf_bytes(3)))
    command = ("convert", source, "-o", output, "--max-in-flight", "1", "--json")
    environment = {"BATCH_CONVERTER_OUTPUT__VERIFY": verify}

    done = run(*command, env=environment)

    assert done.code == 1
    [failed] = done.named("file.failed")
    assert failed["code"] == "bad_pdf"
    assert "the PDF has 3 pages, the DjVu 1" in failed["message"]
    assert [path.name for path in output.glob("*.pdf")] == ["00001.pdf"]
    assert (cloud.calls["submit"], cloud.calls["poll"]) == (2, 2)
    again = run(*command, env=environment)
    assert (again.code, again.json["api_calls"]["billed"]) == (1, 0)
    taken_up = run(*command, "--retry-failed", env=environment)
    assert (taken_up.code, taken_up.json["totals"]["converted"]) == (0, 1)


@pytest.mark.slow
def test_other_pages_are_published_with_a_warning_that_every_account_tells(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    cloud.reply("poll", delivered(pdf_bytes(3)))
    report, metrics = tmp_path / "report.json", tmp_path / "run.prom"
    command = ("convert", source, "-o", output, "--max-in-flight", "1")
    environment = {"BATCH_CONVERTER_OUTPUT__PAGE_MISMATCH": "warn"}
    done = run(*command, "--report", report, "--metrics-file", metrics, env=environment)
    assert done.code == 0
    said = "the PDF has 3 pages, the DjVu 1"
    assert files(report)["00000.djvu"]["warnings"] == [said]
    assert done.named("file.converted")[0]["warnings"] == [said]
    assert [line["level"] for line in done.named("file.warned")] == ["warning"]
    assert done.named("run.finished")[0]["with_warnings"] == 1
    assert f"With warnings (1):\n  00000.djvu: {said}\n" in done.out
    assert json.loads(report.read_bytes())["totals"]["with_warnings"] == 1
    assert "batch_converter_run_files_with_warnings 1.0\n" in metrics.read_text()
    assert (output / "00000.pdf").read_bytes() == pdf_bytes(3)

    status = run("status", "-o", output, "--json").json
    assert (status["totals"]["with_warnings"], status["totals"]["pages"]) == (1, 2)
    assert "converted with warnings: 1" in run("status", "-o", output).out
    again = run(*command, "--json", env=environment).json
    assert (again["totals"]["skipped"], again["totals"]["with_warnings"]) == (2, 0)


@pytest.mark.parametrize(("verify", "code"), [("full", 1), ("quick", 0)])
def test_how_closely_a_pdf_is_looked_at_can_be_chosen(
    cloud: Cloud, source: Path, output: Path, verify: str, code: int
) -> None:
    make_archive(source, 1)
    hollow = b"%PDF-1.7\nnothing that a viewer could show\n%%EOF\n"
    cloud.always("poll", delivered(hollow))
    arguments = ("convert", source, "-o", output, "--max-attempts", "1")
    done = run(*arguments, env={"BATCH_CONVERTER_OUTPUT__VERIFY": verify})
    assert done.code == code
    assert (output / "00000.pdf").exists() == (code == 0)
    if code:
        assert done.named("file.failed")[0]["code"] == "bad_pdf"
