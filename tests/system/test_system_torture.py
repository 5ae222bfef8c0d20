"""A short torture of the outbox; `python -m bench torture` is the long one."""

from __future__ import annotations

from pathlib import Path

from lab.torture import Torture


def test_kills_failing_mail_servers_and_a_full_disk_lose_no_mail(tmp_path: Path) -> None:
    found = Torture(tmp_path, seed=1, kills=3, full_ratio=0.5).run()
    assert found.kills == 3
    assert found.mails >= 4  # the beginning and the end of one incident, for two contacts
    assert (found.lost, found.twice_for_nothing, found.out_of_order) == ([], [], [])
    assert found.sent + found.superseded + found.failed == found.mails
