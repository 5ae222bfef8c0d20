"""Rooms that tell of themselves over HTTPS, asked as the shipped profiles ask them."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pydantic
import pytest

from monitor.core.model import Outcome, Reason
from probes import room_api
from probes.engine.told import METRICS, ToldOptions, measure
from probes.registry import Memory, Result
from probes.wire import roomos
from tests.probes.peers import LOOPBACK, TcpPeer, ask, eventually
from tests.probes.telling import PASSWORD, SESSION, SHIPPED, TOKEN, USER, Telling

BEGIN, END = "POST /xmlapi/session/begin 204", f"POST /xmlapi/session/end 204 with SessionId={SESSION}"
STATUS = f"GET /getxml?location=/Status 200 with SessionId={SESSION}"
LAST = f"POST /putxml 200 with SessionId={SESSION} text/xml {roomos.LAST_CALL.decode()}"


async def room(telling: Telling, name: str, **options: Any) -> Result:
    telling.asked()
    api = "videoos" if name.startswith("poly") else "roomos"
    asked = {
        "api": api, "port": telling.port, "server_name": name, "ca": telling.ca, "user": USER,
        "password": {"file": PASSWORD}, "values": SHIPPED[api], **options,
    }  # fmt: skip
    return await ask("room-api", LOOPBACK, **asked)


def tells(result: Result) -> dict[str, float]:
    """Without the certificate's."""
    return {
        key.removeprefix("room_"): each for key, each in result.values.items() if key.startswith(("room_", "snmp_"))
    }


QUIET = {
    "calls": 0, "muted": 0, "camera_faults": 0, "microphone_faults": 0, "loss_ratio": 0, "jitter_seconds": 0,
    'unregistered{at="sip"}': 0,
}  # fmt: skip
CISCO = {**QUIET, 'snmp_alarms{part="diagnostics"}': 0, 'unregistered{at="h323"}': 0}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cisco.example", {**CISCO, "last_call_loss_ratio": 0.01}),
        ("new.example", {**CISCO, "last_call_loss_ratio": 0}),
        ("closes.example", {**CISCO, "last_call_loss_ratio": 0}),
        ("in-call.example", {**CISCO, "calls": 1, "loss_ratio": 0.005, "jitter_seconds": 0.004, "last_call_loss_ratio": 0}),
        (
            "trouble.example",
            {
                "calls": 1, "muted": 1, "camera_faults": 1, "microphone_faults": 1, "loss_ratio": 0.08, "jitter_seconds": 0.004,
                "last_call_loss_ratio": 0.09, 'unregistered{at="sip"}': 1, 'unregistered{at="h323"}': 1, 'snmp_alarms{part="diagnostics"}': 1,
            },
        ),
        ("poly.example", QUIET),
        ("poly-in-call.example", {**QUIET, "calls": 1, "loss_ratio": 0.015, "jitter_seconds": 0.012}),
        (
            "poly-trouble.example",
            {
                "calls": 1, "muted": 1, "camera_faults": 1, "microphone_faults": 1, "loss_ratio": 0.08, "jitter_seconds": 0.012,
                'unregistered{at="sip"}': 1,
            },
        ),
    ],
)  # fmt: skip
async def test_a_room_tells_of_its_calls_its_microphones_and_its_cameras(
    telling: Telling, name: str, told: dict[str, float]
) -> None:
    result = await room(telling, name)
    assert (result.outcome, result.reason) == (Outcome.OK, Reason.OK), result.evidence
    assert tells(result) == pytest.approx(told)
    assert result.values["probe_ssl_days_left"] > 80
    assert f"room calls {told['calls']:g}" in result.evidence


async def test_a_cisco_room_is_asked_two_things_in_one_session_which_ends(telling: Telling) -> None:
    memory: dict[str, Any] = {}
    await room(telling, "cisco.example", memory=memory)
    assert telling.asked() == [BEGIN, STATUS, LAST, END]
    assert memory == {}


async def test_what_no_value_needs_is_not_asked(telling: Telling) -> None:
    muted = {"muted": SHIPPED["roomos"]["muted"]}
    assert tells(await room(telling, "cisco.example", values=muted)) == {"muted": 0}
    assert telling.asked() == [BEGIN, STATUS, END]


async def test_a_poly_room_is_only_read_and_left(telling: Telling) -> None:
    await room(telling, "poly-in-call.example")
    log_in, *questions, log_out = telling.asked()
    assert log_in == f"POST /rest/session 200 application/json {json.dumps({'user': USER, 'password': PASSWORD})}"
    held = f"with session_id={SESSION}; XSRF-TOKEN={TOKEN}"
    assert questions == [
        f"GET /rest/{path} 200 {held}"
        for path in (
            "audio", "cameras/near/people", "conferences", "system/h323gatekeepers", "conferences/7/mediastats", "system/sipservers",
        )
    ]  # fmt: skip
    assert log_out == f"DELETE /rest/session 200 {held}"


