"""What each shape is like most, as five numbers, and in which order it is looked for."""

from __future__ import annotations

from array import array
from typing import Final

from batch_converter.djvu.kernels.compiling import table

PARENT: Final = 0
"""The number of the shape that differs in the fewest pixels, the first such; -1 for none."""
COST: Final = 1
"""Pixels that differ where it fits best, and `STEP_COST` for each pixel that it moves there."""
RIGHT: Final = 2
"""The column of its left edge there, in the shape."""
DOWN: Final = 3
"""The row of its first row there, in the shape."""
EDGES: Final = 4
"""Where pixels of the shape differ from their left or their upper neighbour."""
MATCH_SIZE: Final = 5

COMPARED: Final = 64
"""Shapes of a height that one is compared with, at most: so time grows with their number."""

SMALLER: Final = table((0, -1, -2))
"""By how much others are higher that are encoded at the same time, the first first."""
ANY: Final = table((0, -1, 1, -2, 2))
"""The same of others that are there already."""

STEPS: Final = table((0, -1, 1))
"""By how much a parent is moved to each side, the first where several are as good."""
STEP_COST: Final = 3
NONE: Final = -1


def no_matches(count: int) -> array[int]:
    """Return room for what shapes are like."""
    return array("q", (NONE, 0, 0, 0, 0)) * count
