"""sip against Kamailio, baresip and SIPp, and against peers that answer as no program does."""

from __future__ import annotations

import re
from pathlib import Path

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from probes.wire import digest
from tests.probes.peers import LOOPBACK, Kamailio, TcpPeer, UdpPeer, ask, free_port, running, wait_until
from tests.probes.rooms import (
    MONITOR,
    MONITOR_PASSWORD,
    REALM,
    ROOM,
    Baresip,
    Linphone,
    Registrar,
    asked_through,
    call,
)


def _reply(question: bytes, status: bytes = b"200 OK", **changed: bytes) -> bytes:
    """An answer with the question's own headers, but for what is `changed`."""
    headers = dict(re.findall(rb"^(Via|From|To|Call-ID|CSeq): (.*)\r$", question, re.MULTILINE))
    headers |= {name.replace("_", "-").encode(): value for name, value in changed.items()}
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers.items())
    return b"SIP/2.0 " + status + b"\r\n" + lines + b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_registrar_that_answers_is_good(kamailio: Kamailio, transport: str) -> None:
    result = await ask("sip", port=kamailio.port, transport=transport)
    assert result.outcome is Outcome.OK
    assert result.evidence.startswith("200 OK (kamailio")
    assert result.values["probe_sip_status_code"] == 200
    assert result.values["probe_sip_retransmissions"] == 0
    assert result.values["probe_sip_duration_seconds"] > 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("user", "reason", "says"),
    [
        ("room9", Reason.STATUS, "alive, but does not know room9: 404"),
        ("busy", Reason.STATUS, "alive, but says that busy is busy: 486"),
        ("locked", Reason.AUTH, "alive, but wants credentials: 401"),
        ("broken", Reason.STATUS, "alive, but in trouble: 500 Server Error"),
    ],
)
async def test_other_answers_tell_what_they_mean(
    kamailio: Kamailio, transport: str, user: str, reason: Reason, says: str
) -> None:
    result = await ask("sip", port=kamailio.port, transport=transport, user=user)
    assert (result.outcome, result.reason) == (Outcome.FAILED, reason)
    assert result.evidence.startswith(says)


async def test_an_expected_status_is_good(kamailio: Kamailio) -> None:
    assert (await ask("sip", port=kamailio.port, user="room9", expect=[200, 404])).outcome is Outcome.OK


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_provisional_answer_is_waited_out(kamailio: Kamailio, transport: str) -> None:
    told: list[str] = []
    result = await ask("sip", port=kamailio.port, transport=transport, user="patient", told=told)
    assert result.outcome is Outcome.OK
    assert any(line.startswith("100") for line in told)


async def test_a_lost_question_is_sent_again_and_counted() -> None:
    lost: list[bytes] = []

    def lose_the_first(data: bytes) -> list[bytes]:
        if not lost:
            lost.append(data)
            return []
        return [_reply(data)]

    async with UdpPeer(answer=lose_the_first) as peer:
        result = await ask("sip", port=peer.port)
    assert result.outcome is Outcome.OK
    assert result.values["probe_sip_retransmissions"] == 1
    assert peer.seen[0] == peer.seen[1]  # the same transaction (RFC 3261 section 17.1.2.2)


@pytest.mark.parametrize(
    "changed",
    [
        {"Call_ID": b"another"},
        {"Via": b"SIP/2.0/UDP x;branch=z9hG4bKanother"},
        {"CSeq": b"2 OPTIONS"},
        {"CSeq": b"1 INVITE"},
    ],
)
async def test_an_answer_to_another_question_is_ignored(changed: dict[str, bytes]) -> None:
    async with UdpPeer(answer=lambda data: [_reply(data, b"500 Lie", **changed), _reply(data)]) as peer:
        result = await ask("sip", port=peer.port)
    assert result.outcome is Outcome.OK


async def test_an_answer_that_went_astray_is_ignored() -> None:
    def twice(data: bytes) -> list[bytes]:
        more = _reply(data, b"500 Lie").replace(b"\r\nVia:", b"\r\nVia: SIP/2.0/UDP other.example\r\nVia:", 1)
        behind = _reply(data, b"500 Lie").replace(b";rport\r\n", b";rport, SIP/2.0/UDP other.example\r\n", 1)
        return [more, behind, _reply(data)]

    async with UdpPeer(answer=twice) as peer:
        result = await ask("sip", port=peer.port)
    assert result.outcome is Outcome.OK


