"""The real servers of the simulated province: their settings, and starting them in the field."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.certificates import Authority
from lab.network import MONITOR, in_field
from monitor.core.model import Inventory

COMMUNITY = "lab-community"
TRAP_PORT = 162
V3_AUTH = "lab-auth-password"
V3_PRIVACY = "lab-privacy-password"
REFLECTOR_KEY = "lab-reflector-key"
SMTP_PASSWORD = "lab-smtp-password"  # noqa: S105  of a server that lives for minutes in a namespace of its own

UPS_ON_MAINS: Mapping[str, tuple[str, str]] = {
    "2.1.0": ("integer", "2"),
    "2.3.0": ("integer", "47"),
    "2.4.0": ("integer", "100"),
    "2.7.0": ("integer", "24"),
    "4.1.0": ("integer", "3"),
    "6.1.0": ("uinteger", "0"),
}
"""Below upsObjects (RFC 1628): battery normal, minutes and percent left, degrees Celsius, output from the mains, no alarm."""
UPS_ON_BATTERY: Mapping[str, tuple[str, str]] = {
    **UPS_ON_MAINS,
    "2.3.0": ("integer", "12"),
    "2.4.0": ("integer", "64"),
    "2.7.0": ("integer", "31"),
    "4.1.0": ("integer", "5"),
    "6.1.0": ("uinteger", "1"),
    "6.2.1.2.1": ("object_id", ".1.3.6.1.2.1.33.1.6.3.2"),
}
"""With the alarm upsAlarmOnBattery."""

CAMERA = ".1.3.6.1.4.1.13885.101.1.3.6.1.0"
"""hardwareCameraStatus of POLYCOM-ENDPOINT-MIB: 2 ok, 3 failed."""

PAGES: Mapping[str, tuple[str, str]] = {
    "qlvb.ninhbinh.example": ("index.html", "<h1>Quản lý văn bản và điều hành</h1><form>Đăng nhập</form>"),
    "dichvucong.ninhbinh.example": ("index.html", "<h1>Cổng dịch vụ công</h1>"),
    "motcua.ninhbinh.example": ("index.html", "<h1>Một cửa</h1><form>Đăng nhập</form>"),
    "lgsp.ninhbinh.example": ("health", '{"status":"UP"}'),
    "ocsp.ninhbinh.example": ("index.html", "OCSP"),
    "csdlqg.ninhbinh.example": ("index.html", "gateway"),
}
"""What the shared systems show when they are well."""

BROKEN_PAGE = "<h1>Quản lý văn bản và điều hành</h1><p>Đăng nhập</p><p>Lỗi kết nối cơ sở dữ liệu</p>"


def write_baresip(folder: Path, listen: str, account: str) -> None:
    """The files of a room without sound devices, which listens for SIP at an address and port and has one account."""
    kept = Path("/usr/lib")
    modules = next(kept.glob("*/baresip/modules"), kept / "baresip" / "modules")
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "config").write_text(f"""sip_listen {listen}
module_path {modules}
module_app account.so
module_app menu.so
module stdio.so
module g711.so
module_tmp account.so
audio_player aubridge,nil
audio_source aubridge,nil
""")
    (folder / "contacts").touch()


@dataclass(slots=True)
class Peers:
    """The running servers; everything that they write is under `folder`."""

    folder: Path
    authority: Authority
    room: str
    """Address of the one video-conference endpoint that is a real SIP user agent of its own."""
    room_user: str
    """Name under which it is registered."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, inventory: Inventory) -> None:
        """Start all that the field has."""
        self._write_pages(inventory)
        self._start_nginx()
        self._start_snmpd("equipment", 1161, {})
        self._start_snmpd("ups", 1162, UPS_ON_MAINS)
        self._start_snmpd("ups-battery", 1163, UPS_ON_BATTERY)
        self._start_snmpd("room-without-camera", 1164, {}, camera=3)
        self._start_kamailio()
        self.start_room()
        self._start_dnsmasq()
        if any(each.kind == "reflector" for each in inventory.targets.values()):
            self._start_reflector()
        certificate, key = self.authority.issue("mail", ["mail.ninhbinh.example"])
        self.spawn("mail", in_field([sys.executable, "-m", "lab.sink", "10.68.0.25", "25", str(certificate), str(key)]))

    def spawn(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a process whose output goes to `NAME.log`."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
            )

    def kill(self, name: str) -> None:
        """End one of ours at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End all of them."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes.clear()

    def dead(self) -> list[str]:
        """Names of those that ended by themselves."""
        return [name for name, process in self.processes.items() if process.poll() is not None]

    # -- web -----------------------------------------------------------------------------------------------------

    def _write_pages(self, inventory: Inventory) -> None:
        for host in PAGES:
            self.page(host)
        for site in inventory.sites.values():
            if f"{site.id}/website" in inventory.targets:
                self._put(
                    f"{site.id}.ninhbinh.example", "index.html", f"<h1>{html.escape(site.name)}</h1><p>Tin tức</p>"
                )

    def page(self, host: str, body: str | None = None, *, slow: bool = False) -> None:
        """What a shared system shows; None: what it shows when it is well."""
        name, well = PAGES[host]
        self._put(host, name, well if body is None else body)
        switch = self.folder / "slow" / host
        switch.parent.mkdir(exist_ok=True)
        if slow:
            switch.touch()
        else:
            switch.unlink(missing_ok=True)

    def _put(self, host: str, name: str, body: str) -> None:
        folder = self.folder / "www" / host
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f".{name}"
        new.write_text(
            f'<!doctype html><meta charset="utf-8">{body}' if name.endswith("html") else body, encoding="utf-8"
        )
        new.replace(folder / name)

    def _start_nginx(self) -> None:
        certificate, key = self.authority.issue("web", ["*.ninhbinh.example"])
        work = self.folder / "nginx"
        work.mkdir()
        settings = work / "nginx.conf"
        temporary = "\n".join(
            f"  {each}_temp_path {work}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        settings.write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {work}/pid;
error_log {work}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
{temporary}
  default_type text/html;
  charset utf-8;
  server {{
    listen 80; listen 443 ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    root {self.folder}/www/$host;
    index index.html;
    if (-f {self.folder}/slow/$host) {{ set $limit_rate 60; }}
  }}
}}
""")
        self.spawn(
            "nginx", in_field([_program("nginx"), "-c", str(settings), "-e", f"{work}/error.log", "-p", str(work)])
        )

    # -- SNMP ----------------------------------------------------------------------------------------------------

    def _start_snmpd(self, name: str, port: int, ups: Mapping[str, tuple[str, str]], camera: int = 2) -> None:
        work = self.folder / f"snmpd-{name}"
        work.mkdir()
        overrides = "\n".join(f"override .1.3.6.1.2.1.33.1.{oid} {kind} {value}" for oid, (kind, value) in ups.items())
        (work / "snmpd.conf").write_text(f"""
agentaddress udp:10.70.0.2:{port}
rocommunity {COMMUNITY}
createUser monitor SHA {V3_AUTH} AES {V3_PRIVACY}
rouser monitor authpriv
sysLocation lab
{overrides}
override {CAMERA} integer {camera}
""")
        # The second agent takes the first one's place when a UPS goes to battery: same engine, so that v3 sessions go on.
        command = [
            _program("snmpd"),
            "-f",
            "-C",
            "-c",
            str(work / "snmpd.conf"),
            "-Lo",
            "-p",
            str(work / "pid"),
            "-I",
            "-smux",
        ]
        self.spawn(f"snmpd-{name}", in_field(command), {"SNMP_PERSISTENT_DIR": str(work), "MIBS": ""})

    def send_trap(self, source: str, oid: str) -> None:
        """What the device at `source` would send: a trap of version 2c."""
        command = [
            _program("snmptrap"), "-m", "", "-v2c", "-c", COMMUNITY, f"--clientaddr={source}", f"{MONITOR}:{TRAP_PORT}", "",
            oid,
        ]  # fmt: skip
        environment = {**os.environ, "SNMP_PERSISTENT_DIR": str(self.folder), "MIBS": ""}
        subprocess.run(in_field(command), check=True, env=environment, timeout=10)

    # -- video conference ----------------------------------------------------------------------------------------

    def _start_kamailio(self) -> None:
        settings = self.folder / "kamailio.cfg"
        modules = "\n".join(
            f'loadmodule "{each}.so"'
            for each in ("sl", "tm", "rr", "pv", "maxfwd", "textops", "siputils", "usrloc", "registrar")
        )
        settings.write_text(f"""#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
tcp_children=1
children=1
auto_aliases=no
listen=udp:10.68.0.10:5060
listen=tcp:10.68.0.10:5060
{modules}
modparam("usrloc", "db_mode", 0)
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("REGISTER")) {{ save("location"); exit; }}
  if (is_method("OPTIONS") && ($rU == $null || $rd != "10.68.0.10")) {{ sl_send_reply("200", "OK"); exit; }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
  t_relay();
}}
""")
        runtime = self.folder / "kamailio"
        runtime.mkdir()
        self.spawn(
            "kamailio",
            in_field([_program("kamailio"), "-f", str(settings), "-DD", "-m", "64", "-M", "8", "-Y", str(runtime)]),
        )

    def start_room(self, *, registers: bool = True) -> None:
        """baresip as the room, instead of the one that runs; one that is stopped in order takes its registration back."""
        if running := self.processes.pop("baresip", None):
            running.terminate()
            running.wait(10)
        work = self.folder / "baresip"
        work.mkdir(exist_ok=True)
        account = f"<sip:{self.room_user}@10.68.0.10;transport=udp>;regint={60 if registers else 0};auth_pass=none"
        write_baresip(work, f"{self.room}:5060", account)
        self.spawn("baresip", in_field([_program("baresip"), "-f", str(work)]))

    def _start_reflector(self) -> None:
        """One for all: it answers at whatever address it is asked."""
        key = self.folder / "reflector-key"
        key.write_text(REFLECTOR_KEY)
        command = [sys.executable, "-m", "monitor", "reflect", "--listen", "0.0.0.0:862", "--key-file", str(key)]
        self.spawn("reflector", in_field(command))

    def _start_dnsmasq(self) -> None:
        self.spawn(
            "dnsmasq",
            in_field([
                _program("dnsmasq"), "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces",
                "--listen-address=10.68.0.53", "--user=root", "--address=/qlvb.ninhbinh.example/10.68.0.20",
                f"--pid-file={self.folder}/dnsmasq.pid",
            ]),
        )  # fmt: skip

    # -- Prometheus ----------------------------------------------------------------------------------------------

    def start_prometheus(self, settings: Path, board: str) -> None:
        """Prometheus beside the monitor, with the project's own settings and rules, but for where the lab has things."""
        text = settings.read_text().replace("127.0.0.1:9469", board).replace("127.0.0.1:9090", f"{MONITOR}:9090")
        own = self.folder / "prometheus.yml"
        text = text.replace("rules/*.yml", f"{settings.parent}/rules/*.yml")
        own.write_text(
            text.replace("scrape_interval: 15s", "scrape_interval: 5s").replace(
                "scrape_timeout: 10s", "scrape_timeout: 5s"
            )
        )
        command = [
            _program("prometheus"), f"--config.file={own}", f"--storage.tsdb.path={self.folder}/prometheus",
            f"--web.listen-address={MONITOR}:9090", "--log.level=warn",
        ]  # fmt: skip
        self.spawn("prometheus", command)


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed: python3 lab/setup.py says what is missing")
    return found
