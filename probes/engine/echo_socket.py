"""One socket for the echoes of a family: raw where that is allowed, else the kernel's ping socket.

The kernel filters what is not ours (classic BPF, socket(7)), and stamps each arrival (SO_TIMESTAMPNS).
"""

from __future__ import annotations

import ctypes
import secrets
import socket
import struct

from probes.engine.drops import Drops
from probes.wire import icmp

SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 4 << 20
_TIMESPEC = struct.Struct("qq")


class EchoSocket:
    """One open echo socket: raw where that is allowed, else the kernel's ping socket."""

    def __init__(self, version: int) -> None:
        """Raises PermissionError when neither is allowed, OSError when the family is missing."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
        self.version = version
        try:
            self.socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
            self.raw = True
        except PermissionError:
            self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
            self.raw = False
        if self.raw:
            self.identifier = secrets.randbelow(0xFFFF) + 1
            self._filter()
        else:
            self.socket.bind(("::" if version == 6 else "0.0.0.0", 0))  # noqa: S104  the kernel chooses the identifier
            self.identifier = self.socket.getsockname()[1]
        self.drops = Drops(self.socket)
        self.has_header = self.raw and version == 4
        self._widen()

    def _filter(self) -> None:
        program = icmp.filter_program(self.version, self.identifier)
        code = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)

    def _widen(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    def receive(self) -> tuple[icmp.EchoReply | icmp.EchoError | None, str, int]:
        """One message, its sender and when it arrived (wall clock, ns); raises BlockingIOError."""
        data, ancillary, _, sender = self.socket.recvmsg(2048, 64)
        arrived = 0
        for _, kind, content in ancillary:
            if kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(content)
                arrived = seconds * 1_000_000_000 + nanoseconds
        parsed = icmp.parse_ip4(data) if self.has_header else icmp.parse(self.version, data)
        return parsed, sender[0], arrived
