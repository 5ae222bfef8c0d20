"""Recording while the daemon runs: nothing that the disk does costs more than lines."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from monitor.recorder import Recorder
from monitor.recording import Dropped, RecordingError, header, read
from tests.monitor.test_pipeline import BOTH
from tests.monitor.test_recording import T0, see


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_what_was_recorded_before_is_kept(name: str, tmp_path: Path) -> None:
    for second in (1, 2):
        recorder = Recorder(tmp_path / name)
        recorder.add(header(BOTH, T0))
        recorder.add(see("north/portal", second))
        recorder.close()
        assert (recorder.recorded, recorder.dropped) == (2, 0)
    assert list(read(tmp_path / name))[1:] == [see("north/portal", 2)]
    (older,) = tmp_path.glob(f"*-{name}")
    assert list(read(older))[1:] == [see("north/portal", 1)]


def test_a_disk_that_takes_nothing_costs_lines_and_never_time_and_the_recording_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.recorder.FLUSH_SECONDS", 0.01)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # a disk that has room for 64 KiB and then is slow
    recorder = Recorder(pipe, max_waiting=1000)
    recorder.add(header(BOTH, T0))
    while recorder.dropped < 5000:
        recorder.add(see("north/portal", 1))
    os.set_blocking(end, True)
    got: list[bytes] = []

    def empty() -> None:
        while piece := os.read(end, 65536):
            got.append(piece)

    reader = threading.Thread(target=empty)
    reader.start()
    while recorder._waiting:
        pass
    recorder.add(see("north/portal", 2))
    recorder.close()
    reader.join()
    os.close(end)
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(got))
    found = list(read(copy))
    assert found[-1] == see("north/portal", 2)
    assert sum(each.lines for each in found if isinstance(each, Dropped)) == recorder.dropped
    assert "lines were dropped" in caplog.text


def test_a_disk_that_fails_ends_the_recording_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Path("/dev/full"))
    recorder.add(see("north/portal", 1))
    recorder.close()
    recorder.add(see("north/portal", 1))
    assert recorder.dropped == 1
    assert "the recording ends here: No space left" in caplog.text


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be written"):
        Recorder(tmp_path / "no-folder" / "a.jsonl")
