"""What one batch of a watch converts: the files that were taken up together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batch_converter.sources import OpenSources, Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from batch_converter.config import InputSettings
    from batch_converter.sources import SourceStores
    from batch_converter.watching.places import Places
    from batch_converter.watching.settling import Key, Look


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Sources):
    """The files of one run, each as a walk finds it.

    Attributes:
        places: Where they lie.
        files: What they looked like when they were taken up.
        roots: Folders in which the run looks for what has vanished.
        missed: Files that had changed once more, or had gone, before the run got to them; known
            once the run has ended.
    """

    places: Places
    files: Mapping[Key, Look]
    roots: tuple[str, ...] = ()
    missed: list[Key] = field(default_factory=list)

    def open(
        self,
        settings: InputSettings,  # noqa: ARG002  # the files passed the filters
        stores: SourceStores,  # noqa: ARG002  # all are on this disk
        *,
        excluded_dirs: Collection[str],  # noqa: ARG002  # the places know them
        now: datetime,  # noqa: ARG002  # likewise
        was_moved: Callable[[str], bool] = lambda _path: False,  # noqa: ARG002  # none was
    ) -> OpenSources:
        """Return the files; a source that has gone by now is no error."""
        return OpenSources(found=self.places.feed(self.files, self.missed), roots=self.roots)
