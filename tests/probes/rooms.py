"""The servers and rooms of video conferences that the tests talk to, each a real program."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import Authority
from lab.peers import write_baresip
from probes.engine.stun import open_client
from probes.registry import load
from probes.wire.stun import Attribute, Kind, Method
from tests.probes.peers import LOOPBACK, Server, accepts, free_port, make_request, program

REALM = "rooms.example"
ROOM, ROOM_PASSWORD = "room1", "room-password"
MONITOR, MONITOR_PASSWORD = "monitor", "monitor-password"


class Registrar(Server):
    """Kamailio as registrar and proxy over UDP (of both IPs), TCP and TLS.

    REGISTER wants the password of the room, but from `guest…`. What OPTIONS gets, by whom it asks for:

    - `locked`: 401 until the monitor logs in, `behind-proxy` and the room `guest-behind-proxy` 407;
    - `either`: 401 that offers MD5 before the registrar's own algorithm, of which it takes that alone;
    - `forbidden`: 403 after a log-in; `barred`: 403 at once; `broken`: 500;
    - `…quick`: it gives up after 0.3 s (408).
    """

    def __init__(self, folder: Path, authority: Authority, algorithm: str = "MD5") -> None:
        super().__init__(folder, f"registrar-{algorithm}")
        self.port, self.tls, self.expired_tls = free_port(), free_port(), free_port()
        self.algorithm = algorithm
        self.authority = authority

    def start(self) -> None:
        work = self.folder / self.name
        work.mkdir()
        good = self.authority.issue(f"{self.name}-good", [REALM, LOOPBACK], days=80)
        expired = self.authority.issue(f"{self.name}-expired", [REALM, LOOPBACK], days=-3)
        (work / "tls.cfg").write_text(
            _tls("server:default", *good)
            + _tls(f"server:{LOOPBACK}:{self.expired_tls}", *expired)
            + "[client:default]\nverify_certificate = no\n"
        )
        modules = "\n".join(
            f'loadmodule "{each}.so"'
            for each in ("sl", "tm", "rr", "pv", "maxfwd", "textops", "siputils", "usrloc", "registrar", "auth", "tls")
        )
        algorithm = 'modparam("auth", "algorithm", "SHA-256")' if self.algorithm == "SHA-256" else ""
        (work / "kamailio.cfg").write_text(f"""#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
