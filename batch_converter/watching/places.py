"""The sources of a watch: looked through as a run does, and one file at a time. Blocks.

What is watched is found by the walk of `convert`, so that the same filters, links and names
count.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from batch_converter.discovery import (
    DiskWalk,
    Passed,
    UnreadableSource,
    WalkPath,
    absolute_path,
    check_sources,
)
from batch_converter.errors import UsageError
from batch_converter.models import SourceFile
from batch_converter.naming import is_hidden_name
from batch_converter.sources import selected
from batch_converter.watching.settling import PASSED, UNREADABLE, Key, Look, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from datetime import datetime

    from batch_converter.config import InputSettings
    from batch_converter.discovery import Found


class _Identity(NamedTuple):
    """Which folder it is, whatever its path: another disk may be mounted there."""

    device: int
    inode: int


@dataclass(slots=True, kw_only=True)
class Scan:
    """What is in the sources.

    Attributes:
        fresh: What was not taken up as it looks now.
        taken: What was, and is there still.
        folders: Those that were entered, each by its path.
        lost: Why sources cannot be reached, by what the user gave.
    """

    fresh: list[tuple[Key, Look]] = field(default_factory=list)
    taken: Taken = field(default_factory=Taken)
    folders: dict[str, _Identity] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


class Places:
    """Files and folders of this machine that are watched.

    Args:
        given: As the user named them.
        settings: The filters.
        excluded_dirs: Folders not to be searched.
        now: Tells what ages are counted from.

    Raises:
        UsageError: One does not exist, or a filter is senseless.
    """

    def __init__(
        self,
        given: Collection[str],
        settings: InputSettings,
        *,
        excluded_dirs: Collection[str],
        now: Callable[[], datetime],
    ) -> None:
        for source in given:
            if "://" in source:
                raise UsageError(
                    f"watch takes files and folders of this machine, which {source} is not; convert"
                    " it now and then"
                )
        if not given:
            raise UsageError("nothing to watch: give a folder or a file")
        check_sources(given)
        self._selection = selected(settings, now=now())
        self._settings = _without_globs(settings)
        self._excluded_dirs = tuple(excluded_dirs)
        self._now = now
        self._sources = {source: absolute_path(source) for source in dict.fromkeys(given)}
        self._entered: dict[str, list[WalkPath]] = {}
        self._identities: dict[str, _Identity] = {}

    @property
    def given(self) -> tuple[str, ...]:
        """The sources as the user named them."""
        return tuple(self._sources)

    @property
    def roots(self) -> tuple[str, ...]:
        """Absolute paths of those that are folders now."""
        return tuple(path for path in self._sources.values() if os.path.isdir(path))  # noqa: PTH112  # bytes kept

    def below(self, key: Key) -> str:
        """Return a file's path below its source; of a source that is a file, its name."""
        source = self._sources[key.given]
        below = key.path.removeprefix(source.rstrip("/") + "/")
        return key.path.rpartition("/")[2] if key.path == source else below

    def scan(self, taken: Taken, again: Collection[Key] = ()) -> Scan:
        """Look through all sources.

        Args:
            taken: What was taken up.
            again: What is to be taken up again, however it looks.
        """
        scan = Scan()
        self._entered, self._identities = {}, scan.folders
        for found in self._walked():
            key = _key(found)
            if isinstance(found, UnreadableSource) and found.path == self._sources[key.given]:
                scan.lost[key.given] = _why_lost(found.path)
                continue
            look = _look(found)
            if taken.has(key, look) and key not in again:
                scan.taken.add(key, look)
            else:
                scan.fresh.append((key, look))
        return scan

    def concerned(self, path: str) -> list[Key]:
        """Return what a change of this path is a change of; empty of what is nobody's."""
        keys = [Key(given, path) for given, source in self._sources.items() if source == path]
        keys += [Key(place.source_root, path) for place in self._places(path)]
        return list(dict.fromkeys(keys))

    def changes_folders(self, path: str) -> bool:
        """Whether a folder has come or gone that a walk would enter, or a source has."""
        if path in self._entered or path in self._sources.values():
            return True
        name = path.rpartition("/")[2]
        is_passed_over = is_hidden_name(name) and not self._selection.hidden
        is_looked_at = not is_passed_over and bool(self._places(path))
        return is_looked_at and os.path.isdir(path)  # noqa: PTH112  # bytes kept

    def looks(self, keys: Collection[Key]) -> Mapping[Key, Look | None]:
        """Return what files look like; None of one that has gone, or is not meant."""
        walk = self._walk()
        found = {key: self._found(walk, key) for key in keys}
        return {key: None if one is None else _look(one) for key, one in found.items()}

    def feed(self, files: Mapping[Key, Look], missed: list[Key]) -> Iterator[Found]:
        """Yield files as a run takes them, by path.

        Args:
            files: What they looked like when they were taken up.
            missed: Is given those that look otherwise by now, and are not yielded.
        """
        walk = self._walk()
        for key in sorted(files):
            found = self._found(walk, key)
            if found is not None and _look(found) == files[key]:
                yield found
            else:
                missed.append(key)

    def _walked(self) -> Iterator[Found]:
        walk = self._walk()
        for source, path in self._sources.items():
            if not os.path.isdir(path):  # noqa: PTH112  # bytes kept
                self._note(os.path.dirname(path))  # noqa: PTH120  # bytes kept
            yield from walk.source(source)
        yield from walk.rest()

    def _walk(self) -> DiskWalk:
        selection = self._selection
        ages = (self._settings.min_age, self._settings.max_age)
        if ages != (None, None):
            timed = selected(self._settings, now=self._now())
            selection = replace(
                selection,
                oldest_mtime_ns=timed.oldest_mtime_ns,
                newest_mtime_ns=timed.newest_mtime_ns,
            )
        return DiskWalk(selection, self._excluded_dirs, on_folder=self._enter)

    def _enter(self, folder: WalkPath) -> None:
        self._entered.setdefault(folder.path, []).append(folder)
        self._note(folder.path)

    def _note(self, folder: str) -> None:
        try:
            status = os.stat(folder)  # noqa: PTH116  # bytes kept
        except OSError:
            return
        self._identities[folder] = _Identity(status.st_dev, status.st_ino)

    def _found(self, walk: DiskWalk, key: Key) -> Found | None:
        if self._sources[key.given] == key.path:
            return self._named(walk, key)
        for place in self._places(key.path):
            if place.source_root == key.given:
                return walk.look(place, key.path.rpartition("/")[2])
        return None

    def _places(self, path: str) -> list[WalkPath]:
        """Return what the walk called the folder of a path; empty where it was not entered."""
        return self._entered.get(path.rpartition("/")[0] or "/", [])

    def _named(self, walk: DiskWalk, key: Key) -> Found | None:
        """Return a source that is a file."""
        if os.path.isdir(key.path):  # noqa: PTH112  # bytes kept
            return None
        found = next(walk.source(key.given), None)
        return None if isinstance(found, UnreadableSource) else found


def _without_globs(settings: InputSettings) -> InputSettings:
    """Return settings whose patterns are not read again: a watch has read them."""
    patterns = ("include", "exclude", "include_from", "exclude_from")
    return settings.model_copy(update=dict.fromkeys(patterns, ()))


def _why_lost(path: str) -> str:
    """Return the system's words for why a source cannot be reached."""
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError as error:
        return error.strerror or type(error).__name__
    return "it is there again by now"


def _key(found: Found) -> Key:
    return Key(found.source_root, found.path)


def _look(found: Found) -> Look:
    match found:
        case SourceFile():
            return Look(found.size_bytes, found.mtime_ns)
        case Passed():
            return PASSED
        case UnreadableSource():
            return UNREADABLE
