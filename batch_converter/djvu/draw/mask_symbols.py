"""The symbols of masks that are coded together, each once, on the lines of their text.

What is seen stays as it is: only clear rows are added, which makes places cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from batch_converter.djvu.kernels.equal_shapes import distinct
from batch_converter.djvu.kernels.integers import buffer_of
from batch_converter.djvu.kernels.jbig2_baselines import on_baselines
from batch_converter.djvu.kernels.jbig2_segments import Placements
from batch_converter.djvu.kernels.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from batch_converter.djvu.draw.shaped_masks import ShapedMask


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
        shapes, same = distinct(Shapes.together([mask.symbols for mask in masks]))
        ends = list(accumulate(len(mask.symbols) for mask in masks))
        numbers = [same[start:end] for start, end in pairwise([0, *ends])]
        placements = [
            Placements(
                numbers=buffer_of(own[mask.numbers]),
                lefts=buffer_of(mask.lefts),
                tops=buffer_of(mask.tops),
            )
            for mask, own in zip(masks, numbers, strict=True)
        ]
        heights = [mask.height for mask in masks]
        pages = list(zip(placements, heights, strict=True))
        return cls(on_baselines(shapes, pages), numbers, placements)