@pytest.mark.parametrize("parameter", [b"maddr=127.0.0.9", b"received=127.0.0.9", b"rport=1"])
async def test_what_an_answer_says_of_the_way_leads_nowhere_else(parameter: bytes) -> None:
    def spoof(data: bytes) -> list[bytes]:
        return [_reply(data, b"100 Trying").replace(b";rport", b";rport;" + parameter), _reply(data)]

    async with UdpPeer(answer=spoof) as peer:
        told: list[str] = []
        result = await ask("sip", port=peer.port, told=told)
    assert result.outcome is Outcome.OK
    assert not any("127.0.0.9" in line for line in told)


async def test_a_registrar_is_asked_over_ipv6() -> None:
    class Peer6(UdpPeer):
        host = "::1"

    async with Peer6(answer=lambda data: [_reply(data)]) as peer:
        result = await ask("sip", "::1", port=peer.port)
    assert result.outcome is Outcome.OK
    assert peer.seen[0].startswith(f"OPTIONS sip:[::1]:{peer.port} SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:".encode())


async def test_another_protocol_over_udp_is_a_protocol_failure() -> None:
    async with UdpPeer([b"hello"]) as peer:
        result = await ask("sip", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_another_protocol_over_tcp_is_a_protocol_failure() -> None:
    async with TcpPeer(b"220 mail\r\n") as peer:
        result = await ask("sip", port=peer.port, transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_closed_port_is_refused(transport: str) -> None:
    result = await ask("sip", port=free_port(), transport=transport)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_a_peer_that_hangs_up_is_a_reset() -> None:
    async with TcpPeer(hang_up=True) as peer:
        result = await ask("sip", port=peer.port, transport="tcp")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


async def test_the_question_rings_nothing_and_can_pass_nat() -> None:
    async with UdpPeer(answer=lambda data: [_reply(data)]) as peer:
        await ask("sip", port=peer.port, user="room1", domain="video.example")
    question = peer.seen[0].decode()
    assert question.startswith("OPTIONS sip:room1@video.example SIP/2.0\r\n")
    assert re.search(r"^Via: SIP/2.0/UDP 127.0.0.1:\d+;branch=z9hG4bK\w+;rport\r$", question, re.MULTILINE)
    assert re.search(r"^Max-Forwards: 70\r$", question, re.MULTILINE)
    assert question.endswith("Content-Length: 0\r\n\r\n")


@pytest.mark.parametrize("user", ["a b", "a\r\nVia: x", "a@b", "<a>"])
async def test_a_user_cannot_put_headers_into_the_question(user: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("sip", port=5060, user=user)


async def test_answers_without_end_of_which_none_is_final_end_the_dialogue() -> None:
    async with UdpPeer(answer=lambda data: [_reply(data).replace(b" 200 OK", b" 180 Ringing", 1)] * 200) as peer:
        result = await ask("sip", port=peer.port)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "none is final" in result.evidence


# -- rooms and their registrar -----------------------------------------------------------------------------------------

LOGIN = {"username": MONITOR, "password": {"file": MONITOR_PASSWORD}}


@pytest.fixture(params=["MD5", "SHA-256"])
def either(request: pytest.FixtureRequest) -> Registrar:
    return request.getfixturevalue("registrar" if request.param == "MD5" else "registrar_sha256")


async def test_a_registered_room_answers_through_its_registrar_and_never_rings(
    registrar: Registrar, room: Baresip
) -> None:
    # The address of the target itself is not asked.
    for transport, port in (("udp", registrar.port), ("tcp", registrar.port), ("tls", registrar.tls)):
        trust = {"ca": registrar.ca} if transport == "tls" else {}
        result = await ask(
            "sip", "127.0.0.9", **asked_through(registrar, ROOM, transport=transport, **trust) | {"port": port}
        )
        assert result.outcome is Outcome.OK
        assert result.evidence.startswith("200 OK (baresip")
        assert result.values["probe_sip_registered"] == 1
    direct = await ask("sip", port=room.port, user=ROOM)
    assert direct.evidence.startswith("200 OK (baresip")
    assert "probe_sip_registered" not in direct.values
    assert room.rung == 0


async def test_a_room_of_another_make_is_asked_by_every_way_and_never_rings(
    registrar_sha256: Registrar, linphone: Linphone
) -> None:
    trust = {"ca": registrar_sha256.ca}
    for options in (
        {"port": linphone.port, "user": linphone.user},
        {"port": linphone.port, "user": linphone.user, "transport": "tcp"},
        asked_through(registrar_sha256, linphone.user),
        asked_through(registrar_sha256, linphone.user, transport="tcp"),
        asked_through(registrar_sha256, linphone.user, transport="tls", **trust) | {"port": registrar_sha256.tls},
    ):
        before = linphone.asked
        result = await ask("sip", **options)
        assert (result.outcome, result.evidence) == (Outcome.OK, "200 Ok")  # it does not name itself
        assert result.values.get("probe_sip_registered") == (1 if "through" in options else None)
        wait_until("the question stands in the log", lambda before=before: linphone.asked == before + 1)
    assert linphone.rung == 0


@pytest.mark.parametrize("kind", [Baresip, Linphone])
async def test_the_log_of_a_room_tells_that_it_rings_and_it_is_asked_as_before(
    folder: Path, registrar: Registrar, kind: type[Baresip | Linphone]
) -> None:
    room = kind(folder, registrar, "room4")
    for _ in running(room):
        call(room.port, room.user)
        wait_until("the call stands in the log", lambda: room.rung == 1)
        for options in ({"port": room.port, "user": room.user}, asked_through(registrar, room.user)):
            assert (await ask("sip", **options)).outcome is Outcome.OK
        assert room.rung == 1


async def test_a_room_whose_password_is_wrong_is_not_registered(folder: Path, registrar: Registrar) -> None:
    for _ in running(Baresip(folder, registrar, "room2", "wrong-password")):
        result = await ask("sip", **asked_through(registrar, "room2"))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.NOT_REGISTERED)
    assert result.evidence.startswith(f"its registrar {LOOPBACK} does not know it: 404 Not Registered")
    assert result.values["probe_sip_registered"] == 0


async def test_of_a_room_that_is_gone_nobody_knows_whether_it_is_registered(registrar: Registrar) -> None:
    registrar.register("guest-quick", free_port())
    given_up = await ask("sip", **asked_through(registrar, "guest-quick"))
    assert (given_up.outcome, given_up.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert "probe_sip_registered" not in given_up.values


@pytest.mark.parametrize(
    ("transport", "reason"), [("udp", Reason.REFUSED), ("tcp", Reason.REFUSED), ("tls", Reason.REFUSED)]
)
async def test_trouble_of_the_registrar_says_nothing_of_the_room(transport: str, reason: Reason) -> None:
    result = await ask("sip", through=LOOPBACK, port=free_port(), transport=transport, user=ROOM)
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, reason)


async def test_garbage_of_the_registrar_says_nothing_of_the_room() -> None:
    async with UdpPeer([b"hello"]) as peer:
        result = await ask("sip", through=LOOPBACK, port=peer.port, user=ROOM)
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.PROTOCOL)


@pytest.mark.parametrize("user", ["locked", "behind-proxy"])
async def test_credentials_are_given_where_they_are_wanted(either: Registrar, user: str) -> None:
    for transport in ("udp", "tcp"):
        result = await ask("sip", port=either.port, transport=transport, user=user, **LOGIN)
        assert result.outcome is Outcome.OK
        assert {'probe_sip_phase_duration_seconds{phase="challenge"}'} <= result.values.keys()


async def test_of_two_algorithms_the_stronger_is_taken(registrar_sha256: Registrar) -> None:
    told: list[str] = []
    result = await ask("sip", port=registrar_sha256.port, user="either", told=told, **LOGIN)
    assert (result.outcome, [line[:3] for line in told[-3:]]) == (Outcome.OK, ["401", "OPT", "200"])


async def test_a_refused_log_in_is_told_as_such(either: Registrar) -> None:
    wrong = {"username": MONITOR, "password": {"file": "wrong"}}
    for user, login, code in (("locked", wrong, 401), ("behind-proxy", wrong, 407), ("forbidden", LOGIN, 403)):
        result = await ask("sip", port=either.port, user=user, **login)
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.AUTH)
        assert result.evidence.startswith(f"alive, but refuses the credentials of {MONITOR}: {code}")
        assert "wrong" not in result.evidence
    ours = await ask("sip", **asked_through(either, "locked", **wrong))
    assert (ours.outcome, ours.reason) == (Outcome.INCONCLUSIVE, Reason.AUTH)


