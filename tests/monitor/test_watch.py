"""When edited files are taken over, and that a daemon does it."""

from __future__ import annotations

import os
from pathlib import Path

from monitor.watch import BROKEN_SECONDS, QUIET_SECONDS, Due, Watch, stamp
from tests.monitor.daemon import MORE, Daemon

OLD, NEW, NEWER = ((("a", 1, moment, 1),) for moment in range(3))
OK = "monitor_config_last_reload_successful"


def test_files_are_tried_when_nothing_was_written_for_a_while() -> None:
    watch = Watch(OLD)
    assert watch.look(OLD, 100) is Due.NOTHING
    assert watch.look(NEW, 110) is Due.NOTHING
    assert watch.look(NEW, 110 + QUIET_SECONDS - 0.1) is Due.NOTHING
    assert watch.look(NEWER, 112) is Due.NOTHING, "still being written"
    assert watch.look(NEWER, 112 + QUIET_SECONDS) is Due.TRY
    watch.tried(good=True)
    assert watch.look(NEWER, 1000) is Due.NOTHING


def test_a_mistake_is_told_once_and_only_when_it_stays() -> None:
    watch = Watch(OLD)
    watch.look(NEW, 100)
    assert watch.look(NEW, 100 + QUIET_SECONDS) is Due.TRY
    watch.tried(good=False)
    assert watch.look(NEW, 100 + BROKEN_SECONDS - 0.1) is Due.NOTHING
    assert watch.look(NEW, 100 + BROKEN_SECONDS) is Due.INSIST
    watch.tried(good=False)
    assert watch.look(NEW, 1000) is Due.NOTHING
    assert watch.look(OLD, 1001) is Due.NOTHING
    assert watch.look(OLD, 1001 + QUIET_SECONDS) is Due.TRY, "mended by taking the change back"


def test_a_half_copied_file_is_no_mistake_when_the_rest_comes() -> None:
    watch = Watch(OLD)
    watch.look(NEW, 100)
    watch.look(NEW, 100 + QUIET_SECONDS)
    watch.tried(good=False)
    assert watch.look(NEWER, 108) is Due.NOTHING
    assert watch.look(NEWER, 108 + QUIET_SECONDS) is Due.TRY


def test_a_stamp_tells_every_change_of_a_file(tmp_path: Path) -> None:
    file, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    file.write_text("a")
    seen = [stamp([file, other])]
    file.write_text("ab")
    seen.append(stamp([file, other]))
    os.utime(file, ns=(0, 0))
    seen.append(stamp([file, other]))
    (fresh := tmp_path / "new").write_text("ab")  # as editors save
    os.utime(fresh, ns=(0, 0))
    fresh.rename(file)
    seen.append(stamp([file, other]))
    other.write_text("")
    seen.append(stamp([file, other]))
    file.unlink()
    seen.append(stamp([file, other]))
    assert len(set(seen)) == len(seen)


def test_a_daemon_that_watches_takes_over_good_files_and_tells_of_bad_ones(files: Daemon) -> None:
    files.settings.write_text(f"watch: true\n{files.settings.read_text()}")
    files.open_portal()
    files.start()
    files.write_inventory(MORE)
    files.wait(lambda: files.states().get("xa-moi/portal") == "up")
    assert files.metrics()[OK] == 1

    files.write_inventory(MORE.replace("profile: portal", "profile: portall"))
    files.wait(lambda: files.metrics()[OK] == 0)
    assert files.log().count("there is no profile `portall`") == 1
    assert "xa-moi/portal" in files.states(), "the last good files stay in force"
    assert "Khai báo mới có lỗi" in files.get("/")[1]

    files.write_inventory()
    files.wait(lambda: files.metrics()[OK] == 1 and "xa-moi/portal" not in files.states())
    assert files.log().count("reload refused") == 1
