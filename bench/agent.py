"""The SNMP agent that devices are asked from: net-snmp's snmpd in the far namespace, with 48 ports to tell of."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import harness, setup
from bench.daemon import COMMUNITY
from bench.network import add_ports, in_far
from lab.network import run

USER, AUTH_PASSWORD, PRIVACY_PASSWORD = "bench", "bench-auth-password", "bench-privacy-password"


@contextlib.contextmanager
def snmpd(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Answers on every address of the field, port 161, versions 2c and 3 (SHA, AES-128)."""
    add_ports()
    settings = folder / "snmpd.conf"
    settings.write_text(f"""agentaddress udp:161
rocommunity {COMMUNITY}
createUser {USER} SHA {AUTH_PASSWORD} AES {PRIVACY_PASSWORD}
rouser {USER} authpriv
sysLocation bench
""")
    command = [
        "env", f"SNMP_PERSISTENT_DIR={folder}", str(setup.program("snmpd")), "-f", "-C", "-c", str(settings), "-Lo", "-p", str(folder / "snmpd.pid"), "-I", "-smux",
    ]  # fmt: skip
    with harness.server(in_far(command), folder / "snmpd.log") as process:
        harness.wait_for("snmpd", _listens)
        yield process


def _listens() -> bool:
    with contextlib.suppress(RuntimeError):
        run(*in_far(["sh", "-c", "grep -q ':00A1 ' /proc/net/udp"]))
        return True
    return False
