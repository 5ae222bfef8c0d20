"""How the daemon itself is: whether it stands still, and whether its mails leave."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from alerts.outbox import Standing
from monitor.database import StoreError
from monitor.pipeline import Pipeline
from monitor.scheduler import Scheduler
from monitor.store import Store
from monitor.web.board import MAIL_LATE_SECONDS

log = logging.getLogger(__name__)

OUTBOX_LOOK_SECONDS = 2.0
STALLED_SECONDS = 30.0
"""A part that stands for longer than this is not alive; what cannot be written for so long is no state to rely on."""


class Health:
    """Of one running daemon."""

    def __init__(self, pipeline: Pipeline, scheduler: Scheduler, store: Store, clock: Callable[[], datetime]) -> None:
        self._pipeline, self._scheduler, self._store, self._clock = pipeline, scheduler, store, clock
        self.standing = Standing()
        """How the mails stood at the last look."""

    async def watch_outbox(self) -> None:
        told = False
        while True:
            with contextlib.suppress(StoreError):  # shown by the counter of write errors
                self.standing = await self._store.mails.standing(self._clock())
            oldest = self.standing.longest_seconds(self._clock())
            if oldest > MAIL_LATE_SECONDS and not told:
                log.error("mails are held up, the oldest for %.0f s; %s", oldest, self.standing.waits)
            elif told and not oldest > MAIL_LATE_SECONDS:
                log.info("mails are not held up any more")
            told = oldest > MAIL_LATE_SECONDS
            await asyncio.sleep(OUTBOX_LOOK_SECONDS)

    def stalled(self) -> str:
        """What of us stands still, which a new start would mend; "" when nothing does."""
        if (seconds := self._pipeline.stalled_seconds()) > STALLED_SECONDS:
            return f"nothing has been decided for {seconds:.0f} s"
        if (seconds := self._scheduler.overdue_seconds()) > STALLED_SECONDS:
            return f"no check has been started for {seconds:.0f} s"
        return ""

    def unwell(self) -> str:
        """Why others should not rely on us now; "" when they can."""
        if (seconds := self._pipeline.unwritten()[0]) > STALLED_SECONDS:
            return f"nothing could be written for {seconds:.0f} s: {self._store.trouble}"
        oldest = self.standing.longest_seconds(self._clock())
        if oldest > MAIL_LATE_SECONDS:
            return f"mails are held up, the oldest for {oldest:.0f} s"
        return self.stalled()
