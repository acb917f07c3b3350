"""What is found, what it is called, and what is passed over."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cloud import pdf_for
from tests.support.command import run, sha256sum_accepts
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from tests.support.cloud import Cloud


def write(folder: Path, *names: str) -> None:
    """Write documents, each with its name as its mark."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(djvu_bytes(mark=os.fsencode(name)))


def pdf_of(name: str) -> bytes:
    """Return the PDF of a document that `write` wrote."""
    return pdf_for(djvu_bytes(mark=os.fsencode(name)))


def pdfs(output: Path) -> dict[str, bytes]:
    """Return all PDFs below the output by their path there."""
    return {
        os.fspath(path.relative_to(output)): path.read_bytes()
        for path in output.rglob("*")
        if path.is_file() and ".batch-converter" not in path.parts
    }


def files(report: Path) -> dict[str, dict[str, Any]]:
    """Return the report's files by their source."""
    return {file["source"]: file for file in json.loads(report.read_bytes())["files"]}


def test_trees_and_single_files_land_where_the_contract_says(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "top.djvu", "a/b.DjVu", "a/deep/c.djv", "notes.txt", "x.djvu/inner.djvu")
    write(tmp_path, "elsewhere/single.djvu")

    done = run("convert", source, tmp_path / "elsewhere" / "single.djvu", "-o", output, "--json")

    assert done.code == 0
    assert pdfs(output) == {
        "top.pdf": pdf_of("top.djvu"),
        "a/b.pdf": pdf_of("a/b.DjVu"),
        "a/deep/c.pdf": pdf_of("a/deep/c.djv"),
        "x.djvu/inner.pdf": pdf_of("x.djvu/inner.djvu"),
        "single.pdf": pdf_of("elsewhere/single.djvu"),
    }
    assert done.json["totals"]["found"] == 5
    assert cloud.calls["submit"] == 5


@pytest.mark.slow
def test_clashes_are_settled_by_path_and_stay_settled(
    cloud: Cloud, source: Path, output: Path
) -> None:
    write(source, "x.djv", "x.djvu", "X.DJVU", "caf\u00e9.djvu", "cafe\u0301.djvu")

    assert run("convert", source, "-o", output).code == 0

    # In code point order: X.DJVU, x.djv, x.djvu; cafe + accent before café.
    settled = {
        "X.pdf": pdf_of("X.DJVU"),
        "x.djv.pdf": pdf_of("x.djv"),
        "x.djvu.pdf": pdf_of("x.djvu"),
        "cafe\u0301.pdf": pdf_of("cafe\u0301.djvu"),
        "caf\u00e9.djvu.pdf": pdf_of("caf\u00e9.djvu"),
    }
    assert pdfs(output) == settled

    write(source, "X.DJV", "x.dJVU")
    assert run("convert", source, "-o", output).code == 0
    assert pdfs(output) == settled | {
        "X.DJV~2.pdf": pdf_of("X.DJV"),
        "x.dJVU~2.pdf": pdf_of("x.dJVU"),
    }
    assert cloud.calls["submit"] == 7


def test_of_x_djv_and_x_djvu_the_second_keeps_its_whole_name(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "x.djvu", "x.djv")
    write(tmp_path, "other/x.djvu", "third/x.djvu")
    singles = [tmp_path / name / "x.djvu" for name in ("third", "other")]

    assert run("convert", source, *singles, "-o", output).code == 0

    # By absolute path: other/x.djvu, scans/x.djv, scans/x.djvu, third/x.djvu.
    assert pdfs(output) == {
        "x.pdf": pdf_of("other/x.djvu"),
        "x.djv.pdf": pdf_of("x.djv"),
        "x.djvu.pdf": pdf_of("x.djvu"),
        "x.djvu~2.pdf": pdf_of("third/x.djvu"),
    }
    assert cloud.calls["submit"] == 4


