"""The walk: one scandir a folder, one stat a file that passes the name filters.

At any moment it holds the names in the folders between the source and the file at
hand, no more; with `follow_symlinks` also the identity of each folder entered. A
file is not opened: its first bytes are looked at later. What has a hidden or a
system's name is left where it stands before anything is asked of it: such a folder
is often one that nobody but its system may read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from batch_converter.config import STATE_DIR_NAME
from batch_converter.discovery.found import Passed, PassedKind, UnreadableSource
from batch_converter.discovery.sources import absolute_path, reason
from batch_converter.models import SourceFile
from batch_converter.naming import is_djvu_name, is_hidden_name, wanted_output

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from batch_converter.discovery.found import Found
    from batch_converter.discovery.selection import Selection


log = structlog.get_logger()

_LEADS_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


def walk_sources(
    sources: Iterable[str], selection: Selection, *, excluded_dirs: Collection[str] = ()
) -> Iterator[Found]:
    """Yield every DjVu file below the sources, and what stood in the way.

    The real folders of all sources come first, each source in code point order of
    its paths, then the linked folders that nothing else led to: a link that is
    added takes no file away from the name that it had. A file that two sources hold
    is yielded for each. A source that is a file is taken whatever its name. How much
    was passed over for its hidden name is told at the end, at debug level.

    Args:
        sources: Files and folders; one that does not exist is an `UnreadableSource`.
        selection: Which files are meant; sources that are files pass it too.
        excluded_dirs: Folders not to be searched, such as the state directory.
    """
    walk = _Walk(selection, excluded_dirs)
    for given in sources:
        yield from walk.source(given)
    yield from walk.linked_folders()
    walk.tell_hidden()


class _Place(NamedTuple):
    """A path in the walk: absolute, and below its source as the user gave it."""

    path: str
    source_root: str
    source: str

    def child(self, name: str) -> _Place:
        path = f"{self.path.rstrip('/')}/{name}"
        return _Place(path, self.source_root, f"{self.source}/{name}" if self.source else name)

    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def passed(self, kind: PassedKind) -> Passed:
        return Passed(
            path=self.path,
            source_root=self.source_root,
            source=self.source or self.name(),
            kind=kind,
        )

    def unreadable(self, error: OSError | ValueError) -> UnreadableSource:
        return UnreadableSource(
            path=self.path,
            source_root=self.source_root,
            source=self.source or self.name(),
            message=f"{self.path} cannot be read: {reason(error)}; see to it and run again",
        )

    def file(self, status: os.stat_result) -> SourceFile:
        return SourceFile(
            path=self.path,
            source_root=self.source_root,
            source=self.source,
            wanted_output=wanted_output(self.source),
            size_bytes=status.st_size,
            mtime_ns=status.st_mtime_ns,
        )


@dataclass(slots=True)
class _Folder:
    """What is left to do in a folder: names in reverse order, folders with a slash.

    Attributes:
        takes_hidden: Whether hidden names are among them.
        hidden: How many were left out for that; our own state folder does not count.
    """

    place: _Place
    takes_hidden: bool
    hidden: int = 0
    names: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    error: OSError | None = None

    def read(self) -> None:
        try:
            with os.scandir(self.place.path) as entries:
                for entry in entries:
                    self._add(entry)
        except OSError as error:
            self.error = error
        self.names.sort(reverse=True)

    def _add(self, entry: os.DirEntry[str]) -> None:
        if not self.takes_hidden and is_hidden_name(entry.name):
            self.hidden += entry.name != STATE_DIR_NAME
        elif entry.is_symlink():
            self.links.add(entry.name)
            self.names.append(entry.name)
        elif entry.is_dir(follow_symlinks=False):
            self.names.append(entry.name + "/")
        elif is_djvu_name(entry.name):
            self.names.append(entry.name)


class _Walk:
    def __init__(self, selection: Selection, excluded_dirs: Collection[str]) -> None:
        self._selection = selection
        self._excluded = frozenset(map(os.path.realpath, excluded_dirs))
        self._excluded_names = {path.rpartition("/")[2] for path in self._excluded}
        self._entered: set[tuple[int, int]] = set()
        self._links: deque[_Place] = deque()
        self._hidden = 0

    def source(self, given: str) -> Iterator[Found]:
        place = _Place(absolute_path(given), given, "")
        try:
            status = _stat(place)
        except (OSError, ValueError) as error:
            yield place.unreadable(error)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._tree(place, by_link=False)
            return
        place = place._replace(source=place.name())
        if self._selection.wants(place.source) and (found := self._file(place, status)):
            yield found

    def linked_folders(self) -> Iterator[Found]:
        while self._links:
            yield from self._tree(self._links.popleft(), by_link=True)

    def tell_hidden(self) -> None:
        if self._hidden:
            log.debug("discovery.hidden_passed_over", count=self._hidden)

    def _tree(self, top: _Place, *, by_link: bool) -> Iterator[Found]:
        """Go down depth first, on a stack of its own: trees go deeper than Python recurses."""
        folders = [self._opened(top, by_link=by_link)]
        while folders:
            folder = folders[-1]
            if folder.error is not None:
                yield folder.place.unreadable(folder.error)
                folder.error = None
            elif not folder.names:
                folders.pop()
            elif (name := folder.names.pop()).endswith("/"):
                folders.append(self._opened(folder.place.child(name[:-1]), by_link=by_link))
            elif found := self._look(folder.place.child(name), is_link=name in folder.links):
                yield found

    def _opened(self, place: _Place, *, by_link: bool) -> _Folder:
        folder = _Folder(place, takes_hidden=self._selection.hidden)
        if not self._is_left_out(place) and self._enters(place, by_link=by_link):
            folder.read()
            self._hidden += folder.hidden
        return folder

    def _is_left_out(self, place: _Place) -> bool:
        name = place.name()
        return (
            name == STATE_DIR_NAME
            or (bool(place.source) and self._selection.prunes(place.source))
            or (name in self._excluded_names and os.path.realpath(place.path) in self._excluded)
        )

    def _enters(self, place: _Place, *, by_link: bool) -> bool:
        """Real folders are always entered and noted; by links only those not noted yet."""
        if not self._selection.follow_symlinks:
            return True
        try:
            status = _stat(place)
        except OSError:
            return True  # reading it says what is wrong
        identity = (status.st_dev, status.st_ino)
        is_new = identity not in self._entered
        self._entered.add(identity)
        return is_new or not by_link

    def _look(self, place: _Place, *, is_link: bool) -> Found | None:
        if not is_link and not self._selection.wants(place.source):
            return None
        try:
            status = _stat(place)
        except OSError as error:
            return self._broken_link(place, error) if is_link else place.unreadable(error)
        return self._link(place, status) if is_link else self._file(place, status)

    def _link(self, place: _Place, status: os.stat_result) -> Found | None:
        if stat.S_ISDIR(status.st_mode):
            return self._linked_folder(place)
        return self._file(place, status) if self._wants_link(place) else None

    def _linked_folder(self, place: _Place) -> Passed | None:
        if self._is_left_out(place):
            return None
        if not self._selection.follow_symlinks:
            return place.passed(PassedKind.LINKED_FOLDER)
        self._links.append(place)
        return None

    def _broken_link(self, place: _Place, error: OSError) -> Found | None:
        # A link to a folder that is away may stand for files too.
        may_be_folder = self._selection.follow_symlinks and not self._is_left_out(place)
        if not may_be_folder and not self._wants_link(place):
            return None
        if error.errno in _LEADS_NOWHERE:
            return place.passed(PassedKind.DANGLING_LINK)
        return place.unreadable(error)

    def _wants_link(self, place: _Place) -> bool:
        return is_djvu_name(place.source) and self._selection.wants(place.source)

    def _file(self, place: _Place, status: os.stat_result) -> Found | None:
        if not stat.S_ISREG(status.st_mode):
            return place.passed(PassedKind.SPECIAL_FILE)
        return place.file(status) if self._selection.wants_size(status.st_size) else None


def _stat(place: _Place) -> os.stat_result:
    return os.stat(place.path)  # noqa: PTH116  # once a file: building a Path costs as much again
