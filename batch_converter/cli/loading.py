"""Loads a command with the libraries that it needs, and tells a machine that does not let it."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from batch_converter.errors import LimitTooLowError
from batch_converter.garbage import uncollected
from batch_converter.shortage import exhausted

if TYPE_CHECKING:
    from types import ModuleType


def load(name: str) -> ModuleType:
    """Import a module; what comes in between is no failure of a run, for none has begun.

    Raises:
        LimitTooLowError: The machine does not let it be loaded.
    """
    logging.disable()  # hashlib logs a traceback for each algorithm that finds no memory
    try:
        with uncollected():
            return import_module(name)
    except Exception as error:
        if (lack := exhausted(error)) is None:
            raise
        raise LimitTooLowError(str(lack)) from error
    finally:
        logging.disable(logging.NOTSET)
