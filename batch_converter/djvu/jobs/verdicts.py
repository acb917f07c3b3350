"""What a worker answers in the place of an error's code, where the code depends on its parent."""

from __future__ import annotations

from typing import Final

OUT_OF_MEMORY: Final = "out_of_memory"
"""The job needs more memory than the process may have; whose limit that is, the parent knows."""

SHORTAGE: Final = "shortage"
"""The machine lacks something; the document is not at fault."""
