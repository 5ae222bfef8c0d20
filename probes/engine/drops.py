"""What a socket has lost because nobody read it in time (SO_MEMINFO, Linux 4.12)."""

from __future__ import annotations

import socket
import struct

SO_MEMINFO = 55
_MEMINFO = struct.Struct("9I")
"""sk_meminfo of linux/sock_diag.h; the last is SK_MEMINFO_DROPS."""


class Drops:
    """Messages that the kernel threw away because the buffer of a socket was full."""

    def __init__(self, of: socket.socket) -> None:
        self._socket = of
        self._known = 0

    def new(self) -> int:
        """How many since the last call; none once the socket is closed."""
        if self._socket.fileno() < 0:
            return 0
        found = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, _MEMINFO.size)
        if len(found) < _MEMINFO.size:
            return 0
        before, self._known = self._known, int(_MEMINFO.unpack(found)[-1])
        return (self._known - before) & 0xFFFFFFFF