tcp_children=1
children=1
auto_aliases=no
enable_tls=yes
listen=udp:{LOOPBACK}:{self.port}
listen=udp:[::1]:{self.port}
listen=tcp:{LOOPBACK}:{self.port}
listen=tls:{LOOPBACK}:{self.tls}
listen=tls:{LOOPBACK}:{self.expired_tls}
{modules}
modparam("usrloc", "db_mode", 0)
modparam("tls", "config", "{work}/tls.cfg")
{algorithm}
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if (is_method("REGISTER")) {{
    if (!($tU =~ "^guest") && !pv_www_authenticate("{REALM}", "{ROOM_PASSWORD}", "0")) {{
      www_challenge("{REALM}", "1"); exit;
    }}
    save("location"); exit;
  }}
  if ($rU == "locked" || $rU == "forbidden") {{
    if (!pv_www_authenticate("{REALM}", "{MONITOR_PASSWORD}", "0")) {{ www_challenge("{REALM}", "1"); exit; }}
    if ($rU == "forbidden") {{ sl_send_reply("403", "Forbidden"); exit; }}
    sl_send_reply("200", "OK"); exit;
  }}
  if ($rU == "barred") {{ sl_send_reply("403", "Forbidden"); exit; }}
  if ($rU == "broken") {{ sl_send_reply("500", "Server Error"); exit; }}
  if ($rU == "either") {{
    if (!pv_www_authenticate("{REALM}", "{MONITOR_PASSWORD}", "0")) {{
      append_to_reply("WWW-Authenticate: Digest realm=\\"{REALM}\\", nonce=\\"$ci\\", qop=\\"auth\\", algorithm=MD5\\r\\n");
      www_challenge("{REALM}", "1"); exit;
    }}
    sl_send_reply("200", "OK"); exit;
  }}
  if ($rU == "behind-proxy" || $rU == "guest-behind-proxy") {{
    if (!pv_proxy_authenticate("{REALM}", "{MONITOR_PASSWORD}", "0")) {{ proxy_challenge("{REALM}", "1"); exit; }}
    if ($rU == "behind-proxy") {{ sl_send_reply("200", "OK"); exit; }}
  }}
  if ($rU == $null) {{ sl_send_reply("200", "OK"); exit; }}
  if (!lookup("location")) {{ sl_send_reply("404", "Not Registered"); exit; }}
  if ($tU =~ "quick$") {{ t_set_fr("0", "300"); }}
  t_relay();
}}
""")
        self.spawn(
            [program("kamailio"), "-f", f"{work}/kamailio.cfg", "-DD", "-m", "64", "-M", "8", "-Y", str(work)],
            lambda: all(accepts(port) for port in (self.port, self.tls, self.expired_tls)),
        )

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self.authority.ca.read_text()}

    def register(self, guest: str, port: int, host: str = LOOPBACK) -> None:
        """Let `guest…` be reached at a port of loopback."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(5)
            one.connect((LOOPBACK, self.port))
            here = f"{LOOPBACK}:{one.getsockname()[1]}"
            one.send(
                f"REGISTER sip:{LOOPBACK} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{guest}\r\nMax-Forwards: 9\r\n"
                f"From: <sip:{guest}@{LOOPBACK}>;tag=1\r\nTo: <sip:{guest}@{LOOPBACK}>\r\nCall-ID: {guest}\r\nCSeq: 1 REGISTER\r\n"
                f"Contact: <sip:{guest}@{host}:{port}>\r\nExpires: 600\r\nContent-Length: 0\r\n\r\n".encode()
            )
            assert one.recv(2000).startswith(b"SIP/2.0 200")


def _tls(section: str, certificate: Path, key: Path) -> str:
    return f"[{section}]\nmethod = TLSv1.2+\ncertificate = {certificate}\nprivate_key = {key}\n"


class Baresip(Server):
    """A room over UDP, TCP and TLS, registered as `user` when the password is right; its certificate lasts for `days`.

    What it does stands in its log. It knows MD5 alone.
    """

    def __init__(
        self, folder: Path, registrar: Registrar, user: str = ROOM, password: str = ROOM_PASSWORD, *, days: float = 80
    ) -> None:
        super().__init__(folder, f"baresip-{user}")
        self.user = user
        self.port = _free_port_below_another()
        self.tls = self.port + 1
        self._registrar, self._password, self._days = registrar, password, days

    def start(self) -> None:
        work = self.folder / self.name
        work.mkdir()
        account = f"<sip:{self.user}@{LOOPBACK}:{self._registrar.port};transport=udp>;regint=60;auth_user={self.user};"
        write_baresip(work, f"{LOOPBACK}:{self.port}", f"{account}auth_pass={self._password}")
        certificate, key = self._registrar.authority.issue(self.name, [REALM, LOOPBACK], days=self._days)
        (work / "both.pem").write_bytes(certificate.read_bytes() + key.read_bytes())
        with (work / "config").open("a") as config:
            config.write(f"sip_certificate {work}/both.pem\n")
        told = b"200 OK" if self._password == ROOM_PASSWORD else b"401"
        self.spawn([program("baresip"), "-f", str(work)], lambda: told in self.log.read_bytes())

    @property
    def rung(self) -> int:
        """How many calls came in, by its log."""
        return self.log.read_bytes().lower().count(b"incoming call")


