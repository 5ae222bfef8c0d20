"""How true this host's clock is, as the kernel knows it (adjtimex(2), read only)."""

from __future__ import annotations

import ctypes

from probes.wire.stamp import Clock

TIME_ERROR = 5
"""The clock is not synchronised."""
UNKNOWN_SECONDS = 16.0
"""What is said of the error when nothing is known of it."""


class _Timex(ctypes.Structure):
    """The head of `struct timex`, and room for the rest."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_char * 256),
    ]


_LIBC = ctypes.CDLL(None)


def clock() -> Clock:
    """Whether something keeps it right, and its greatest error; not synchronised where we may not ask (ProtectClock=)."""
    timex = _Timex()
    state = _LIBC.adjtimex(ctypes.byref(timex))
    if state in (-1, TIME_ERROR):
        return Clock(synchronised=False, error_seconds=UNKNOWN_SECONDS)
    return Clock(synchronised=True, error_seconds=timex.maxerror / 1e6)
