"""Masks as four programs show them, against DjVuLibre's, pixel by pixel."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.fidelity.tables import goal, section, table
from tests.support import renderers
from tests.support.djvulibre import mask_of
from tests.support.masks_in_black import write_masks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.fidelity.subjects import Subject
    from tests.support.renderers import Renderer

    Found = dict[tuple[str, str, str], int]
    """Pixels that differ, by subject, renderer and coding."""

CODINGS: Final = ("g4", "jbig2")
_HALF: Final = 128


def compare(subjects: Sequence[Subject], most_pages: int) -> Found:
    """Show pages that have masks by every program that is there."""
    found: Found = {}
    # Before a browser runs: from the stack of its greenlet, qpdf's exceptions abort the process.
    for subject, coding in product(subjects, CODINGS):
        write_masks(subject.pdf(coding), subject.pdf(f"{coding}.masks"))
    with ExitStack() as stack:
        shown_by = {
            name: stack.enter_context(renderers.opened(name))
            for name in renderers.NAMES
            if not renderers.lacking(name)
        }
        for subject in filter(_masked_pages, subjects):
            for key, different in _compared(subject, most_pages, shown_by).items():
                found[subject.name, *key] = different
    return found


def _compared(
    subject: Subject, most_pages: int, shown_by: Mapping[str, Renderer]
) -> dict[tuple[str, str], int]:
    different = dict.fromkeys(product(shown_by, CODINGS), 0)
    for page in _some(_masked_pages(subject), most_pages):
        expected = mask_of(subject.path, page=page)
        dpi = subject.info.pages[page - 1].dpi
        for name, coding in different:
            pdf = subject.pdf(f"{coding}.masks")
            shown = shown_by[name](pdf, page, dpi)[:, :, 0] < _HALF
            different[name, coding] += _different(shown, expected)
    return different


def _different(shown: NDArray[np.bool_], expected: NDArray[np.bool_] | None) -> int:
    if expected is None:  # DjVuLibre refuses it
        return 0
    if shown.shape != expected.shape:
        return int(expected.size)
    return int(np.count_nonzero(shown != expected))


def _masked_pages(subject: Subject) -> list[int]:
    return [number for number, kinds in enumerate(subject.kinds, 1) if kinds & {"Sjbz", "Smmr"}]


def _some(pages: Sequence[int], most: int) -> Sequence[int]:
    """Return pages spread over all."""
    return pages[:: max(1, -(-len(pages) // most))]


def pages_of(subject: Subject, most: int) -> list[int]:
    """Return the numbers of some pages, from 1, spread over the document."""
    return list(_some(range(1, subject.info.page_count + 1), most))


def pixel_table(subjects: Sequence[Subject], found: Found, most_pages: int) -> str:
    """Return how many pixels differ from DjVuLibre's mask."""
    names = list(dict.fromkeys(renderer for _, renderer, _ in found))
    rows = [
        (
            subject.name,
            len(_some(_masked_pages(subject), most_pages)),
            *(
                " / ".join(str(found[subject.name, name, coding]) for coding in CODINGS)
                for name in names
            ),
        )
        for subject in filter(_masked_pages, subjects)
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