async def test_the_certificate_is_checked_and_its_days_are_told(registrar: Registrar) -> None:
    options = {"transport": "tls", "ca": registrar.ca, "server_name": REALM}
    good = await ask("sip", port=registrar.tls, **options)
    assert good.outcome is Outcome.OK
    assert good.values["probe_ssl_days_left"] == pytest.approx(80, abs=1)
    assert {'probe_sip_phase_duration_seconds{phase="tls"}'} <= good.values.keys()
    expired = await ask("sip", port=registrar.expired_tls, **options)
    assert (expired.outcome, expired.reason) == (Outcome.FAILED, Reason.CERTIFICATE)
    assert expired.evidence == "certificate not trusted: certificate has expired"
    assert expired.values["probe_ssl_days_left"] == pytest.approx(-3, abs=1)
    unseen = await ask("sip", port=registrar.expired_tls, transport="tls", verify=False)
    assert unseen.outcome is Outcome.OK
    another = await ask("sip", port=registrar.tls, **options | {"server_name": "another.example"})
    assert another.reason is Reason.CERTIFICATE


@pytest.mark.parametrize("nothing", [{"password": {"file": "x"}}, {"through": "192.0.2.1"}])
async def test_options_that_cannot_succeed_are_refused(nothing: dict[str, object]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("sip", **nothing)  # type: ignore[arg-type]


# -- challenges that no server at hand makes ---------------------------------------------------------------------------


class Challenger:
    """A stub: it refuses with the challenges given, one list a round, and takes what comes then."""

    def __init__(self, *rounds: list[str]) -> None:
        self.rounds = list(rounds)
        self.given: list[str] = []

    def __call__(self, data: bytes) -> list[bytes]:
        found = re.search(r"^Authorization: (.*)\r$", data.decode(), re.MULTILINE)
        self.given.append(found[1] if found else "")
        if not self.rounds:
            return [_reply(data)]
        wanted = "".join(f"WWW-Authenticate: {each}\r\n" for each in self.rounds.pop(0))
        return [_reply(data, b"401 Unauthorized").replace(b"Content-Length", wanted.encode() + b"Content-Length")]


def _challenge(nonce: str, *more: str) -> str:
    return ", ".join([f'Digest realm="{REALM}", nonce="{nonce}"', *more])


async def _challenged(*rounds: list[str]) -> tuple[Challenger, object, Reason, str]:
    challenger = Challenger(*rounds)
    async with UdpPeer(answer=challenger) as peer:
        result = await ask("sip", port=peer.port, user=ROOM, **LOGIN)
    return challenger, result.outcome, result.reason, result.evidence


async def test_of_several_challenges_the_topmost_that_we_know_is_answered_and_md5_last() -> None:
    challenger, outcome, _, _ = await _challenged(
        [
            "Basic realm=x",
            _challenge("n0", "algorithm=MD5"),
            _challenge("n0"),
            _challenge("n1", "algorithm=SHA-3"),
            _challenge("n2", "algorithm=SHA-256", 'qop="auth-int"'),
            _challenge("n3", "algorithm=SHA-256", 'qop="auth-int,auth"'),
            _challenge("n4", "algorithm=SHA-512-256"),
        ]
    )
    assert outcome is Outcome.OK
    assert 'nonce="n3"' in challenger.given[1]
    assert "algorithm=SHA-256" in challenger.given[1]


async def test_a_stale_nonce_is_replaced_and_a_liar_is_not_followed_for_ever() -> None:
    stale = [_challenge("n2", "stale=TRUE")]
    challenger, outcome, _, _ = await _challenged([_challenge("n1")], stale)
    assert outcome is Outcome.OK
    assert ['nonce="n1"' in challenger.given[1], 'nonce="n2"' in challenger.given[2]] == [True, True]
    again, outcome, reason, _ = await _challenged([_challenge("n1")], stale, stale)
    assert (outcome, reason, len(again.given)) == (Outcome.FAILED, Reason.AUTH, 3)  # the same nonce is not staler
    endless, outcome, reason, says = await _challenged(*([_challenge(f"n{n}", "stale=true")] for n in range(99)))
    assert (outcome, reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert len(endless.given) == 5
    assert "asks for credentials 5 times" in says


async def test_a_challenge_of_an_unknown_kind_is_told() -> None:
    challenger, outcome, reason, says = await _challenged(["Bearer realm=x"])
    assert (outcome, reason) == (Outcome.FAILED, Reason.AUTH)
    assert says.startswith("alive, but wants credentials of an unknown kind (Bearer realm=x): 401")
    assert challenger.given == [""]


def test_the_examples_of_the_rfcs_are_computed_as_they_stand_there() -> None:
    # RFC 7616 section 3.9.1
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        challenge = digest.parse(
            f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
        )
        assert challenge is not None
        value = digest.answer(
            challenge, method="GET", uri="/dir/index.html", username="Mufasa", password="Circle of Life",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )  # fmt: skip
        assert f'response="{response}"' in value
        assert f'opaque="{challenge.opaque}"' in value
    # RFC 2069 as corrected by erratum 749
    old = digest.parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    assert old is not None
    value = digest.answer(
        old, method="GET", uri="/dir/index.html", username="Mufasa", password="CircleOfLife", cnonce="x"
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in value
    assert "algorithm" not in value