@pytest.mark.slow
def test_names_are_bytes(cloud: Cloud, source: Path, output: Path, tmp_path: Path) -> None:
    latin, newline = "b\udcfccher/\udce9tude.djvu", "two\nlines.djvu"
    write(source, latin, newline, "  spaces and ' quotes \".djvu", "-o.djvu")
    report, manifest = tmp_path / "report.json", tmp_path / "manifest"

    reports = ("--report", report, "--manifest", manifest)
    done = run("convert", source, "-o", output, *reports)

    assert done.code == 0
    assert set(files(report)) == {latin, newline, "  spaces and ' quotes \".djvu", "-o.djvu"}
    assert files(report)[latin]["output"] == "b\udcfccher/\udce9tude.pdf"
    assert (output / "b\udcfccher" / "\udce9tude.pdf").read_bytes() == pdf_of(latin)
    assert latin in {event.get("source") for event in done.events}
    assert sha256sum_accepts(manifest, output)
    assert run("convert", source, "-o", output).code == 0
    assert cloud.calls["submit"] == 4


@pytest.mark.slow
def test_a_file_that_fails_may_have_a_name_that_is_not_utf8(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "good.djvu")
    (source / "b\udcff.djvu").write_bytes(b"no DjVu")
    report = tmp_path / "report.json"
    failed = tmp_path / "failed.txt"

    done = run("convert", source, "-o", output, "--report", report, "--failed-list", failed)

    assert done.code == 1
    assert files(report)["b\udcff.djvu"]["error"]["code"] == "not_djvu"
    assert failed.read_bytes() == os.fsencode(source / "b\udcff.djvu") + b"\n"
    assert set(pdfs(output)) == {"good.pdf"}
    assert run("convert", "--files-from", failed, "-o", output).code == 1
    assert cloud.calls["submit"] == 1


def test_what_is_no_file_is_passed_over_with_a_warning(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "good.djvu")
    write(tmp_path, "outside/linked.djvu", "outside/folder/deep.djvu")
    (source / "dangling.djvu").symlink_to("nowhere.djvu")
    (source / "link.djvu").symlink_to(tmp_path / "outside" / "linked.djvu")
    (source / "folder").symlink_to(tmp_path / "outside" / "folder")
    (source / "loop").symlink_to(source)
    os.mkfifo(source / "pipe.djvu")

    done = run("convert", source, "-o", output, "--json")

    assert done.code == 0
    assert done.json["totals"]["found"] == 2
    assert pdfs(output) == {
        "good.pdf": pdf_of("good.djvu"),
        "link.pdf": pdf_of("outside/linked.djvu"),
    }
    warned = {event.get("source") for event in done.events if event["level"] == "warning"}
    assert {"dangling.djvu", "pipe.djvu"} <= warned

    assert run("convert", source, "-o", output, "--follow-symlinks").code == 0
    assert set(pdfs(output)) == {"good.pdf", "link.pdf", "folder/deep.pdf"}
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_the_output_may_lie_inside_the_source(cloud: Cloud, source: Path) -> None:
    write(source, "a.djvu")
    output = source / "pdfs"
    for _ in range(2):
        done = run("convert", source, "-o", output, "--json")
        assert done.code == 0
        assert done.json["totals"]["found"] == 1
    assert pdfs(output) == {"a.pdf": pdf_of("a.djvu")}
    assert cloud.calls["submit"] == 1


def test_filters_use_gitignore_syntax_on_the_path_below_the_source(
    cloud: Cloud, source: Path, output: Path
) -> None:
    write(source, "a/1.djvu", "a/2.djvu", "b/1.djvu", "b/drafts/3.djvu", "c.djv")

    include = ("--include", "a/", "--include", "/b/**/*.djvu", "--exclude", "drafts")
    assert run("convert", source, "-o", output, *include, "--exclude", "2.*").code == 0

    assert set(pdfs(output)) == {"a/1.pdf", "b/1.pdf"}
    assert cloud.calls["submit"] == 2


