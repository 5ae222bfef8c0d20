"""The picture in a mail of a real daemon that has looked for a while; its minutes are made short."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from lab.certificates import Authority
from tests.alerts.conftest import MakeSink
from tests.monitor.daemon import Daemon

HASTY = """
import sys
from datetime import timedelta
import monitor.app
monitor.app.EVERY = timedelta(seconds=0.1)
from monitor.cli import main
main(sys.argv[1:])
"""


class Hasty(Daemon):
    """Keeps a point each tenth of a second."""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", HASTY, *arguments, "--settings", str(self.settings)]


def test_a_mail_shows_what_was_measured_before_it(
    tmp_path: Path, authority: Authority, port: int, make_sink: MakeSink
) -> None:
    sink = make_sink(port)
    made = Hasty(tmp_path, authority.ca.read_text(), port)
    try:
        made.open_portal()
        made.start()
        made.wait(lambda: made.states().get("center/portal") == "up")
        time.sleep(2)
        made.close_portal()
        made.wait(lambda: made.mails("sent") == 2)
        assert made.end() == 0
    finally:
        if made.process is not None and made.process.poll() is None:
            made.process.kill()
            made.process.wait()
        made.close()
    for mail in sink.mails:
        parts = {each.get_content_type(): each for each in mail.message.walk()}
        source = str(parts["image/png"]["Content-ID"]).strip("<>")
        assert f'src="cid:{source}"' in parts["text/html"].get_content()
        assert parts["image/png"].get_content().startswith(b"\x89PNG")
    assert "thời gian trả lời thường" in sink.mails[0].text() + sink.mails[1].text()
