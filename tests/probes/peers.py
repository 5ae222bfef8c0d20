"""What the probe tests talk to: real servers on loopback, small peers of our own, and two network namespaces."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gzip
import math
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.certificates import Authority
from monitor.core.model import Outcome, Reason
from probes import registry
from probes.registry import COMMON_METRICS, Kind, Memory, Request, Result
from probes.wire import icmp, mib

LOOPBACK = "127.0.0.1"
GIVE_UP_SECONDS = 20.0
"""A bound for what should come at once; no test measures it."""


# -- asking ------------------------------------------------------------------------------------------------------------


def make_request(
    kind: Kind,
    address: str,
    timeout: float,
    options: Mapping[str, Any],
    memory: dict[str, Any] | None = None,
    shared: Memory | None = None,
) -> Request[Any]:
    """A request; `{"file": TEXT}` stands for the secret TEXT."""
    model = kind.options.model_validate(dict(options), context={"read_secret": lambda _where, text: text})
    memory = {} if memory is None else memory
    shared = Memory() if shared is None else shared
    return Request(address=address, options=model, timeout_seconds=timeout, memory=memory, shared=shared)


async def ask(
    kind_name: str,
    address: str = LOOPBACK,
    *,
    timeout: float = 5.0,
    memory: dict[str, Any] | None = None,
    shared: Memory | None = None,
    told: list[str] | None = None,
    **options: Any,
) -> Result:
    """Run a probe once as the scheduler does; whatever it emits must be declared."""
    kind = registry.load()[kind_name]
    request = make_request(kind, address, timeout, options, memory, shared)
    request.trace = (told if told is not None else []).append
    result, _ = await registry.run_once(kind, request)
    assert_declared(kind, result)
    return result


def assert_declared(kind: Kind, result: Result) -> None:
    """Only declared metrics with their declared labels, and an outcome that fits the reason."""
    declared = {metric.name: metric.labels for metric in (*kind.metrics, *COMMON_METRICS)}
    for key in result.values:
        name, _, labels = key.partition("{")
        assert name in declared, f"{kind.name} emits {name}, which it does not declare"
        assert tuple(re.findall(r'(\w+)="', labels)) == declared[name], key
    assert (result.outcome is Outcome.OK) == (result.reason is Reason.OK)
    assert len(result.evidence) <= 400
    assert "\n" not in result.evidence


def wait_until(what: str, ready: Callable[[], bool], log: Path | None = None) -> None:
    """Until `ready` says so; what does not get ready fails the test."""
    until = time.monotonic() + GIVE_UP_SECONDS
    while not ready():
        if time.monotonic() > until:
            said = log.read_text(errors="replace")[-1500:] if log else ""
            pytest.fail(f"{what} does not get ready: {said}")
        time.sleep(0.02)


async def eventually(what: str, ready: Callable[[], bool]) -> None:
    """The same inside the loop."""
    try:
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while not ready():
                await asyncio.sleep(0.005)
    except TimeoutError:
        pytest.fail(f"never: {what}")


# -- servers of others -------------------------------------------------------------------------------------------------


def program(name: str) -> str:
    """Where a program is; one that is missing is a failure, for a test that did not run has proved nothing."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        pytest.fail(f"{name} is not installed: python3 lab/setup.py says what is missing")
    return found


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nobody has; of TCP it is free for UDP as well."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, kind) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            one.bind((LOOPBACK, 0))
            with contextlib.suppress(OSError):
                if kind is not socket.SOCK_DGRAM:
                    other.bind(one.getsockname())
                return int(one.getsockname()[1])
    pytest.fail("no free port")


