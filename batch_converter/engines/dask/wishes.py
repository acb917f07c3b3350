"""What a worker has to be and to have, so that it may convert for a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread

from batch_converter.engines.dask.release import difference, release
from batch_converter.engines.local.programs import lacking_programs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.config import LocalSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a worker has to be and to have, so that it may convert for a run.

    Attributes:
        release: Versions of what draws.
        ocr: Languages that text is looked for in; empty for none.
        pdfa: Whether PDFs are PDF/A.
    """

    release: Mapping[str, str]
    ocr: str = ""
    pdfa: bool = False

    def refusal(self) -> str | None:
        """Say in what this process is of another version; None where it is of the same."""
        return difference(self.release, release())

    def unfitness(self) -> str | None:
        """Say why this machine may not convert; None where it may. Blocking."""
        return self.refusal() or lacking_programs(ocr=self.ocr, pdfa=self.pdfa) or None


async def wishes_of(conversion: LocalSettings) -> Wishes:
    """Return what the run of this process has to find on workers."""
    here = await anyio.to_thread.run_sync(release)
    return Wishes(release=here, ocr=conversion.ocr, pdfa=conversion.pdfa)
