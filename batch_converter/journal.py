"""Priorities of lines for systemd's journal, where it reads what this process writes.

The journal takes the priority of a line from `<N>` at its beginning (sd-daemon(3)), and tells
by JOURNAL_STREAM which of a service's descriptors it reads: device and inode of the socket
(systemd.exec(5)). A descriptor that was redirected since then is another one.
"""

from __future__ import annotations

import os
import re
from typing import Final

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}


def is_journal(descriptor: int) -> bool:
    """Whether what is written to the descriptor is read by the journal."""
    try:
        stream = os.fstat(descriptor)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def priority(level: str) -> str:
    """Return what stands before a line of this level."""
    return f"<{_PRIORITIES[level]}>"


def prioritized(text: str, level: str) -> str:
    """Return the text with the priority before each of its lines."""
    prefix = priority(level)
    return re.sub(r"^(?!\Z)", prefix, text, flags=re.MULTILINE)
