"""What is seen of SIP, as docs/signalling.md says it: each row by the peer that it names, and no room rings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.core.model import Outcome, Reason
from probes.registry import Result
from tests.probes.peers import GIVE_UP_SECONDS, LOOPBACK, ask, free_port, running
from tests.probes.rooms import ROOM, Baresip, Linphone, Registrar, Sipp, asked_through
from tests.probes.seen import LOGIN, PATIENCE, SIP, SLOW, THROUGH, WRONG, Rows, in_manual, over_tls, started

SECOND_ADDRESS = "127.0.0.2"
"""Who listens everywhere and is asked here answers from 127.0.0.1: so do servers with two addresses."""
SIPP_SILENT = '<pause milliseconds="9000"/>'

ROWS = Rows()
row = ROWS.add


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """All that the rows are asked of."""

    folder: Path
    registrar: Registrar
    sha256: Registrar
    baresip: Baresip
    linphone: Linphone
    """Registered at the one of SHA-256."""
    everywhere: Linphone
    """Listens at all addresses."""

    async def sipp(self, name: str, *steps: str, **options: Any) -> Result:
        """What is seen of SIPp, which goes through these steps."""
        async with started(Sipp(self.folder, f"row-{name}", "".join(steps))) as peer:
            return await ask("sip", **{"port": peer.port, "user": ROOM, **options})

    async def sipp_as_room(self, name: str, *steps: str, **options: Any) -> Result:
        """The same through the registrar."""
        async with started(Sipp(self.folder, f"guest-{name}", "".join(steps))) as peer:
            self.registrar.register(f"guest-{name}", peer.port)
            return await ask("sip", **asked_through(self.registrar, f"guest-{name}", **options))

    async def unregistered(self, room: Baresip | Linphone) -> Result:
        """What the registrar says of a room that tries in vain."""
        async with started(room):
            return await ask("sip", **asked_through(self.registrar, room.user))


def _of(room: Baresip | Linphone, **options: Any) -> dict[str, Any]:
    return {"port": room.port, "user": room.user, **options}


# -- the room itself -----------------------------------------------------------------------------------------------------


@row(SIP, "baresip, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_of(peers.baresip))


@row(SIP, "baresip over TLS, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_of(peers.baresip) | over_tls(peers.baresip.tls, peers.registrar.ca))


@row(SIP, "baresip over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    async with started(Baresip(peers.folder, peers.registrar, "room2", days=-3)) as room:
        return await ask("sip", **_of(room) | over_tls(room.tls, peers.registrar.ca))


@row(SIP, "baresip, asked for another name")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_of(peers.baresip, user="room9"))


@row(SIP, "baresip, slow")
async def _(peers: Peers) -> Result:
    with peers.baresip.hanging(SLOW):
        return await ask("sip", **_of(peers.baresip))


@row(SIP, "baresip, hangs")
async def _(peers: Peers) -> Result:
    with peers.baresip.hanging():
        return await ask("sip", **_of(peers.baresip), timeout=PATIENCE)


@row(SIP, "baresip, ended")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=free_port(), user=ROOM)


@row(SIP, "linphone, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_of(peers.linphone))


@row(SIP, "linphone over TCP, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **_of(peers.linphone, transport="tcp"))


@row(SIP, "linphone, slow")
async def _(peers: Peers) -> Result:
    with peers.linphone.hanging(SLOW):
        return await ask("sip", **_of(peers.linphone))


@row(SIP, "linphone, hangs")
async def _(peers: Peers) -> Result:
    with peers.linphone.hanging():
        return await ask("sip", **_of(peers.linphone), timeout=PATIENCE)


@row(SIP, "linphone over TCP, hangs")
async def _(peers: Peers) -> Result:
    with peers.linphone.hanging():
        return await ask("sip", **_of(peers.linphone, transport="tcp"), timeout=PATIENCE)


@row(SIP, "linphone over TCP, ended")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=free_port(), user=ROOM, transport="tcp")


@row(SIP, "linphone with two addresses, answers from the other")
async def _(peers: Peers) -> Result:
    return await ask("sip", SECOND_ADDRESS, **_of(peers.everywhere), timeout=PATIENCE)


@row(SIP, "Kamailio over IPv6, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", "::1", port=peers.registrar.port)


@row(SIP, "Kamailio over TLS, up")
async def _(peers: Peers) -> Result:
    return await ask("sip", **over_tls(peers.registrar.tls, peers.registrar.ca))


@row(SIP, "Kamailio over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    return await ask("sip", **over_tls(peers.registrar.expired_tls, peers.registrar.ca))


@row(SIP, "Kamailio, right password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked", **LOGIN)


@row(SIP, "Kamailio, right password by SHA-256")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.sha256.port, user="locked", **LOGIN)


@row(SIP, "Kamailio, offers MD5 and takes SHA-256")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.sha256.port, user="either", **LOGIN)


@row(SIP, "Kamailio, wrong password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked", **(LOGIN | WRONG))


@row(SIP, "Kamailio, no password")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="locked")


@row(SIP, "Kamailio, answers no strangers")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="barred")


@row(SIP, "Kamailio, 5xx")
async def _(peers: Peers) -> Result:
    return await ask("sip", port=peers.registrar.port, user="broken")


@row(SIP, "Kamailio, slow")
async def _(peers: Peers) -> Result:
    with peers.registrar.hanging(SLOW):
        return await ask("sip", port=peers.registrar.port)


@row(SIP, "Kamailio, hangs")
async def _(peers: Peers) -> Result:
    with peers.registrar.hanging():
        return await ask("sip", port=peers.registrar.port, timeout=PATIENCE)


@row(SIP, "Kamailio over TLS, hangs")
async def _(peers: Peers) -> Result:
    with peers.registrar.hanging():
        return await ask("sip", **over_tls(peers.registrar.tls, peers.registrar.ca), timeout=PATIENCE)


@row(SIP, "SIPp, slow: 0.7 s")
async def _(peers: Peers) -> Result:
    return await peers.sipp("slow", '<pause milliseconds="700"/>', Sipp.send("200 OK"))


@row(SIP, "SIPp, busy")
async def _(peers: Peers) -> Result:
    return await peers.sipp("busy", Sipp.send("486 Busy Here"))


@row(SIP, "SIPp, takes no OPTIONS")
async def _(peers: Peers) -> Result:
    return await peers.sipp("405", Sipp.send("405 Method Not Allowed"))


@row(SIP, "SIPp, moved")
async def _(peers: Peers) -> Result:
    return await peers.sipp("302", Sipp.send("302 Moved Temporarily"))


@row(SIP, "SIPp, 5xx that explains itself")
async def _(peers: Peers) -> Result:
    why = 'Warning: 399 sipp "No free channel"\nRetry-After: 120 (rebooting)'
    return await peers.sipp("5xx", Sipp.send(f"503 Service Unavailable\n{why}"))


@row(SIP, "SIPp, 100 and then nothing")
async def _(peers: Peers) -> Result:
    return await peers.sipp("trying", Sipp.send("100 Trying"), SIPP_SILENT, timeout=PATIENCE)


@row(SIP, "SIPp, silent")
async def _(peers: Peers) -> Result:
    return await peers.sipp("silent", SIPP_SILENT, timeout=PATIENCE)


@row(SIP, "SIPp, garbage")
async def _(peers: Peers) -> Result:
    return await peers.sipp("garbage", Sipp.send("200 OK\nnonsense"))


# -- through the registrar -----------------------------------------------------------------------------------------------


@row(THROUGH, "baresip, registered at Kamailio")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, ROOM))


@row(THROUGH, "linphone, registered by SHA-256")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.sha256, peers.linphone.user))


@row(THROUGH, "linphone, registered over TLS")
async def _(peers: Peers) -> Result:
    async with started(Linphone(peers.folder, peers.registrar, "room11", tls=peers.registrar.tls)) as room:
        options = over_tls(peers.registrar.tls, peers.registrar.ca)
        return await ask("sip", **asked_through(peers.registrar, room.user) | options)


@row(THROUGH, "baresip with a wrong password, so not registered")
async def _(peers: Peers) -> Result:
    return await peers.unregistered(Baresip(peers.folder, peers.registrar, "room12", "wrong-password"))


@row(THROUGH, "linphone with a wrong password, so not registered")
async def _(peers: Peers) -> Result:
    return await peers.unregistered(Linphone(peers.folder, peers.registrar, "room13", "wrong-password"))


@row(THROUGH, "linphone, which finds Kamailio's certificate expired, so not registered")
async def _(peers: Peers) -> Result:
    return await peers.unregistered(Linphone(peers.folder, peers.registrar, "room14", tls=peers.registrar.expired_tls))


@row(THROUGH, "baresip, slow")
async def _(peers: Peers) -> Result:
    with peers.baresip.hanging(SLOW):
        return await ask("sip", **asked_through(peers.registrar, ROOM))


@row(THROUGH, "baresip, registered, hangs")
async def _(peers: Peers) -> Result:
    with peers.baresip.hanging():
        return await ask("sip", **asked_through(peers.registrar, ROOM), timeout=2 * PATIENCE)


@row(THROUGH, "linphone, registered over TCP, hangs")
async def _(peers: Peers) -> Result:
    with peers.linphone.hanging():
        return await ask("sip", **asked_through(peers.sha256, peers.linphone.user), timeout=2 * PATIENCE)


@row(THROUGH, "linphone, switched off in order")
async def _(peers: Peers) -> Result:
    async with started(Linphone(peers.folder, peers.registrar, "room16")) as room:
        assert (await ask("sip", **asked_through(peers.registrar, room.user))).outcome is Outcome.OK
        room.stop()
        return await ask("sip", **asked_through(peers.registrar, room.user))


@row(THROUGH, "linphone, registered over TCP, gone without a farewell")
async def _(peers: Peers) -> Result:
    async with started(Linphone(peers.folder, peers.registrar, "room15")) as room:
        room.kill()
        async with asyncio.timeout(GIVE_UP_SECONDS):
            while True:  # until Kamailio has seen that the connection ended
                result = await ask("sip", **asked_through(peers.registrar, room.user), timeout=2 * PATIENCE)
                if result.reason is not Reason.TIMEOUT:
                    return result


@row(THROUGH, "registered, but gone, and Kamailio gives up before us")
async def _(peers: Peers) -> Result:
    peers.registrar.register("guest-quick", free_port())
    return await ask("sip", **asked_through(peers.registrar, "guest-quick"))


@row(THROUGH, "linphone with two addresses, answers Kamailio from the other")
async def _(peers: Peers) -> Result:
    peers.registrar.register("guest-elsewhere", peers.everywhere.port, SECOND_ADDRESS)
    return await ask("sip", **asked_through(peers.registrar, "guest-elsewhere"))


@row(THROUGH, "SIPp for the room, 5xx")
async def _(peers: Peers) -> Result:
    return await peers.sipp_as_room("5xx", Sipp.send("500 Server Internal Error"))


@row(THROUGH, "SIPp for the room, garbage, which Kamailio drops")
async def _(peers: Peers) -> Result:
    return await peers.sipp_as_room("garbage", Sipp.send("200 OK\nnonsense"), timeout=2 * PATIENCE)


@row(THROUGH, "Kamailio wants a log-in, and SIPp for the room another")
async def _(peers: Peers) -> Result:
    return await peers.sipp_as_room("behind-proxy", Sipp.logged_in(), **LOGIN)


@row(THROUGH, "Kamailio wants a password")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, "locked"))


@row(THROUGH, "Kamailio refuses our password")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, "locked", **(LOGIN | WRONG)))


@row(THROUGH, "Kamailio answers no strangers")
async def _(peers: Peers) -> Result:
    return await ask("sip", **asked_through(peers.registrar, "barred"))


@row(THROUGH, "Kamailio over TLS, certificate expired")
async def _(peers: Peers) -> Result:
    options = over_tls(peers.registrar.expired_tls, peers.registrar.ca)
    return await ask("sip", **asked_through(peers.registrar, ROOM) | options)


@row(THROUGH, "Kamailio hangs")
async def _(peers: Peers) -> Result:
    with peers.registrar.hanging():
        return await ask("sip", **asked_through(peers.registrar, ROOM), timeout=PATIENCE)


@row(THROUGH, "Kamailio over TCP, hangs")
async def _(peers: Peers) -> Result:
    with peers.registrar.hanging():
        return await ask("sip", **asked_through(peers.registrar, ROOM, transport="tcp"), timeout=PATIENCE)


@row(THROUGH, "Kamailio ended")
async def _(peers: Peers) -> Result:
    return await ask("sip", through=LOOPBACK, port=free_port(), user=ROOM)


@row(THROUGH, "linphone for the registrar, with two addresses, answers from the other")
async def _(peers: Peers) -> Result:
    return await ask("sip", through=SECOND_ADDRESS, **_of(peers.everywhere), timeout=PATIENCE)


@row(THROUGH, "SIPp for the registrar, 5xx")
async def _(peers: Peers) -> Result:
    trouble = Sipp.send("503 Service Unavailable")
    return await peers.sipp("trouble", trouble, Sipp.ASKED_AGAIN, trouble, through=LOOPBACK)


@row(THROUGH, "SIPp for the registrar, takes no OPTIONS")
async def _(peers: Peers) -> Result:
    return await peers.sipp("501", Sipp.send("501 Not Implemented"), through=LOOPBACK)


@row(THROUGH, "SIPp for the registrar, garbage")
async def _(peers: Peers) -> Result:
    return await peers.sipp("nonsense", Sipp.send("200 OK\nnonsense"), through=LOOPBACK)


@pytest.fixture
def peers(
    tmp_path: Path, registrar: Registrar, registrar_sha256: Registrar, room: Baresip, linphone: Linphone
) -> Iterator[Peers]:
    for everywhere in running(Linphone(tmp_path, registrar, "room10", address="0.0.0.0")):
        yield Peers(
            folder=tmp_path,
            registrar=registrar,
            sha256=registrar_sha256,
            baresip=room,
            linphone=linphone,
            everywhere=everywhere,
        )


async def test_the_table_of_the_manual_is_what_is_seen_and_no_room_rings(peers: Peers) -> None:
    rooms = (peers.baresip, peers.linphone, peers.everywhere)
    asked, rung = peers.linphone.asked, [room.rung for room in rooms]
    seen = await ROWS.seen(peers)
    assert peers.linphone.asked > asked
    assert [room.rung for room in rooms] == rung
    assert in_manual(SIP, THROUGH) == seen, "\n".join(seen)
