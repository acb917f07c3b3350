"""The walk: one scandir a folder, one stat a file that passes the name filters.

At any moment it holds the names in the folders between the source and the file at
hand, no more; with `follow_symlinks` also the identity of each folder entered. A
file is not opened, its first bytes are looked at later, unless they are all that can
tell it from others (`by_content`). What has a hidden or a
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
from batch_converter.discovery.content import begins_like_a_document
from batch_converter.discovery.found import Passed, PassedKind, UnreadableSource
from batch_converter.discovery.sources import absolute_path, reason
from batch_converter.models import SourceFile
from batch_converter.naming import is_djvu_name, is_hidden_name, wanted_output

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from batch_converter.discovery.found import Found
    from batch_converter.discovery.selection import Selection


log = structlog.get_logger()

_LEADS_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class WalkPath(NamedTuple):
    """A path in the walk: absolute, and below its source as the user gave it."""

    path: str
    source_root: str
    source: str

    def child(self, name: str) -> WalkPath:
        """Return the path of what has this name in the folder."""
        path = f"{self.path.rstrip('/')}/{name}"
        return WalkPath(path, self.source_root, f"{self.source}/{name}" if self.source else name)

    def name(self) -> str:
        """Return the last part."""
        return self.path.rpartition("/")[2]

    def passed(self, kind: PassedKind) -> Passed:
        """Return it as left out."""
        return Passed(
            path=self.path,
            source_root=self.source_root,
            source=self.source or self.name(),
            kind=kind,
        )

    def unreadable(self, error: OSError | ValueError) -> UnreadableSource:
        """Return it as one that cannot be read."""
        return UnreadableSource(
            path=self.path,
            source_root=self.source_root,
            source=self.source or self.name(),
            message=f"{self.path} cannot be read: {reason(error)}; see to it and run again",
        )

    def file(self, status: os.stat_result) -> SourceFile:
        """Return it as a file to be converted."""
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
        takes_all: Whether files are among them that are no DjVu by their name.
        hidden: How many were left out for that; our own state folder does not count.
    """

    location: WalkPath
    takes_hidden: bool
    takes_all: bool
    hidden: int = 0
    names: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    error: OSError | None = None

    def read(self) -> None:
        try:
            with os.scandir(self.location.path) as entries:
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
        elif self.takes_all or is_djvu_name(entry.name):
            self.names.append(entry.name)


