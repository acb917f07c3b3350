"""A watch over real files: what it notices, hands over, and does not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import anyio
import anyio.from_thread
import pytest

from batch_converter.config import Settings
from batch_converter.errors import ExitCode, UsageError
from batch_converter.events import WatchPolling, WatchSourceLost, WatchWaiting
from batch_converter.orchestrator import StopReason
from batch_converter.watching import WatchOptions
from batch_converter.watching.listening import CannotListenError, FolderGoneError
from batch_converter.watching.places import Places
from tests.support.watches import WatchStage

RESCAN_S = 600.0
INDIRECT = Path("tests/data/indirect")


@pytest.fixture
def stage(tmp_path: Path) -> WatchStage:
    source = tmp_path / "in"
    source.mkdir()
    return WatchStage(source)


async def test_what_is_there_comes_first_and_then_what_arrives(stage: WatchStage) -> None:
    stage.write("old.djvu", age_s=3600)
    stage.write("sub/older.djv", age_s=7200)
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)  # long unchanged: listened to for a moment only
        assert watch.batches == [["old.djvu", "sub/older.djv"]]
        assert watch.told("watch.waiting") == [
            WatchWaiting(sources=1, folders=2, converted=2, failed=0, left=0)
        ]
        await watch.hear(watch.write("new.djvu"), watch.write("text.txt"))
        await watch.clock.pass_by(1.9)
        assert len(watch.batches) == 1
        await watch.clock.pass_by(0.1)
        assert watch.batches[1:] == [["new.djvu"]]
        await watch.hear(watch.source / "new.djvu", is_written=True)  # touched, and the same
        await watch.clock.pass_by(10)
    assert len(watch.batches) == 2
    assert watch.billed == [0, 2]
    assert watch.roots == [(os.fspath(stage.source),), ()]


async def test_the_first_run_comes_though_there_is_nothing_and_then_none(
    stage: WatchStage,
) -> None:
    async with stage.watching() as watch:
        assert await watch.clock.rests() == 2
        await watch.clock.pass_by(2)
        assert watch.batches == [[]]
        assert await watch.clock.rests() == RESCAN_S - 2  # idle, it waits and asks nothing
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(RESCAN_S)
    assert (watch.batches, watch.rescans) == ([[]], 2)
    assert len(watch.told("watch.waiting")) == 1


async def test_a_file_that_grows_is_not_handed_over(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        path = watch.write("big.djvu", "")
        await watch.hear(path)
        for length in range(1, 6):
            await watch.clock.pass_by(1.5)
            watch.write("big.djvu", "x" * length)
            if length % 2:  # what is not heard is seen
                await watch.hear(path, is_written=True)
        await watch.clock.pass_by(1.9)
        assert watch.batches == [[]]
        await watch.clock.pass_by(0.1)
    assert watch.batches == [[], ["big.djvu"]]


async def test_a_file_that_goes_before_its_time_is_nothing(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        heard, unheard = watch.write("a.djvu"), watch.write("b.djvu")
        await watch.hear(heard, unheard)
        heard.unlink()
        await watch.hear(heard)
        unheard.unlink()
        await watch.clock.pass_by(60)
    assert watch.batches == [[]]


async def test_a_file_that_is_replaced_while_it_is_converted_comes_again(
    stage: WatchStage,
) -> None:
    path = stage.write("a.djvu", age_s=60)
    other = stage.write("b.djvu", age_s=60)
    async with stage.watching() as watch:
        # One changes before the run gets to it, and nobody says so.
        def change() -> None:
            watch.write("a.djvu", "another")
            other.unlink()

        watch.during = change
        await watch.clock.pass_by(0.5)
        assert watch.batches == [[]]
        watch.during = lambda: None
        await watch.clock.pass_by(2)
        assert watch.batches[1:] == [["a.djvu"]]
        watch.write("a.djvu", "a third")
        await watch.hear(path, is_written=True)
        await watch.clock.pass_by(2)
    assert watch.batches[1:] == [["a.djvu"], ["a.djvu"]]


async def test_a_file_that_went_and_came_back_is_handed_over_again(stage: WatchStage) -> None:
    path = stage.write("a.djvu", age_s=60)
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        away = path.rename(watch.source.parent / "away.djvu")
        await watch.hear(path)
        away.rename(path)
        await watch.hear(path)
        await watch.clock.pass_by(0.5)
    assert watch.batches == [["a.djvu"], ["a.djvu"]]


async def test_new_folders_are_listened_to_and_looked_into(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        for number in range(3):
            watch.write(f"box/deep/{number}.djvu", age_s=3600)
        await watch.hear(watch.source / "box")
        await watch.clock.pass_by(0.5)
        assert watch.folders[-1] == {".", "box", "box/deep"}
        assert watch.batches[1:] == [[f"box/deep/{number}.djvu" for number in range(3)]]
        shutil.rmtree(watch.source / "box")
        await watch.hear(watch.source / "box")
        await watch.clock.pass_by(0.5)
        assert watch.folders[-1] == {"."}
        await watch.hear(watch.write("text/a.txt"), watch.source / "text")
        await watch.clock.pass_by(0.5)
    assert watch.folders[-1] == {".", "text"}
    assert len(watch.batches) == 2


async def test_a_folder_of_the_same_name_is_another_one(stage: WatchStage) -> None:
    stage.write("box/a.djvu", age_s=60)
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        (watch.source / "box").rename(watch.source.parent / "kept")
        watch.write("box/b.djvu", age_s=60)
        await watch.hear(watch.source / "box")
        await watch.clock.pass_by(0.5)
        assert len(watch.folders) == 2
        await watch.clock.pass_by(0.5)
    assert watch.batches[1:] == [["box/b.djvu"]]


async def test_what_convert_would_not_take_is_not_noticed(stage: WatchStage) -> None:
    stage.settings = Settings.model_validate(
        {"input": {"exclude": ["drafts/"], "min_size": "2"}, "output": {"dir": "x"}}
    )
    moved = stage.source / "done"
    moved.mkdir()
    stage.excluded = (os.fspath(moved),)
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        names = ["._a.djvu", "short.djvu", "drafts/a.djvu", "done/b.djvu", "a.pdf", ".hid/a.djvu"]
        paths = [watch.write(name, "xx" if name != "short.djvu" else "x") for name in names]
        await watch.hear(*paths, *{path.parent for path in paths})
        await watch.clock.pass_by(RESCAN_S)
    assert watch.batches == [[]]
    assert watch.folders[-1] == {"."}
    assert not watch.told("file.arrived")


async def test_links_and_specials_are_told_once_as_convert_tells_them(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        link = watch.source / "gone.djvu"
        link.symlink_to("nowhere")
        await watch.hear(link)
        await watch.clock.pass_by(2)
        await watch.clock.pass_by(RESCAN_S)
        assert watch.batches == [[], ["gone.djvu"]]
        watch.write("nowhere", age_s=60)
        await watch.hear(link)  # it leads somewhere now
        await watch.clock.pass_by(2)
    assert watch.batches[2:] == [["gone.djvu"]]


async def test_a_source_that_is_a_file_is_watched_by_itself(stage: WatchStage) -> None:
    path = stage.write("a.dat", age_s=60)
    stage.given = (os.fspath(path),)
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        assert watch.batches == [["a.dat"]]
        await watch.hear(watch.write("b.djvu", age_s=60), watch.source)
        watch.write("new", "longer", age_s=60).replace(path)
        await watch.hear(path)
        await watch.clock.pass_by(0.5)
        assert watch.batches[1:] == [["a.dat"]]
        path.unlink()
        await watch.hear(path)
        await watch.clock.pass_by(0.5)
    assert len(watch.told("watch.source_lost")) == 1
    assert len(watch.batches) == 2


async def test_what_failed_in_passing_is_tried_at_the_rescan_or_when_it_changes(
    stage: WatchStage,
) -> None:
    path, other = stage.write("a.djvu", age_s=60), stage.write("b.djvu", age_s=60)
    stage.left = {os.fspath(path), os.fspath(other)}
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        waiting = watch.told("watch.waiting")[-1]
        assert isinstance(waiting, WatchWaiting)
        assert (waiting.converted, waiting.failed, waiting.left) == (0, 0, 2)
        path.chmod(0o600)
        await watch.hear(path, is_written=True)
        await watch.clock.pass_by(2)
        assert watch.batches[1:] == [["a.djvu"]]
        watch.left.clear()
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
        assert watch.batches[2:] == [["a.djvu", "b.djvu"]]
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
    assert len(watch.batches) == 3


async def test_what_a_run_stopped_before_is_tried_at_the_rescan(stage: WatchStage) -> None:
    """A scheduler or a store that is away ends a run before it has found anything."""
    early = stage.write("early.djvu", age_s=60)
    stage.write("late.djvu", age_s=60)
    (stage.source / "nowhere.djvu").symlink_to("gone")
    stage.untold = {os.fspath(early)}
    stage.exit_code = ExitCode.UNAVAILABLE
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        waiting = watch.told("watch.waiting")[-1]
        assert isinstance(waiting, WatchWaiting)
        assert waiting.left == 1
        stage.untold, stage.exit_code = set(), ExitCode.OK
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
        assert watch.batches[1:] == [["early.djvu"]]
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
    assert len(watch.batches) == 2


async def test_an_index_is_looked_at_again_after_files_came_beside_it(stage: WatchStage) -> None:
    index = stage.write("box/index.djvu", age_s=60)
    stage.write("other/index.djvu", age_s=60)
    other = stage.source / "other/index.djvu"
    stage.many = ((os.fspath(index), False), (os.fspath(other), False))
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
        assert watch.batches[1:] == [["box/index.djvu", "other/index.djvu"]]  # all came together
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
        assert len(watch.batches) == 2
        await watch.hear(watch.write("box/p1.djvu", age_s=60))
        await watch.clock.pass_by(0.5)
        seen = len(watch.batches)
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
    assert watch.batches[seen:] == [["box/index.djvu"]]


@pytest.mark.slow
async def test_an_index_that_lacked_its_parts_is_tried_again_once_they_are_there(
    stage: WatchStage,
) -> None:
    names = ("index.djvu", "page1.djvu", "page2.djvu")
    files = [stage.source / "book" / name for name in names]
    files[0].parent.mkdir()
    bad = stage.write("book/bad.djvu", age_s=60)
    stage.many = ((os.fspath(bad), True), (os.fspath(files[0]), True))
    async with stage.watching() as watch:
        for number in range(3):
            shutil.copy(INDIRECT / files[number].name, files[number])
            await watch.hear(files[number])
            await watch.clock.pass_by(2)
            await watch.clock.pass_by(RESCAN_S)
        assert watch.batches[-1] == ["book/page2.djvu"]
        await watch.clock.pass_by(2)
    assert watch.batches[-1] == ["book/index.djvu"]


async def test_what_nobody_told_of_is_found_by_the_rescan(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        watch.write("silent/a.djvu", age_s=60)
        await watch.clock.pass_by(RESCAN_S)
        await watch.clock.pass_by(0.5)
    assert watch.batches[1:] == [["silent/a.djvu"]]
    assert watch.folders[-1] == {".", "silent"}


async def test_what_cannot_be_told_is_looked_for(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        watch.write("a.djvu", age_s=60)
        await watch.miss()
        await watch.clock.pass_by(0.5)
        await watch.clock.pass_by(0.5)
        assert watch.batches[1:] == [["a.djvu"]]
        await watch.hear(watch.write("b.djvu", age_s=60))  # there is a new ear
        await watch.clock.pass_by(0.5)
    assert watch.batches[2:] == [["b.djvu"]]


async def test_a_source_that_goes_is_told_and_looked_for(stage: WatchStage) -> None:
    other = stage.source.parent / "other"
    other.mkdir()
    stage.given = (os.fspath(stage.source), os.fspath(other))
    path = stage.write("a.djvu", age_s=60)
    stage.left = {os.fspath(path)}
    async with stage.watching() as watch:
        await watch.clock.pass_by(0.5)
        stage.source.rename(stage.source.parent / "unmounted")
        await watch.hear(stage.source)
        await watch.clock.pass_by(0.5)
        [lost] = watch.told("watch.source_lost")
        assert isinstance(lost, WatchSourceLost)
        assert lost.path == os.fspath(stage.source)
        await watch.clock.pass_by(10)
        await watch.clock.pass_by(10)
        assert len(watch.told("watch.source_lost")) == 1
        (stage.source.parent / "unmounted").rename(stage.source)
        watch.left.clear()
        await watch.clock.pass_by(10)
        await watch.clock.pass_by(0.5)
        assert len(watch.told("watch.source_back")) == 1
        assert watch.batches[1:] == [["a.djvu"]]
        await watch.hear(watch.write("b.djvu", age_s=60))
        await watch.clock.pass_by(0.5)
    assert watch.batches[2:] == [["b.djvu"]]


@pytest.mark.parametrize("refusal", [CannotListenError("the limit"), FolderGoneError("gone")])
async def test_where_the_system_refuses_to_tell_it_is_looked_now_and_then(
    stage: WatchStage, refusal: Exception
) -> None:
    stage.refusal = refusal
    async with stage.watching() as watch:
        await watch.clock.pass_by(2)
        while not watch.told("watch.polling"):  # a folder that went may not be there next time
            await watch.clock.pass_by(0.5)
        [polling] = watch.told("watch.polling")
        assert isinstance(polling, WatchPolling)
        assert (polling.reason, polling.poll_s) == (str(refusal), 10)
        await watch.clock.pass_by(10)
        watch.write("a.djvu", age_s=3600)
        await watch.clock.pass_by(10)
        assert await watch.clock.rests() == 2  # a clock of its own may be a mount's
        await watch.clock.pass_by(2)
        assert watch.batches[-1] == ["a.djvu"]
        watch.refusal = None
        await watch.clock.pass_by(RESCAN_S)
        assert watch.folders == [{"."}]
    assert len(watch.told("watch.polling")) == 1


async def test_polling_looks_now_and_then_and_asks_nobody(stage: WatchStage) -> None:
    stage.options = WatchOptions(poll=True, settle_s=3)
    stage.write("old.djvu", age_s=3600)
    async with stage.watching() as watch:
        await watch.clock.pass_by(3)
        assert watch.batches == [["old.djvu"]]
        await watch.clock.pass_by(15)
        path = watch.write("a.djvu", age_s=3600)
        await watch.clock.pass_by(15)
        watch.write("a.djvu", "longer", age_s=3600)
        await watch.clock.pass_by(3)
        assert len(watch.batches) == 1
        await watch.clock.pass_by(3)
        assert watch.batches[1:] == [["a.djvu"]]
        path.unlink()
        await watch.clock.pass_by(15)
    assert not watch.folders


async def test_a_refused_account_ends_it_and_other_ends_do_not(stage: WatchStage) -> None:
    async with stage.watching() as watch:
        for code in (ExitCode.SOME_FAILED, ExitCode.STOPPED_EARLY, ExitCode.UNAVAILABLE):
            watch.exit_code = code
            await watch.hear(watch.write(f"{code}.djvu", age_s=60))
            await watch.clock.pass_by(2)
            assert watch.code is None
        watch.exit_code = ExitCode.ACCOUNT_REFUSED
        await watch.hear(watch.write("last.djvu", age_s=60))
        await watch.clock.pass_by(0.5)
        assert watch.code is ExitCode.ACCOUNT_REFUSED
    assert watch.told("watch.finished")


@pytest.mark.parametrize("is_waiting", [True, False])
async def test_a_signal_ends_it_with_its_code(stage: WatchStage, *, is_waiting: bool) -> None:
    async with stage.watching() as watch:
        assert watch.watcher is not None
        stop = watch.watcher.stop
        reason = StopReason.of_signal(15)
        if is_waiting:
            await watch.clock.pass_by(2)
            watch.clock.resting = anyio.Event()
            stop(reason)
        else:
            watch.exit_code = ExitCode.SIGTERM
            watch.during = lambda: anyio.from_thread.run_sync(stop, reason)
            await watch.clock.rests()
            watch.clock.resting = anyio.Event()
            watch.clock.advance(2)
        await watch.clock.resting.wait()
        assert watch.code is ExitCode.SIGTERM
    assert watch.batches == [[]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "nothing to watch"),
        (("nowhere",), "nowhere"),
        (("s3://bucket/in",), "s3://bucket/in is not"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    given: tuple[str, ...], said: str, stage: WatchStage
) -> None:
    with pytest.raises(UsageError, match=said):
        Places(given, Settings().input, excluded_dirs=(), now=stage.clock.now)
