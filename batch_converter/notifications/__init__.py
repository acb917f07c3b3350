"""Who is told of a run from outside: the receiver of a ping, and a command at its end."""

from __future__ import annotations

from batch_converter.notifications.hook import Hook, hook_environment
from batch_converter.notifications.ping import Ping

__all__ = ["Hook", "Ping", "hook_environment"]
