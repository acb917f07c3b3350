"""What a worker process gives up for good before it reads anything hostile.

A decoder that is broken into must gain nothing: no privileges by running a program, no
network, and of root's powers only those over files. All of it is Linux's, and of the rest
only what the kernel lets this user give up; where it refuses, the limits of memory, time and
environment remain. The files that the user can read and write stay the same.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_CAPABILITY_VERSION_3: Final = 0x20080522
_OVER_FILES: Final = 0b1_1111
"""CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER and CAP_FSETID."""


class _Header(ctypes.Structure):
    """Which process's capabilities are meant, and in which layout; 0 is this one."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    """32 capabilities; the system calls take two such words."""

    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def confine() -> None:
    """Give all of it up, as far as this system has it; the process must have one thread.

    Without an effect where the system is not Linux. Never raises: a worker that cannot be
    confined further still converts.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # a C library without one of the calls
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        kept = _capabilities(libc)[0].effective & _OVER_FILES
        _leave_network(libc, by_power=bool(kept))
        _keep_capabilities(libc, kept)


def _leave_network(libc: ctypes.CDLL, *, by_power: bool) -> None:
    """Move into a network without any interface.

    Who has power over the files of others, as root has, would lose it in the user namespace
    of its own that all others need for this: it goes without, where that is refused.
    """
    if libc.unshare(_CLONE_NEWNET) == 0 or by_power:
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return
    with suppress(OSError):  # unmapped they are shown as other numbers, and have the same rights
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")


def _keep_capabilities(libc: ctypes.CDLL, kept: int) -> None:
    """Drop all others, those too that came with a namespace of one's own, for good.

    With them the network could be entered again; no program that is run regains them.
    """
    words = _capabilities(libc)
    for word, keeps in zip(words, (kept, 0), strict=True):
        word.effective &= keeps
        word.permitted &= keeps
        word.inheritable &= keeps
    libc.capset(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words)


def _capabilities(libc: ctypes.CDLL) -> ctypes.Array[_Word]:
    words = (_Word * 2)()
    libc.capget(ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), words)
    return words
