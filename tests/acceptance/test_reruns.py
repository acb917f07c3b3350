"""The second run: what is done stays done, what changed is noticed, what failed is known."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cloud import Reply, pdf_for
from tests.support.command import run, sha256sum_accepts
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud


def totals(done: Any) -> dict[str, int]:  # noqa: ANN401  # a Finished
    """Return the counts of files that are not zero."""
    counts = done.json["totals"]
    names = ("converted", "skipped", "failed", "remaining")
    return {name: counts[name] for name in names if counts[name]}


@pytest.mark.slow
def test_a_second_run_calls_nothing_and_every_change_is_noticed(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 6)
    assert run("convert", source, "-o", output).code == 0
    report = tmp_path / "report.json"
    before = cloud.bill()

    again = run("convert", source, "-o", output, "--json", "--report", report)
    assert again.code == 0
    assert totals(again) == {"skipped": 6}
    assert again.json["api_calls"] == dict.fromkeys(before, 0)
    assert cloud.bill() == before
    skipped = json.loads(report.read_bytes())["files"][0]
    assert skipped["status"] == "skipped"
    assert skipped["attempts"] == skipped["polls"] == 0
    assert skipped["sha256"]

    paths[0].write_bytes(djvu_bytes(mark=b"other"))  # same size, other bytes
    os.utime(paths[1])  # other time, same bytes
    paths[2].write_bytes(djvu_bytes(mark=b"longer than before"))
    paths[3].unlink()
    (output / "00004.pdf").unlink()
    (output / "00005.pdf").write_bytes(b"%PDF-broken")
    added = source / "added.djvu"
    added.write_bytes(djvu_bytes(mark=b"new"))

    changed = run("convert", source, "-o", output, "--json")
    assert changed.code == 0
    assert totals(changed) == {"converted": 5, "skipped": 1}
    assert changed.json["totals"]["found"] == 6
    assert (output / "00003.pdf").exists()
    assert [line["source"] for line in changed.named("file.vanished")] == ["00003.djvu"]
    for path in (paths[0], paths[2], paths[4], paths[5], added):
        assert (output / f"{path.stem}.pdf").read_bytes() == pdf_for(path.read_bytes())
    assert cloud.calls["submit"] == 11
    assert totals(run("convert", source, "-o", output, "--json")) == {"skipped": 6}


@pytest.mark.slow
def test_other_recognition_settings_convert_again(cloud: Cloud, source: Path, output: Path) -> None:
    make_archive(source, 1)
    for language in ("English", "English", "Czech"):
        settings = {"BATCH_CONVERTER_ASPOSE__SETTINGS": json.dumps({"language": language})}
        done = run("convert", source, "-o", output, env=settings)
        assert done.code == 0, done.err
    assert cloud.calls["submit"] == 2


@pytest.mark.slow
def test_overwrite_modes(cloud: Cloud, source: Path, output: Path) -> None:
    [path] = make_archive(source, 1)
    pdf = output / "00000.pdf"
    output.mkdir()
    pdf.write_bytes(b"somebody else's")

    foreign = run("convert", source, "-o", output, "--json")
    assert foreign.code == 1
    assert totals(foreign) == {"failed": 1}
    kept = run("convert", source, "-o", output, "--json", "--overwrite", "never")
    assert kept.code == 0
    assert totals(kept) == {"skipped": 1}
    assert pdf.read_bytes() == b"somebody else's"
    assert not cloud.calls

    for count in (1, 2):
        always = run("convert", source, "-o", output, "--json", "--overwrite", "always")
        assert always.code == 0
        assert totals(always) == {"converted": 1}
        assert cloud.calls["submit"] == count
        assert pdf.read_bytes() == pdf_for(path.read_bytes())
    path.write_bytes(djvu_bytes(mark=b"changed since"))
    kept = run("convert", source, "-o", output, "--json", "--overwrite", "never")
    assert totals(kept) == {"skipped": 1}
    assert cloud.calls["submit"] == 2

    changed = run("convert", source, "-o", output, "--json")
    assert totals(changed) == {"converted": 1}  # passing it over did not make it up to date
    assert pdf.read_bytes() == pdf_for(path.read_bytes())


TOO_DARK = {
    "taskStatus": "Error",
    "responseStatusCode": "Error",
    "error": {"messages": ["the scan is too dark"], "warnings": []},
}


@pytest.mark.slow
def test_a_lasting_failure_is_known_and_not_paid_for_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    _, bad = make_archive(source, 2)
    cloud.fates[bad.read_bytes()] = TOO_DARK
    report = tmp_path / "report.json"
    base = ("convert", source, "-o", output, "--json", "--report", report)

    first = run(*base)
    assert first.code == 1
    assert first.json["exit_code"] == 1
    assert totals(first) == {"converted": 1, "failed": 1}
    error = json.loads(report.read_bytes())["files"][1]["error"]
    assert error["code"] == "conversion_error"
    assert "the scan is too dark" in error["message"]
    before = cloud.bill()

    known = run(*base)
    assert known.code == 1
    assert totals(known) == {"skipped": 1, "failed": 1}
    file = json.loads(report.read_bytes())["files"][1]
    assert file["status"] == "failed"
    assert file["attempts"] == 0
    assert file["error"] == error
    assert run(*base, "--ignore-known-failures").code == 0
    assert cloud.bill() == before

    retried = run(*base, "--retry-failed", "--ignore-known-failures")
    assert retried.code == 1  # it has failed again, which is news
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_a_list_of_failures_is_the_next_list_of_files(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    good, bad = make_archive(source, 2)
    cloud.fates[bad.read_bytes()] = TOO_DARK
    failed_list = tmp_path / "failed"
    assert run("convert", source, "-o", output, "--failed-list", failed_list).code == 1
    assert failed_list.read_bytes() == os.fsencode(bad) + b"\n"

    cloud.fates.clear()
    assert run("retry", "-o", output, bad).out == "00001.djvu\n"
    listed = run("convert", "--files-from", failed_list, "-o", output, "--json")
    assert listed.code == 0
    assert totals(listed) == {"converted": 1}
    assert run("convert", source, "-o", output).code == 0
    assert cloud.submissions[bad.read_bytes()] == 2
    assert cloud.submissions[good.read_bytes()] == 1


def test_a_changed_file_is_taken_up_again_after_a_lasting_failure(
    cloud: Cloud, source: Path, output: Path
) -> None:
    path = source / "a.djvu"
    path.write_bytes(b"no document")
    assert run("convert", source, "-o", output).code == 1
    path.write_bytes(djvu_bytes(mark=b"repaired"))
    assert run("convert", source, "-o", output).code == 0
    assert cloud.calls["submit"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("named", [False, True])
def test_retry_puts_back_all_or_those_that_are_named(
    cloud: Cloud, source: Path, output: Path, *, named: bool
) -> None:
    for name in ("a", "b"):
        (source / name).mkdir()
        (source / name / f"{name}.djvu").write_bytes(djvu_bytes(mark=name.encode()))
    cloud.always("submit", Reply(status=422, body="no, thanks"))
    assert run("convert", source, "-o", output).code == 1
    cloud.as_usual("submit")

    back = run("retry", "-o", output, *([source / "a"] if named else []))
    assert back.code == 0
    assert back.out.splitlines() == (["a/a.djvu"] if named else ["a/a.djvu", "b/b.djvu"])
    status = json.loads(run("status", "-o", output, "--json").out)
    assert status["states"]["pending"] == (1 if named else 2)
    done = run("convert", source, "-o", output, "--json")
    assert totals(done) == ({"converted": 1, "failed": 1} if named else {"converted": 2})


def test_a_passing_failure_is_tried_again_by_the_next_run(
    cloud: Cloud, source: Path, output: Path
) -> None:
    make_archive(source, 2)
    cloud.questions_needed = 1_000_000
    slow = run("convert", source, "-o", output, "--json", "--task-timeout", "0.05")
    assert slow.code == 1
    assert totals(slow) == {"failed": 2}
    cloud.questions_needed = 1

    done = run("convert", source, "-o", output, "--json")

    assert done.code == 0
    assert totals(done) == {"converted": 2}
    assert cloud.calls["submit"] == 2  # fetched, not paid for again


@pytest.mark.slow
@pytest.mark.usefixtures("cloud")
def test_manifest_verify_and_report_stand_on_the_ledger(
    source: Path, output: Path, tmp_path: Path
) -> None:
    paths = make_archive(source / "deep", 3)
    manifest, report = tmp_path / "manifest", tmp_path / "report.json"
    base = ("convert", source, "-o", output)
    first = run(*base, "--report", report, "--json")
    paths[0].unlink()
    assert run(*base, "--manifest", manifest).code == 0

    # Every PDF that the ledger knows as converted, also those of earlier runs.
    lines = manifest.read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == [f"deep/0000{n}.pdf" for n in range(3)]
    assert sha256sum_accepts(manifest, output)
    assert run("verify", "-o", output).code == 0

    rewritten = run("report", "-o", output, first.json["run_id"])
    assert rewritten.code == 0
    assert json.loads(rewritten.out) == json.loads(report.read_bytes())
    latest = json.loads(run("report", "-o", output).out)
    assert latest["totals"]["skipped"] == 2
    assert run("report", "-o", output, "no-such-run").code == 2

    (output / "deep" / "00001.pdf").write_bytes(b"rotten")
    (output / "deep" / "00002.pdf").unlink()
    rotten = run("verify", "-o", output)
    assert rotten.code == 1
    assert "deep/00001.pdf" in rotten.out
    assert "deep/00002.pdf" in rotten.out
    assert "deep/00000.pdf" not in rotten.out
    assert not sha256sum_accepts(manifest, output)


@pytest.mark.usefixtures("cloud")
def test_a_run_is_told_to_browsers_and_to_prometheus(
    source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    page, metrics, later = (tmp_path / name for name in ("a.html", "run.prom", "later.html"))
    base = ("convert", source, "-o", output)

    assert run(*base, "--html-report", page, "--metrics-file", metrics).code == 0
    assert run("report", "-o", output, "--html-report", later).out == ""

    assert "Converted 2 of 2 files" in page.read_text()
    assert later.read_text() == page.read_text()
    assert 'batch_converter_run_files{status="converted"} 2.0' in metrics.read_text()
    run(*base, "--metrics-file", metrics)
    assert 'batch_converter_run_files{status="skipped"} 2.0' in metrics.read_text()


@pytest.mark.parametrize("mode", ["if-changed", "always", "never"])
def test_what_keeps_a_pdf_from_its_name_is_found_before_it_is_paid_for(
    cloud: Cloud, source: Path, output: Path, mode: str
) -> None:
    make_archive(source, 1)
    make_archive(source / "folder", 1)
    (output / "00000.pdf").mkdir(parents=True)
    (output / "folder").touch()
    base = ("convert", source, "-o", output, "--json")

    blocked = run(*base, "--overwrite", mode)
    assert blocked.code == 1
    assert totals(blocked) == {"failed": 2}
    assert "a folder stands in its place" in blocked.err
    assert "a file stands where its folder should be" in blocked.err
    assert not cloud.calls

    (output / "00000.pdf").rmdir()
    (output / "folder").unlink()
    assert totals(run(*base, "--overwrite", mode)) == {"converted": 2}