@pytest.mark.slow
def test_what_systems_leave_behind_is_neither_converted_nor_paid_for(
    cloud: Cloud, source: Path, output: Path
) -> None:
    write(source, "x.djvu", ".Trashes/y.djvu", "a/@eaDir/z.djvu", "a/~$w.djvu")
    (source / "._x.djvu").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    command = ("convert", source, "-o", output, "--json")

    planned = run(*command, "--dry-run")
    done = run(*command, "-v")

    assert (planned.code, planned.json["totals"]["found"]) == (0, 1)
    assert (done.code, done.json["totals"]["found"]) == (0, 1)
    assert pdfs(output) == {"x.pdf": pdf_of("x.djvu")}
    assert [line["count"] for line in done.named("discovery.hidden_passed_over")] == [4]
    assert cloud.calls["submit"] == 1

    named = run("convert", source / ".Trashes", source / "a/~$w.djvu", "-o", output, "--json")
    assert (named.code, named.json["totals"]["found"]) == (0, 2)
    listed = run(
        "convert", "--files-from", "-", "-o", output, stdin=os.fsencode(source / "._x.djvu")
    )
    assert listed.code == 1
    by_key = run(*command, env={"BATCH_CONVERTER_INPUT__HIDDEN": "true"})
    assert by_key.json["totals"] | {"found": 5, "skipped": 3} == by_key.json["totals"]


