"""`--after move:DIR`: sources out of the way once their PDF is there, and none lost, ever."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.cloud import pdf_for
from tests.support.command import run, started, wait_until
from tests.support.disks import AS_ORDINARY_USER, small_disk
from tests.support.pdfs import djvu_bytes, make_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cloud import Cloud
    from tests.support.command import Argument, Finished

FAULT_POINT: Final = "_BATCH_CONVERTER_FAULT_POINT"
INDIRECT: Final = Path("tests/data/indirect")


@pytest.fixture
def done_dir(tmp_path: Path) -> Path:
    """Where sources go; not there yet."""
    return tmp_path / "done"


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """The same on a file system of its own."""
    with small_disk(tmp_path / "disk", size_bytes=8 << 20) as disk:
        yield disk.path / "done"


def convert(source: Argument, output: Path, folder: Path, *more: Argument) -> tuple[Argument, ...]:
    """Return the command that moves what it has converted."""
    return ("convert", source, "-o", output, "--after", f"move:{folder}", "--json", *more)


def contents(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, hidden ones too."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def counted(done: Finished) -> dict[str, int]:
    """Return the counts of files that are not zero."""
    names = ("converted", "skipped", "failed", "remaining", "with_warnings", "moved")
    totals = done.json["totals"]
    return {name: totals[name] for name in names if totals.get(name)}


def files(report: Path) -> dict[str, dict[str, Any]]:
    """Return the report's files by their source."""
    return {file["source"]: file for file in json.loads(report.read_bytes())["files"]}


def reasons(done: Finished) -> dict[str, str]:
    """Return why sources were not moved, as the log has it."""
    return {line["source"]: line["reason"] for line in done.named("file.not_moved")}


