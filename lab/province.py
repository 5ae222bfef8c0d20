"""The simulated province as one object: network, servers, daemon, mail sink, and faults on command."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab import network
from lab.certificates import Authority
from lab.peers import BROKEN_PAGE, COMMUNITY, REFLECTOR_KEY, SMTP_PASSWORD, TRAP_PORT, V3_AUTH, V3_PRIVACY, Peers
from lab.sink import Sink, Taken
from monitor.core.graph import Graph
from monitor.core.model import Inventory
from monitor.inventory.load import load_inventory

BOARD_PORT, PROMETHEUS_PORT, SINK_PORT = 9469, 9090, 2525
MEETING_ID = "hop-giao-ban"
"""Of the one meeting that the lab calls."""
START_SECONDS = 120.0


class LabError(Exception):
    """The lab cannot do it; the message says why."""


class Province:
    """Raised by `start`; everything is gone when the namespaces end, `stop` only makes it orderly."""

    def __init__(
        self, folder: Path, config: Path, on_mail: Callable[[Taken], None], say: Callable[[str], None],
        board_port: int = BOARD_PORT, examples: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`folder` is empty and ours; `config` holds `inventory/` and `contacts.yaml`; `board_port` is the same in here as shown outside.

        `examples` are files of `config/examples` that are laid beside the inventory, in a copy of it.
        """
        self._port = board_port
        self._folder, self._config, self._say = folder, config, say
        self._hurt_pages: set[str] = set()
        self._unregistered = False
        self._files = _beside(config, examples, folder / "inventory") if examples else config.absolute() / "inventory"
        self.inventory: Inventory = load_inventory(self._files, None)
        self.graph = Graph(self.inventory.targets)
        self.authority = Authority(folder)
        self.peers = Peers(folder, self.authority, *_real_room(self.inventory))
        self.sink = Sink(
            network.MONITOR, SINK_PORT, certificate=self.authority.issue("sink", [network.MONITOR]),
            login=("canh-bao", SMTP_PASSWORD), on_mail=on_mail,
        )  # fmt: skip
        self.settings = folder / "settings.yaml"

    def start(self) -> None:
        """Raise network, servers, sink, Prometheus and the daemon."""
        self._say("network: monitor – gateway – field")
        network.raise_network(self._folder / "resolv.conf")
        addresses = [each.address for each in self.inventory.targets.values()]
        network.set_servers("ups", [each.address for each in self.inventory.targets.values() if each.kind == "ups"])
        network.set_servers("room", [self.peers.room])
        self._say(f"servers: nginx, snmpd, kamailio, baresip, dnsmasq, mail, for {len(set(addresses))} addresses")
        self.peers.start(self.inventory)
        self.sink.start()
        self._write_settings()
        self._wait_for_servers()
        self.peers.start_prometheus(self._config.parent / "dashboards" / "prometheus.yml", f"127.0.0.1:{self._port}")
        self.start_daemon()

    def _write_settings(self) -> None:
        secrets = self._folder / "secrets"
        secrets.mkdir(mode=0o700)
        shutil.copy(self.authority.ca, secrets / "province-ca.pem")
        for name, value in (
            ("snmp-community", COMMUNITY), ("snmp-v3-auth", V3_AUTH), ("snmp-v3-privacy", V3_PRIVACY),
            ("smtp-password", SMTP_PASSWORD), ("reflector-key", REFLECTOR_KEY),
        ):  # fmt: skip
            (secrets / name).write_text(value + "\n")
        self.settings.write_text(f"""
inventory: {self._files}
contacts: {self._config.absolute()}/contacts.yaml
database: {self._folder}/state.db
listen: 127.0.0.1:{self._port}
control: control.sock
links: {{board: 'http://127.0.0.1:{self._port}', grafana: ''}}
mail:
  from: Giám sát CNTT Ninh Bình <canh-bao@noc.ninhbinh.example>
  message_id_domain: noc.ninhbinh.example
  relays:
    - host: {network.MONITOR}
      port: {SINK_PORT}
      tls: starttls
      username: canh-bao
      password: {{file: smtp-password}}
      ca: {{file: province-ca.pem}}
traps:
  listen: {network.MONITOR}:{TRAP_PORT}
  community: {{file: snmp-community}}
""")

    def _wait_for_servers(self) -> None:
        """Until the slowest server answers, so that the daemon's first look is not at a province that is still booting."""
        wanted = [("10.68.0.20", 443), ("10.68.0.25", 25), ("10.68.0.10", 5060)]
        until = time.monotonic() + 20
        while wanted:
            wanted = [each for each in wanted if not _answers(*each)]
            if dead := self.peers.dead():
                raise LabError(f"{', '.join(dead)} did not start: {self._log(dead[0])}")
            if wanted and time.monotonic() > until:
                raise LabError(f"no server at {wanted}: {self._log('kamailio')}")
            time.sleep(0.1)

    def _log(self, name: str) -> str:
        """The end of what a server wrote."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-1500:]

    def start_daemon(self) -> None:
        """Start the daemon, also again after `kill_daemon`."""
        command = [sys.executable, "-m", "monitor", "run", "--settings", str(self.settings), "--log", "text"]
        self.peers.spawn("daemon", command)

    def kill_daemon(self) -> None:
        """kill -9."""
        self.peers.kill("daemon")

    def wait_ready(self) -> None:
        """Until the daemon has seen nearly everything once."""
        until = time.monotonic() + START_SECONDS
        last = ""
        while time.monotonic() < until:
            if "daemon" in self.peers.dead():
                raise LabError(f"the daemon ended: {self._log('daemon')}")
            try:
                with urllib.request.urlopen(self.url("/-/ready"), timeout=5):
                    return
            except urllib.error.HTTPError as error:
                said = error.read().decode().strip()
                if said != last:
                    self._say(f"  {said}")
                    last = said
            except (OSError, urllib.error.URLError):
                pass
            time.sleep(1)
        raise LabError(f"not ready after {START_SECONDS:g} s: {last}")

    def stop(self) -> None:
        """End all servers."""
        self.peers.stop()
        self.sink.stop()

    # -- looking -------------------------------------------------------------------------------------------------

    def url(self, path: str) -> str:
        """Address of a page of the daemon, inside the lab."""
        return f"http://127.0.0.1:{self._port}{path}"

    def text(self, path: str) -> str:
        """What the daemon answers."""
        with urllib.request.urlopen(self.url(path), timeout=10) as answer:
            return str(answer.read().decode())

    def get(self, path: str) -> Any:
        """JSON that the daemon answers."""
        return json.loads(self.text(path))

    def observations(self) -> int:
        """Observations that the daemon has made since its start."""
        lines = self.text("/metrics").splitlines()
        return int(
            sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("monitor_observations_total{"))
        )

    def daemon_figures(self) -> tuple[float, float]:
        """CPU seconds that the daemon has used, and its resident memory in MiB."""
        pid = self.peers.processes["daemon"].pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return (int(fields[11]) + int(fields[12])) / 100, pages * 4096 / (1 << 20)

    # -- faults --------------------------------------------------------------------------------------------------

    def addresses(self, *targets: str, behind: bool = True) -> set[str]:
        """Addresses of targets, and of all that hangs behind them."""
        found = {self.inventory.targets[each].address for each in targets}
        if behind:
            found |= {self.inventory.targets[each].address for one in targets for each in self.graph.behind(one)}
        return found

    def cut(self, *targets: str) -> None:
        """Silence targets and all behind them."""
        network.set_fault("cut", self.addresses(*targets))

    def refuse(self, *targets: str) -> None:
        """As `cut`, but the gateway says host unreachable."""
        network.set_fault("refused", self.addresses(*targets))

    def cut_own_uplink(self) -> None:
        """Our own gateway is gone, and everything with it."""
        network.set_fault("cut", ["10.64.0.0/13"])

    def lose(self, *targets: str) -> None:
        """One packet in five towards these and all behind them is lost."""
        network.set_fault("lossy", self.addresses(*targets))

    def on_battery(self, *ups: str) -> None:
        """These UPSs say that the mains is gone."""
        network.set_servers("on_battery", self.addresses(*ups, behind=False))

    def unplug_camera(self, room: str) -> None:
        """This room says that its camera is gone."""
        network.set_servers("without_camera", self.addresses(room, behind=False))

    def tell_of_battery(self, ups: str) -> None:
        """The UPS sends upsTrapOnBattery (RFC 1628), as real ones do; what it then says when it is asked is another thing."""
        self.peers.send_trap(self.inventory.targets[ups].address, "1.3.6.1.2.1.33.2.1")

    def break_page(self, host: str) -> None:
        """The log-in page answers 200, with an error text."""
        self._hurt_pages.add(host)
        self.peers.page(host, BROKEN_PAGE)

    def slow_page(self, host: str) -> None:
        """The page trickles."""
        self._hurt_pages.add(host)
        self.peers.page(host, slow=True)

    def unregister(self) -> None:
        """The real room lives, and its registrar does not know it any more."""
        self._unregistered = True
        self.peers.start_room(registers=False)

    def call_meeting(self, room: str, before: timedelta) -> None:
        """A meeting in this room that begins so soon; the one report of it comes a quarter of an hour before."""
        begins = (datetime.now(UTC) + before).isoformat(timespec="seconds")
        (self._files / "lab-meeting.yaml").write_text(f"""
