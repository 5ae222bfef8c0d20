"""A UDP socket that sees of each datagram when it arrived, its DSCP and its TTL, and sets the DSCP of what it sends.

The kernel stamps the arrival (SO_TIMESTAMPNS); TOS and TTL come as ancillary data (ip(7), ipv6(7), RFC 3542).
"""

from __future__ import annotations

import socket
import struct
import sys
import time
from typing import Any, NamedTuple

from probes.wire import icmp
from probes.wire.stamp import Seen

SO_TIMESTAMPNS = 35
IP_TOS, IP_TTL, IP_PKTINFO, IP_RECVERR, IP_RECVTTL, IP_RECVTOS = 1, 2, 8, 11, 12, 13
IPV6_RECVERR, IPV6_RECVPKTINFO, IPV6_PKTINFO, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 25, 49, 50, 51, 52
IPV6_RECVTCLASS, IPV6_TCLASS = 66, 67
MOST_BYTES = 9216
"""Of a datagram: a jumbo frame."""
RECEIVE_BUFFER = 1 << 20
_TIMESPEC, _INT = struct.Struct("qq"), struct.Struct("i")
_PKTINFO_4, _PKTINFO_6 = struct.Struct("i4s4s"), struct.Struct("16si")


class Arrival(NamedTuple):
    """One datagram."""

    data: bytes
    seen: Seen
    sender: Any
    """As `sendto` takes it."""
    asked: bytes
    """The address of ours that it was for, packed; empty where the kernel does not tell."""


class MarkedSocket:
    """One open socket, of IPv4 or IPv6."""

    def __init__(self, version: int) -> None:
        """Raises OSError when the family is missing."""
        self.version = version
        self.level = socket.IPPROTO_IP if version == 4 else socket.IPPROTO_IPV6
        self.socket = socket.socket(
            socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        told = (IP_RECVTOS, IP_RECVTTL, IP_PKTINFO)
        if version == 6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            told = (IPV6_RECVTCLASS, IPV6_RECVHOPLIMIT, IPV6_RECVPKTINFO)
        for each in told:
            self.socket.setsockopt(self.level, each, 1)

    def fileno(self) -> int:
        """For the loop."""
        return self.socket.fileno()

    def close(self) -> None:
        """No more."""
        self.socket.close()

    def mark(self, dscp: int) -> None:
        """The DSCP of all that is sent from now on."""
        self.socket.setsockopt(self.level, IP_TOS if self.version == 4 else IPV6_TCLASS, dscp << 2)

    def receive(self) -> Arrival:
        """The next datagram; raises BlockingIOError when there is none, another OSError for what came back of ours."""
        data, ancillary, _, sender = self.socket.recvmsg(MOST_BYTES, 256)
        at, tos, ttl, asked = 0, 0, 0, b""
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(content)
                at = seconds * 1_000_000_000 + nanoseconds
            elif kind in (IP_TOS, IPV6_TCLASS):
                tos = int.from_bytes(content, sys.byteorder)  # one byte of IPv4, an int of IPv6
            elif kind in (IP_TTL, IPV6_HOPLIMIT):
                (ttl,) = _INT.unpack_from(content)
            elif kind == IP_PKTINFO:
                asked = _PKTINFO_4.unpack_from(content)[2]
            elif kind == IPV6_PKTINFO:
                asked = _PKTINFO_6.unpack_from(content)[0]
        return Arrival(data, Seen(at or time.time_ns(), tos >> 2, tos & 3, ttl), sender, asked)

    def hear_refusals(self) -> None:
        """Keep from now on what hops say of our datagrams, for `refusal`."""
        self.socket.setsockopt(self.level, IP_RECVERR if self.version == 4 else IPV6_RECVERR, 1)

    def refusal(self) -> icmp.Refusal | None:
        """The next of them, None for what is our own host's; raises BlockingIOError when there is none."""
        _, ancillary, _, _ = self.socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
        for level, kind, content in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                return icmp.parse_refusal(self.version, content)
        return None

    def answer(self, to: Arrival, data: bytes, dscp: int) -> None:
        """Send to where `to` came from, from the address that it was for; raises OSError."""
        tos = (self.level, IP_TOS if self.version == 4 else IPV6_TCLASS, _INT.pack(dscp << 2))
        if self.version == 4:
            source = (self.level, IP_PKTINFO, _PKTINFO_4.pack(0, to.asked or bytes(4), bytes(4)))
        else:
            source = (self.level, IPV6_PKTINFO, _PKTINFO_6.pack(to.asked or bytes(16), 0))
        self.socket.sendmsg([data], [tos, source], 0, to.sender)