def add_indirect(folder: Path) -> dict[str, bytes]:
    """Put an index and its two parts into a folder; returns them by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in INDIRECT.iterdir():
        (folder / part.name).write_bytes(part.read_bytes())
    return contents(folder)


# What is moved


@pytest.mark.slow
def test_sources_go_with_their_tree_and_every_account_knows_it(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    make_archive(source / "a" / "b", 2)
    before = contents(source)
    times = {name: (source / name).stat().st_mtime_ns for name in before}
    report = tmp_path / "report.json"

    done = run(*convert(source, output, done_dir, "--report", report))

    assert done.code == 0
    assert counted(done) == {"converted": 4, "moved": 4}
    assert contents(source) == {}
    assert contents(done_dir) == before
    assert {name: (done_dir / name).stat().st_mtime_ns for name in before} == times
    for name, document in before.items():
        assert (output / name).with_suffix(".pdf").read_bytes() == pdf_for(document)
        assert files(report)[name]["moved_to"] == os.fspath(done_dir / name)
    assert {line["source"]: line["moved_to"] for line in done.named("file.moved")} == {
        name: os.fspath(done_dir / name) for name in before
    }

    again = run(*convert(source, output, done_dir))
    assert (again.code, counted(again)) == (0, {})
    assert not again.named("file.vanished")
    assert not run("convert", source, "-o", output).named("file.vanished")
    status = run("status", "-o", output, "--json").json
    assert (status["totals"]["moved"], status["states"]["converted"]) == (4, 4)
    assert "the source moved: 4" in run("status", "-o", output).out
    assert run("verify", "-o", output).code == 0
    assert cloud.calls["submit"] == 4


def test_a_person_is_told_in_one_line(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    make_archive(source, 2)
    done = run("convert", source, "-o", output, "--after", f"move:{done_dir}")
    assert "\n  moved       2" in done.out
    assert cloud.calls["submit"] == 2


def test_what_was_converted_before_is_moved_by_the_run_that_is_told_to(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    make_archive(source, 3)
    before = contents(source)
    assert run("convert", source, "-o", output, "--after", "keep").code == 0
    assert contents(source) == before
    done = run(*convert(source, output, done_dir))
    assert counted(done) == {"skipped": 3, "moved": 3}
    assert contents(done_dir) == before
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_the_configuration_and_the_environment_say_it_too(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    make_archive(source, 1)
    home = {"HOME": os.fspath(tmp_path), "BATCH_CONVERTER_INPUT__AFTER": "move:~/done"}
    assert run("convert", source, "-o", output, env=home).code == 0
    assert list(contents(done_dir)) == ["00000.djvu"]
    make_archive(source, 2)
    config = tmp_path / "config.toml"
    config.write_text('[input]\nafter = "move:relative"\n')
    done = run("convert", source, "-o", output, "-c", config, "--json", cwd=tmp_path)
    assert sorted(contents(tmp_path / "relative")) == ["00000.djvu", "00001.djvu"]
    assert counted(done) == {"converted": 1, "skipped": 1, "moved": 2}
    assert cloud.calls["submit"] == 2


def test_names_of_any_bytes_and_length(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    names = [b"\xff\xfe.djvu", b"a\nb.djvu", b"n" * 250 + b".djvu"]
    for number, name in enumerate(names):
        (source / os.fsdecode(name)).write_bytes(djvu_bytes(mark=b"%d" % number))
    before = contents(source)
    done = run(*convert(source, output, done_dir))
    assert (done.code, counted(done)) == (0, {"converted": 3, "moved": 3})
    assert contents(done_dir) == before
    assert cloud.calls["submit"] == 3


@pytest.mark.slow
def test_files_that_are_named_again_are_known_as_done(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    paths = make_archive(source, 3)
    listed = tmp_path / "list"
    listed.write_text("".join(f"{path}\n" for path in paths))
    by_name: tuple[Argument, ...] = ("convert", *paths[:2], "-o", output, "--json")
    by_list: tuple[Argument, ...] = ("convert", "--files-from", listed, "-o", output, "--json")
    after = ("--after", f"move:{done_dir}")
    assert counted(run(*by_name, *after)) == {"converted": 2, "moved": 2}
    assert counted(run(*by_list, *after)) == {"converted": 1, "skipped": 2, "moved": 1}
    for command in (by_name, by_list, (*by_name, *after), (*by_list, *after)):
        again = run(*command)
        assert (again.code, again.json["totals"]["skipped"]) == (0, again.json["totals"]["found"])
        assert not reasons(again)
    assert cloud.calls["submit"] == 3

    never_there = run("convert", source / "never.djvu", "-o", output, *after)
    assert never_there.code == 2
    listed.write_text(f"{paths[0]}\n{source / 'never.djvu'}\n")
    unreadable = run(*by_list, *after)
    assert (unreadable.code, counted(unreadable)) == (1, {"skipped": 1, "failed": 1})


@pytest.mark.slow
def test_a_folder_within_the_sources_is_not_converted_again(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    make_archive(source / "a", 1)
    inside = source / "done"
    other = ("convert", source, "-o", output, "--json", "--after", f"move:{tmp_path / 'other'}")
    assert counted(run(*convert(source, output, inside))) == {"converted": 3, "moved": 3}
    moved = contents(inside)
    assert len(moved) == 3
    assert counted(run(*convert(source, output, inside))) == {}
    kept = run("convert", source, "-o", output, "--json")
    assert counted(kept) == {"skipped": 3}
    assert counted(run(*other)) == {"skipped": 3}
    assert contents(inside) == moved
    assert counted(run("convert", inside, "-o", output, "--json")) == {"skipped": 3}
    assert cloud.calls["submit"] == 3

    (inside / "new.djvu").write_bytes(djvu_bytes(mark=b"another"))
    assert counted(run("convert", source, "-o", output, "--json")) == {"converted": 1, "skipped": 3}


@pytest.mark.slow
def test_a_source_that_comes_back_is_the_same_document(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    [path] = make_archive(source, 1)
    command = convert(source, output, done_dir)
    run(*command)
    (done_dir / path.name).rename(path)
    assert counted(run("convert", source, "-o", output, "--json")) == {"skipped": 1}
    assert "moved" not in run("status", "-o", output, "--json").json["totals"]
    assert counted(run(*command)) == {"skipped": 1, "moved": 1}
    assert cloud.calls["submit"] == 1


def test_a_folder_above_the_sources(cloud: Cloud, source: Path, output: Path) -> None:
    [path] = make_archive(source, 1)
    command = convert(source, output, source.parent)
    assert counted(run(*command)) == {"converted": 1, "moved": 1}
    assert (source.parent / path.name).exists()
    assert counted(run(*command)) == {}
    assert counted(run("convert", source.parent, "-o", output, "--json")) == {"skipped": 1}
    assert cloud.calls["submit"] == 1


# What is not


def take(taken: Path, obstacle: str, same: bytes) -> None:
    """Have something stand where a source is to go."""
    if obstacle == "folder in the way":
        taken.parent.parent.mkdir()
        taken.parent.write_text("a file")
        return
    taken.parent.mkdir(parents=True)
    match obstacle:
        case "folder":
            taken.mkdir()
        case "dangling":
            taken.symlink_to("nowhere")
        case _:
            taken.write_bytes(same if obstacle == "same" else b"another")


@pytest.mark.parametrize("obstacle", ["file", "same", "folder", "dangling", "folder in the way"])
def test_nothing_goes_over_what_has_the_name_already(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, obstacle: str
) -> None:
    make_archive(source / "a", 2)
    before, taken = contents(source), done_dir / "a" / "00000.djvu"
    take(taken, obstacle, before["a/00000.djvu"])
    before_there, report = contents(done_dir), source.with_name("report.json")

    done = run(*convert(source, output, done_dir, "--report", report))

    stay = ["a/00000.djvu"] if taken.parent.is_dir() else ["a/00000.djvu", "a/00001.djvu"]
    assert (done.code, sorted(reasons(done))) == (0, stay)
    assert counted(done)["with_warnings"] == len(stay)
    for name in stay:
        assert (source / name).read_bytes() == before[name]
        told = files(report)[name]
        assert (told["warnings"], told["moved_to"]) == ([f"not moved: {reasons(done)[name]}"], None)
        assert os.fspath(done_dir / "a") in reasons(done)[name]
    gone = {name: data for name, data in before.items() if name not in stay}
    assert contents(done_dir) == before_there | gone
    shown = run("convert", source, "-o", output, "--after", f"move:{done_dir}")
    assert (shown.code, "a/00000.djvu: not moved: " in shown.out) == (0, True)
    assert cloud.calls["submit"] == 2


def test_of_two_sources_with_one_place_the_second_stays(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    other = tmp_path / "second"
    make_archive(source, 1)
    other.mkdir()
    (other / "00000.djvu").write_bytes(djvu_bytes(mark=b"another"))
    first, second = contents(source), contents(other)
    done = run(*convert(source, output, done_dir, other))
    assert counted(done) == {"converted": 2, "moved": 1, "with_warnings": 1}
    assert (contents(done_dir), contents(source), contents(other)) == (first, {}, second)
    assert cloud.calls["submit"] == 2


@pytest.mark.slow
def test_what_has_changed_since_it_was_converted_stays(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    [path, _] = make_archive(source, 2)
    new = djvu_bytes(mark=b"other")
    cloud.hold("poll")
    with started(tmp_path / "p", *convert(source, output, done_dir)) as process:
        wait_until(lambda: cloud.active["poll"] == 2, "polls")
        path.write_bytes(new)
        cloud.release("poll")
        done = process.finish()
    assert (done.code, list(reasons(done))) == (0, ["00000.djvu"])
    assert "changed" in reasons(done)["00000.djvu"]
    assert contents(source) == {"00000.djvu": new}

    again = run(*convert(source, output, done_dir))
    assert counted(again) == {"converted": 1, "moved": 1}
    assert contents(done_dir)["00000.djvu"] == new
    assert (output / "00000.pdf").read_bytes() == pdf_for(new)


@pytest.mark.slow
def test_what_failed_or_was_not_converted_by_this_ledger_stays(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    make_archive(source, 3)
    (source / "broken.djvu").write_bytes(b"no DjVu")
    output.mkdir()
    (output / "00001.pdf").write_bytes(b"somebody's")
    before = contents(source)
    done = run(*convert(source, output, done_dir, "--overwrite", "never"))
    assert done.code == 1
    assert counted(done) == {"converted": 2, "skipped": 1, "failed": 1, "moved": 2}
    stays = {"broken.djvu", "00001.djvu"}
    assert contents(source) == {name: before[name] for name in stays}

    path = make_archive(source, 1)[0]  # the same name once more, other bytes, and its PDF stays
    path.write_bytes(djvu_bytes(mark=b"another volume"))
    later = run(*convert(source, output, done_dir, "--overwrite", "never"))
    assert list(reasons(later)) == ["00000.djvu"]
    assert contents(done_dir)["00000.djvu"] == before["00000.djvu"]
    assert path.exists()
    assert cloud.calls["submit"] == 2


@pytest.mark.slow
def test_a_pdf_that_is_not_as_recorded_keeps_its_source(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    make_archive(source, 2)
    run("convert", source, "-o", output)
    (output / "00000.pdf").write_bytes(b"%PDF-rotten")
    done = run(*convert(source, output, done_dir, "--overwrite", "never"))
    assert list(reasons(done)) == ["00000.djvu"]
    assert list(contents(source)) == ["00000.djvu"]
    assert cloud.calls["submit"] == 2


def test_links_stay_with_what_they_lead_to(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.djvu"
    elsewhere.write_bytes(djvu_bytes(mark=b"linked"))
    (source / "link.djvu").symlink_to("../elsewhere.djvu")
    done = run(*convert(source, output, done_dir))
    assert (done.code, list(reasons(done))) == (0, ["link.djvu"])
    assert (source / "link.djvu").resolve() == elsewhere
    assert contents(done_dir) == {}
    assert cloud.calls["submit"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("read_only", ["sources", "folder"])
def test_a_folder_that_may_not_be_written_keeps_the_sources(
    cloud: Cloud, source: Path, output: Path, other_disk: Path, read_only: str
) -> None:
    make_archive(source, 2)
    before = contents(source)
    (other_disk / "sub").mkdir(parents=True)
    make_archive(source / "sub", 1)
    locked = source if read_only == "sources" else other_disk / "sub"
    locked.chmod(0o555)
    done = run(*convert(source, output, other_disk), through=AS_ORDINARY_USER)
    locked.chmod(0o755)
    assert done.code == 0
    stay = sorted(before) if read_only == "sources" else ["sub/00000.djvu"]
    assert sorted(reasons(done)) == stay
    assert sorted(contents(source)) == stay
    assert not set(contents(other_disk)) & set(stay)
    assert cloud.calls["submit"] == 3
    assert counted(run(*convert(source, output, other_disk))) == {
        "skipped": len(stay),
        "moved": len(stay),
    }


@pytest.mark.slow
def test_a_disk_without_room_keeps_the_sources(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path
) -> None:
    large = djvu_bytes(mark=b"x" * 300_000)
    (source / "a.djvu").write_bytes(large)
    (source / "b.djvu").write_bytes(djvu_bytes(mark=b"small"))
    with small_disk(tmp_path / "disk", size_bytes=1 << 20) as disk:
        folder = disk.path / "done"
        folder.mkdir()
        filler = disk.fill(but_bytes=100_000)
        done = run(*convert(source, output, folder))
        assert (done.code, "a.djvu" in reasons(done)) == (0, True)
        assert contents(source).keys() == reasons(done).keys()
        assert contents(source)["a.djvu"] == large
        assert contents(folder).keys() == {"b.djvu"} - reasons(done).keys()
        filler.unlink()
        assert not reasons(run(*convert(source, output, folder)))
        assert contents(source) == {}
        assert contents(folder)["a.djvu"] == large
    assert cloud.calls["submit"] == 2


# Indirect documents


@pytest.fixture(params=["same disk", "other disk"])
def anywhere(request: pytest.FixtureRequest) -> Path:
    """Where sources go, here and elsewhere."""
    fixture = "done_dir" if request.param == "same disk" else "other_disk"
    folder: Path = request.getfixturevalue(fixture)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("named", ["folder", "index"])
def test_an_index_takes_its_parts_along(
    cloud: Cloud, source: Path, output: Path, anywhere: Path, named: str
) -> None:
    before = add_indirect(source / "book")
    given = source if named == "folder" else source / "book" / "index.djvu"
    done = run(*convert(given, output, anywhere))
    assert done.code == 0, done.err
    assert contents(source) == {}
    assert contents(anywhere / "book" if named == "folder" else anywhere) == before
    again = run(*convert(given, output, anywhere))
    assert (again.code, again.json["totals"]["converted"]) == (0, 0)
    assert cloud.calls["submit"] == (3 if named == "folder" else 1)


@pytest.mark.slow
def test_an_indirect_document_is_not_torn_apart(
    cloud: Cloud, source: Path, output: Path, done_dir: Path
) -> None:
    """By a filter, by a part that is missing, by one that fails, by a name that is taken."""
    before = add_indirect(source)
    pages = run(*convert(source, output, done_dir, "--include", "page*"))
    assert sorted(reasons(pages)) == ["page1.djvu", "page2.djvu"]
    assert "index.djvu" in reasons(pages)["page1.djvu"]
    named = run(*convert(source / "page1.djvu", output, done_dir))
    assert sorted(reasons(named)) == ["page1.djvu"]
    assert contents(source) == before

    (source / "page2.djvu").unlink()
    missing = run(*convert(source, output, done_dir))
    assert (missing.code, sorted(reasons(missing))) == (1, ["page1.djvu"])
    assert sorted(contents(source)) == ["index.djvu", "page1.djvu"]

    (source / "page2.djvu").write_bytes(before["page2.djvu"])
    done_dir.mkdir(exist_ok=True)
    (done_dir / "page2.djvu").write_bytes(b"another")
    taken = run(*convert(source, output, done_dir))
    assert (taken.code, sorted(reasons(taken))) == (0, sorted(before))
    assert contents(source) == before

    (done_dir / "page2.djvu").unlink()
    at_last = run(*convert(source, output, done_dir))
    assert at_last.json["totals"]["moved"] == 3
    assert (contents(source), contents(done_dir)) == ({}, before)
    assert cloud.calls["submit"]


# Killed at any moment


def kill_and_go_on(cloud: Cloud, source: Path, output: Path, folder: Path, step: str) -> None:
    """Have a run die at a step and run again; look at everything after each.

    A submission that was under way then is the one that may be made again: nobody can know
    whether it arrived.
    """
    make_archive(source, 3)
    add_indirect(source / "book")
    before = contents(source)
    command = convert(source, output, folder)
    with started(source.with_name("killed"), *command, env={FAULT_POINT: step}) as process:
        assert process.finish().code == -signal.SIGKILL
    for name, data in before.items():
        found = [place / name for place in (source, folder) if (place / name).exists()]
        whole = [path for path in found if path.read_bytes() == data]
        assert whole, name
        assert all(not path.stat().st_size for path in set(found) - set(whole)), name

    kept = run("convert", source, "-o", output, "--json")  # what was begun is finished first
    assert kept.code == 0
    [begun] = kept.named("run.started")
    assert contents(source).keys().isdisjoint(contents(folder))
    assert {**contents(source), **contents(folder)} == before

    done = run(*command)
    assert done.code == 0
    assert not reasons(done)
    assert (contents(source), contents(folder)) == ({}, before)
    assert run("status", "-o", output, "--json").json["totals"]["moved"] == len(before)
    assert not run(*command).named("file.vanished")
    again = cloud.calls["submit"] - len(before)
    assert 0 <= again <= begun["submit_unknown"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        "pdf.published",
        "pdf.recorded#2",
        "source.announced",
        "source.reserved",
        "source.reserved#4",
        "source.renamed",
        "source.renamed#4",
        "source.renamed#5",
        "source.moved",
        "source.moved#4",
        "source.recorded",
        "run.counted",
    ],
)
def test_killed_at_a_named_step(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, step: str
) -> None:
    kill_and_go_on(cloud, source, output, done_dir, step)


@pytest.mark.slow
@pytest.mark.parametrize(
    "step",
    [
        "source.announced",
        "source.reserved",
        "source.copying",
        "source.copying#5",
        "source.copied",
        "source.placed",
        "source.placed#4",
        "source.removed",
        "source.removed#4",
        "source.moved",
        "source.recorded",
    ],
)
def test_killed_at_a_named_step_between_disks(
    cloud: Cloud, source: Path, output: Path, other_disk: Path, step: str
) -> None:
    kill_and_go_on(cloud, source, output, other_disk, step)


@pytest.mark.slow
def test_what_changed_behind_a_dead_run_is_not_lost(
    cloud: Cloud, source: Path, output: Path, other_disk: Path, tmp_path: Path
) -> None:
    [path] = make_archive(source, 1)
    old, new = path.read_bytes(), djvu_bytes(mark=b"corrected")
    command = convert(source, output, other_disk)
    with started(tmp_path / "killed", *command, env={FAULT_POINT: "source.placed"}) as process:
        assert process.finish().code == -signal.SIGKILL
    path.write_bytes(new)
    done = run(*command)
    assert (done.code, list(reasons(done))) == (0, [path.name])
    assert (path.read_bytes(), (other_disk / path.name).read_bytes()) == (new, old)
    assert (output / "00000.pdf").read_bytes() == pdf_for(new)
    assert cloud.calls["submit"] == 2


# Told before, and refused


@pytest.mark.slow
def test_a_dry_run_says_what_would_be_moved_and_what_would_not(
    cloud: Cloud, source: Path, output: Path, done_dir: Path, tmp_path: Path
) -> None:
    make_archive(source, 2)
    run("convert", source, "-o", output)
    make_archive(source, 4)
    add_indirect(source / "book")
    (source / "book" / "page1.djvu").unlink()
    done_dir.mkdir()
    (done_dir / "00001.djvu").write_bytes(b"another")
    (done_dir / "00003.djvu").write_bytes(b"another")
    before = contents(tmp_path)
    told = run(*convert(source, output, done_dir, "--dry-run")).json
    assert told["totals"]["moved"] == 2
    assert told["moved_to"] == os.fspath(done_dir)
    assert {"00001.djvu", "00003.djvu", "book/page2.djvu"} <= set(told["stays"])
    shown = run("convert", source, "-o", output, "--after", f"move:{done_dir}", "--dry-run").out
    assert f"Would move 2 sources to {done_dir}" in shown
    assert f"  00001.djvu: {done_dir / '00001.djvu'} is there already" in shown
    assert "Would move" not in run("convert", source, "-o", output, "--dry-run").out
    new_folder = tmp_path / "never made"
    assert run(*convert(source, output, new_folder, "--dry-run")).code == 0
    assert not new_folder.exists()
    assert contents(tmp_path) == before
    assert cloud.calls["submit"] == 2


@pytest.mark.parametrize("action", ["", "move", "move:", "delete", "Keep"])
def test_an_action_that_nobody_knows_starts_nothing(
    cloud: Cloud, source: Path, output: Path, action: str
) -> None:
    make_archive(source, 1)
    done = run("convert", source, "-o", output, "--after", action)
    assert done.code == 2
    assert "move:DIR" in done.err
    assert cloud.calls["submit"] == 0
    assert not output.exists()


@pytest.mark.parametrize("place", ["a file", "below a file", "the source", "a link", "unwritable"])
def test_a_folder_that_is_none_starts_nothing(
    cloud: Cloud, source: Path, output: Path, tmp_path: Path, place: str
) -> None:
    make_archive(source, 1)
    taken = tmp_path / "taken"
    taken.write_text("a file")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    (tmp_path / "link").symlink_to(source)
    folder = {
        "a file": taken,
        "below a file": taken / "done",
        "the source": source / ".",
        "a link": tmp_path / "link",
        "unwritable": locked,
    }[place]
    done = run(*convert(source, output, folder), through=AS_ORDINARY_USER)
    assert (done.code, cloud.calls["submit"]) == (2, 0)
    assert os.fspath(folder) in done.err
    assert list(contents(source)) == ["00000.djvu"]
