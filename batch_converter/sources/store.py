"""What a run needs of the place where documents lie: the disk keeps this contract, as others can.

A source has an address: the absolute path of a file, or `scheme://…`. It is what
discovery calls `path`, what the ledger knows the source by, and what tells its store.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from batch_converter.djvu.work.inspection import DjvuInspector

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from batch_converter.config import Settings
    from batch_converter.discovery import Found, Selection
    from batch_converter.djvu.jobs.document_facts import DocumentIdentity, DocumentOutlook
    from batch_converter.storage import SourceBytes, SourceStatus

DISK: Final = ""
"""The scheme of addresses that name none."""


class SourceInspector(Protocol):
    """What a store can tell of a document's inside; `DjvuInspector` does, of files on this disk.

    Only the processes behind that one read a DjVu: a store of another kind hands it a copy.
    All methods block. They raise `UnreadableError` of a document that cannot be read, and
    what `DjvuInspector` raises.
    """

    def identify(
        self, path: str, *, bundle_path: Path | None = None, keep_damaged: bool = False
    ) -> DocumentIdentity:
        """Read a document's headers and hash it.

        Args:
            path: Its address.
            bundle_path: Where a file goes that has all of the document, for engines: the
                bundled form of an indirect one, or the copy of one that is no file on this
                disk. None for none. It is the caller's to remove.
            keep_damaged: Whether pages that are damaged are left for who converts the bundle.

        Returns:
            Size and time are those that `SourceStore.status` tells, whatever was copied.
        """
        ...

    def count_pages(self, path: str) -> int:
        """Count a document's pages by its headers."""
        ...

    def outlook(self, path: str) -> DocumentOutlook:
        """Say what the PDF of a document should be like."""
        ...

    def has_words(self, path: str) -> bool:
        """Whether any page has text that is more than white space."""
        ...

    def parts_fingerprint(self, path: str) -> str | None:
        """Return what differs once a part of an indirect document does; None of any other."""
        ...

    def sha256(self, path: str, *, with_parts: bool) -> str:
        """Return the digest of a document's bytes, as `identify` does."""
        ...


class SourceWalk(Protocol):
    """A search through sources of one store, which become known one after the other. Blocks."""

    def source(self, given: str) -> Iterator[Found]:
        """Yield what is found of a source, as the user gave it; `Found.path` is an address."""
        ...

    def rest(self) -> Iterator[Found]:
        """Yield what comes behind all sources; nothing else is asked afterwards."""
        ...


class SourceStore(Protocol):
    """Where sources lie. What is asked blocks, and is asked in a thread."""

    @property
    def inspector(self) -> SourceInspector:
        """Tells what is inside the documents of this store."""
        ...

    def check(self, given: str) -> None:
        """Make sure that a source is there, as the user gave it.

        Raises:
            UsageError: It is not, or cannot be reached.
        """
        ...

    def root(self, given: str) -> str | None:
        """Return the address that those of all its documents begin with; None of a document.

        What the ledger knows below it and a walk does not find has vanished.
        """
        ...

    def walk(self, selection: Selection, *, excluded_dirs: Collection[str]) -> SourceWalk:
        """Begin a search for what is selected; folders of this disk may be left out of it."""
        ...

    def exists(self, path: str) -> bool:
        """Whether anything has this address; raises nothing."""
        ...

    def status(self, path: str) -> SourceStatus:
        """Look at a source; size and time are those that a walk tells.

        Raises:
            OSError: It is not there, or cannot be looked at.
        """
        ...

    def open(self, path: str) -> SourceBytes:
        """Open a source, to be sent.

        Raises:
            OSError: It cannot be opened.
        """
        ...

    def give_up(self) -> None:
        """The run stops: what takes long by itself, such as a copy, may end with an error."""
        ...


BuildStore = Callable[["Settings", DjvuInspector], SourceStore]
"""Returns a store that is asked nothing yet; it hands the inspector what is on this disk."""


class SourceStores:
    """All stores of a run, each for the addresses of its scheme; the disk has the others.

    Args:
        rows: Scheme to what builds the store; `DISK` is one of them.
        settings: What the user wants.
    """

    def __init__(self, rows: Mapping[str, BuildStore], settings: Settings) -> None:
        self._inspector = DjvuInspector()
        self._stores = {scheme: build(settings, self._inspector) for scheme, build in rows.items()}
        self._disk = self._stores[DISK]

    def of(self, path: str) -> SourceStore:
        """Return the store of an address, or of a source as the user gave it."""
        scheme, separator, _ = path.partition("://")
        return self._stores.get(scheme, self._disk) if separator else self._disk

    def inspector(self, path: str) -> SourceInspector:
        """Return who tells what is inside a document."""
        return self.of(path).inspector

    @property
    def disk_inspector(self) -> DjvuInspector:
        """Who tells what is inside files on this disk."""
        return self._inspector

    def is_on_disk(self, path: str) -> bool:
        """Whether an address is a file on this disk."""
        return self.of(path) is self._disk

    def exists(self, path: str) -> bool:
        """Whether anything has this address; blocks."""
        return self.of(path).exists(path)

    def status(self, path: str) -> SourceStatus:
        """Look at a source; see `SourceStore.status`."""
        return self.of(path).status(path)

    def open(self, path: str) -> SourceBytes:
        """Open a source; see `SourceStore.open`."""
        return self.of(path).open(path)

    def give_up(self) -> None:
        """The run stops; see `SourceStore.give_up`."""
        for store in self._stores.values():
            store.give_up()

    async def aclose(self) -> None:
        """End the processes of the inspector that have nothing to do."""
        await self._inspector.aclose()
