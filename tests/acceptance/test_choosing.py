"""Which files a run takes, told on its command line or in its configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.command import run
from tests.support.disks import AS_ORDINARY_USER
from tests.support.pdfs import djvu_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cloud import Cloud

HOUR_S = 3_600


def write(folder: Path, *names: str) -> None:
    """Write documents, each with its name as its mark."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(djvu_bytes(mark=os.fsencode(name)))


def taken(output: Path) -> set[str]:
    """Return what PDFs there are, without their suffix."""
    paths = output.rglob("*.pdf")
    return {os.fspath(path.relative_to(output)).removesuffix(".pdf") for path in paths}


def test_files_are_taken_by_their_age(cloud: Cloud, source: Path, output: Path) -> None:
    write(source, "hours.djvu", "days.djvu", "months.djvu", "tomorrow.djvu")
    now = (source / "hours.djvu").stat().st_mtime
    for name, age_h in {"hours": 3, "days": 4 * 24, "months": 80 * 24, "tomorrow": -24}.items():
        os.utime(source / f"{name}.djvu", (now, now - age_h * HOUR_S))

    done = run("convert", source, "-o", output, "--min-age", "2h", "--max-age", "30d", "--json")
    assert done.code == 0
    assert done.json["totals"]["found"] == 2
    assert taken(output) == {"hours", "days"}

    # What is left out vanishes from nothing: it was converted and is not even looked at.
    env = {"BATCH_CONVERTER_INPUT__MAX_AGE": "2h"}
    young = run("convert", source, "-o", output, "--json", env=env)
    assert (young.code, young.json["totals"]["found"]) == (0, 1)
    assert not young.named("file.vanished")
    assert taken(output) == {"hours", "days", "tomorrow"}
    assert cloud.calls["submit"] == 3


def test_by_content_finds_what_is_called_otherwise(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(source, "a.djvu", "file0001.chk", "sub/scan", "book.pdf", ".hidden")
    (source / "notes.txt").write_text("FORM")
    (source / "cut.bin").write_bytes(djvu_bytes(mark=b"cut")[:-4])
    (source / "damaged.djvu").write_bytes(b"no DjVu at all")
    (source / "shared.iff").write_bytes(b"AT&TFORM\0\0\0\4DJVI")
    os.mkfifo(source / "pipe")

    by_name = run("convert", source, "-o", tmp_path / "other", "--dry-run", "--json")
    assert by_name.json["totals"]["found"] == 2
    done = run("convert", source, "-o", output, "--by-content", "--json")

    assert done.code == 1
    assert done.json["totals"]["found"] == 6
    assert taken(output) == {"a", "file0001.chk", "sub/scan", "book.pdf"}
    assert {(e["source"], e["code"]) for e in done.named("file.failed")} == {
        ("cut.bin", "not_djvu"),
        ("damaged.djvu", "not_djvu"),
    }
    assert [e["source"] for e in done.named("file.passed_over")] == ["pipe"]
    assert cloud.calls["submit"] == 4


def test_by_content_a_file_that_nobody_may_read_is_told(
    cloud: Cloud, source: Path, output: Path
) -> None:
    write(source, "a.dat", "closed.dat")
    (source / "closed.dat").chmod(0)
    done = run("convert", source, "-o", output, "--by-content", through=AS_ORDINARY_USER)
    assert done.code == 1
    assert taken(output) == {"a.dat"}
    (failure,) = done.named("file.failed")
    assert (failure["source"], failure["code"]) == ("closed.dat", "unreadable")
    assert cloud.calls["submit"] == 1


def test_patterns_come_from_files_too(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    write(
        source, "maps/a.djvu", "maps/b-draft.djvu", "books/c.djvu", "books/d.djvu", "e\udcff.djvu"
    )
    include, more, exclude = (tmp_path / name for name in ("include", "more", "exclude"))
    include.write_bytes(b"\xef\xbb\xbf# what is wanted\r\n\r\nmaps/\r\n/e\xff.djvu")
    more.write_text("books/d.*\n")
    exclude.write_text("\n  \n#maps/\n*-draft.djvu\n")
    filters = ("--include-from", include, "--include-from", more, "--exclude-from", exclude)

    done = run("convert", source, "-o", output, *filters, "--json")

    assert done.code == 0
    assert taken(output) == {"maps/a", "books/d", "e\udcff"}

    # The command line has the last word, whatever comes first there.
    taken_back = ("--exclude", "!b-draft.djvu", *filters, "--include", "c.djvu")
    assert run("convert", source, "-o", output, *taken_back).code == 0
    assert taken(output) == {"maps/a", "maps/b-draft", "books/c", "books/d", "e\udcff"}
    assert cloud.calls["submit"] == 5


def test_a_file_without_patterns_excludes_nothing(source: Path, output: Path) -> None:
    write(source, "a.djvu")
    (source / "none").write_text("# nothing yet\n")
    (source / "conf.toml").write_text(f'[input]\nexclude_from = ["{source}/none"]\n')
    command = ("convert", source, "-o", output, "--dry-run", "--json")
    assert run(*command, "-c", source / "conf.toml").json["totals"]["found"] == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "names nothing to include"),
        (b"# maps/\n\n \n", "names nothing to include"),
        (b"maps/\n!\n", "line 2 of"),
        (b"maps/\n/\n", "line 2 of"),
        ("maps/".encode("utf-16"), "UTF-16"),
        (b"maps/\0books/", "NUL"),
        (None, "No such file"),
    ],
)
def test_a_file_of_patterns_that_cannot_be_meant_is_2(
    source: Path, output: Path, tmp_path: Path, content: bytes | None, told: str
) -> None:
    write(source, "a.djvu")
    patterns = tmp_path / "patterns"
    if content is not None:
        patterns.write_bytes(content)
    done = run("convert", source, "-o", output, "--include-from", patterns, "--json")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert str(patterns) in done.err
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--min-age", "soon"], "is not a duration"),
        (["--min-age", "-2h"], "is not a duration"),
        (["--max-age", "2 fortnights"], "is not a duration"),
        (["--max-age", "nan"], "is not a duration"),
        (["--min-age", "2d", "--max-age", "1d"], "--max-age"),
        (["--min-age", ""], "is not a duration"),
    ],
)
def test_what_cannot_be_meant_is_2_and_starts_nothing(
    source: Path, output: Path, arguments: list[str], told: str
) -> None:
    write(source, "a.djvu")
    done = run("convert", source, "-o", output, *arguments, "--json")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert not output.exists()
