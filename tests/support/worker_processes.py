"""The worker processes of the test's own process: it may have other children, as a cluster's."""

from __future__ import annotations

import psutil


def is_worker(process: psutil.Process) -> bool:
    """Whether it converts documents."""
    try:
        return "batch_converter.djvu.work.worker" in process.cmdline()
    except psutil.Error:  # it has ended
        return False


def workers() -> list[psutil.Process]:
    """Those that this process has started, and that have not ended."""
    return [child for child in psutil.Process().children() if is_worker(child)]
