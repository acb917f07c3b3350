"""The filters on files below the sources: globs, sizes, ages, shard."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b

from pathspec import GitIgnoreSpec

from batch_converter.errors import UsageError
from batch_converter.naming import clash_family, key_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The filters of a run, by name, by size and by time of change.

    Attributes:
        include: Globs in gitignore syntax, on the path below the source; if any
            are given, a file must match them.
        exclude: The same; wins over `include`, and prunes whole folders.
        min_bytes: Smaller files are left out.
        max_bytes: Larger files are left out.
        oldest_mtime_ns: Files that were last changed before this are left out.
        newest_mtime_ns: Files that were last changed after this are left out.
        follow_symlinks: Enter linked folders, each real folder once.
        hidden: Also what has a hidden or a system's name; a source itself always is taken.
        by_content: Also what is no DjVu by its name and begins like one.
        shard: `(k, n)`: the k-th (from 1) of n parts. Files whose PDFs could come to
            stand in each other's way are always in one part, so that one ledger settles it.

    Raises:
        UsageError: A glob is malformed or says nothing, or a number is senseless.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    min_bytes: int = 0
    max_bytes: int | None = None
    oldest_mtime_ns: int | None = None
    newest_mtime_ns: int | None = None
    follow_symlinks: bool = False
    hidden: bool = False
    by_content: bool = False
    shard: tuple[int, int] | None = None
    _included: GitIgnoreSpec = field(init=False, repr=False, compare=False)
    _excluded: GitIgnoreSpec = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the globs and refuse what cannot be meant."""
        object.__setattr__(self, "_included", _compiled("include", self.include))
        object.__setattr__(self, "_excluded", _compiled("exclude", self.exclude))
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            raise UsageError(f"shard {self.shard[0]}/{self.shard[1]}: K/N needs 1 <= K <= N")
        if _is_empty(self.min_bytes, self.max_bytes):
            raise UsageError(
                f"no file has at least {self.min_bytes} and at most {self.max_bytes} bytes;"
                " change the smallest or the largest size"
            )
        if _is_empty(self.oldest_mtime_ns, self.newest_mtime_ns):
            raise UsageError(
                "no file is at least as old as the least age and at most as old as the greatest;"
                " change input.min_age (--min-age) or input.max_age (--max-age)"
            )

    def wants(self, source: str) -> bool:
        """Tell whether the file's name, not yet its size and time, is among those meant."""
        return (
            not (self.include and not self._included.match_file(source))
            and not (self.exclude and self._excluded.match_file(source))
            and self.in_shard(source)
        )

    def wants_status(self, *, size_bytes: int, mtime_ns: int) -> bool:
        """Tell whether a file of this size that was last changed then is meant."""
        return _is_within(size_bytes, self.min_bytes, self.max_bytes) and _is_within(
            mtime_ns, self.oldest_mtime_ns, self.newest_mtime_ns
        )

    def prunes(self, folder: str) -> bool:
        """Tell whether nothing below this folder of a source can be meant.

        A negated glob may take back a single file anywhere; then no folder is pruned.
        """
        return (
            bool(self.exclude)
            and self._excluded.match_file(folder + "/")
            and all(pattern.include is not False for pattern in self._excluded.patterns)
        )

    def in_shard(self, source: str) -> bool:
        """Tell whether the part that is meant has a file of this path below its source."""
        if self.shard is None:
            return True
        part, parts = self.shard
        key = key_bytes(clash_family(source))
        return int.from_bytes(blake2b(key, digest_size=8).digest(), "big") % parts == part - 1


def _is_empty(least: int | None, greatest: int | None) -> bool:
    return least is not None and greatest is not None and greatest < least


def _is_within(value: int, least: int | None, greatest: int | None) -> bool:
    return (least is None or least <= value) and (greatest is None or value <= greatest)


def _compiled(option: str, globs: tuple[str, ...]) -> GitIgnoreSpec:
    for glob in globs:
        check_glob(option, glob)
    return _spec(globs)


def check_glob(place: str, glob: str) -> None:
    """Refuse what would match nothing, or cannot be read.

    Args:
        place: Where it stands, as a message begins.
        glob: In gitignore syntax.

    Raises:
        UsageError: It is malformed or says nothing.
    """
    try:
        patterns = _spec((glob,)).patterns
    except (ValueError, re.error) as error:
        raise UsageError(f"{place} {glob!r} is no glob in gitignore syntax") from error
    if all(pattern.include is None for pattern in patterns):
        raise UsageError(f"{place} {glob!r} can match nothing in gitignore syntax")


def _spec(globs: tuple[str, ...]) -> GitIgnoreSpec:
    # The other backends of pathspec cannot take names that are not UTF-8.
    return GitIgnoreSpec.from_lines(globs, backend="simple")
