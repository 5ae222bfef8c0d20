"""`unshare --mount --net python -m tests.alerts.dead_name_server FOLDER`: mails before and after the only name server falls silent.

In its own namespaces, for it is the whole machine's resolver that breaks. Prints what became of the mails, as JSON, and ends while
threads still look names up.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from alerts.mailer import Mailer, Relay
from lab.sink import Sink
from tests.alerts.conftest import free_port
from tests.alerts.test_alerts_mailer import TO, mail
from tests.probes.peers import ask, program

RELAY = "relay.noc.example"
STUCK = 24
"""Checks by names that nobody tells any more, more than there are threads to look names up."""


def name_server(folder: Path) -> subprocess.Popen[bytes]:
    """The only name server of this namespace; returns when it answers."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    subprocess.run([program("mount"), "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)
    subprocess.run([program("ip"), "link", "set", "lo", "up"], check=True)
    return subprocess.Popen(
        [
            program("setpriv"), "--pdeathsig=KILL",  # a process that is stopped hears no other word
            program("dnsmasq"), "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--user=root",
            "--bind-interfaces", "--listen-address=127.0.0.1", "--local=/example/", f"--host-record={RELAY},127.0.0.1",
            f"--pid-file={folder}/dnsmasq.pid",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


async def main(folder: Path) -> None:
    """Send one mail, break the name server, keep the probes' threads busy, send another."""
    server = name_server(folder)
    port = free_port()
    sink = Sink("127.0.0.1", port, certificate=None, login=None)
    sink.start()
    try:
        mailer = Mailer([Relay(host=RELAY, port=port, tls="none")])
        async with asyncio.timeout(10):
            while (before := await mailer.send(mail(), TO)).delivery != "sent":
                await asyncio.sleep(0.05)  # dnsmasq is not up yet
        os.kill(server.pid, signal.SIGSTOP)
        stuck = [asyncio.create_task(ask("tcp", f"room{n}.example", port=5060, timeout=60)) for n in range(STUCK)]
        await asyncio.sleep(0.2)
        after = await mailer.send(mail(), TO)
        waiting = sum(not each.done() for each in stuck)
        found = {"before": before.delivery, "after": after.delivery, "mails": len(sink.mails), "stuck": waiting}
    finally:
        sink.stop()
    sys.stdout.write(json.dumps(found | {"over": time.monotonic()}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
