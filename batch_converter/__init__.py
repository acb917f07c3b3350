"""Convert whole archives of DjVu files to PDF, through Aspose.OCR Cloud or offline.

The public API::

    import anyio
    import batch_converter

    settings = batch_converter.load_settings(flags={"output.dir": "pdfs"}).settings
    report = anyio.run(batch_converter.convert, ["scans"], settings)
    print(report.summary.totals)

The names are imported on first use: the worker processes of the embedded engine
import this package too, and need none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from batch_converter.api import RunReport, convert, merge
    from batch_converter.bags import Bag, make_bag
    from batch_converter.config import LoadedSettings, Settings
    from batch_converter.engines.registry import load_settings
    from batch_converter.errors import (
        BatchConverterError,
        ConfigError,
        ErrorCode,
        ExitCode,
        LedgerError,
        LedgerWriteError,
        LimitTooLowError,
        OutputError,
        StartupError,
        StateLockedError,
        UsageError,
    )
    from batch_converter.merging import MergedRun
    from batch_converter.models import FileReport, FileStatus, RunSummary
    from batch_converter.watching import watch

__all__ = [
    "Bag",
    "BatchConverterError",
    "ConfigError",
    "ErrorCode",
    "ExitCode",
    "FileReport",
    "FileStatus",
    "LedgerError",
    "LedgerWriteError",
    "LimitTooLowError",
    "LoadedSettings",
    "MergedRun",
    "OutputError",
    "RunReport",
    "RunSummary",
    "Settings",
    "StartupError",
    "StateLockedError",
    "UsageError",
    "convert",
    "load_settings",
    "make_bag",
    "merge",
    "watch",
]

_HOMES: Final = {
    "Bag": "batch_converter.bags",
    "BatchConverterError": "batch_converter.errors",
    "ConfigError": "batch_converter.errors",
    "ErrorCode": "batch_converter.errors",
    "ExitCode": "batch_converter.errors",
    "FileReport": "batch_converter.models",
    "FileStatus": "batch_converter.models",
    "LedgerError": "batch_converter.errors",
    "LedgerWriteError": "batch_converter.errors",
    "LimitTooLowError": "batch_converter.errors",
    "LoadedSettings": "batch_converter.config",
    "OutputError": "batch_converter.errors",
    "RunReport": "batch_converter.api",
    "RunSummary": "batch_converter.models",
    "Settings": "batch_converter.config",
    "StartupError": "batch_converter.errors",
    "StateLockedError": "batch_converter.errors",
    "UsageError": "batch_converter.errors",
    "convert": "batch_converter.api",
    "load_settings": "batch_converter.engines.registry",
    "make_bag": "batch_converter.bags",
    "merge": "batch_converter.api",
    "MergedRun": "batch_converter.merging",
    "watch": "batch_converter.watching",
}


def __getattr__(name: str) -> object:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)
