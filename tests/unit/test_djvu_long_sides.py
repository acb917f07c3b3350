"""Pages as wide or as high as DjVu knows any: pdfium shows no bilevel image beyond that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pypdfium2
import pytest

from batch_converter.djvu.draw.bilevel import MOST_SIDE
from batch_converter.djvu.draw.convert import convert
from batch_converter.djvu.jobs.options import ConvertOptions
from tests.support.djvu_files import chunk, info, page
from tests.support.djvu_layers import plain, wavelets
from tests.support.djvulibre import mask_of
from tests.support.jb2_coding import Jb2Writer

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHORT: Final = 30
REDUCTION: Final = 12
DARK: Final = (30, 60, 120)
CODINGS: Final = [ConvertOptions(masks="g4"), ConvertOptions(masks="jbig2")]
_INK: Final = 160
"""Levels above those of `DARK`, and well below white."""


def mask(width: int, height: int) -> bytes:
    """Letters in two corners and in the middle."""
    letter = np.ones((6, 6), np.bool_)
    letter[2, 2] = False
    writer = Jb2Writer().start(width, height).direct(letter, 0, height - 6)
    writer.copy(0, width // 2, height // 2).copy(0, width - 6, 0)
    return chunk("Sjbz", writer.end())


def assert_shown(tmp_path: Path, document: bytes, options: ConvertOptions) -> None:
    """What pdfium shows dark is DjVuLibre's mask."""
    source, target = tmp_path / "in.djvu", tmp_path / "out.pdf"
    source.write_bytes(document)
    assert not convert(source, target, options).warnings
    expected = mask_of(source)
    assert expected is not None
    with pypdfium2.PdfDocument(target) as pdf:
        scale = max(expected.shape) / max(pdf[0].get_size())
        shown: NDArray[np.uint8] = pdf[0].render(scale=scale * (1 - 1e-9)).to_numpy()
    assert shown.shape[:2] == expected.shape
    assert (shown[:, :, :3].max(axis=2) < _INK).tolist() == expected.tolist()


def turned(long: int, *, high: bool) -> tuple[int, int]:
    return (SHORT, long) if high else (long, SHORT)


@pytest.mark.parametrize("options", CODINGS)
@pytest.mark.parametrize("long", [MOST_SIDE - 1, MOST_SIDE])
@pytest.mark.parametrize("high", [False, True])
def test_a_mask_is_shown(tmp_path: Path, long: int, options: ConvertOptions, *, high: bool) -> None:
    width, height = turned(long, high=high)
    document = page(info(width=width, height=height), mask(width, height))
    assert_shown(tmp_path, document, options)


@pytest.mark.parametrize("options", CODINGS)
@pytest.mark.parametrize("long", [MOST_SIDE - 3, MOST_SIDE - 2, MOST_SIDE])
@pytest.mark.parametrize("high", [False, True])
def test_colours_are_shown_through_a_mask(
    tmp_path: Path, long: int, options: ConvertOptions, *, high: bool
) -> None:
    width, height = turned(long, high=high)
    shade = plain(DARK, -(-width // REDUCTION), -(-height // REDUCTION))
    shade.putpixel((0, 0), (0, 0, 60))  # of one colour it would be no picture
    layers = mask(width, height), wavelets(shade, "FG44")
    assert_shown(tmp_path, page(info(width=width, height=height), *layers), options)
