"""Tells systemd how the daemon is (sd_notify(3), systemd.service(5) `Type=notify` and `WatchdogSec`).

Without NOTIFY_SOCKET in the environment, which systemd sets, it does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

READY = "READY=1"
ALIVE = "WATCHDOG=1"
STOPPING = "STOPPING=1"


def reloading() -> str:
    """What is said when a reload begins; READY says that it is over."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"


class Systemd:
    """The service manager that started us, if one did."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._socket = environment.get("NOTIFY_SOCKET", "")
        for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds = int(microseconds) / 1e6 if for_us and microseconds.isdigit() else 0.0
        """It ends us when it hears nothing for so long; 0: never."""

    def say(self, text: str) -> None:
        """Send a state, such as READY."""
        if not self._socket:
            return
        address = "\0" + self._socket[1:] if self._socket.startswith("@") else self._socket
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
                to.settimeout(1.0)
                to.sendto(text.encode(), address)
        except OSError as error:
            log.error("systemd was not told %s: %s", text.partition("\n")[0], error)  # noqa: TRY400

    async def watch(self, trouble: Callable[[], str]) -> None:
        """Say that we are alive while nothing is in `trouble`, and what is, until cancelled.

        That the loop runs is shown by getting here; a loop that stands says nothing.
        """
        told = ""
        while True:
            found = trouble()
            if found and found != told:
                log.error("not alive: %s", found)
            told = found
            if self.watchdog_seconds and not found:
                self.say(ALIVE)
            await asyncio.sleep(self.watchdog_seconds / 3 or 10.0)