class Linphone(Server):
    """A room over UDP and TCP that knows SHA-256, registered as `user` when the password is right.

    It answers no TLS ("New connection arriving on TLS, not handled", says belle-sip), but registers over it at the port
    `tls` of its registrar. At level 6 its log holds each message as it came.
    """

    def __init__(
        self, folder: Path, registrar: Registrar, user: str, password: str = ROOM_PASSWORD, *, tls: int = 0,
        address: str = LOOPBACK,
    ) -> None:  # fmt: skip
        super().__init__(folder, f"linphone-{user}")
        self.user = user
        self.port = free_port()
        self._registrar, self._password, self._tls, self._address = registrar, password, tls, address

    def start(self) -> None:
        work = self.folder / self.name
        (work / ".local/share/linphone").mkdir(parents=True)  # without it linphonec ends
        (work / "ca.pem").write_text(self._registrar.ca["file"])
        way = f"{self._tls};transport=tls" if self._tls else f"{self._registrar.port};transport=tcp"
        (work / "linphonerc").write_text(f"""[sip]
sip_port={self.port}
sip_tcp_port={self.port}
sip_tls_port=-1
bind_address={self._address}
use_ipv6=0
root_ca={work}/ca.pem
verify_server_cn=0
default_proxy=0
[proxy_0]
reg_proxy=<sip:{LOOPBACK}:{way}>
reg_identity=sip:{self.user}@{LOOPBACK}
reg_expires=60
reg_sendregister=1
[auth_info_0]
username={self.user}
passwd={self._password}
realm={REALM}
algorithm={self._registrar.algorithm}
""")
        self.spawn(
            [program("linphonec"), "-c", str(work / "linphonerc"), "-d", "6"],
            lambda: re.search(rb"to \[LinphoneRegistration(Ok|Failed)\]", self.log.read_bytes()) is not None,
            {"HOME": str(work)},
            stdin=subprocess.PIPE,  # it ends with its input
        )

    @property
    def asked(self) -> int:
        """How many questions came in, by its log."""
        return self._came("OPTIONS")

    @property
    def rung(self) -> int:
        """How many calls came in, by its log."""
        return self._came("INVITE")

    def _came(self, method: str) -> int:
        return len(re.findall(rf"^{method} sip:{self.user}@".encode(), self.log.read_bytes(), re.MULTILINE))


TURN_USER, TURN_PASSWORD = "room", "turn-password"
TURN_OTHER = "other-room"
"""Has the same password."""


class Turnserver(Server):
    """Coturn over UDP, TCP and TLS; its relay may be sent to."""

    def __init__(self, folder: Path, authority: Authority, name: str = "coturn", *more: str, days: float = 80) -> None:
        super().__init__(folder, name)
        self.port, self.tls = free_port(), free_port()
        self._authority, self._more, self._days = authority, more, days

    def start(self) -> None:
        work = self.folder / self.name
        work.mkdir()
        certificate, key = self._authority.issue(self.name, [REALM, LOOPBACK], days=self._days)
        self.spawn(
            [
                program("turnserver"), "-n", "--lt-cred-mech", f"--realm={REALM}", f"--user={TURN_USER}:{TURN_PASSWORD}",
                f"--user={TURN_OTHER}:{TURN_PASSWORD}",
                f"--listening-ip={LOOPBACK}", f"--relay-ip={LOOPBACK}", f"--listening-port={self.port}",
                f"--tls-listening-port={self.tls}", f"--cert={certificate}", f"--pkey={key}", "--allow-loopback-peers",
                "--no-cli", "--no-dtls", "--no-rfc5780", "--log-file=stdout", "--verbose", f"--pidfile={work}/pid",
                f"--userdb={work}/turndb", "--min-port=49200", "--max-port=50200", *self._more,
            ],
            lambda: accepts(self.tls) and accepts(self.port) and _bound(self.port),
        )  # fmt: skip

    @property
    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    @property
    def given_back(self) -> int:
        """How many relays, by its log."""
        return sum("refreshed" in line and "lifetime=0" in line for line in self.said.splitlines())

    @contextlib.asynccontextmanager
    async def at_its_limit(self) -> AsyncIterator[dict[str, Any]]:
        """The log-in of another user, who holds a relay meanwhile."""
        login = {"username": TURN_OTHER, "password": {"file": TURN_PASSWORD}}
        request = make_request(load()["turn"], LOOPBACK, 5.0, {"port": self.port, **login})
        async with open_client(request) as (client, _):
            await client.ask(Method.ALLOCATE, lambda _: [(Attribute.REQUESTED_TRANSPORT, b"\x11\0\0\0")])
            yield login
            client.tell(Method.REFRESH, Kind.REQUEST, lambda _: [(Attribute.LIFETIME, bytes(4))])

    @property
    def login(self) -> dict[str, Any]:
        """Options of a user that it knows."""
        return {"username": TURN_USER, "password": {"file": TURN_PASSWORD}}

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self._authority.ca.read_text()}


