"""A watch: sources are converted as they arrive, in one run after the other."""

from __future__ import annotations

from batch_converter.watching.options import RESCAN_S, SETTLE_S, WatchOptions
from batch_converter.watching.session import open_watch, watch
from batch_converter.watching.watcher import Tally, Watcher

__all__ = ["RESCAN_S", "SETTLE_S", "Tally", "WatchOptions", "Watcher", "open_watch", "watch"]
