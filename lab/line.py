"""A line of a known delay between two network namespaces: a TUN device in each, and this process between them.

`python -m lab.line NEAR FAR SECONDS JITTER COPIES` carries each packet SECONDS later, and up to JITTER (evenly) later still; of every
COPIES-th it sends two (0: of none). NEAR may be `-`, for where it runs. netem is missing from many kernels. Prints `ready`; ends with
its standard input.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time
from pathlib import Path

from lab.network import run

NEAR, FAR = "10.198.0.1", "10.198.0.2"
NEAR_6, FAR_6 = "fd96::1", "fd96::2"
"""The addresses of its two ends."""
SPUN_SECONDS = 0.0005
"""The last of a wait is spun: waking an idle virtual processor takes some tenths of a millisecond."""

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000


def _enter(namespace: str) -> None:
    with Path(f"/run/netns/{namespace}").open("rb") as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def _open(namespace: str, own: str, other: str, own_6: str) -> int:
    if namespace != "-":
        _enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", b"line0", _IFF_TUN | _IFF_NO_PI))
    run("ip", "addr", "add", own, "peer", other, "dev", "line0")
    run("ip", "-6", "addr", "add", f"{own_6}/64", "dev", "line0", "nodad")
    run("ip", "link", "set", "line0", "up")
    return device


def _carry(ends: list[int], seconds: float, jitter: float, copies: int) -> None:
    waiting: list[tuple[float, int, int, bytes]] = []
    chance, count = random.Random(1), 0  # noqa: S311  the same every time
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic() - SPUN_SECONDS) if waiting else None
        ready = select.select([*ends, sys.stdin], [], [], pause)[0]
        if sys.stdin in ready:
            return
        for end in (each for each in ends if each in ready):
            came, packet = time.monotonic(), os.read(end, 65536)
            other = ends[1] if end == ends[0] else ends[0]
            for _ in range(2 if copies and count % copies == copies - 1 else 1):
                count += 1
                heapq.heappush(waiting, (came + seconds + chance.random() * jitter, count, other, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            os.write(waiting[0][2], heapq.heappop(waiting)[3])


def main() -> None:
    """Until standard input ends."""
    near, far, seconds, jitter, copies = sys.argv[1:]
    ends = [_open(near, NEAR, FAR, NEAR_6), _open(far, FAR, NEAR, FAR_6)]
    print("ready", flush=True)
    _carry(ends, float(seconds), float(jitter), int(copies))


if __name__ == "__main__":
    main()
