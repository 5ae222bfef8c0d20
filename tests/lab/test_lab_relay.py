"""The pages of the lab on the host: what is said there arrives, and an end with viewers is silent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

VIEWED = """
import socket, struct, sys
from pathlib import Path
from lab import relay

path, server = Path(sys.argv[1]), socket.create_server(("127.0.0.1", 0))
relay.inside(path, *server.getsockname())
port = relay.outside(path, server.getsockname()[1])  # which is taken
viewers = []
for number in range(20):
    viewer = socket.create_connection(("127.0.0.1", port))
    viewer.sendall(b"asked %02d" % number)
    served, _ = server.accept()
    served.sendall(served.recv(8).replace(b"asked", b"shown"))
    print(viewer.recv(8).decode())
    viewers += viewer, served
viewers[0].shutdown(socket.SHUT_WR)
assert not viewers[1].recv(1)
viewers[1].close()
assert not viewers[0].recv(1)
for goes, stays in (viewers[2:4], reversed(viewers[4:6])):  # one is gone without a farewell: the other need not wait
    stays.settimeout(10)
    goes.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    goes.close()
    assert not stays.recv(1)
"""


def test_what_is_asked_is_shown_and_an_end_with_viewers_is_silent(tmp_path: Path) -> None:
    command = [sys.executable, "-c", VIEWED, str(tmp_path / "board.sock")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split("\n")[:-1] == [f"shown {number:02}" for number in range(20)]
