"""Who is told of a run from outside: the receiver of a ping, and a command at its end.

`Ping` is imported from its own module: aiohttp comes with it, a fifth of the time that the
command takes to start, and most runs have nobody to ping.
"""

from __future__ import annotations

from batch_converter.notifications.hook import Hook, hook_environment

__all__ = ["Hook", "hook_environment"]