async def test_a_poly_room_does_not_choose_what_it_is_asked(telling: Telling) -> None:
    result = await room(telling, "poly-strange.example")
    assert tells(result) == {**QUIET, "calls": 1}
    assert not [each for each in telling.asked() if "mediastats" in each or ".." in each]


@pytest.mark.parametrize(
    ("name", "options", "reason", "evidence"),
    [
        ("cisco.example", {"password": {"file": "wrong"}}, Reason.AUTH, "the room refuses the log-in of monitor"),
        ("poly-refuses.example", {}, Reason.AUTH, "the room refuses the log-in of monitor"),
        ("locked.example", {}, Reason.AUTH, "the room refuses the log-in of monitor: 423"),
        ("busy.example", {}, Reason.AUTH, "the room refuses the log-in of monitor: 429 Too Many Requests"),
        ("old.example", {}, Reason.STATUS, "the log-in → 302 Moved Temporarily"),
        ("silent-cookie.example", {}, Reason.PROTOCOL, "the log-in is taken, and opens no session: no cookie is set"),
        ("page.example", {}, Reason.PROTOCOL, "GET /getxml?location=/Status: it has a DTD, which may hold entities"),
        ("bare.example", {"values": {"muted": {"metric": "room_muted", "at": "Status/Audio/Microphones/Mute", "states": ["On"]}}},
         Reason.CONTENT, "the room tells none of muted"),
        ("away.example", {"values": {"calls": {"metric": "room_calls", "at": "Status/SystemUnit/State/NumberOfActiveCalls"}}},
         Reason.STATUS, "GET /getxml?location=/Status → 302 Moved Temporarily"),
        ("large.example", {}, Reason.TOO_LARGE, "the answer to GET /getxml?location=/Status: the page is larger than 524288 bytes"),
        ("cisco.example", {"ca": {"file": ""}}, Reason.CERTIFICATE, "certificate not trusted: unable to get local issuer certificate"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told(
    telling: Telling, name: str, options: dict[str, Any], reason: Reason, evidence: str
) -> None:
    result = await room(telling, name, **options)
    assert (result.outcome, result.reason, result.evidence) == (Outcome.FAILED, reason, evidence)
    assert "probe_ssl_days_left" in result.values
    begun = [each for each in telling.asked() if each == BEGIN]
    assert len(begun) <= 1


async def test_a_room_whose_history_we_may_not_read_tells_the_rest(telling: Telling) -> None:
    told: list[str] = []
    result = await room(telling, "reads.example", told=told)
    assert result.outcome is Outcome.OK
    assert tells(result) == CISCO
    assert "POST /putxml → 403, 153 bytes" in told


async def test_who_refused_the_log_in_is_left_alone_for_a_while(
    telling: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Memory()
    wrong = {"password": {"file": "wrong"}, "shared": shared}
    await room(telling, "cisco.example", **wrong)
    assert telling.asked() == ["POST /xmlapi/session/begin 401"]
    result = await room(telling, "cisco.example", **wrong)
    assert (result.reason, result.evidence) == (Reason.AUTH, "the room refused the log-in; it is tried again in 10 min")
    assert telling.asked() == []
    assert (await room(telling, "cisco.example", shared=shared)).outcome is Outcome.OK, "the password was mended"
    monkeypatch.setattr(room_api, "REFUSED_SECONDS", 0.0)
    await room(telling, "cisco.example", **wrong)
    assert telling.asked() == ["POST /xmlapi/session/begin 401"]


@pytest.mark.parametrize(("name", "status"), [("locked.example", 423), ("busy.example", 429)])
async def test_a_room_that_locked_the_account_is_left_alone_too(telling: Telling, name: str, status: int) -> None:
    shared = Memory()
    for _ in range(2):
        assert (await room(telling, name, shared=shared)).reason is Reason.AUTH
        assert telling.asked() == [f"POST /xmlapi/session/begin {status}"] * (not _)


async def test_a_session_that_was_cut_off_is_used_and_ended_by_the_next_run(telling: Telling) -> None:
    memory: dict[str, Any] = {"session": {"SessionId": SESSION}}
    assert (await room(telling, "cisco.example", memory=memory)).outcome is Outcome.OK
    assert telling.asked() == [STATUS, LAST, END]
    assert memory == {}


async def test_a_session_that_the_room_forgot_is_opened_anew(telling: Telling) -> None:
    memory: dict[str, Any] = {"session": {"SessionId": "forgotten"}}
    assert (await room(telling, "cisco.example", memory=memory)).outcome is Outcome.OK
    assert telling.asked() == ["GET /getxml?location=/Status 401 with SessionId=forgotten", BEGIN, STATUS, LAST, END]


async def test_a_session_that_was_cut_off_is_ended_where_the_room_may_still_know_it(telling: Telling) -> None:
    memory: dict[str, Any] = {"session": {"SessionId": SESSION}}
    await room(telling, "away.example", memory=memory)
    away = STATUS.replace("200", "302")
    assert telling.asked() == [away, END, BEGIN, away, LAST, END]
    assert memory == {}


CALLS = {"calls": {"metric": "room_calls", "at": "Status/Calls"}}


@asynccontextmanager
async def odd_room(
    telling: Telling, *, behind: bytes = b"", stays: bool = True, silent: bytes = b"nothing"
) -> AsyncIterator[int]:
    """Says more than its answers, hangs up after each without a word, or does not answer what is `silent`; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*telling.authority.issue("odd", ["cisco.example"]))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError):
            while asked := await reader.readuntil(b"\r\n\r\n"):
                if silent in asked:
                    continue
                if b"getxml" in asked:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n<Status><Calls>1</Calls></Status>")
                else:
                    writer.write(b"HTTP/1.1 204 No Content\r\nSet-Cookie: SessionId=1\r\n\r\n")
                writer.write(behind)
                if not stays:
                    break
        writer.close()

    async with await asyncio.start_server(serve, LOOPBACK, 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("behind", "stays"),
    [
        (b"", True),
        (b"", False),
        (b"\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n<Status><Calls>9</Calls></Status>", True),
        (b"x" * 9000, True),
    ],
    ids=["good", "hangs up", "empty line", "another answer", "long"],
)
async def test_what_comes_behind_an_answer_is_none_to_the_next_question(
    telling: Telling, behind: bytes, stays: bool
) -> None:
    memory: dict[str, Any] = {}
    async with odd_room(telling, behind=behind, stays=stays) as port:
        result = await room(telling, "cisco.example", port=port, values=CALLS, memory=memory)
    assert (result.outcome, tells(result)) == (Outcome.OK, {"calls": 1}), result.evidence
    assert memory == {}


async def test_a_log_out_that_hangs_loses_nothing_that_was_told(telling: Telling) -> None:
    memory: dict[str, Any] = {}
    told: list[str] = []
    async with odd_room(telling, silent=b"session/end") as port:
        result = await room(telling, "cisco.example", port=port, values=CALLS, memory=memory, timeout=1.0, told=told)
    assert (result.outcome, tells(result)) == (Outcome.OK, {"calls": 1}), result.evidence
    assert result.evidence == "room calls 1; the session is not ended"
    assert told[-1] == "the session is not ended: no answer in time"
    assert memory == {"session": {"SessionId": "1"}}, "the next run uses it"


async def test_a_session_that_does_not_end_is_kept_for_the_next_run(telling: Telling) -> None:
    memory: dict[str, Any] = {}
    for _ in range(3):
        assert (await room(telling, "keeps.example", memory=memory)).outcome is Outcome.OK
        assert memory == {"session": {"SessionId": SESSION}}
    assert BEGIN not in telling.asked()


async def test_a_run_that_is_cut_off_remembers_its_session(telling: Telling) -> None:
    memory: dict[str, Any] = {}
    told: list[str] = []
    asking = asyncio.ensure_future(room(telling, "slow.example", memory=memory, told=told))
    await eventually("it has logged in", lambda: bool(told))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert memory == {"session": {"SessionId": SESSION}}
    assert (await room(telling, "cisco.example", memory=memory)).outcome is Outcome.OK
    assert set(telling.asked()) == {STATUS, LAST, END}  # the one that was cut off is told when nginx sees it


async def test_nothing_is_sent_to_who_does_not_speak_tls(telling: Telling) -> None:
    async with TcpPeer(b"HTTP/1.1 200 OK\r\n\r\n", hang_up=True) as peer:
        result = await room(telling, "cisco.example", port=peer.port)
        await eventually("it was asked", lambda: bool(peer.seen))
    assert result.reason in (Reason.TLS, Reason.RESET)
    assert PASSWORD not in repr(peer.seen)


async def test_no_secret_is_told(telling: Telling) -> None:
    for name in ("cisco.example", "poly.example", "poly-refuses.example"):
        told: list[str] = []
        result = await room(telling, name, told=told)
        said = "\n".join([*told, result.evidence])
        for secret in (PASSWORD, SESSION, TOKEN, "Basic "):
            assert secret not in said


# -- options ---------------------------------------------------------------------------------------------------------------


def how(**options: Any) -> ToldOptions:
    return ToldOptions.model_validate({"metric": "room_calls", "at": "Status/A"} | options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"at": "Status//A"}, "is no path"),
        ({"at": "/Status"}, "is no path"),
        ({"at": "*"}, "is no path"),
        ({"of": "Status/B", "rest": "Status/C"}, "`of` or `rest`"),
        ({"of": "Command/B"}, "the same document"),
        ({"states": ["On"], "scale": 0.5}, "0 or 1"),
        ({"none": -1}, "room_calls is never -1"),
        ({"metric": "snmp_cpu_ratio"}, "room_calls"),
    ],
)
def test_what_makes_no_sense_together_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=said):
        how(**options)


def test_a_value_of_a_document_that_a_make_does_not_have_is_told() -> None:
    with pytest.raises(
        pydantic.ValidationError, match="`muted`: audio/muted begins with no document of roomos: Status, Command"
    ):
        room_api.RoomApiOptions.model_validate({
            "api": "roomos", "user": "a", "password": {"file": "b"},
            "values": {"muted": {"metric": "room_muted", "at": "audio/muted"}},
        })  # fmt: skip


@pytest.mark.parametrize(
    ("options", "document", "value"),
    [
        ({}, "<A>3</A>", 3.0),
        ({}, "<A> 3 </A><A>4</A>", 3.0),
        ({"take": "sum"}, "<A>3</A><A>4</A><A>x</A>", 7.0),
        ({"take": "count"}, "<A>3</A><A>x</A>", 2.0),
        ({"take": "count"}, "", 0.0),
        ({"metric": "room_loss_ratio", "take": "sum"}, "<A>0.6</A><A>0.7</A>", None),
        ({"at": "Status/R/A", "only": {"at": "Status/R/A", "values": ["2"]}}, "<R><A>1</A><A>2</A></R>", 2.0),
        ({"scale": 10}, "<A>3</A>", 30.0),
        ({}, "<A>-1</A>", None),
        ({}, "<A>1e9</A>", None),
        ({}, "<A>٣</A>", None),
        ({}, "<A/>", None),
        ({}, "", None),
        ({"none": 0}, "<B/>", None),  # nothing at all is told
        ({"states": ["On"]}, "<A>On</A>", 1.0),
        ({"states": ["On"]}, "<A>Off</A>", 0.0),
        ({"states": ["On"]}, "<A/>", None),
        ({"at": "Status/R/A", "of": "Status/R/B"}, "<R><A>1</A><B>4</B></R>", 0.25),
        ({"at": "Status/R/A", "rest": "Status/R/B"}, "<R><A>1</A><B>3</B></R>", 0.25),
        ({"at": "Status/R/A", "rest": "Status/R/B"}, "<R><A>0</A><B>0</B></R>", None),
        ({"at": "Status/R/A", "rest": "Status/R/B"}, "<R><A>100</A><B>-1</B></R>", None),
        ({"at": "Status/R/A", "of": "Status/R/B"}, "<R><A>-1</A><B>-4</B></R>", None),
        ({"at": "Status/R/A", "of": "Status/R/B"}, "<R><A>1</A></R><R><B>4</B></R>", None),
        ({"at": "Status/R/A", "only": {"at": "Status/R/B", "values": ["y"]}}, "<R><A>1</A><B>n</B></R><R><A>2</A><B>y</B></R>", 2.0),
    ],
)  # fmt: skip
def test_a_measurement_is_made_of_what_is_told(options: dict[str, Any], document: str, value: float | None) -> None:
    told = measure(
        {"calls": how(**options)}, {"Status": roomos.read("Status", f"<Status>{document}</Status>".encode())}
    )
    assert [each.value for each in told] == ([] if value is None else [pytest.approx(value)])


def test_what_stands_beside_many_rows_is_looked_up_once() -> None:
    rows, wide = b"<R><A>1</A><B>2</B></R>" * 256, b"<X/>" * 9000
    document = roomos.read("Status", b"<Status>" + rows + wide + b"</Status>")
    beside = {"of": "Status/X/Y", "only": {"at": "Status/*/Z", "values": ["y"]}}
    start = time.process_time()
    assert measure({"calls": how(at="Status/R/A", **beside)}, {"Status": document}) == []
    assert time.process_time() - start < 0.3


def test_its_measurements_are_those_that_rooms_tell_by_snmp() -> None:
    assert {each.name for each in METRICS} >= {"room_muted", "room_last_call_loss_ratio"}
    assert all(each.asked_for for each in METRICS)
