"""Installs the Debian packages that the demo and the tests need, or says which are missing and how to get them.

Standard library only: it runs before anything else is installed. `python3 lab/setup.py [--strict]`; with --strict (CI) it
fails when something is missing that it could not install.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys

PEERS = {
    "nft": "nftables",
    "ip": "iproute2",
    "ping": "iputils-ping",
    "unshare": "util-linux",
    "snmpd": "snmpd",
    "snmptrap": "snmp",
    "nginx": "nginx-light",
    "kamailio": "kamailio",
    "baresip": "baresip-core",
    "linphonec": "linphone-cli",
    "sipp": "sip-tester",
    "turnserver": "coturn",
    "prosody": "prosody",
    "dnsmasq": "dnsmasq-base",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "openssl": "openssl",
    "faketime": "faketime",
    "pg_ctlcluster": "postgresql",
    "chromium": "chromium",
    "systemctl": "systemd",
}
"""Command → Debian package."""
PARTS = {"/usr/lib/*/kamailio/modules/tls.so": "kamailio-tls-modules"}
"""File → Debian package, of what has no command."""

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_QUIET = {
    "DEBIAN_FRONTEND": "noninteractive",
    "LC_ALL": "C",
}
_NO_START = "/usr/sbin/policy-rc.d"
"""Debian's own switch: while this script exists and says 101, packages do not start their services."""


def missing() -> list[str]:
    """Debian packages whose command or file is not there."""
    commands = [package for command, package in PEERS.items() if not shutil.which(command, path=_PATH)]
    return commands + [package for file, package in PARTS.items() if not glob.glob(file)]  # noqa: PTH207


def _install(packages: list[str]) -> None:
    had_policy = os.path.exists(_NO_START)  # noqa: PTH110  before Python is anything but the standard library
    if not had_policy:
        with open(_NO_START, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(_NO_START, 0o755)  # noqa: PTH101, S103
    try:
        environment = {**os.environ, **_QUIET}
        subprocess.run(["apt-get", "-qq", "update"], check=True, env=environment)
        subprocess.run(
            ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
    finally:
        if not had_policy:
            os.unlink(_NO_START)  # noqa: PTH108


def main() -> int:
    """Install what is missing; 0 when all is there."""
    absent = missing()
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"installing {', '.join(absent)}", flush=True)
        try:
            _install(absent)
        except subprocess.CalledProcessError as error:
            print(f"apt-get failed ({error.returncode})", file=sys.stderr)
        absent = missing()
    if absent:
        print(f"missing: {', '.join(absent)}; as root: apt-get install {' '.join(absent)}", file=sys.stderr)
        return 1 if "--strict" in sys.argv else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
