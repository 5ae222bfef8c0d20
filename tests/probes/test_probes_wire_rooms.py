"""What rooms tell of themselves, as XML and JSON: read, found by paths, and total over any bytes."""

from __future__ import annotations

import base64
import contextlib
import json
import time
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from probes.wire import roomos, videoos
from probes.wire.branch import MOST_BRANCHES, MOST_DEPTH, MOST_TEXT, Branch, ProtocolError, beside, find
from probes.wire.room_api import MOST_COOKIE, MOST_COOKIES, cookie_header, take_cookies

XML = b"""<?xml version="1.0"?>
<Status product="Cisco Codec" apiVersion="4"><MediaChannels>
  <Call item="1"><Channel item="1"><Direction>Incoming</Direction><Netstat><Loss>3</Loss><Packets>97</Packets></Netstat></Channel>
    <Channel item="2"><Direction>Outgoing</Direction><Netstat><Loss>5</Loss></Netstat></Channel></Call>
  <Call item="2"><Channel item="1"><Direction>Incoming</Direction><Netstat><Loss>7</Loss></Netstat></Channel></Call>
</MediaChannels><Empty/></Status>"""
LOSS, DIRECTION = (
    ["Status", "MediaChannels", "Call", "Channel", "Netstat", "Loss"],
    "Status/MediaChannels/Call/Channel/Direction",
)


def texts(root: Branch, path: str) -> list[str]:
    return [each[-1].text for each in find(root, path.split("/"))]


def test_a_path_finds_all_rows_in_their_order() -> None:
    root = roomos.read("Status", XML)
    assert texts(root, "/".join(LOSS)) == ["3", "5", "7"]
    assert texts(root, "Status/*/Call/Channel/*/Packets") == ["97"]
    assert texts(root, "Status/Empty") == [""]
    assert texts(root, "Status/None") == texts(root, "Other/MediaChannels") == []


def test_what_stands_beside_a_value_is_of_its_own_row() -> None:
    rows = list(find(roomos.read("Status", XML), LOSS))
    assert [beside(each, LOSS, DIRECTION.split("/"), {}) for each in rows] == ["Incoming", "Outgoing", "Incoming"]
    assert [beside(each, LOSS, [*LOSS[:-1], "Packets"], {}) for each in rows] == ["97", None, None]
    assert beside(rows[0], LOSS, ["Other"], {}) is None
    assert beside(rows[0], LOSS, ["Status", "Empty"], {}) == ""


def test_a_document_in_json_has_the_name_that_it_is_given() -> None:
    value = [
        {"mediaDirection": "RX", "percentPacketLoss": 1.5, "on": True, "none": None, "deep": [[1], 2]},
        {"mediaDirection": "TX"},
    ]
    root = videoos.read("mediastats", json.dumps(value).encode())
    assert texts(root, "mediastats/mediaDirection") == ["RX", "TX"]
    assert texts(root, "mediastats/percentPacketLoss") == ["1.5"]
    assert texts(root, "mediastats/on") == ["true"]
    assert texts(root, "mediastats/none") == [""]
    assert texts(root, "mediastats/deep") == ["1", "2"]
    assert texts(videoos.read("muted", b"true"), "muted") == ["true"]
    assert texts(videoos.read("conferences", b"[]"), "conferences") == []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not XML"),
        (b"<Status>", "not XML"),
        (b"<Status/><Status/>", "not XML"),
        (b"<html><br></html>", "not XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "DTD"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>', "DTD"),
        (b"<a>" * (MOST_DEPTH + 1), "deeper than 32"),
        (b"<a>" + b"<b/>" * MOST_BRANCHES + b"</a>", "more than 10000"),
    ],
)
def test_what_is_no_status_or_too_much_of_it_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        roomos.read("Status", data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not JSON"),
        (b"CONTENT_IDLE", "not JSON"),
        (b"\xff\xff", "not JSON"),
        (b"NaN", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 40 + b"]" * 40, "deeper than 32"),
        (b"[" + b"[]," * MOST_BRANCHES + b"1]", "more than 10000"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "deeper than 32"),
    ],
)
def test_what_is_no_json_or_too_much_of_it_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        videoos.read("status", data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a>" + b"x" * 500_000 + b"</a>",
        b"<a>" + b"<b>x</b>" * 60_000 + b"</a>",
        b"<a " + b" ".join(b'b%d="c"' % each for each in range(50_000)) + b"/>",
        b"<a>" + b"&#120;" * 80_000 + b"</a>",
        b"<" + b"a" * 500_000 + b"/>",
        json.dumps(["x" * 500_000]).encode(),
        b"[" + b"0," * 250_000 + b"0]",
        b'{"a":' + b"9" * 500_000 + b"}",
        json.dumps({str(each): each for each in range(50_000)}).encode(),
    ],
    ids=range(9),
)
def test_the_largest_answer_costs_a_bounded_time_and_memory(data: bytes) -> None:
    tracemalloc.start()
    start = time.process_time()
    with contextlib.suppress(ProtocolError):
        (videoos if data[:1] in b"[{" else roomos).read("a", data)
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 2, seconds
    assert peak < 64 << 20