def accepts(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as one:
        return one.connect_ex((LOOPBACK, port)) == 0


class Server:
    """One process of a real server."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(
        self,
        command: list[str],
        ready: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, stdin=stdin, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )
        self._process = process

        def alive_and_ready() -> bool:
            if process.poll() is not None:
                pytest.fail(f"{self.name} ended: {self.log.read_text(errors='replace')[-1500:]}")
            return ready()

        wait_until(self.name, alive_and_ready, self.log)

    @contextlib.contextmanager
    def hanging(self, seconds: float = math.inf) -> Iterator[None]:
        """It and its children are stopped meanwhile, or at most so long; the kernel still takes what is sent to them."""
        assert self._process
        family = _family(self._process.pid)
        for each in family:
            os.kill(each, signal.SIGSTOP)
        wait_until("it stops", lambda: all(map(_stands_still, family)))  # a signal takes its time
        goes_on = threading.Timer(min(seconds, GIVE_UP_SECONDS), lambda: _go_on(family))
        goes_on.start()
        try:
            yield
        finally:
            goes_on.cancel()
            goes_on.join()
            _go_on(family)

    def kill(self) -> None:
        """It has no time to say farewell."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None


def _family(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(each for child in children for each in _family(int(child)))]


def _stands_still(process: int) -> bool:
    threads = Path(f"/proc/{process}/task").glob("*/stat")
    return all(each.read_text().rpartition(")")[2].split()[0] == "T" for each in threads)


def _go_on(family: list[int]) -> None:
    for each in family:
        os.kill(each, signal.SIGCONT)


def running(server: Any) -> Iterator[Any]:
    """Started, and ended afterwards."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


PAGE = "<h1>Một cửa</h1><form>Đăng nhập</form>"
BOMB_BYTES = 8 << 20
LARGE_BYTES = 300_000


class Nginx(Server):
    """Pages, good and bad, over HTTP and TLS; certificates by name."""

    def __init__(self, folder: Path, authority: Authority, stranger: Authority, between: Authority) -> None:
        """`between` is signed by the authority and ends in 9 days."""
        super().__init__(folder, "nginx")
        self.http, self.https, self.old_https = free_port(), free_port(), free_port()
        """`old_https` does not know HTTP/2."""
        self.authority = authority
        self._certificates = {
            "good.example": authority.issue("good", ["good.example", LOOPBACK], days=90),
            "soon.example": authority.issue("soon", ["soon.example"], days=5),
            "expired.example": authority.issue("expired", ["expired.example"], days=-2),
            "wrong.example": authority.issue("wrong", ["another.example"]),
            "stranger.example": stranger.issue("stranger", ["stranger.example"]),
            "chain.example": between.issue("chain", ["chain.example"], days=90),
            "last.example": authority.issue("last", ["last.example"], days=90),
        }

    def start(self) -> None:
        www = self.folder / "www"
        www.mkdir()
        (www / "index.html").write_text(PAGE, encoding="utf-8")
        (www / "broken.html").write_text(PAGE + "<p>Lỗi kết nối cơ sở dữ liệu</p>", encoding="utf-8")
        (www / "bomb").write_bytes(gzip.compress(bytes(BOMB_BYTES)))
        (www / "large").write_text("x" * LARGE_BYTES)
        (www / "slow.html").write_text("x" * 100_000)
        (www / "strange.html").write_text(PAGE, encoding="utf-8")
        (www / "old.html").write_bytes("Mở cửa".encode("utf-16"))
        temporary = "\n".join(
            f"{each}_temp_path {self.folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        many = "".join(f"add_header X-Many-{index} {'y' * 3000}; " for index in range(10))
        places = f"""
    root {www};
    index index.html;
    location = /moved {{ return 301 /; }}
    location = /away {{ return 302 $scheme://elsewhere.example/?token=hidden; }}
    location = /loop {{ return 302 /loop; }}
    location = /down {{ return 302 http://good.example:{self.http}/; }}
    location = /up {{ return 302 https://good.example:{self.https}/; }}
    location = /file {{ return 302 file:///etc/passwd; }}
    location = /fault {{ return 503; }}
    location = /hello {{ return 200 "$http_x_name"; }}
    location = /asked {{ return 200 "$host|$http_user_agent|$http_accept"; }}
    location = /headers {{ {many} return 200 "many"; }}
    location = /trailer {{ add_trailer X-Checksum "1"; alias {www}/large; }}
    location = /bomb {{ add_header Content-Encoding gzip; default_type text/plain; }}
    location = /slow.html {{ limit_rate 100; }}
    location = /strange.html {{ charset no-such-charset; }}
    location = /old.html {{ charset utf-16; }}
"""
        servers = "".join(
            f"""
  server {{
    listen {LOOPBACK}:{self.https} ssl http2;
    listen {LOOPBACK}:{self.old_https} ssl;
    server_name {name};
    {"keepalive_requests 1;" if name == "last.example" else ""}
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3;
    {places}
  }}"""
            for name, (certificate, key) in self._certificates.items()
        )
        settings = self.folder / "nginx.conf"
        settings.write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1;
pid {self.folder}/nginx.pid;
events {{ worker_connections 256; }}
http {{
  access_log off;
  default_type text/html;
  charset utf-8;
  types {{ text/html html; }}
  {temporary}
  server {{
    listen {LOOPBACK}:{self.http};
    {places}
  }}
  {servers}
}}
""")
        self.spawn(
            [program("nginx"), "-c", str(settings), "-e", str(self.log), "-p", str(self.folder)],
            lambda: accepts(self.http) and accepts(self.https),
        )

    @property
    def ca(self) -> dict[str, str]:
        """The option `ca`."""
        return {"file": self.authority.ca.read_text()}

    def page(self, path: str = "/", *, tls: str = "", old: bool = False) -> str:
        """Address of a page; `tls`: over TLS at this name; `old`: where HTTP/2 is not known."""
        return (
            f"https://{tls}:{self.old_https if old else self.https}{path}"
            if tls
            else f"http://good.example:{self.http}{path}"
        )


COMMUNITY = "test-community"
V3_USER = "monitor"
V3_AUTH = "test-auth-password"
V3_PRIVACY = "test-privacy-password"
V3_OTHERS = {"md5": "MD5", "sha256": "SHA-256", "sha512": "SHA-512"}
"""Users who are named as their authentication, with net-snmp's name of it."""
UPS = "1.3.6.1.2.1.33.1"


def agent_answers(address: str, port: int, community: str) -> bool:
    """Whether an SNMP agent answers anything."""
    # GET sysUpTime.0, version 2c, as RFC 3416 writes it.
    name = community.encode()
    get = bytes.fromhex("a019020101020100020100300e300c06082b060102010103000500")
    body = b"\x02\x01\x01" + b"\x04" + bytes([len(name)]) + name + get
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(0.2)
        one.connect((address, port))
        with contextlib.suppress(OSError):
            one.send(b"\x30" + bytes([len(body)]) + body)
            return bool(one.recv(1500))
    return False


class Snmpd(Server):
    """An agent of net-snmp; `objects` are values by OID, over its own: numbers, texts, or OIDs with a point before them."""

    def __init__(
        self, folder: Path, name: str, objects: Mapping[str, int | str] | None = None, address: str = LOOPBACK
    ) -> None:
        super().__init__(folder, name)
        self.address = address
        self.port = free_port()
        self.objects = dict(objects or {})

    def start(self) -> None:
        work = self.folder / self.name
        work.mkdir(exist_ok=True)
        overrides = "\n".join(f"override .{oid} {_kind(value)} {value}" for oid, value in self.objects.items())
        others = "\n".join(
            f"createUser {auth} {name} {V3_AUTH} AES {V3_PRIVACY}\nrouser {auth} authpriv"
            for auth, name in V3_OTHERS.items()
        )
        (work / "snmpd.conf").write_text(f"""
agentaddress udp:{self.address}:{self.port}
rocommunity {COMMUNITY}
createUser {V3_USER} SHA {V3_AUTH} AES {V3_PRIVACY}
rouser {V3_USER} authpriv
{others}
{overrides}
""")
        self.spawn(
            [
                program("snmpd"), "-f", "-C", "-c", str(work / "snmpd.conf"), "-Lo", "-p", str(work / "pid"),
                "-I", "-smux",
            ],
            lambda: agent_answers(self.address, self.port, COMMUNITY),
            {"SNMP_PERSISTENT_DIR": str(work), "MIBS": ""},
        )  # fmt: skip

    @property
    def v2c(self) -> dict[str, Any]:
        """Options for version 2c."""
        return {"port": self.port, "community": {"file": COMMUNITY}}

    @property
    def v3(self) -> dict[str, Any]:
        """Options for version 3."""
        return {
            "port": self.port, "version": "3", "user": V3_USER, "auth_password": {"file": V3_AUTH},
            "privacy_password": {"file": V3_PRIVACY},
        }  # fmt: skip


def _kind(value: int | str) -> str:
    """What net-snmp calls the type of a value."""
    return "integer" if isinstance(value, int) else "object_id" if value.startswith(".") else "octet_str"


def sensor(index: int, name: str, value: int, *, kind: int = mib.CELSIUS, status: int = 1) -> dict[str, int | str]:
    """Objects of a sensor of ENTITY-SENSOR-MIB, in tenths of its unit."""
    columns = dict(zip(mib.SENSOR_COLUMNS, (kind, 9, 1, value, status), strict=True))
    return {f"{mib.ENT_PHYSICAL_NAME}.{index}": name, **{f"{oid}.{index}": each for oid, each in columns.items()}}


class Kamailio(Server):
    """A registrar; OPTIONS for some users gives the answer that their name says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "kamailio")
        self.port = free_port()

    def start(self) -> None:
        settings = self.folder / "kamailio.cfg"
        modules = "\n".join(
            f'loadmodule "{each}.so"' for each in ("sl", "tm", "rr", "pv", "maxfwd", "textops", "siputils")
        )
        settings.write_text(f"""#!KAMAILIO
debug=1
log_stderror=yes
fork=yes
tcp_children=1
children=1
auto_aliases=no
listen=udp:{LOOPBACK}:{self.port}
listen=tcp:{LOOPBACK}:{self.port}
{modules}
request_route {{
  if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
  if ($rU == "locked") {{ sl_send_reply("401", "Unauthorized"); exit; }}
  if ($rU == "busy") {{ sl_send_reply("486", "Busy Here"); exit; }}
  if ($rU == "broken") {{ sl_send_reply("500", "Server Error"); exit; }}
  if ($rU == "patient") {{ sl_send_reply("100", "Trying"); sl_send_reply("200", "OK"); exit; }}
  if ($rU != $null) {{ sl_send_reply("404", "Not Registered"); exit; }}
  sl_send_reply("200", "OK");
}}
""")
        runtime = self.folder / "kamailio"
        runtime.mkdir()
        self.spawn(
            [program("kamailio"), "-f", str(settings), "-DD", "-m", "64", "-M", "8", "-Y", str(runtime)],
            lambda: accepts(self.port),
        )


class Dnsmasq(Server):
    """A name server for `.example`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "dnsmasq")
        self.port = free_port()

    def start(self) -> None:
        long = ",".join("a" * 250 for _ in range(4))
        self.spawn(
            [
                program("dnsmasq"), "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                "--bind-interfaces", f"--listen-address={LOOPBACK}", f"--port={self.port}", "--user=root",
                "--local=/example/", "--host-record=good.example,10.1.2.3", "--host-record=good.example,10.1.2.4",
                "--mx-host=good.example,mail.good.example,10", f"--txt-record=long.example,{long}",
                f"--pid-file={self.folder}/dnsmasq.pid",
            ],
            lambda: accepts(self.port),
        )  # fmt: skip


# -- peers of our own --------------------------------------------------------------------------------------------------


class TcpPeer:
    """Accepts on a free port; says `greeting`, then `endless` again and again until the other end goes."""

    MOST_BYTES = 64 << 20

    def __init__(
        self, greeting: bytes = b"", endless: bytes = b"", *, hang_up: bool = False, host: str = LOOPBACK
    ) -> None:
        self._greeting, self._endless, self._hang_up, self._host = greeting, endless, hang_up, host
        self._writers: set[asyncio.StreamWriter] = set()
        self.seen = 0
        self.sent = 0
        self.said = b""
        """What the other end said, after the greeting."""
        self.port = 0

    async def __aenter__(self) -> TcpPeer:
        self._server = await asyncio.start_server(self._serve, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for each in list(self._writers):
            each.transport.abort()
        await eventually("connections of the peer end", lambda: not self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.seen += 1
        try:
            writer.write(self._greeting)
            await writer.drain()
            while self._endless and self.sent < self.MOST_BYTES:
                writer.write(self._endless)
                self.sent += len(self._endless)
                await writer.drain()
                await asyncio.sleep(0)
            if self._hang_up:
                writer.close()
                await writer.wait_closed()
                return
            while heard := await reader.read(65536):
                self.said += heard
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


class UdpPeer(asyncio.DatagramProtocol):
    """Takes datagrams on a free port and sends `answers` for each, or what `answer` makes of it."""

    host = LOOPBACK

    def __init__(
        self, answers: list[bytes] | None = None, answer: Callable[[bytes], list[bytes]] | None = None
    ) -> None:
        self._answer = answer or (lambda _: answers or [])
        self.seen: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> UdpPeer:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.abort()
        await asyncio.sleep(0)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.seen.append(data)
        for each in self._answer(data):
            self._transport.sendto(each, addr)


# -- namespaces --------------------------------------------------------------------------------------------------------

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000

NEAR, HOP = "10.199.0.1", "10.199.0.2"
TARGETS = "10.200.0.0/24"


def run(*command: str, given: str | None = None) -> None:
    """A command that must work."""
    done = subprocess.run(
        [program(command[0]), *command[1:]], input=given, text=True, capture_output=True, check=False, timeout=20
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"


def _set_namespace(descriptor: int) -> None:
    if _LIBC.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, in a named network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _set_namespace(there)
        try:
            yield
        finally:
            _set_namespace(before)
    finally:
        os.close(there)
        os.close(before)


class Field:
    """Two namespaces in a row: `near`, where the test stands, and `far`, where every address of TARGETS answers."""

    def __init__(self) -> None:
        self.near, self.far = f"probes-near-{os.getpid()}", f"probes-far-{os.getpid()}"
        self._unreachable: list[str] = []

    def make(self) -> None:
        for each in (self.near, self.far):
            run("ip", "netns", "add", each)
            run("ip", "-n", each, "link", "set", "lo", "up")
        run("ip", "-n", self.near, "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", self.far)
        for name, link, address in ((self.near, "near0", NEAR), (self.far, "far0", HOP)):
            run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", link)
            run("ip", "-n", name, "link", "set", link, "up")
        run("ip", "-n", self.near, "route", "add", TARGETS, "via", HOP)
        run("ip", "-n", self.far, "route", "add", "local", TARGETS, "dev", "lo")
        run("ip", "-n", self.near, "-6", "addr", "add", "fd99::1/64", "dev", "near0", "nodad")
        run("ip", "-n", self.far, "-6", "addr", "add", "fd99::2/64", "dev", "far0", "nodad")
        # Not icmp_ratelimit=0: that takes from the few "unreachable" that a route tells.
        self._sysctl("net.ipv4.icmp_ratemask=0")
        self._sysctl("net.ipv4.ip_forward=1")  # only a router says "unreachable"
        self._sysctl("net.ipv6.conf.all.forwarding=1")
        self._sysctl("net.ipv6.icmp.ratelimit=0")

    def end(self) -> None:
        for each in (self.near, self.far):
            subprocess.run([program("ip"), "netns", "del", each], check=False, capture_output=True)

    def faults(self, *rules: str) -> None:
        """Replace the rules for what comes to the far side, as `ip daddr 10.200.0.7 drop`."""
        lines = "\n".join(rules)
        run(
            "ip", "netns", "exec", self.far, "nft", "-f", "-",
            given="table ip faults\ndelete table ip faults\ntable ip faults {\nchain input {\n"
            f"type filter hook input priority 0\n{lines}\n}}\n}}\n",
        )  # fmt: skip

    def no_way_to(self, address: str) -> None:
        """The far side, as a router, answers "host unreachable" for it, until `mend`."""
        run("ip", "-n", self.far, "route", "add", "unreachable", f"{address}/32", "table", "local")
        self._unreachable.append(address)

    def no_way_6(self, net: str) -> None:
        """The same over IPv6; for good, as nothing else is there."""
        run("ip", "-n", self.near, "-6", "route", "replace", net, "via", "fd99::2")
        run("ip", "-n", self.far, "-6", "route", "replace", "unreachable", net)

    def mend(self) -> None:
        """Everything as it was."""
        self.faults()
        self.answers(True)
        while self._unreachable:
            run("ip", "-n", self.far, "route", "del", "unreachable", f"{self._unreachable.pop()}/32", "table", "local")

    def answers(self, wanted: bool) -> None:
        """Whether the far kernel answers echoes itself."""
        self._sysctl(f"net.ipv4.icmp_echo_ignore_all={int(not wanted)}")

    def _sysctl(self, setting: str) -> None:
        run("ip", "netns", "exec", self.far, "sysctl", "-qw", setting)


# -- echoes ------------------------------------------------------------------------------------------------------------


def echo_reply(identifier: int, sequence: int, payload: bytes) -> bytes:
    """An ICMP echo reply."""
    blank = struct.pack("!BBHHH", icmp.ECHO_REPLY_4, 0, 0, identifier, sequence) + payload
    return blank[:2] + struct.pack("!H", icmp.checksum(blank)) + blank[4:]


@dataclass(frozen=True, slots=True)
class Echo:
    """One echo request as it came to the far side."""

    source: str
    destination: str
    identifier: int
    sequence: int
    payload: bytes

    def reply(self) -> bytes:
        """The right answer."""
        return echo_reply(self.identifier, self.sequence, self.payload)


class Responder:
    """Answers echoes in the far namespace in the kernel's stead, from any address, as wrongly as a test wants."""

    def __init__(self, field: Field, answer: Callable[[Echo], list[tuple[str, bytes]]]) -> None:
        self._answer = answer
        self.seen: list[Echo] = []
        field.answers(False)
        with inside(field.far):
            self._in = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
            self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    async def __aenter__(self) -> Responder:
        asyncio.get_running_loop().add_reader(self._in.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._in.fileno())
        self._in.close()
        self._out.close()

    def _read(self) -> None:
        packet, sender = self._in.recvfrom(65535)
        message = packet[(packet[0] & 15) * 4 :]
        if message[0] != icmp.ECHO_REQUEST_4:
            return
        identifier, sequence = struct.unpack_from("!HH", message, 4)
        echo = Echo(sender[0], socket.inet_ntoa(packet[16:20]), identifier, sequence, message[8:])
        self.seen.append(echo)
        for source, answer in self._answer(echo):
            self.send(source, echo.source, answer)

    def send(self, source: str, destination: str, message: bytes) -> None:
        """One ICMP message from any address; the kernel fills the length and the checksum of the header."""
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_ICMP, 0, socket.inet_aton(source),
            socket.inet_aton(destination),
        )  # fmt: skip
        self._out.sendto(header + message, (destination, 0))
