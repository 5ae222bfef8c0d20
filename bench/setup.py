"""Installs the Debian packages of the peers when root, or says which are missing; a peer that is missing is named, never left out silently."""

from __future__ import annotations

import shutil
import subprocess
import sys

from lab import setup

PEERS = {
    "fping": "fping",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-smokeping-prober": "prometheus-smokeping-prober",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-snmp-exporter": "prometheus-snmp-exporter",
    "snmpd": "snmpd",
    "nginx": "nginx-light",
    "ip": "iproute2",
    "unshare": "util-linux",
    "cc": "gcc libc6-dev",
}
"""Command → Debian packages."""


def program(name: str) -> str | None:
    """Where a command is, also beside the usual path of a user."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def missing() -> list[str]:
    """Debian packages whose command is not there."""
    return [package for name, packages in PEERS.items() if not program(name) for package in packages.split()]


def main() -> int:
    """Install what can be installed; never fails, because the run names what it had to do without."""
    absent = missing()
    if absent and shutil.which("apt-get"):
        try:
            setup._install(absent)  # noqa: SLF001  the lab's installer, which starts no services
        except (subprocess.CalledProcessError, OSError) as error:
            print(f"apt-get failed: {error}", file=sys.stderr)
        absent = missing()
    if absent:
        print(f"measured without {', '.join(absent)}; as root: apt-get install {' '.join(absent)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
