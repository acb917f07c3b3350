"""Opens `/dev/null` for standard descriptors that the caller has closed.

`<&-` and supervisors that close everything leave 0, 1 or 2 free; the next file that is
opened would get that number: the event loop's own pipe, or the ledger, into which
whatever is printed would then go.
"""

from __future__ import annotations

import os
import sys


def complete() -> None:
    """Put `/dev/null` in the place of each that is closed; before anything else is opened.

    `sys.stdin` stays None where it was closed: that tells an empty list from none.

    Raises:
        OSError: There is no `/dev/null`.
    """
    for number in range(3):
        if not _is_open(number):
            _fill(number)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            # On the descriptor itself, never closed: one of its own would be free for the next
            # file once the stream is replaced, and what is printed would go there.
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115  # for good


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _fill(number: int) -> None:
    """Open it for writing only, the first too: reading it is an error, not an empty list."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    if descriptor == number:
        os.set_inheritable(descriptor, True)  # noqa: FBT003  # the system's own signature
    else:
        os.dup2(descriptor, number)
        os.close(descriptor)
