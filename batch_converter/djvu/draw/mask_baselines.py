"""Masks whose symbols stand on the lines of their text, which makes their places cheaper.

What is seen stays as it is: only clear rows are added.
"""

from __future__ import annotations

from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from batch_converter.djvu.draw.shaped_masks import Symbol
from batch_converter.djvu.kernels.jbig2_baselines import on_baselines
from batch_converter.djvu.kernels.jbig2_segments import Placements
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_converter.djvu.draw.shaped_masks import ShapedMask


def set_on_baselines(masks: Sequence[ShapedMask]) -> Sequence[ShapedMask]:
    """Return masks that show the same; a symbol of several is the same in all of them again."""
    shapes = Shapes()
    known: dict[Symbol, int] = {}
    pages = []
    for mask in masks:
        for symbol in mask.symbols:
            if symbol not in known:
                known[symbol] = shapes.add(*symbol)
        own = np.array([known[symbol] for symbol in mask.symbols], np.int64)
        placements = Placements(
            numbers=array("q", own[mask.numbers].tobytes()),
            lefts=array("q", mask.lefts.tobytes()),
            tops=array("q", mask.tops.tobytes()),
        )
        pages.append((placements, mask.height))
    found = on_baselines(shapes, pages)
    if found is shapes:
        return masks
    symbols = {
        symbol: Symbol(symbol.width, found.heights[number], found.rows(number))
        for symbol, number in known.items()
    }
    return [replace(mask, symbols=[symbols[one] for one in mask.symbols]) for mask in masks]
