"""Asks STUN and TURN servers for candidates, as a browser does before media can flow (RFC 8445 section 5.1.1).

Who names the servers is a stranger, and could send us anywhere. So they are few, are sent nothing but STUN, and are not asked at
an address that is less public than the stranger's own: nobody on the internet can point us into the inner network, and nobody
but a service on this machine at this machine. Chromium draws the same line (Local Network Access).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from pydantic import SecretStr

from monitor import names
from monitor.core.model import Outcome, Reason
from probes.engine.connection import UntrustedError
from probes.engine.stun import Client, RefusedError, ServerOptions, open_client
from probes.engine.turn import lent
from probes.registry import Metric, Request, Result, failed, inconclusive, labelled, ok, result_of
from probes.wire import stun, tls
from probes.wire.stun import Attribute, Method
from probes.wire.text import one_line
from probes.wire.xmpp import IceKind, IceServer, may_be_asked

CANDIDATES = "probe_webrtc_ice_candidates"
SERVERS, FAILED_SERVERS = "probe_webrtc_ice_servers", "probe_webrtc_ice_failed_servers"
METRICS = (
    Metric(name=CANDIDATES, help="Candidates by type.", labels=("type",)),
    Metric(name=SERVERS, help="STUN and TURN servers that were asked."),
    Metric(name=FAILED_SERVERS, help="Those of them that gave no candidate."),
)
TYPES: dict[IceKind, str] = {"stun": "srflx", "turn": "relay", "turns": "relay"}
"""Of candidate, by what a server is (RFC 8839 section 5.1)."""
MOST_SERVERS = 8
MOST_ADDRESSES = 4
"""Of a server's name that are asked."""
MOST_ALTERNATES = 2
"""A TURN server may send us on (RFC 8489 section 10), as one does that shares the load out; libwebrtc goes there too."""
MOST_EVIDENCE = 300
LEAST_SECONDS = 0.5
"""With less time nobody could answer, and it would not be the servers' fault."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""The last 32 bits are an address of IPv4 (RFC 6052 section 2.1)."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Of whoever runs the network (RFC 8215); Python before 3.11.9 takes it for global."""


class _Reach(IntEnum):
    """From how far away an address can be reached."""

    NOBODY = 0
    """Multicast and the like."""
    MACHINE = 1
    """Loopback and link-local."""
    NETWORK = 2
    INTERNET = 3


def _reach(address: str) -> _Reach:
    ip = ipaddress.ip_address(address.partition("%")[0])
    inner = False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.is_site_local or ip in _LOCAL_NAT64
        ip = _leads_to(ip)
    if ip.is_multicast or ip.is_unspecified or (ip.version == 4 and ip.is_reserved):
        return _Reach.NOBODY
    if ip.is_loopback or ip.is_link_local:
        return _Reach.MACHINE
    return _Reach.INTERNET if ip.is_global and not inner else _Reach.NETWORK


