"""What the kernels of JB2 keep in arrays, and where: a stream's state, its shapes, its blits."""

from __future__ import annotations

from typing import Final

# What `decode_records` ends with. Above `DONE` the caller does something and calls again, below
# it the stream is refused.
GOES_ON: Final = 100
NEEDS_ROOM: Final = 1
NEEDS_DICTIONARY: Final = 2
FORGETS_NUMBERS: Final = 3
DONE: Final = 0
BREAKS_OFF: Final = -1
NO_SENSE: Final = -2
BEGINS_TWICE: Final = -3
NO_SUCH_SHAPE: Final = -4
IMPOSSIBLE_SIZE: Final = -5
TOO_LARGE: Final = -6

# The state of a stream. The caller sets these,
IS_DICTIONARY: Final = 0
IS_UNCROPPED: Final = 1
LAST_BYTE: Final = 2
BITS_LIMIT: Final = 3
# these it reads,
STARTED: Final = 4
WIDTH: Final = 5
HEIGHT: Final = 6
SHAPES: Final = 7
LIBRARY: Final = 8
BLITS: Final = 9
BITS_USED: Final = 10
DICTIONARY_SIZE: Final = 11
NEW_WIDTH: Final = 12
NEW_HEIGHT: Final = 13
# and these are the kernels' own.
PENDING: Final = 14
MATCHED: Final = 15
LINE_LEFT: Final = 16
LINE_BOTTOM: Final = 17
RIGHT: Final = 18
BOTTOMS: Final = 19
NUMBER_BOTTOMS: Final = 3
STATE_SIZE: Final = BOTTOMS + NUMBER_BOTTOMS

# A shape.
SHAPE_OFFSET: Final = 0
SHAPE_WIDTH: Final = 1
SHAPE_HEIGHT: Final = 2
INK_LEFT: Final = 3
INK_BOTTOM: Final = 4
INK_WIDTH: Final = 5
INK_HEIGHT: Final = 6
SHAPE_SIZE: Final = 7
NO_MATCH: Final = -1
NOT_LOOKED: Final = -1
"""The `INK_LEFT` of a shape whose ink nobody needed so far."""

# A blit.
BLIT_SHAPE: Final = 0
BLIT_LEFT: Final = 1
BLIT_BOTTOM: Final = 2
BLIT_SIZE: Final = 3
