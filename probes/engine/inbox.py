"""The datagrams of one connected UDP socket, as they come."""

from __future__ import annotations

import asyncio


class Inbox(asyncio.DatagramProtocol):
    """Datagrams and errors in a bounded queue; connected, the kernel lets only the asked address answer, and gives us its
    ICMP errors. What comes while the queue is full is dropped.
    """

    def __init__(self, most: int) -> None:
        self.queue: asyncio.Queue[bytes | Exception] = asyncio.Queue(maxsize=most)

    def datagram_received(self, data: bytes, _addr: object) -> None:
        """asyncio hands over a datagram."""
        if not self.queue.full():
            self.queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """asyncio hands over an error, such as a refused port."""
        if not self.queue.full():
            self.queue.put_nowait(exc)
