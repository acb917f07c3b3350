"""Changes in folders as the system tells them, and what is said where it does not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from batch_converter.config import Settings
from batch_converter.errors import StateLockedError, UsageError
from batch_converter.state import held_state_dir
from batch_converter.watching import WatchOptions, listening, open_watch
from batch_converter.watching.listening import (
    CannotListenError,
    Change,
    FolderGoneError,
    FolderListener,
)

if TYPE_CHECKING:
    from pathlib import Path


async def test_what_happens_in_the_folders_is_heard_and_not_what_happens_below(
    tmp_path: Path,
) -> None:
    folder, below = tmp_path / "in", tmp_path / "in/below"
    below.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    whole = tmp_path / "whole.djvu"
    whole.write_bytes(b"x")
    listener = await FolderListener.open([os.fspath(folder)])
    (tmp_path / "elsewhere/a.djvu").write_bytes(b"x")
    (below / "a.djvu").write_bytes(b"x")
    renamed = whole.rename(folder / "renamed.djvu")
    assert await listener.changes() == frozenset({Change(os.fspath(renamed), is_written=False)})
    with renamed.open("ab") as file:
        file.write(b"y")
    assert await listener.changes() == frozenset({Change(os.fspath(renamed), is_written=True)})
    (folder / os.fsdecode(b"\xff.djvu")).write_bytes(b"x")  # the library cannot spell it
    assert await listener.changes() is None
    await listener.aclose()


async def test_a_listener_that_is_closed_ends_who_waits(tmp_path: Path) -> None:
    listener = await FolderListener.open([os.fspath(tmp_path)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.changes)
        await anyio.wait_all_tasks_blocked()
        await listener.aclose()


async def test_a_folder_that_has_gone_is_said_to_have_gone(tmp_path: Path) -> None:
    with pytest.raises(FolderGoneError):
        await FolderListener.open([os.fspath(tmp_path / "gone")])
    with pytest.raises(CannotListenError, match="UTF-8"):
        await FolderListener.open([os.fsdecode(b"/tmp/\xff")])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError("OS file watch limit reached. about [...]"), "fs.inotify.max_user_watches"),
        (OSError("Too many open files (os error 24)"), "fs.inotify.max_user_instances"),
        (OSError("something else"), "something else"),
    ],
)
async def test_a_limit_of_the_system_is_told_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("watchfiles._rust_notify.RustNotify", refuse)
    with pytest.raises(CannotListenError, match=said):
        await FolderListener.open([os.fspath(tmp_path)])


async def test_without_the_extra_there_is_polling(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(listening, "find_spec", lambda _: None)
    settings = Settings.model_validate({"engine": "local", "output": {"dir": tmp_path / "out"}})
    with pytest.raises(UsageError, match=r"pip install 'batch-converter\[watch\]'"):
        await _opened(tmp_path, settings, WatchOptions())
    await _opened(tmp_path, settings, WatchOptions(poll=True))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"output": {}}, "no output folder"),
        ({"input": {"after": "move:in"}}, "--after"),
        ({"input": {"include": [""]}}, "include"),
        ({"report": {"file": "/dev/null/report.json"}}, "report"),
        ({"engine": "fax"}, "fax"),
    ],
)
async def test_what_a_run_would_refuse_is_refused_before_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    defaults = {"engine": "local", "output": {"dir": "out"}}
    settings = Settings.model_validate({**defaults, **options})
    with pytest.raises(UsageError, match=said):
        await _opened(tmp_path / "in", settings, WatchOptions(poll=True))
    assert not (tmp_path / "out").exists()


async def test_who_watches_holds_the_state_directory(tmp_path: Path) -> None:
    settings = Settings.model_validate({"engine": "local", "output": {"dir": tmp_path / "out"}})
    async with held_state_dir(settings):
        with pytest.raises(StateLockedError):
            await _opened(tmp_path, settings, WatchOptions(poll=True))


async def _opened(source: Path, settings: Settings, options: WatchOptions) -> None:
    async def nothing(*_: object, **__: object) -> Any:  # noqa: ANN401  # of any run
        raise AssertionError

    sources = [os.fspath(source)]
    async with open_watch(sources, settings, options, run_batch=nothing, after=nothing):
        pass
