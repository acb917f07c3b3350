"""The page at `/`: what its browser asks for, over the same queue as the interface of programs."""

from __future__ import annotations

from batch_converter.server.page.assets import Assets
from batch_converter.server.page.event_stream import BEAT, HEARTBEAT_S, PAUSE_S, STREAM_HEADERS
from batch_converter.server.page.routes import Page
from batch_converter.server.page.security import PAGE_POLICY

__all__ = [
    "BEAT",
    "HEARTBEAT_S",
    "PAGE_POLICY",
    "PAUSE_S",
    "STREAM_HEADERS",
    "Assets",
    "Page",
]
