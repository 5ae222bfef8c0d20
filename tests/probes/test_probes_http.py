"""http against nginx, plain and over TLS."""

from __future__ import annotations

import asyncio
import encodings
import gzip
import socket
import time
import unicodedata

import pydantic
import pytest

from monitor import names
from monitor.core.model import Outcome, Reason
from probes import http
from probes.http import PHASES
from tests.probes.peers import (
    BOMB_BYTES,
    LARGE_BYTES,
    LOOPBACK,
    PAGE,
    Field,
    Nginx,
    TcpPeer,
    ask,
    eventually,
    free_port,
)  # fmt: skip

PHASE = 'probe_http_duration_seconds{{phase="{}"}}'


async def test_the_wanted_text_in_a_good_page_is_good(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page(), text="Đăng nhập")
    assert result.outcome is Outcome.OK
    assert result.values["probe_http_status_code"] == 200
    assert result.values["probe_http_ssl"] == 0
    assert result.values["probe_http_version"] == 1.1
    assert result.values["probe_http_redirects"] == 0
    assert result.values["probe_http_uncompressed_body_length"] == len(PAGE.encode())


@pytest.mark.parametrize("path", ["/", "/moved"])
async def test_a_visit_leaves_nothing_to_do(nginx: Nginx, path: str) -> None:
    await ask("http", url=nginx.page(path))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_page_without_the_wanted_text_is_content(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page(), text="Cổng dịch vụ công")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "Cổng dịch vụ công" in result.evidence


async def test_text_is_compared_in_one_normal_form(nginx: Nginx) -> None:
    decomposed = unicodedata.normalize("NFD", "Đăng nhập")
    assert decomposed != "Đăng nhập"
    assert (await ask("http", url=nginx.page(), text=decomposed)).outcome is Outcome.OK


