"""What a process can do so that its memory stays its own (Linux)."""

import ctypes
import os
import resource
import signal
from dataclasses import dataclass
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_MCL_ONFAULT: Final = 4  # lock pages as they are used: thread stacks are mostly never touched


@dataclass(frozen=True)
class Hardening:
    """What could be had.  Everything but *memory_locked* is insisted on."""

    memory_locked: bool


def harden() -> Hardening:
    """Close this process to debuggers and core dumps, and keep its pages out of swap.

    Not dumpable also means that no process of the same account can attach a
    debugger or read /proc/PID/mem.  Raises OSError if the kernel refuses what
    we insist on.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in ((_PR_SET_DUMPABLE, 0), (_PR_SET_NO_NEW_PRIVS, 1)):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    return Hardening(memory_locked=_lock_memory(libc))


def _lock_memory(libc: ctypes.CDLL) -> bool:
    # With a small limit a lock on all future pages would make later
    # allocations fail in the middle of work, so it is all or nothing.
    limited = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY
    if limited and os.geteuid() != 0:
        return False
    locked: int = libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    return locked == 0


def die_with_parent() -> bool:
    """Ask for SIGTERM when the thread that started us ends; False if it has ended already."""
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    return os.getppid() == parent
