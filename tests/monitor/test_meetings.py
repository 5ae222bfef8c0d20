"""A daemon before a meeting, seen from outside: incident, mails, pages, metric and command."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from lab.certificates import Authority
from monitor.core.words import LOCAL
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import daemon, run

MEETINGS = """
meetings:
  - {{id: giao-ban, title: Giao ban, importance: high, rooms: center/portal, start: '{start}', for: 2h, reports: [15m],
     owner: {{name: Văn phòng, email: vp@ubnd.example}}}}
  - {{id: da-hop, title: Họp tổ, rooms: center/portal, start: '{over}', for: 1h, afterwards: false, reports: []}}
"""


def test_a_meeting_that_is_about_to_begin_is_told_of_by_its_rooms_and_by_what_threatens_it(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    start = datetime.now(LOCAL) + timedelta(minutes=12)
    with daemon(tmp_path, authority.ca.read_text(), port) as files:
        over = f"{start - timedelta(hours=2):%Y-%m-%dT%H:%M}"
        files.write_inventory(MEETINGS.format(start=f"{start:%Y-%m-%dT%H:%M}", over=over))
        files.start()
        files.wait(lambda: len(sink.mails) >= 4)
        subjects = [(each.to[0], str(each.message["Subject"])) for each in sink.mails]
        ours = [said for to, said in subjects if to == "vp@ubnd.example"]
        assert len(ours) == 1
        assert ours[0].startswith(f"HỌP {start:%H:%M}")
        assert "1 phòng chưa sẵn sàng" in ours[0]
        assert any(said.startswith(f"URGENT – MEETING {start:%H:%M} – DOWN") for _, said in subjects), subjects
        incident = files.open_incidents()["center/portal"]
        assert [each["rooms"] for each in incident["meetings"]] == [["center/portal"]]
        assert files.metrics()['monitor_meeting_rooms{meeting="giao-ban",readiness="not-ready"}'] == 1
        assert "Giao ban" in files.get("/meetings")[1]
        assert run("meetings", files=files).stdout.rstrip().endswith("Giao ban (quan trọng): 1 chưa sẵn sàng")
        assert "not ready: " in run("meetings", "giao-ban", "--lang", "en", files=files).stdout
        gone = run("meetings", "gone", "--lang", "en", files=files)
        assert (gone.exit_code, gone.stderr) == (
            1,
            "no meeting of this id comes soon; `meetings` lists those that come, `meetings --past` those that are over\n",
        )
        assert run("meetings", "--past", files=files).stdout.rstrip().endswith("Họp tổ: 1 không có số liệu")
        assert "\n  not seen: " in run("meetings", "da-hop", "--session", over, "--lang", "en", files=files).stdout
        assert run("meetings", "da-hop", "--session", "2020-01-01", files=files).exit_code == 1
        assert run("meetings", "--session", over, files=files).exit_code == 2
        assert "no meeting in the last" in run("meetings", "giao-ban", "--past", "--lang", "en", files=files).stdout
        assert "1 không có số liệu" in files.get(f"/meetings/da-hop/{over}")[1]
        assert "Thư về buổi họp này" in files.get("/meetings/giao-ban")[1]
        assert "unseen" in files.get(f"/meetings/da-hop/{over}/rooms.csv")[1]
        explained = run("explain", incident["id"], "--lang", "en", files=files).stdout
        assert "Threatens the meeting Giao ban (giao-ban)" in explained
        assert files.end() == 0