meetings:
  - id: {MEETING_ID}
    title: Họp giao ban trực tuyến
    importance: high
    rooms: [{room}, center/registrar]
    start: {begins}
    for: 1h
    reports: [15m]
    owner: {{name: Chánh Văn phòng, email: van-phong@ubnd.ninhbinh.example}}
""")
        command = [sys.executable, "-m", "monitor", "reload", "--settings", str(self.settings)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def mend(self) -> None:
        """End all faults."""
        if self._unregistered:
            self._unregistered = False
            self.peers.start_room()
        for kind in ("cut", "refused", "lossy"):
            network.set_fault(kind, ())
        for kind in ("on_battery", "without_camera"):
            network.set_servers(kind, ())
        while self._hurt_pages:
            self.peers.page(self._hurt_pages.pop())


def _beside(config: Path, examples: Sequence[str], made: Path) -> Path:
    """The inventory in a folder of our own, with examples beside it; their rooms are called more often, for nobody waits so long here."""
    shutil.copytree(config / "inventory", made)
    for each in examples:
        text = (config / "examples" / each).read_text(encoding="utf-8")
        (made / f"example-{each}").write_text(text.replace("interval: 15m", "interval: 30s"), encoding="utf-8")
    return made


def _real_room(inventory: Inventory) -> tuple[str, str]:
    """Address of the room that is a real SIP user agent, and whom its checks ask for: the one whose registration is watched, else the first."""
    rooms = [each for each in inventory.targets.values() if each.kind == "vc-endpoint"]
    watched = [each for each in rooms if any(check.name == "registered" for check in each.checks)]
    found = next(iter(watched or rooms), None)
    if found is None:
        return "10.64.1.10", "room1"
    users = (getattr(check.options, "user", "") for check in found.checks)
    return found.address, next(filter(None, users), found.site)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 1):
            return True
    except OSError:
        return False
