"""Documents whose directory and parts are odd, as a user meets them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pikepdf
import pytest

from tests.support.bundles import (
    HEIGHT,
    THUMBNAILS,
    WIDTH,
    Part,
    bundle_of,
    form,
    index_of,
    page_form,
    pages,
    photo_form,
    put,
)
from tests.support.command import run
from tests.support.djvu_files import chunk, info

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

THUMBS = Part(form=form("THUM", chunk("TH44", b"abcd")), id="thumbs", kind=THUMBNAILS)
GONE = "parts are missing or damaged that no page's picture needs: thumbs"


def converted(source: Path, output: Path, *, keep: bool = False) -> dict[str, Any]:
    """Convert by the embedded engine; returns the file's report, its code beside it."""
    report = output.parent / "report.json"
    env = {"BATCH_CONVERTER_LOCAL__ON_DAMAGE": "keep" if keep else "fail"}
    command = ("convert", source, "-o", output, "--engine", "local", "--report", report)
    done = run(*command, "--retry-failed", env=env)
    (file,) = json.loads(report.read_bytes())["files"]
    return {"exit": done.code, **file}


def test_every_page_of_a_mixed_bundle_is_there(source: Path, output: Path) -> None:
    data = bundle_of([*pages(1), Part(form=photo_form(), id="x"), *pages(2)[1:]], version=0)
    (source / "mixed.djvu").write_bytes(data)
    file = converted(source, output)
    assert (file["exit"], file["pages"], file["warnings"]) == (0, 3, [])
    with pikepdf.open(output / "mixed.pdf") as pdf:
        assert len(pdf.pages) == 3


def test_a_page_that_is_none_fails_or_is_kept_by_number(source: Path, output: Path) -> None:
    inner = bundle_of(pages(1))[4:]
    (source / "old.djvu").write_bytes(bundle_of(put(pages(), 0, form=inner)))
    failed = converted(source, output)
    assert (failed["exit"], failed["error"]["code"]) == (1, "engine_error")
    assert "page 1 cannot be decoded" in failed["error"]["message"]
    assert "local.on_damage = keep tries the other 2 pages" in failed["error"]["message"]

    kept = converted(source, output, keep=True)
    assert (kept["exit"], kept["pages"]) == (0, 3)
    assert [warning[:15] for warning in kept["warnings"]] == ["page 1 is blank"]


@pytest.mark.parametrize("keep", [False, True])
def test_damaged_text_is_a_warning_either_way(source: Path, output: Path, *, keep: bool) -> None:
    (source / "text.djvu").write_bytes(
        b"AT&T" + page_form(300, chunk("TXTz", b"\xff\xff\0nonsense"))
    )
    file = converted(source, output, keep=keep)
    assert (file["exit"], file["warnings"]) == (0, ["page 1: its text layer is damaged"])


def test_thumbnails_that_are_gone_are_a_warning(source: Path, output: Path) -> None:
    index = index_of([THUMBS, *pages(2)], source)
    (source / "thumbs").unlink()
    file = converted(index, output)
    assert (file["exit"], file["pages"], file["warnings"]) == (0, 2, [GONE])
    assert converted(index, output)["status"] == "skipped"


def test_thumbnails_that_go_later_change_nothing(source: Path, output: Path) -> None:
    index = index_of([THUMBS, *pages(2)], source)
    assert converted(index, output)["warnings"] == []
    (source / "thumbs").unlink()
    assert converted(index, output)["status"] == "skipped"


def test_a_damaged_part_is_kept_as_a_blank_where_that_is_wanted(source: Path, output: Path) -> None:
    index = index_of(pages(), source)
    (source / "p2.djvu").write_bytes(b"AT&T" + page_form()[:-9])
    failed = converted(index, output)
    assert failed["error"]["code"] == "not_djvu"
    assert "page 2 is unusable: p2.djvu is cut off" in failed["error"]["message"]

    kept = converted(index, output, keep=True)
    assert (kept["exit"], kept["pages"]) == (0, 3)
    told = " ".join(kept["warnings"])
    assert "page 2: p2.djvu is cut off" in told
    assert "page 2 is blank" in told


def test_what_is_bundled_for_the_service_may_lack_thumbnails(
    cloud: Cloud, source: Path, output: Path
) -> None:
    index = index_of(
        [THUMBS, Part(form=form("DJVU", info(width=WIDTH, height=HEIGHT)), id="p")], source
    )
    (source / "thumbs").unlink()
    report = output.parent / "report.json"
    done = run("convert", index, "-o", output, "--report", report)
    assert done.code == 0
    (sent,) = cloud.submissions
    assert b"FORM\0\0\0\4THUM" in sent
    (file,) = json.loads(report.read_bytes())["files"]
    assert GONE in file["warnings"]


def test_what_lacks_a_page_or_has_a_damaged_one_is_not_paid_for(
    cloud: Cloud, source: Path, output: Path
) -> None:
    index = index_of(pages(), source)
    (source / "p2.djvu").write_bytes(b"AT&T" + page_form()[:-9])
    assert run("convert", index, "-o", output).code == 1
    (source / "p2.djvu").unlink()
    assert run("convert", index, "-o", output, "--retry-failed").code == 1
    assert cloud.calls["submit"] == 0
