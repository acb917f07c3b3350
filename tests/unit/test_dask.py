"""The parts of the cluster's engine that need no cluster."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_converter.cli.options import settings_from
from batch_converter.config import LocalSettings, Settings
from batch_converter.engines.dask import worker_plugin
from batch_converter.engines.dask.cluster import Cluster
from batch_converter.engines.dask.gate import Gate
from batch_converter.engines.dask.incoming import IncomingSources, StalledError
from batch_converter.engines.dask.losses import Losses
from batch_converter.engines.dask.orders import Order, Target
from batch_converter.engines.dask.release import difference, release
from batch_converter.engines.dask.settings import DaskSettings
from batch_converter.engines.dask.shared_files import (
    are_here,
    facts_of,
    is_here,
    make_beside,
    remove_beside,
    write_word,
)
from batch_converter.engines.dask.spec import SPEC
from batch_converter.engines.dask.wishes import Wishes
from batch_converter.engines.dask.worker_plugin import ConversionPlugin
from batch_converter.engines.local import options_of
from batch_converter.errors import ConfigError, EngineError, NetworkError
from batch_converter.threads import DiskThreads

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from distributed import Worker

    from batch_converter.engines.dask.shared_files import SourceFacts

# Who is to blame


def test_two_deaths_are_bad_luck_and_the_third_is_alone() -> None:
    losses, suspicions = Losses(), []
    for _ in range(2):
        losses.note_death()
        suspicions.append(losses.is_suspect)
    assert suspicions == [False, True]
    with pytest.raises(EngineError, match="each of 3 workers"):
        losses.note_death()


def test_accidents_blame_nobody_and_end_in_passing() -> None:
    losses = Losses()
    for _ in range(19):
        losses.note_accident("a worker left")
    assert not losses.is_suspect
    with pytest.raises(NetworkError, match="20 times, in the end for this: a worker left"):
        losses.note_accident("a worker left")


# Whether two machines see the same


def written(path: Path, data: bytes | bytearray) -> str:
    path.write_bytes(data)
    return os.fspath(path)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_a_source_is_known_again(tmp_path: Path, size: int) -> None:
    assert is_here(facts_of(written(tmp_path / "a", os.urandom(size))))


@pytest.mark.parametrize("place", [0, 65_535, 199_999, 134_464])
def test_another_source_of_the_same_length_and_time_is_not_taken_for_it(
    tmp_path: Path, place: int
) -> None:
    data = bytearray(200_000)
    facts = facts_of(written(tmp_path / "a", data))
    data[place] = 1
    written(tmp_path / "a", data)
    os.utime(tmp_path / "a", ns=(facts.mtime_ns, facts.mtime_ns))
    assert not is_here(facts)


def test_a_source_of_another_time_or_none_is_another(tmp_path: Path) -> None:
    facts = facts_of(written(tmp_path / "a", b"abc"))
    os.utime(tmp_path / "a", ns=(0, facts.mtime_ns + 1))
    assert not is_here(facts)
    (tmp_path / "a").unlink()
    assert not is_here(facts)


def test_a_place_is_made_where_the_word_is_with_the_mode_of_its_file(tmp_path: Path) -> None:
    target, place = tmp_path / "part", tmp_path / "part.1.part"
    write_word(os.fspath(target), "word")
    target.chmod(0o640)
    assert make_beside(os.fspath(target), "word", os.fspath(place))
    assert place.stat().st_mode & 0o777 == 0o640
    assert not make_beside(os.fspath(target), "word", os.fspath(place)), "it is there already"


@pytest.mark.parametrize("there", [None, b"", b"wor", b"words", b"ward"])
def test_no_place_is_made_where_the_word_is_not(tmp_path: Path, there: bytes | None) -> None:
    if there is not None:
        (tmp_path / "part").write_bytes(there)
    place = tmp_path / "part.1.part"
    assert not make_beside(os.fspath(tmp_path / "part"), "word", os.fspath(place))
    assert not place.exists()


def test_no_place_is_made_as_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_word(os.fspath(tmp_path / "part"), "word")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    place = tmp_path / "part.1.part"
    assert not make_beside(os.fspath(tmp_path / "part"), "word", os.fspath(place))
    assert not place.exists()


def test_only_what_lies_beside_a_part_is_a_place() -> None:
    target = Target(path="/out/.a.pdf.part", word="")
    assert target.is_place(target.new_place())
    for other in ("", "/out/.a.pdf.part", "/etc/passwd", "/out/.a.pdf.part./../../etc/passwd"):
        assert not target.is_place(other)


def test_what_lies_beside_a_part_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("part", "part.1.part", "part.1.part.ocr", "parting", "other.part"):
        (tmp_path / name).touch()
    remove_beside(os.fspath(tmp_path / "part"))
    assert {path.name for path in tmp_path.iterdir()} == {"part", "parting", "other.part"}


def test_parts_are_here_when_all_are_and_whole(tmp_path: Path) -> None:
    sizes = {written(tmp_path / name, b"abc"): 3 for name in "ab"}
    assert are_here(sizes)
    assert not are_here({**sizes, os.fspath(tmp_path / "a"): 4})
    assert not are_here({**sizes, os.fspath(tmp_path / "c"): 3})


# Versions


def test_a_difference_names_what_differs() -> None:
    assert difference(release(), release()) is None
    there = {**release(), "pillow": "1.0"}
    assert difference(release(), there) == (
        f"pillow 1.0 where this machine has {release()['pillow']}"
    )
    assert difference({"pikepdf": "1"}, {}) == "pikepdf is missing where this machine has 1"


# Sources that arrive in pieces


def order_of(source: SourceFacts, key: str = "key") -> Order:
    return Order(
        key=key,
        document="document",
        wishes=Wishes(release={}),
        kind="document",
        options=options_of(LocalSettings()),
        page_timeout_s=1,
        source=source,
        target=Target(path="", word=""),
    )


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


@settings(max_examples=30)
@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 300), max_size=5))
def test_a_source_is_whole_however_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, places: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    facts = facts_of(written(folder / "näme.djvu", data))

    async def arrive() -> None:
        incoming = IncomingSources(folder / "incoming", DiskThreads(1))
        asked = anyio.Event()

        async def send() -> None:
            await asked.wait()
            offset = 0
            for piece in cut(data, places):
                assert not await incoming.receive("document", offset + 1, piece), "out of turn"
                assert await incoming.receive("document", offset, piece)
                offset += len(piece)

        async with anyio.create_task_group() as group:
            group.start_soon(send)
            async with incoming.copy_of(order_of(facts), asked.set) as path:
                assert os.path.basename(path) == "näme.djvu"  # noqa: PTH119  # a path as str
                copy = anyio.Path(path)
                assert await copy.read_bytes() == data
                assert (await copy.stat()).st_mtime_ns == facts.mtime_ns
        await incoming.clear()
        assert not await copy.exists()
        assert not await incoming.receive("document", 0, data), "nobody wants it any more"

    anyio.run(arrive)


async def test_a_part_uses_the_copy_of_another_and_fails_with_it(tmp_path: Path) -> None:
    facts = facts_of(written(tmp_path / "a.djvu", b"abc"))
    incoming = IncomingSources(tmp_path / "incoming", DiskThreads(1))
    asked, waits, asked_again = anyio.Event(), anyio.Event(), anyio.Event()
    stalled: list[StalledError] = []

    async def second() -> None:
        await asked.wait()
        waits.set()
        try:
            async with incoming.copy_of(order_of(facts, "second"), asked_again.set):
                raise AssertionError("it never came")
        except StalledError as error:
            stalled.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as calling_off:

                async def call_off() -> None:
                    await waits.wait()
                    await anyio.lowlevel.checkpoint()
                    first.cancel()

                calling_off.start_soon(call_off)
                async with incoming.copy_of(order_of(facts, "first"), asked.set):
                    raise AssertionError("it never came")
    assert len(stalled) == 1
    assert not asked_again.is_set(), "the second has waited for the copy of the first"


async def test_pieces_of_two_senders_count_once(tmp_path: Path) -> None:
    facts = facts_of(written(tmp_path / "a.djvu", b"abcdef"))
    incoming = IncomingSources(tmp_path / "incoming", DiskThreads(2))
    wanted = list[bool]()

    async def send(offset: int, piece: bytes) -> None:
        wanted.append(await incoming.receive("document", offset, piece))

    async def send_all() -> None:
        for offset, piece in enumerate([b"ab", b"cd", b"ef"]):
            async with anyio.create_task_group() as senders:
                for _ in range(2):
                    senders.start_soon(send, 2 * offset, piece)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(send_all)  # begins while the copy's file is still being made
            async with incoming.copy_of(order_of(facts), lambda: None) as path:
                assert await anyio.Path(path).read_bytes() == b"abcdef"
    assert wanted == [True] * 6


async def test_a_piece_that_cannot_be_written_is_waited_for_no_longer(tmp_path: Path) -> None:
    facts = facts_of(written(tmp_path / "a.djvu", b"abcdef"))
    incoming = IncomingSources(tmp_path / "incoming", DiskThreads(2))
    asked = anyio.Event()

    async def send() -> None:
        await asked.wait()
        (copy,) = (tmp_path / "incoming").rglob("a.djvu")
        copy.unlink()
        copy.mkdir()
        with pytest.raises(IsADirectoryError):
            await incoming.receive("document", 0, b"abc")
        assert not await incoming.receive("document", 0, b"abc")

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(send)
            with pytest.raises(StalledError, match=r"could not be written: Is a directory"):
                async with incoming.copy_of(order_of(facts), asked.set):
                    raise AssertionError("it never came")


# What a worker clears away


class PoolOfNone:
    """Stands in for processes: each job writes its target; to close it waits for `may_close`."""

    made: ClassVar[list[PoolOfNone]] = []

    def __init__(self, *, size: int, max_memory_bytes: int) -> None:
        del size, max_memory_bytes
        self.closing, self.may_close, self.closed = anyio.Event(), anyio.Event(), anyio.Event()
        self.made.append(self)

    async def run(self, job: Mapping[str, Any], **_: object) -> dict[str, Any]:
        if job["job"] == "inspect":
            return {"pages": 1}
        await anyio.Path(job["target"]).write_bytes(b"PDF")
        return {"warnings": []}

    async def aclose(self) -> None:
        self.closing.set()
        await self.may_close.wait()
        self.closed.set()


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConversionPlugin:
    worker = SimpleNamespace(
        local_directory=tmp_path / "scratch",
        state=SimpleNamespace(nthreads=1),
        address="tcp://worker.invalid:1",
        log_event=lambda *_: None,
    )
    monkeypatch.setattr(worker_plugin, "WorkerPool", PoolOfNone)
    monkeypatch.setattr(PoolOfNone, "made", [])
    plugin = ConversionPlugin()
    plugin.setup(cast("Worker", worker))
    return plugin


def order_for(memory: int, source: SourceFacts) -> Order:
    """Return one whose processes may take so much; each amount has a pool of its own."""
    options = replace(options_of(LocalSettings()), max_memory_bytes=memory)
    return replace(order_of(source, f"key-{memory}"), options=options)


async def test_a_task_that_begins_while_a_worker_clears_costs_nobody_anything(
    tmp_path: Path, plugin: ConversionPlugin
) -> None:
    source = facts_of(written(tmp_path / "a.djvu", b"abc"))
    orders = [order_for(memory, source) for memory in (1, 2, 3)]
    with anyio.fail_after(20):
        for order in orders[:2]:
            await plugin.perform(order)
        first, second = PoolOfNone.made

        async with anyio.create_task_group() as group:
            group.start_soon(plugin._clear)
            await first.closing.wait()
            answer = await plugin.perform(orders[2])
            for pool in PoolOfNone.made:
                pool.may_close.set()

    assert second.closed.is_set()
    assert [await plugin.read(order.key, 0, 9) for order in orders] == [None, None, b"PDF"]
    assert answer.size_bytes == 3


async def test_a_worker_that_cannot_clear_says_so_in_its_log(
    plugin: ConversionPlugin, caplog: pytest.LogCaptureFixture
) -> None:
    failed = anyio.Event()

    async def fail() -> None:
        failed.set()
        raise OSError("made up")

    plugin._begin_clearing(fail)
    with anyio.fail_after(20):
        await failed.wait()
    await anyio.wait_all_tasks_blocked()

    assert "could not clear" in caplog.text
    assert "made up" in caplog.text


# Alone on a worker


async def test_who_is_alone_waits_for_others_and_holds_them_up() -> None:
    gate, told = Gate(), list[str]()
    leave = anyio.Event()

    async def enter(name: str, *, alone: bool) -> None:
        async with gate.entered(alone=alone):
            told.append(name)
            if name == "first":
                await leave.wait()
            await anyio.lowlevel.checkpoint()
            told.append(f"{name} left")

    async with anyio.create_task_group() as group:
        group.start_soon(partial(enter, "first", alone=False))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(partial(enter, "hermit", alone=True))
        await anyio.wait_all_tasks_blocked()
        group.start_soon(partial(enter, "late", alone=False))
        await anyio.wait_all_tasks_blocked()
        assert told == ["first"]
        leave.set()
    assert told == ["first", "first left", "hermit", "hermit left", "late", "late left"]


async def test_a_hermit_that_gives_up_lets_others_in() -> None:
    gate, leave, is_in = Gate(), anyio.Event(), anyio.Event()

    async def stay() -> None:
        async with gate.entered(alone=False):
            await leave.wait()

    async def hermit(scope: anyio.CancelScope) -> None:
        with scope:
            async with gate.entered(alone=True):
                raise AssertionError("the first has not left")

    async def late() -> None:
        async with gate.entered(alone=False):
            is_in.set()

    async with anyio.create_task_group() as group:
        scope = anyio.CancelScope()
        group.start_soon(stay)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(hermit, scope)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(late)
        await anyio.wait_all_tasks_blocked()
        assert not is_in.is_set()
        scope.cancel()
        await is_in.wait()
        leave.set()


# Settings


@pytest.mark.parametrize(
    "address", ["tcp://a.example.org:8786", "tls://10.0.0.1:1/", "tcp://[::1]:8786"]
)
def test_addresses_of_schedulers(address: str) -> None:
    assert DaskSettings(scheduler=address).scheduler == address


@pytest.mark.parametrize(
    "address",
    ["", "a.example.org", "a.example.org:8786", "tcp://a.example.org", "http://a:80",
     "tcp://user@a:80", "tcp://a:80/path", "tcp://a b:80", "inproc://a:80"],
)  # fmt: skip
def test_what_is_no_address_of_a_scheduler(address: str) -> None:
    with pytest.raises(ValueError, match="written like tcp://host:8786"):
        DaskSettings(scheduler=address)


def test_a_scheduler_without_its_engine_would_be_passed_over() -> None:
    flags = {"dask__scheduler": "tcp://a:8786", "output__dir": Path("out")}
    with pytest.raises(ConfigError, match="--engine dask"):
        settings_from(None, {**flags, "engine": "local"})
    loaded = settings_from(None, {**flags, "engine": "dask"})
    assert loaded.settings.section(DaskSettings).scheduler == "tcp://a:8786"


# What is told before anything is begun


async def test_tls_without_certificates_is_bad_configuration() -> None:
    with pytest.raises(ConfigError, match="wants certificates"):
        async with Cluster("tls://127.0.0.1:1", Wishes(release={}), None):
            raise AssertionError("there is nobody")


def test_the_extra_is_asked_for_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_converter.engines.dask.spec.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'batch-converter\[dask\]'"):
        SPEC.validate(Settings())
