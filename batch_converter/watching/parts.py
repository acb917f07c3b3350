"""Documents of many files: an index says nothing when its parts arrive after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from batch_converter.djvu.work.inspection import DjvuInspector
from batch_converter.errors import FileError

if TYPE_CHECKING:
    from collections.abc import Collection


async def with_all_parts(paths: Collection[str]) -> list[str]:
    """Return those that are indexes whose parts are all there.

    Raises:
        MachineExhaustedError: No process can be started to read them.
    """
    if not paths:
        return []
    inspector = DjvuInspector()
    try:
        return await anyio.to_thread.run_sync(
            lambda: [path for path in paths if _has_all(inspector, path)]
        )
    finally:
        with anyio.CancelScope(shield=True):
            await inspector.aclose()


def _has_all(inspector: DjvuInspector, path: str) -> bool:
    try:
        return inspector.parts_fingerprint(path) is not None
    except FileError:
        return False
