"""The symbols of masks that are coded together, each once, on the lines of their text.

What is seen stays as it is: only clear rows are added, which makes places cheaper.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from batch_converter.djvu.kernels.jbig2_baselines import on_baselines
from batch_converter.djvu.kernels.jbig2_segments import Placements
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from batch_converter.djvu.draw.shaped_masks import ShapedMask
    from batch_converter.djvu.kernels.shapes import Picture


@dataclass(frozen=True, slots=True)
class MaskSymbols:
    """Symbols by their numbers, and where the masks have them.

    Attributes:
        shapes: All symbols.
        numbers: Of each mask, which of them it has.
        placements: Of each mask, where it has them.
    """

    shapes: Shapes
    numbers: Sequence[NDArray[np.int64]]
    placements: Sequence[Placements]

    @classmethod
    def of(cls, masks: Sequence[ShapedMask]) -> MaskSymbols:
        """Give each symbol of masks a number."""
        known: dict[Picture, int] = {}
        numbers = [
            np.array([known.setdefault(symbol, len(known)) for symbol in mask.symbols], np.int64)
            for mask in masks
        ]
        placements = [
            Placements(
                numbers=array("q", own[mask.numbers].tobytes()),
                lefts=array("q", mask.lefts.tobytes()),
                tops=array("q", mask.tops.tobytes()),
            )
            for mask, own in zip(masks, numbers, strict=True)
        ]
        heights = [mask.height for mask in masks]
        pages = list(zip(placements, heights, strict=True))
        return cls(on_baselines(Shapes.of(list(known)), pages), numbers, placements)