class Sipp(Server):
    """SIPp, which answers the OPTIONS of each Call-ID by a scenario."""

    ASKED_AGAIN = '<recv request="OPTIONS"/>'
    """A step: it waits for the next question."""

    def __init__(self, folder: Path, name: str, steps: str) -> None:
        super().__init__(folder, f"sipp-{name}")
        self.port = free_port()
        self._steps = steps

    def start(self) -> None:
        scenario = self.folder / f"{self.name}.xml"
        scenario.write_text(
            f'<?xml version="1.0"?>\n<scenario name="{self.name}">\n{self.ASKED_AGAIN}\n{self._steps}\n</scenario>\n'
        )
        command = [program("sipp"), "-sf", str(scenario), "-i", LOOPBACK, "-p", str(self.port), "-nostdin"]
        self.spawn(command, lambda: _bound(self.port))

    @staticmethod
    def send(status: str) -> str:
        """A step: an answer in form."""
        return (
            f"<send><![CDATA[\n\nSIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:];tag=[call_number]\n"
            "[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>"
        )

    @staticmethod
    def logged_in() -> str:
        """Steps: 200 to who answers a challenge with the monitor's password, 403 to others."""
        challenge = (
            '401 Unauthorized\nWWW-Authenticate: Digest realm="room.example", nonce="n1", qop="auth", algorithm=MD5'
        )
        check = f'<verifyauth assign_to="right" username="{MONITOR}" password="{MONITOR_PASSWORD}"/>'
        return (
            f'{Sipp.send(challenge)}<recv request="OPTIONS"><action>{check}</action></recv><nop next="right" test="right"/>'
            f'{Sipp.send("403 Forbidden")}<nop next="end"/><label id="right"/>{Sipp.send("200 OK")}<label id="end"/>'
        )


def call(port: int, user: str) -> None:
    """Ring a room of ours: what the probe never does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect((LOOPBACK, port))
        here = f"{LOOPBACK}:{one.getsockname()[1]}"
        body = f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
        one.send(
            f"INVITE sip:{user}@{LOOPBACK}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKcall\r\nMax-Forwards: 9\r\n"
            f"From: <sip:caller@{here}>;tag=1\r\nTo: <sip:{user}@{LOOPBACK}>\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\n"
            f"Contact: <sip:caller@{here}>\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )


def _free_port_below_another() -> int:
    """A free port whose neighbour is free too: there baresip takes TLS."""
    for _ in range(100):
        port = free_port()
        with socket.socket() as neighbour, contextlib.suppress(OSError):
            neighbour.bind((LOOPBACK, port + 1))
            return port
    pytest.fail("no two free ports side by side")


def _bound(port: int) -> bool:
    """Whether somebody has the port of UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, contextlib.suppress(OSError):
        one.bind((LOOPBACK, port))
        return False
    return True


def asked_through(registrar: Registrar, user: str, **options: Any) -> dict[str, Any]:
    """Options that ask for a room through its registrar."""
    return {"through": LOOPBACK, "port": registrar.port, "user": user, **options}