@pytest.mark.slow
def test_a_file_that_an_earlier_version_took_in_spite_of_its_name_is_as_if_removed(
    cloud: Cloud, source: Path, output: Path
) -> None:
    write(source, "x.djvu", ".Trashes/y.djvu")
    (source / "._x.djvu").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        ")
    assert run("convert", source, "-o", output, "--hidden").code == 1
    before, calls = pdfs(output), dict(cloud.calls)

    done = run("convert", source, "-o", output, "--json", "--overwrite", "if-changed")

    assert done.code == 0
    assert done.json["totals"] | {"found": 1, "skipped": 1, "failed": 0} == done.json["totals"]
    assert not done.named("file.vanished")
    assert pdfs(output) == before
    assert cloud.calls == calls
    assert run("status", "-o", output, "--json").json["states"]["converted"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("null", [False, True])
def test_sources_come_from_a_list(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, *, null: bool
) -> None:
    write(source, "one.djvu", "tw\udcf6.djvu", "tree/three.djvu")
    listed = [source / "one.djvu", source / "tw\udcf6.djvu", source / "tree", source / "gone.djvu"]
    separator = b"\0" if null else b"\n"
    text = separator.join(map(os.fsencode, listed)) + separator
    report, failed_list = tmp_path / "report.json", tmp_path / "failed"

    flags = ("--null",) if null else ()
    reports = ("--report", report, "--failed-list", failed_list)
    done = run("convert", "--files-from", "-", *flags, "-o", output, *reports, stdin=text)

    assert done.code == 1
    assert set(pdfs(output)) == {"one.pdf", "tw\udcf6.pdf", "three.pdf"}
    gone = files(report)["gone.djvu"]
    assert gone["status"] == "failed"
    assert gone["error"]["code"] == "unreadable"
    assert failed_list.read_bytes() == os.fsencode(source / "gone.djvu") + separator
    assert cloud.calls["submit"] == 3

    list_file = tmp_path / "list"
    list_file.write_bytes(text)
    (source / "gone.djvu").write_bytes(djvu_bytes(mark=b"back"))
    done = run("convert", "--files-from", list_file, *flags, "-o", output, "--json")
    assert done.code == 0
    assert done.json["totals"]["skipped"] == 3
    assert done.json["totals"]["converted"] == 1


@pytest.mark.slow
def test_an_empty_list_or_folder_is_nothing_to_do(cloud: Cloud, source: Path, output: Path) -> None:
    assert run("convert", "--files-from", "-", "-o", output).code == 0
    done = run("convert", source, "-o", output)
    assert done.code == 0
    assert "No DjVu files" in done.out
    assert not cloud.calls


def test_what_can_be_known_for_free_is_not_paid_for(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "good.djvu")
    whole = djvu_bytes(mark=b"whole")
    (source / "empty.djvu").touch()
    (source / "text.djvu").write_text("AT&T is not enough")
    (source / "cut.djvu").write_bytes(whole[:-3])
    (source / "large.djvu").write_bytes(djvu_bytes(mark=b"x" * 1000))
    (source / "missing-pages.djvu").write_bytes(Path("tests/data/indirect/index.djvu").read_bytes())
    report = tmp_path / "report.json"

    limit = {"BATCH_CONVERTER_ASPOSE__MAX_UPLOAD_BYTES": "900"}
    done = run("convert", source, "-o", output, "--report", report, env=limit)

    assert done.code == 1
    codes = {name: file["error"] and file["error"]["code"] for name, file in files(report).items()}
    assert codes == {
        "good.djvu": None,
        "empty.djvu": "not_djvu",
        "text.djvu": "not_djvu",
        "cut.djvu": "not_djvu",
        "large.djvu": "too_large",
        "missing-pages.djvu": "not_djvu",
    }
    message = files(report)["missing-pages.djvu"]["error"]["message"]
    assert "page1.djvu" in message
    assert "page2.djvu" in message
    assert cloud.calls == {"token": 1, "submit": 1, "poll": 1}


def test_an_indirect_document_is_bundled_on_the_way(
    cloud: Cloud, source: Path, output: Path
) -> None:
    for part in Path("tests/data/indirect").iterdir():
        (source / part.name).write_bytes(part.read_bytes())

    done = run("convert", source / "index.djvu", "-o", output)

    assert done.code == 0
    [sent] = cloud.submissions
    assert sent.startswith(b"AT&TFORM")
    assert b"DJVM" in sent[:20]
    assert len(sent) > sum(path.stat().st_size for path in source.glob("page*"))
    assert pdfs(output) == {"index.pdf": pdf_for(sent)}


@pytest.fixture
def index(source: Path) -> Path:
    """An index in the source folder, its two parts beside it."""
    for part in Path("tests/data/indirect").iterdir():
        (source / part.name).write_bytes(part.read_bytes())
    return source / "index.djvu"


@pytest.mark.slow
def test_a_changed_part_of_an_indirect_document_is_noticed(
    cloud: Cloud, index: Path, output: Path
) -> None:
    part = index.with_name("page2.djvu")
    submitted = []
    for change in (None, part.touch, partial(part.write_bytes, part.read_bytes() + b"\0"), None):
        if change:
            change()
        assert run("convert", index, "-o", output).code == 0
        submitted.append(cloud.calls["submit"])

    assert submitted == [1, 1, 2, 2]
    assert pdfs(output) == {"index.pdf": pdf_for(list(cloud.submissions)[-1])}


def test_parts_that_have_gone_leave_the_pdf_alone(cloud: Cloud, index: Path, output: Path) -> None:
    run("convert", index, "-o", output)
    before = pdfs(output)
    index.with_name("page2.djvu").unlink()

    again = run("convert", index, "-o", output)

    assert again.code == 0
    assert pdfs(output) == before
    assert cloud.calls["submit"] == 1


@pytest.mark.slow
def test_an_index_is_tried_again_once_its_parts_are_there(
    cloud: Cloud, index: Path, output: Path
) -> None:
    part = index.with_name("page2.djvu")
    aside = part.rename(part.with_suffix(".aside"))
    lacking = [run("convert", index, "-o", output).code for _ in range(2)]
    aside.rename(part)

    whole = run("convert", index, "-o", output)

    assert lacking == [1, 1]
    assert whole.code == 0
    assert cloud.calls["submit"] == 1