async def test_an_error_text_on_a_page_that_answers_200_is_content(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/broken.html"), text="Đăng nhập", absent="Lỗi kết nối")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert (await ask("http", url=nginx.page(), text="Đăng nhập", absent="Lỗi kết nối")).outcome is Outcome.OK


async def test_another_status_fails_unless_it_is_the_wanted_one(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/fault"))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert "503" in result.evidence
    assert result.values["probe_http_status_code"] == 503
    assert (await ask("http", url=nginx.page("/fault"), status=[503])).outcome is Outcome.OK


async def test_a_wanted_redirect_is_not_followed(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/moved"), status=[301])
    assert result.outcome is Outcome.OK
    assert result.values["probe_http_redirects"] == 0


async def test_a_redirect_on_the_same_host_is_followed(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/moved"), text="Đăng nhập")
    assert result.outcome is Outcome.OK
    assert result.values["probe_http_redirects"] == 1


async def test_a_redirect_into_tls_is_followed(nginx: Nginx) -> None:
    result = await ask("http", url=f"http://good.example:{nginx.http}/up", ca=nginx.ca)
    assert result.outcome is Outcome.OK
    assert result.values["probe_http_ssl"] == 1
    assert result.values["probe_http_redirects"] == 1


@pytest.mark.parametrize(("path", "tls"), [("/away", ""), ("/down", "good.example"), ("/file", "")])
async def test_a_redirect_to_another_host_or_out_of_tls_is_not_followed(nginx: Nginx, path: str, tls: str) -> None:
    result = await ask("http", url=nginx.page(path, tls=tls), ca=nginx.ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert "not followed" in result.evidence
    assert "hidden" not in result.evidence  # the query may hold secrets


async def test_redirects_in_a_ring_end(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/loop"), max_redirects=2)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.STATUS)
    assert "more than 2 redirects" in result.evidence


async def test_a_page_of_combining_marks_does_not_stall_the_loop() -> None:
    # Normalising these 400 kB takes half a minute: the deadline of the test runner would be the only one left.
    body = b"a" + "\u0301\u0316".encode() * 100_000
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n" % len(body)
    spent = time.process_time()
    async with TcpPeer(head + body) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", text="Đăng nhập")
    assert result.reason is Reason.CONTENT
    assert time.process_time() - spent < 10  # seconds of our own CPU, a hundred times what it takes


@pytest.mark.parametrize(
    ("charset", "page"),
    [
        ("windows-1252", b"\x81" * 1_000_000), ("utf-16le", b"\x00\xdc" * 500_000), ("idna", b"a" * 1_000_000),
        ("x" * 60_000, b""),
    ],
)  # fmt: skip
async def test_a_charset_of_the_servers_choice_costs_nothing(charset: str, page: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset={charset}\r\nContent-Length: {len(page)}\r\n\r\n"
    before = set(encodings._cache)  # type: ignore[attr-defined]
    async with TcpPeer(head.encode() + page) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", text="Đăng nhập")
    assert result.reason is Reason.CONTENT
    assert set(encodings._cache) - before <= {"cp1252", "utf_16_le"}, "a stranger's name is not remembered"  # type: ignore[attr-defined]


@pytest.mark.parametrize("codec", ["utf-8", "cp1258", "utf-16-le", "utf-16-be"])
async def test_vietnamese_is_found_in_whatever_way_it_is_written(codec: str) -> None:
    text = "Thủ tục ở cửa số Một"
    names = {"cp1258": "windows-1258", "utf-16-le": "UTF-16LE", "utf-16-be": "utf-16be"}
    written = http._tones_apart(text) if codec == "cp1258" else text
    page = f"<p>{written}</p>".encode(codec)
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset={names.get(codec, codec)}\r\nContent-Length: {len(page)}\r\n\r\n"
    async with TcpPeer(head.encode() + page) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", text=text)
    assert result.outcome is Outcome.OK, result


async def test_the_query_of_an_address_is_never_evidence() -> None:
    async with TcpPeer(b"garbage\r\n\r\n") as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/page?token=secret")
    assert result.reason is Reason.PROTOCOL
    assert "secret" not in result.evidence


@pytest.mark.parametrize(
    "location",
    [
        b"http://[", b"http://good.example:99999999/", b"//", b"\xff\xfe", b"/" * 3000,
        "http://a{}/".format("\u0301" * 15_500 + "\u0327" * 15_500).encode(), b"http://good.example:22/",
    ],
)  # fmt: skip
async def test_a_redirect_to_nonsense_is_a_failure_of_the_peer(location: bytes) -> None:
    async with TcpPeer(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + location + b"\r\n\r\n") as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", max_redirects=1)
    assert result.outcome is Outcome.FAILED
    assert result.reason in (Reason.STATUS, Reason.PROTOCOL)


async def test_a_page_that_unpacks_to_megabytes_is_bounded(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/bomb"), max_bytes=BOMB_BYTES // 8)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TOO_LARGE)
    whole = await ask("http", url=nginx.page("/bomb"), max_bytes=BOMB_BYTES)
    assert whole.outcome is Outcome.OK
    assert whole.values["probe_http_uncompressed_body_length"] == BOMB_BYTES


async def test_a_slow_page_times_out(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/slow.html"), timeout=0.4)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)


async def test_phases_tell_where_the_time_went(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page(tls="good.example"), ca=nginx.ca)
    phases = {name: result.values[PHASE.format(name)] for name in PHASES}
    assert phases["resolve"] == 0, "the inventory told the address"
    assert all(phases[name] > 0 for name in ("connect", "tls", "processing"))
    plain = await ask("http", url=nginx.page())
    assert plain.values[PHASE.format("tls")] == 0


@pytest.mark.parametrize(
    ("greeting", "waits_for"),
    [
        (b"", "the first line of the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "the rest of the page"),
    ],
)
async def test_a_deadline_tells_what_was_waited_for(greeting: bytes, waits_for: str) -> None:
    async with TcpPeer(greeting) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", timeout=0.3)
        secure = await ask("http", url=f"https://good.example:{peer.port}/", timeout=0.3) if not greeting else None
    assert result.evidence == f"no answer within 0.3 s, still waited for: {waits_for}"
    assert secure is None or secure.evidence.endswith("the TLS handshake")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_http2_is_spoken_when_it_is_offered_and_taken(nginx: Nginx, method: str) -> None:
    old = await ask("http", url=nginx.page(tls="good.example"), ca=nginx.ca)
    new = await ask("http", url=nginx.page(tls="good.example"), ca=nginx.ca, http2=True, method=method)
    assert (old.values["probe_http_version"], new.values["probe_http_version"]) == (1.1, 2.0)
    assert new.outcome is Outcome.OK
    assert new.values["probe_http_uncompressed_body_length"] == (len(PAGE.encode()) if method == "GET" else 0)


async def test_http2_keeps_the_bounds_of_a_page(nginx: Nginx) -> None:
    page = nginx.page("/bomb", tls="good.example")
    small = await ask("http", url=page, ca=nginx.ca, http2=True, max_bytes=BOMB_BYTES // 8)
    assert (small.outcome, small.reason) == (Outcome.FAILED, Reason.TOO_LARGE)
    large = await ask("http", url=nginx.page("/large", tls="good.example"), ca=nginx.ca, http2=True)
    assert large.values["probe_http_uncompressed_body_length"] == LARGE_BYTES, "past the window of a stream"


@pytest.mark.parametrize(
    ("path", "name", "length"),
    [
        ("/headers", "good.example", 4), ("/trailer", "good.example", LARGE_BYTES), ("/large", "last.example", LARGE_BYTES)
    ],
    ids=["headers in several frames", "trailers", "a server that takes no more requests"],
)  # fmt: skip
async def test_http2_takes_whatever_a_server_may_send(nginx: Nginx, path: str, name: str, length: int) -> None:
    result = await ask("http", url=nginx.page(path, tls=name), ca=nginx.ca, http2=True)
    assert (result.outcome, result.values.get("probe_http_version")) == (Outcome.OK, 2.0), result
    assert result.values["probe_http_uncompressed_body_length"] == length


async def test_http2_sends_headers_in_several_frames(nginx: Nginx) -> None:
    headers = {"X-Name": "n" * 7000, **{f"X-{index}": "x" * 7000 for index in range(3)}, "Connection": "close"}
    page = nginx.page("/hello", tls="good.example")
    assert (
        await ask("http", url=page, ca=nginx.ca, http2=True, headers=headers, text="n" * 7000)
    ).outcome is Outcome.OK


async def test_a_server_that_does_not_take_http2_is_asked_by_http1(nginx: Nginx) -> None:
    page = nginx.page(tls="good.example", old=True)
    result = await ask("http", url=page, ca=nginx.ca, http2=True, text="Đăng nhập")
    assert (result.outcome, result.values["probe_http_version"]) == (Outcome.OK, 1.1)


async def test_http2_that_was_offered_to_a_server_without_tls_is_not_spoken(nginx: Nginx) -> None:
    assert (await ask("http", url=nginx.page(), http2=True)).values["probe_http_version"] == 1.1


async def test_ipv6_is_asked_like_ipv4() -> None:
    async with TcpPeer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", host="::1") as peer:
        literal = await ask("http", "", url=f"http://[::1]:{peer.port}/")
        named = await ask("http", "::1", url=f"http://good.example:{peer.port}/")
    assert (literal.outcome, named.outcome) == (Outcome.OK, Outcome.OK)


@pytest.mark.parametrize(("address", "named"), [("", "xn--mu-95s.example"), ("room.example", "room.example")])
async def test_of_a_name_with_several_addresses_the_first_that_accepts_is_asked(
    monkeypatch: pytest.MonkeyPatch, address: str, named: str
) -> None:
    # A name server cannot be asked from loopback alone: what it would say is given.
    async with TcpPeer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as peer:

        async def look_up(host: str, port: int) -> list[names.Found]:
            assert host == named
            return [(socket.AF_INET, (each, port)) for each in ("127.9.9.9", LOOPBACK)]

        monkeypatch.setattr(names, "look_up", look_up)
        told: list[str] = []
        result = await ask("http", address, url=f"http://mẫu.example:{peer.port}/", told=told)
    assert result.outcome is Outcome.OK, result
    assert any("127.9.9.9: " in line for line in told)


async def test_empty_lines_without_end_are_no_answer() -> None:
    async with TcpPeer(b"", b"\r\n" * 999) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/")
    assert result.reason is Reason.PROTOCOL


async def test_a_packed_page_that_breaks_off_is_not_good() -> None:
    packed = gzip.compress(PAGE.encode())[:-9]
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    async with TcpPeer(head + packed) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/", text="Một")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)


async def test_letters_in_an_address_are_written_as_the_protocol_wants() -> None:
    async with TcpPeer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as peer:
        await ask("http", url=f"http://mẫu.example:{peer.port}/tin tức?q=xã&r=%20")
        await eventually("the request came", lambda: peer.said.endswith(b"\r\n\r\n"))
    lines = peer.said.split(b"\r\n")
    assert lines[0] == b"GET /tin%20t%E1%BB%A9c?q=x%C3%A3&r=%20 HTTP/1.1"
    assert b"host: xn--mu-95s.example:%d" % peer.port in [each.lower() for each in lines]


@pytest.mark.parametrize("headers", [{"X Name": "a"}, {"X-Name": "a\r\nX-More: b"}, {"X-Name": "ế"}, {"": "a"}])
async def test_a_header_that_could_not_be_sent_is_refused_as_an_option(headers: dict[str, str]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("http", url="http://good.example/", headers=headers)


@pytest.mark.parametrize("http2", [False, True])
async def test_a_header_of_the_options_takes_the_place_of_ours(nginx: Nginx, http2: bool) -> None:
    headers = {"HOST": "other.example", "user-agent": "lab"}
    page = nginx.page("/asked", tls="good.example")
    result = await ask("http", url=page, ca=nginx.ca, http2=http2, headers=headers, text="other.example|lab|*/*")
    assert result.outcome is Outcome.OK, result


@pytest.mark.parametrize("http2", [False, True])
async def test_a_header_beyond_ascii_is_sent_as_latin_1(nginx: Nginx, http2: bool) -> None:
    page = nginx.page("/hello", tls="good.example")
    result = await ask("http", url=page, ca=nginx.ca, http2=http2, headers={"X-Name": "café"})
    assert (result.outcome, result.values["probe_http_uncompressed_body_length"]) == (Outcome.OK, 4)


async def test_head_fetches_no_body(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page(), method="HEAD")
    assert result.outcome is Outcome.OK
    assert result.values["probe_http_uncompressed_body_length"] == 0
    assert result.values["probe_http_content_length"] == len(PAGE.encode())


async def test_headers_of_the_options_are_sent(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page("/hello"), headers={"X-Name": "lab"}, text="lab")
    assert result.outcome is Outcome.OK


@pytest.mark.parametrize("path", ["/strange.html", "/old.html"])
async def test_a_page_in_a_strange_encoding_is_still_judged(nginx: Nginx, path: str) -> None:
    assert (
        await ask("http", url=nginx.page(path), text="ở cửa" if path == "/old.html" else "Một")
    ).outcome is Outcome.OK


# -- TLS ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "days"), [("good.example", 90), ("soon.example", 5)])
async def test_a_good_certificate_tells_its_days_left(nginx: Nginx, name: str, days: int) -> None:
    result = await ask("http", url=nginx.page(tls=name), ca=nginx.ca)
    assert result.outcome is Outcome.OK
    assert days - 1 < result.values["probe_ssl_days_left"] <= days
    assert result.values["probe_http_ssl"] == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [("expired.example", "expired"), ("wrong.example", "mismatch"), ("stranger.example", "unable to get local issuer")],
)
async def test_a_bad_certificate_fails_with_its_reason(nginx: Nginx, name: str, says: str) -> None:
    result = await ask("http", url=nginx.page(tls=name), ca=nginx.ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CERTIFICATE)
    assert says in result.evidence


async def test_unverified_takes_any_certificate_and_tells_its_days(nginx: Nginx) -> None:
    result = await ask("http", url=nginx.page(tls="expired.example"), verify=False)
    assert result.outcome is Outcome.OK
    assert result.values["probe_ssl_days_left"] < 0


async def test_tls_to_a_port_that_speaks_none_is_a_tls_failure(nginx: Nginx) -> None:
    result = await ask("http", url=f"https://good.example:{nginx.http}/", ca=nginx.ca)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TLS)


# -- the way there -----------------------------------------------------------------------------------------------------


async def test_a_closed_port_is_refused() -> None:
    result = await ask("http", url=f"http://good.example:{free_port()}/")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_a_server_that_hangs_up_is_a_reset() -> None:
    async with TcpPeer(hang_up=True) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.RESET)


async def test_a_page_that_breaks_off_is_not_good() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
    async with TcpPeer(page, hang_up=True) as peer:
        result = await ask("http", url=f"http://good.example:{peer.port}/")
    assert result.outcome is Outcome.FAILED
    assert result.reason in (Reason.PROTOCOL, Reason.RESET)


async def test_without_an_address_a_name_that_is_not_found_is_name_resolution(field: Field) -> None:
    # In a namespace from which no resolver is reached.
    result = await ask("http", "", url="http://nowhere.invalid/")
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.NAME)


async def test_the_query_of_the_address_is_never_told(nginx: Nginx) -> None:
    told: list[str] = []
    result = await ask("http", url=nginx.page("/?token=hidden"), told=told, text="nothing of the kind")
    assert "hidden" not in result.evidence
    assert "hidden" not in "".join(told)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://good.example/",
        "good.example",
        "http://",
        "http://good.example:0/",
        "http://good.example:99999/",
        "http://[",
        "http://user:password@good.example/",
        "http://a..b/",
    ],
)
async def test_an_address_that_is_none_is_refused_as_an_option(url: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("http", url=url)
