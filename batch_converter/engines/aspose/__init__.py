"""The Aspose.OCR Cloud client as an engine.

It is imported on first use: offline runs need no HTTP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_converter.engines.aspose.engine import AsposeEngine

__all__ = ["NAME", "AsposeEngine"]

NAME: Final = "aspose"
"""What `--engine`, the ledger and the report call it."""


def __getattr__(name: str) -> object:
    """Import the engine with what it needs."""
    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module("batch_converter.engines.aspose.engine"), name)
