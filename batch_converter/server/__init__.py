"""The API-compatible conversion service, on any engine that waits for its tasks."""

from __future__ import annotations

from batch_converter.server.application import open_application
from batch_converter.server.listening import serve

__all__ = ["open_application", "serve"]
