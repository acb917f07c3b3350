"""The kinds of records, numbers and decisions in JB2: DjVu 3 specification, appendix 2."""

from __future__ import annotations

from typing import Final

from batch_converter.djvu.kernels.compiling import table
from batch_converter.djvu.kernels.zp import NUMBER_CONTEXTS

LARGEST: Final = 262142
SMALLEST: Final = -262143

# The kinds of records (table 6 of the specification), those that are told apart by name.
START: Final = 0
COPY: Final = 7
NON_SYMBOL: Final = 8
DICTIONARY_OR_RESET: Final = 9
COMMENT: Final = 10
END: Final = 11
NO_RECORD: Final = START
"""In the place of a record that waits for room: the first one never does."""

# What each kind of record is.
IN_DICTIONARIES: Final = 1
BEFORE_START: Final = 2
BRINGS_SHAPE: Final = 4
MATCHES_SHAPE: Final = 8
ON_PAGE: Final = 16
IN_LIBRARY: Final = 32
TRAITS: Final = table(
    [
        IN_DICTIONARIES | BEFORE_START,  # start of an image
        BRINGS_SHAPE | ON_PAGE | IN_LIBRARY,  # new shape, for image and library
        BRINGS_SHAPE | IN_LIBRARY | IN_DICTIONARIES,  # for the library only
        BRINGS_SHAPE | ON_PAGE,  # for the image only
        BRINGS_SHAPE | MATCHES_SHAPE | ON_PAGE | IN_LIBRARY,  # refined shape, for image and library
        BRINGS_SHAPE | MATCHES_SHAPE | IN_LIBRARY | IN_DICTIONARIES,  # for the library only
        BRINGS_SHAPE | MATCHES_SHAPE | ON_PAGE,  # for the image only
        MATCHES_SHAPE | ON_PAGE,  # copy of a shape
        BRINGS_SHAPE,  # shape at a place of its own
        IN_DICTIONARIES | BEFORE_START,  # dictionary needed, or contexts set back
        IN_DICTIONARIES | BEFORE_START,  # comment
        IN_DICTIONARIES,  # end
    ]
)

# The kinds of numbers (table 7), each as the place of its first context. Matches are the
# last, because a library may have more shapes than any other number is large.
RECORD_KINDS: Final = 0 * NUMBER_CONTEXTS
IMAGE_SIZES: Final = 1 * NUMBER_CONTEXTS
WIDTHS: Final = 2 * NUMBER_CONTEXTS
HEIGHTS: Final = 3 * NUMBER_CONTEXTS
WIDTH_DIFFERENCES: Final = 4 * NUMBER_CONTEXTS
HEIGHT_DIFFERENCES: Final = 5 * NUMBER_CONTEXTS
COLUMNS: Final = 6 * NUMBER_CONTEXTS
ROWS: Final = 7 * NUMBER_CONTEXTS
COLUMN_OFFSETS: Final = 8 * NUMBER_CONTEXTS
ROW_OFFSETS: Final = 9 * NUMBER_CONTEXTS
LINE_COLUMNS: Final = 10 * NUMBER_CONTEXTS
LINE_ROWS: Final = 11 * NUMBER_CONTEXTS
COMMENT_LENGTHS: Final = 12 * NUMBER_CONTEXTS
COMMENT_OCTETS: Final = 13 * NUMBER_CONTEXTS
DICTIONARY_SIZES: Final = 14 * NUMBER_CONTEXTS
MATCHES: Final = 15 * NUMBER_CONTEXTS

# The kinds of single decisions.
NEW_LINE: Final = 0
REFINEMENT: Final = 1
FLAG_CONTEXTS: Final = 2