class DiskWalk:
    """A walk over files and folders: every DjVu file below them, and what stood in the way.

    The real folders of all sources come first, each source in code point order of
    its paths, then the linked folders that nothing else led to: a link that is
    added takes no file away from the name that it had. A file that two sources hold
    is yielded for each. A source that is a file is taken whatever its name. How much
    was passed over for its hidden name is told at the end, at debug level.

    Args:
        selection: Which files are meant; sources that are files pass it too.
        excluded_dirs: Folders not to be searched, such as the state directory.
        on_folder: Told of each folder that could be read.
    """

    def __init__(
        self,
        selection: Selection,
        excluded_dirs: Collection[str] = (),
        *,
        on_folder: Callable[[WalkPath], object] = lambda _folder: None,
    ) -> None:
        self._selection = selection
        self._on_folder = on_folder
        self._excluded = frozenset(map(os.path.realpath, excluded_dirs))
        self._excluded_names = {path.rpartition("/")[2] for path in self._excluded}
        self._entered: set[tuple[int, int]] = set()
        self._links: deque[WalkPath] = deque()
        self._hidden = 0

    def source(self, given: str) -> Iterator[Found]:
        """Yield what a file or folder holds; one that does not exist is an `UnreadableSource`."""
        location = WalkPath(absolute_path(given), given, "")
        try:
            status = _stat(location)
        except (OSError, ValueError) as error:
            yield location.unreadable(error)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._tree(location, by_link=False)
            return
        location = location._replace(source=location.name())
        if self._selection.wants(location.source) and (found := self._file(location, status)):
            yield found

    def rest(self) -> Iterator[Found]:
        """Yield what the linked folders hold, once all sources are walked."""
        while self._links:
            yield from self._tree(self._links.popleft(), by_link=True)
        if self._hidden:
            log.debug("discovery.hidden_passed_over", count=self._hidden)

    def look(self, folder: WalkPath, name: str) -> Found | None:
        """Return what is found of this name, no folder, in a folder that a walk has entered.

        None too where nothing has this name any more.
        """
        location = folder.child(name)
        try:
            status = os.lstat(location.path)
        except (OSError, ValueError):
            return None
        is_link = stat.S_ISLNK(status.st_mode)
        if stat.S_ISDIR(status.st_mode) or not self._is_looked_at(name, is_link=is_link):
            return None
        found = self._look(location, is_link=is_link)
        self._links.clear()
        return found

    def _is_looked_at(self, name: str, *, is_link: bool) -> bool:
        if not self._selection.hidden and is_hidden_name(name):
            return False
        return is_link or self._selection.by_content or is_djvu_name(name)

    def _tree(self, top: WalkPath, *, by_link: bool) -> Iterator[Found]:
        """Go down depth first, on a stack of its own: trees go deeper than Python recurses."""
        folders = [self._opened(top, by_link=by_link)]
        while folders:
            folder = folders[-1]
            if folder.error is not None:
                yield folder.location.unreadable(folder.error)
                folder.error = None
            elif not folder.names:
                folders.pop()
            elif (name := folder.names.pop()).endswith("/"):
                folders.append(self._opened(folder.location.child(name[:-1]), by_link=by_link))
            elif found := self._look(folder.location.child(name), is_link=name in folder.links):
                yield found

    def _opened(self, location: WalkPath, *, by_link: bool) -> _Folder:
        folder = _Folder(
            location,
            takes_hidden=self._selection.hidden,
            takes_all=self._selection.by_content,
        )
        if not self._is_left_out(location) and self._enters(location, by_link=by_link):
            folder.read()
            if folder.error is None:
                self._on_folder(location)
            self._hidden += folder.hidden
        return folder

    def _is_left_out(self, location: WalkPath) -> bool:
        name = location.name()
        return (
            name == STATE_DIR_NAME
            or (bool(location.source) and self._selection.prunes(location.source))
            or (name in self._excluded_names and os.path.realpath(location.path) in self._excluded)
        )

    def _enters(self, location: WalkPath, *, by_link: bool) -> bool:
        """Real folders are always entered and noted; by links only those not noted yet."""
        if not self._selection.follow_symlinks:
            return True
        try:
            status = _stat(location)
        except OSError:
            return True  # reading it says what is wrong
        identity = (status.st_dev, status.st_ino)
        is_new = identity not in self._entered
        self._entered.add(identity)
        return is_new or not by_link

    def _look(self, location: WalkPath, *, is_link: bool) -> Found | None:
        if not is_link and not self._selection.wants(location.source):
            return None
        try:
            status = _stat(location)
        except OSError as error:
            return self._broken_link(location, error) if is_link else _unread(location, error)
        return self._link(location, status) if is_link else self._djvu(location, status)

    def _link(self, location: WalkPath, status: os.stat_result) -> Found | None:
        if stat.S_ISDIR(status.st_mode):
            return self._linked_folder(location)
        return self._djvu(location, status) if self._wants_link(location) else None

    def _linked_folder(self, location: WalkPath) -> Passed | None:
        if self._is_left_out(location):
            return None
        if not self._selection.follow_symlinks:
            return location.passed(PassedKind.LINKED_FOLDER)
        self._links.append(location)
        return None

    def _broken_link(self, location: WalkPath, error: OSError) -> Found | None:
        # A link to a folder that is away may stand for files too.
        may_be_folder = self._selection.follow_symlinks and not self._is_left_out(location)
        if not may_be_folder and not self._wants_link(location):
            return None
        if error.errno in _LEADS_NOWHERE:
            return location.passed(PassedKind.DANGLING_LINK)
        return location.unreadable(error)

    def _wants_link(self, location: WalkPath) -> bool:
        takes_name = self._selection.by_content or is_djvu_name(location.source)
        return takes_name and self._selection.wants(location.source)

    def _djvu(self, location: WalkPath, status: os.stat_result) -> Found | None:
        """Take a file below a source: by its name, else by its first bytes."""
        found = self._file(location, status)
        if not isinstance(found, SourceFile) or is_djvu_name(location.source):
            return found
        try:
            return found if begins_like_a_document(location.path) else None
        except OSError as error:
            return _unread(location, error)

    def _file(self, location: WalkPath, status: os.stat_result) -> Found | None:
        if not stat.S_ISREG(status.st_mode):
            return location.passed(PassedKind.SPECIAL_FILE)
        is_wanted = self._selection.wants_status(
            size_bytes=status.st_size, mtime_ns=status.st_mtime_ns
        )
        return location.file(status) if is_wanted else None


def _unread(location: WalkPath, error: OSError) -> UnreadableSource | None:
    """Say that a file cannot be read; one that is gone, and had no DjVu's name, was none."""
    is_gone = error.errno in _LEADS_NOWHERE and not is_djvu_name(location.source)
    return None if is_gone else location.unreadable(error)


def _stat(location: WalkPath) -> os.stat_result:
    return os.stat(location.path)  # noqa: PTH116  # once a file: building a Path costs as much again
