"""What a run is asked to convert: paths, lists of paths, and the filters on them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from batch_converter import working_folder
from batch_converter.config import parse_shard
from batch_converter.discovery import (
    Selection,
    absolute_path,
    read_files_from,
    with_globs_of_files,
)
from batch_converter.errors import UsageError
from batch_converter.models import SourceFile
from batch_converter.naming import is_djvu_name
from batch_converter.objects import ObjectAddress, is_object_address

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from datetime import datetime

    from batch_converter.config import InputSettings
    from batch_converter.discovery import Found
    from batch_converter.sources.store import SourceStore, SourceStores, SourceWalk


def source_address(given: str) -> str:
    """Return what the ledger knows a source by that was named so, or begins with; asks nobody.

    Raises:
        UsageError: It is no address, or relative to a working folder that is gone.
    """
    if is_object_address(given):
        return str(ObjectAddress.parse(given))
    with working_folder.needed_for(given):
        return os.path.abspath(given)  # noqa: PTH100  # bytes kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be converted.

    Attributes:
        paths: Files and folders, or what another store has of that kind.
        files_from: A file that lists more, `-` for standard input.
        null: The list is NUL-separated.
    """

    paths: tuple[str, ...] = ()
    files_from: str | None = None
    null: bool = False

    def open(
        self,
        settings: InputSettings,
        stores: SourceStores,
        *,
        excluded_dirs: Collection[str],
        now: datetime,
        was_moved: Callable[[str], bool] = lambda _path: False,
    ) -> OpenSources:
        """Check what is given and begin the walk; blocking.

        Args:
            settings: The filters.
            stores: Where sources may lie.
            excluded_dirs: Folders of this disk not to be searched.
            now: What ages are counted from, the same for all files.
            was_moved: Whether a source that is not there was moved by an earlier run.

        Raises:
            UsageError: Nothing is given, a path or the list does not exist, or a
                filter is senseless.
        """
        if not self.paths and self.files_from is None:
            raise UsageError("nothing to convert: give a file, a folder or --files-from")
        if self.null and self.files_from is None:
            raise UsageError(
                "--null says how --files-from is read; give that, or --failed-list, too"
            )
        for path in self.paths:
            _check(path, stores, was_moved)
        selection = selected(settings, now=now)
        listed = None
        if self.files_from is not None:
            listed = read_files_from(self.files_from, null=self.null)
        return OpenSources(
            found=self._found(listed, stores, selection, excluded_dirs),
            roots=tuple(
                root for path in self.paths if (root := stores.of(path).root(path)) is not None
            ),
        )

    def _found(
        self,
        listed: Iterator[str] | None,
        stores: SourceStores,
        selection: Selection,
        excluded_dirs: Collection[str],
    ) -> Iterator[Found]:
        """Walk all sources; what is in another shard is told only where two may hold it.

        A file that a folder and a second source hold has two paths below a source, which may be
        in two shards: the first counts, as it does without shards.
        """
        given = _chained(self.paths, listed)
        if selection.shard is None or (listed is None and not _are_nested(self.paths)):
            return _walked(given, stores, selection, excluded_dirs)
        everything = replace(selection, shard=None)
        found = _walked(given, stores, everything, excluded_dirs)
        return _marked(found, selection)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSources:
    """The sources, checked, with a walk over them that has begun.

    Attributes:
        found: What it finds; blocking, to be driven in a worker thread.
        roots: Absolute paths of the source folders, and what other stores have of that kind.
    """

    found: Iterator[Found]
    roots: tuple[str, ...]


def selected(settings: InputSettings, *, now: datetime) -> Selection:
    """Return the filters; blocking, some stand in files.

    Args:
        settings: The filters as the user gave them.
        now: What ages are counted from.

    Raises:
        UsageError: One is senseless, or its file cannot be read.
    """
    return Selection(
        include=with_globs_of_files("include", settings.include, settings.include_from),
        exclude=with_globs_of_files("exclude", settings.exclude, settings.exclude_from),
        min_bytes=settings.min_size or 0,
        max_bytes=settings.max_size,
        oldest_mtime_ns=_mtime_ns(now, settings.max_age),
        newest_mtime_ns=_mtime_ns(now, settings.min_age),
        follow_symlinks=settings.follow_symlinks,
        hidden=settings.hidden,
        by_content=settings.by_content,
        shard=None if settings.shard is None else parse_shard(settings.shard),
    )


def _mtime_ns(now: datetime, age_s: float | None) -> int | None:
    """Return when a file was last changed that is as old as that."""
    if age_s is None:
        return None
    return round(now.timestamp() * 1e6) * 1_000 - int(age_s) * 10**9 - round(age_s % 1 * 1e9)


def _check(path: str, stores: SourceStores, was_moved: Callable[[str], bool]) -> None:
    try:
        stores.of(path).check(path)
    except UsageError:
        if not was_moved(path):
            raise


def _chained(paths: tuple[str, ...], listed: Iterator[str] | None) -> Iterator[str]:
    yield from paths
    if listed is not None:
        yield from listed


def _are_nested(paths: Iterable[str]) -> bool:
    """Whether one of these paths is below another, or the same."""
    places = sorted(
        (path if "://" in path else absolute_path(path)).rstrip("/") + "/" for path in paths
    )
    return any(below.startswith(above) for above, below in pairwise(places))


def _marked(found: Iterator[Found], selection: Selection) -> Iterator[Found]:
    """Tell of each file whether it is in the shard; trouble with one of another is its own.

    Single files of a list are told too, be they millions: a folder that holds them may come
    behind them.
    """
    for item in found:
        is_in = selection.in_shard(item.source)
        if isinstance(item, SourceFile):
            yield item if is_in else replace(item, in_shard=False)
        elif is_in or not is_djvu_name(item.source):
            yield item


def _walked(
    sources: Iterable[str],
    stores: SourceStores,
    selection: Selection,
    excluded_dirs: Collection[str],
) -> Iterator[Found]:
    """Walk each source in its store, with one walk a store, and then what those have left."""
    walks: dict[SourceStore, SourceWalk] = {}
    for given in sources:
        store = stores.of(given)
        if store not in walks:
            walks[store] = store.walk(selection, excluded_dirs=excluded_dirs)
        yield from walks[store].source(given)
    for walk in walks.values():
        yield from walk.rest()
