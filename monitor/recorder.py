"""Writes a recording while the daemon runs; a thread writes, and who records never waits for it."""

from __future__ import annotations

import gzip
import logging
import threading
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from monitor.recording import Dropped, Entry, RecordingError, line_of

log = logging.getLogger(__name__)

MAX_WAITING = 100_000
"""Lines that wait to be written; what comes then is dropped and counted."""
FLUSH_SECONDS = 1.0
TELL_SECONDS = 60.0


def create(path: Path) -> IO[str]:
    """A new recording; raises RecordingError. A file that is there is kept, under a name with its time."""
    try:
        if path.is_file():
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            path.rename(path.with_name(f"{written:%Y%m%dT%H%M%S}-{path.name}"))
        if path.name.endswith(".gz"):
            return gzip.open(path, "wt", compresslevel=1, encoding="ascii")
        return path.open("w", encoding="ascii")
    except OSError as error:
        raise RecordingError(
            f"{path}: cannot be written: {error.strerror or error}; name a file in a folder of yours"
        ) from error


class Recorder:
    """Takes entries from the event loop and lets a thread write them; a slow disk costs entries, never time."""

    def __init__(self, path: Path, max_waiting: int = MAX_WAITING) -> None:
        self._path, self._max = path, max_waiting
        self._stream = create(path)
        self._waiting: deque[Entry] = deque()
        self._missing = 0
        """Dropped since the last entry that was taken."""
        self.dropped = 0
        self.recorded = 0
        self._told = 0
        self._failed = False
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write_all, name="recording", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Take an entry, or drop it when too many wait."""
        if len(self._waiting) >= self._max or self._failed:
            self._missing += 1
            self.dropped += 1
            return
        if self._missing:
            self._waiting.append(Dropped(self._missing))
            self._missing = 0
        self._waiting.append(entry)

    def close(self) -> None:
        """Write what waits and end the file."""
        self._end.set()
        self._thread.join()

    def _write_all(self) -> None:
        turns = 0
        try:
            while not self._end.wait(FLUSH_SECONDS):
                self._write()
                turns += 1
                if self.dropped > self._told and turns * FLUSH_SECONDS >= TELL_SECONDS:
                    turns = 0
                    self._tell()
            self._write()
            self._stream.close()
        except OSError as error:
            self._failed = True
            log.error("%s: the recording ends here: %s", self._path, error.strerror or error)  # noqa: TRY400
        if self.dropped > self._told:
            self._tell()

    def _write(self) -> None:
        waiting = self._waiting
        for _ in range(len(waiting)):
            self._stream.write(line_of(waiting.popleft()))
            self.recorded += 1
        self._stream.flush()

    def _tell(self) -> None:
        log.warning("%s: %d lines were dropped: the disk is too slow for them", self._path, self.dropped - self._told)
        self._told = self.dropped
