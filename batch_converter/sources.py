"""What a run is asked to convert: paths, lists of paths, and the filters on them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_converter.config import parse_shard
from batch_converter.discovery import (
    Selection,
    absolute_path,
    check_sources,
    read_files_from,
    walk_sources,
)
from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from batch_converter.config import InputSettings
    from batch_converter.discovery import Found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is to be converted.

    Attributes:
        paths: Files and folders.
        files_from: A file that lists more, `-` for standard input.
        null: The list is NUL-separated.
    """

    paths: tuple[str, ...] = ()
    files_from: str | None = None
    null: bool = False

    def open(self, settings: InputSettings, *, excluded_dirs: Collection[str]) -> OpenSources:
        """Check what is given and begin the walk; blocking.

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
        check_sources(self.paths)
        selection = Selection(
            include=settings.include,
            exclude=settings.exclude,
            min_bytes=settings.min_size or 0,
            max_bytes=settings.max_size,
            follow_symlinks=settings.follow_symlinks,
            hidden=settings.hidden,
            shard=None if settings.shard is None else parse_shard(settings.shard),
        )
        listed = None
        if self.files_from is not None:
            listed = read_files_from(self.files_from, null=self.null)
        return OpenSources(
            found=walk_sources(
                _chained(self.paths, listed), selection, excluded_dirs=excluded_dirs
            ),
            roots=tuple(absolute_path(path) for path in self.paths if os.path.isdir(path)),  # noqa: PTH112  # bytes kept
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSources:
    """The sources, checked, with a walk over them that has begun.

    Attributes:
        found: What it finds; blocking, to be driven in a worker thread.
        roots: Absolute paths of the source folders.
    """

    found: Iterator[Found]
    roots: tuple[str, ...]


def _chained(paths: tuple[str, ...], listed: Iterator[str] | None) -> Iterator[str]:
    yield from paths
    if listed is not None:
        yield from listed