def _leads_to(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address of IPv4 that the kernel, a translator or a tunnel makes of it; else itself."""
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def askable(address: str, named_at: str) -> bool:
    """Whether a service at `named_at` may have a server at `address` asked: at one that is as public as itself, or more."""
    return _reach(address) >= max(_Reach.MACHINE, _reach(named_at))


class _NotAskedError(Exception):
    """The address is not for us to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Who names the servers, and how they are asked."""

    host: str
    """Of the service; a server of the same name is at the same address."""
    address: str
    """Where the service is, a number."""
    verify: bool
    ca: SecretStr
    patience_seconds: float
    """For all of them together: they are asked at once."""
    trace: Callable[[str], None]

    async def ask(self, server: IceServer) -> Result:
        """Whether it gave a candidate at one of its addresses, all asked at once; the values are those of its certificate there."""
        if server.wrong:
            return failed(Reason.CONTENT, server.wrong)
        give_up = asyncio.get_running_loop().time() + self.patience_seconds
        try:
            async with asyncio.timeout_at(give_up):
                addresses = await self._addresses(server)
        except TimeoutError:
            return self._silent("its address")
        except _NotAskedError as error:
            return failed(Reason.CONTENT, str(error))
        except OSError as error:
            return result_of(error)
        results = []
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(self._ask_at(each, server, give_up)) for each in addresses]
            for each in asyncio.as_completed(asking):
                results.append(await each)
                if results[-1].outcome is Outcome.OK:
                    for late in asking:
                        late.cancel()
                    return results[-1]
        # One that we could not ask may work.
        told = next((each for each in results if each.outcome is Outcome.INCONCLUSIVE), results[0])
        several = f"at none of {len(results)} addresses: " if results[1:] else ""
        return told._replace(evidence=f"{several}{told.evidence}")

    async def _ask_at(self, address: str, server: IceServer, give_up: float) -> Result:
        options = ServerOptions(
            port=server.port, transport=server.transport, username=server.username, password=SecretStr(server.password),
            server_name=server.host, verify=self.verify, ca=self.ca,
        )  # fmt: skip
        request = Request(address=address, options=options, timeout_seconds=self.patience_seconds)
        request.trace = lambda said: self.trace(f"{server}: {said}")
        values: Mapping[str, float] = {}
        try:
            async with asyncio.timeout_at(give_up):
                for sent_on in range(MOST_ALTERNATES + 1):
                    try:
                        async with open_client(request) as (client, opened):
                            values = opened.values if opened else {}
                            await _candidate(server, client)
                        break
                    except RefusedError as error:
                        if error.alternate is None or server.kind == "stun" or sent_on == MOST_ALTERNATES:
                            raise
                        request.address, port = error.alternate
                        self._may_ask(request.address, port)
                        request.options = options.model_copy(update={"port": port})
            return Result(outcome=Outcome.OK, values=values)
        except TimeoutError:
            return self._silent(request.doing)
        except _NotAskedError as error:
            reason, evidence = Reason.CONTENT, str(error)
        except stun.ProtocolError as error:
            reason, evidence = Reason.PROTOCOL, f"not STUN: {error}"
        except UntrustedError as error:
            reason, evidence, values = Reason.CERTIFICATE, str(error), error.values
        except RefusedError as error:
            reason = Reason.AUTH if error.credentials else Reason.STATUS
            wants = "refuses the log-in that the service gave" if server.username else "wants a log-in"
            evidence = f"alive, but {wants if error.credentials else 'refuses'}: {error}"
        except (OSError, EOFError) as error:
            return result_of(error)
        return failed(reason, evidence, values)

    def _silent(self, doing: str) -> Result:
        waited_for = f", still waited for: {doing}" if doing else ""
        return failed(Reason.TIMEOUT, f"no answer within {self.patience_seconds:.1f} s{waited_for}")

    async def _addresses(self, server: IceServer) -> list[str]:
        """Those that may be asked, looked up once, so that what was judged is what is asked. Raises _NotAskedError, OSError."""
        if server.host.lower() == self.host.lower():
            return [self.address]
        found = await names.look_up(server.host, server.port, threads=names.OF_OTHERS)
        numbers = [names.number(each) for _, each in found]
        allowed = [each for each in numbers if askable(each, self.address)]
        self._may_ask((allowed or numbers)[0], server.port)
        return allowed[:MOST_ADDRESSES]

    def _may_ask(self, address: str, port: int) -> None:
        """Raises _NotAskedError."""
        if not askable(address, self.address):
            raise _NotAskedError(f"not asked at {address}, which is less public than the service itself")
        if not may_be_asked(port):
            raise _NotAskedError(f"not asked at port {port}, as browsers ask none there")


async def gather(gathering: Gathering, servers: Sequence[IceServer]) -> Result:
    """Ask the first MOST_SERVERS of them, all at once. Good when one works: who cannot use that one is told by the values."""
    if gathering.patience_seconds < LEAST_SECONDS:
        return failed(Reason.TIMEOUT, "no time is left for STUN and TURN: the page and the signalling took it")
    async with asyncio.TaskGroup() as group:
        asking = [(each, group.create_task(gathering.ask(each))) for each in servers[:MOST_SERVERS]]
    found = [(server, task.result()) for server, task in asking]
    asked = [(server, result) for server, result in found if result.outcome is not Outcome.INCONCLUSIVE]
    works = any(result.outcome is Outcome.OK for _, result in asked)
    wrong = [(server, result) for server, result in (asked if works else found) if result.outcome is not Outcome.OK]
    told = "; ".join(one_line(f"{server}: {result.evidence}", 130) for server, result in wrong)
    if not works:
        for _, result in wrong:
            if result.outcome is Outcome.INCONCLUSIVE:  # the one that we could not ask may work
                return inconclusive(result.reason, one_line(told, MOST_EVIDENCE))
    values = {SERVERS: float(len(asked)), FAILED_SERVERS: float(len(wrong))}
    for type_ in sorted(set(TYPES.values())):
        good = sum(TYPES[server.kind] == type_ and result.outcome is Outcome.OK for server, result in asked)
        values[labelled(CANDIDATES, type=type_)] = float(good)
    values |= tls.first_to_end(result.values for _, result in asked)
    more = f" of the {len(servers)} named" if len(servers) > len(asked) else ""
    several = f"{len(asked)} STUN and TURN servers{more}"
    if not wrong:
        return ok(f"{several} work", **values)
    evidence = one_line(f"{len(wrong)} of {several} {'do' if wrong[1:] else 'does'} not work: {told}", MOST_EVIDENCE)
    if len(wrong) < len(asked):
        return ok(evidence, **values)
    _, first = min(wrong, key=lambda each: each[0].kind == "stun")  # a relay is what people behind a firewall lack
    return failed(first.reason, evidence, values)


async def _candidate(server: IceServer, client: Client) -> None:
    """A server-reflexive one of STUN, a relayed one of TURN. Raises RefusedError, ProtocolError, OSError."""
    if server.kind != "stun":
        async with lent(client):
            return
    answer = await client.ask(Method.BINDING, lambda _: [])
    if not (answer.address(Attribute.XOR_MAPPED_ADDRESS) or answer.address(Attribute.MAPPED_ADDRESS)):
        raise stun.ProtocolError("an answer without our address")
