"""Masks as four programs show them, against DjVuLibre's, pixel by pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.fidelity.tables import goal, section, table
from tests.support import renderers
from tests.support.djvulibre import mask_of
from tests.support.masks_in_black import write_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.fidelity.subjects import Subject
    from tests.support.renderers import Renderer

    Found = dict[tuple[str, str, str], int]
    """Pixels that differ, by subject, renderer and coding."""

CODINGS: Final = ("g4", "jbig2")
_HALF: Final = 128


def compare(subjects: Sequence[Subject], most_pages: int) -> Found:
    """Show pages by every program that is there."""
    for subject in subjects:
        for coding in CODINGS:
            write_masks(subject.pdf(coding), subject.pdf(f"{coding}.masks"))
    found: Found = {}
    for name in renderers.NAMES:
        if renderers.lacking(name):
            continue
        with renderers.opened(name) as renderer:
            for subject in subjects:
                for coding in CODINGS:
                    pages = pages_of(subject, most_pages)
                    different = sum(_different(subject, coding, page, renderer) for page in pages)
                    found[subject.name, name, coding] = different
    return found


def pages_of(subject: Subject, most: int) -> list[int]:
    """Return the numbers of some pages, from 1, spread over the document."""
    count = subject.info.page_count
    return list(range(1, count + 1, max(1, -(-count // most))))


def _different(subject: Subject, coding: str, page: int, renderer: Renderer) -> int:
    expected = mask_of(subject.path, page=page)
    if expected is None:
        return 0
    dpi = subject.info.pages[page - 1].dpi
    shown = renderer(subject.pdf(f"{coding}.masks"), page, dpi)[:, :, 0] < _HALF
    if shown.shape != expected.shape:
        return int(expected.size)
    return int(np.count_nonzero(shown != expected))


def pixel_table(subjects: Sequence[Subject], found: Found, most_pages: int) -> str:
    """Return how many pixels differ from DjVuLibre's mask."""
    names = list(dict.fromkeys(renderer for _, renderer, _ in found))
    rows = [
        (
            subject.name,
            len(pages_of(subject, most_pages)),
            *(
                " / ".join(str(found[subject.name, name, coding]) for coding in CODINGS)
                for name in names
            ),
        )
        for subject in subjects
    ]
    missing = [lack for name in renderers.NAMES if (lack := renderers.lacking(name))]
    return section(
        "Masks to the pixel: how many differ from DjVuLibre's, g4 / jbig2",
        table(("file", "pages", *names), rows),
        "; ".join(missing),
    )


def goals(found: Found) -> list[tuple[str, str, str]]:
    """Return the row of issue I about pixels."""
    names = ", ".join(dict.fromkeys(renderer for _, renderer, _ in found))
    different = sum(found.values())
    told = "all identical" if not different else f"{different} pixels differ"
    title = f"masks by {names}, `g4` and `jbig2`, against DjVuLibre's"
    return [goal(title, "identical to the pixel", told, met=not different)]