def test_a_long_text_is_cut() -> None:
    long = "á" * 500
    assert texts(roomos.read("a", f"<a>{long}</a>".encode()), "a") == [long[:MOST_TEXT]]
    assert texts(videoos.read("a", json.dumps(long).encode()), "a") == [long[:MOST_TEXT]]


def _walk(branch: Branch) -> int:
    assert len(branch.text) <= MOST_TEXT
    return 1 + sum(_walk(each) for rows in branch.below.values() for each in rows)


def _changed(document: bytes, changes: list[tuple[int, int]]) -> bytes:
    changed = bytearray(document)
    for place, value in changes:
        changed[place] = value
    return bytes(changed)


@given(
    some.binary(max_size=200),
    some.lists(some.tuples(some.integers(0, len(XML) - 1), some.integers(0, 255)), max_size=6),
)
@example(b"", [])
def test_any_bytes_are_a_tree_or_one_protocol_error(random: bytes, changes: list[tuple[int, int]]) -> None:
    for data in (random, _changed(XML, changes), b"<a>" + random + b"</a>"):
        with contextlib.suppress(ProtocolError):
            assert _walk(roomos.read("Status", data)) <= MOST_BRANCHES + 1


JSON = (
    b'[{"mediaDirection":"RX","jitter":3,"percentPacketLoss":1.5e2,"on":true,"deep":[[1],{"a":null}],"text":"\\u1ec7"}]'
)


@given(
    some.binary(max_size=100),
    some.lists(some.tuples(some.integers(0, len(JSON) - 1), some.integers(0, 255)), max_size=6),
)
def test_any_bytes_are_a_tree_of_json_or_one_protocol_error(random: bytes, changes: list[tuple[int, int]]) -> None:
    for data in (random, _changed(JSON, changes), b"[" + random + b"]"):
        with contextlib.suppress(ProtocolError):
            assert _walk(videoos.read("a", data)) <= MOST_BRANCHES + 1


@given(some.binary(max_size=100))
def test_any_answer_to_a_log_in_says_yes_or_no(data: bytes) -> None:
    assert videoos.logged_in(data) or b"false" in data


@pytest.mark.parametrize(
    ("data", "good"),
    [
        (b'{"success":true,"session":{"sessionId":"a"}}', True),
        (b'{"success": false}', False),
        (b"", True),
        (b"[]", True),
    ],
)
def test_a_log_in_that_is_refused_with_a_good_status_is_seen(data: bytes, good: bool) -> None:
    assert videoos.logged_in(data) is good


def test_a_log_in_hides_its_password() -> None:
    cisco, poly = roomos.log_in("theo-dõi", "mật:khẩu"), videoos.log_in("theo-dõi", "mật:khẩu")
    assert base64.b64decode(cisco.headers["Authorization"].removeprefix("Basic ")).decode() == "theo-dõi:mật:khẩu"
    assert json.loads(poly.body) == {"user": "theo-dõi", "password": "mật:khẩu"}
    assert "Basic" not in repr(cisco)
    assert "password" not in repr(poly)


@pytest.mark.parametrize(
    ("line", "held"),
    [
        ("SessionId=abc-1; Path=/; HttpOnly; Secure", {"SessionId": "abc-1"}),
        ("XSRF-TOKEN=a/b+c==;path=/", {"XSRF-TOKEN": "a/b+c=="}),
        ("gone=; Max-Age=0", {"gone": ""}),
        ("bad=a\r\nX: y", {}),
        ('bad="a b"', {}),
        ("=a", {}),
        ("a" * MOST_COOKIE + "=b", {}),
        ("a=" + "b" * MOST_COOKIE, {}),
        ("", {}),
    ],
)
def test_a_cookie_is_one_or_left_out(line: str, held: dict[str, str]) -> None:
    found: dict[str, str] = {}
    take_cookies(found, [line])
    assert found == held


def test_no_more_cookies_are_held_than_a_room_needs() -> None:
    held: dict[str, str] = {}
    take_cookies(held, [f"c{each}=1" for each in range(100)])
    take_cookies(held, ["c0=2"])
    assert len(held) == MOST_COOKIES
    assert cookie_header(held)["Cookie"].startswith("c0=2; c1=1; ")
    assert cookie_header({}) == {}


@given(some.text(max_size=50))
def test_any_cookie_may_stand_in_a_header(line: str) -> None:
    held: dict[str, str] = {}
    take_cookies(held, [line, f"a={line}"])
    for value in cookie_header(held).values():
        assert value.isascii()
        assert value.isprintable()
