"""What is read of XMPP: servers as a browser would take them, and total over any text."""

from __future__ import annotations

import contextlib
import tracemalloc
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from probes.wire import xmpp
from probes.wire.xmpp import PORTS, IceServer

# XEP-0215 section 3.1, example 2
EXAMPLE = """<iq from='shakespeare.lit' id='ul2bc7y6' to='bard@shakespeare.lit/globe' type='result' xmlns='jabber:client'>
  <services xmlns='urn:xmpp:extdisco:2'>
    <service host='stun.shakespeare.lit' port='9998' transport='udp' type='stun'/>
    <service host='relay.shakespeare.lit' password='jj929jkj5sadjfj93v3n' port='9999' transport='udp' type='turn' username='nb78932lkjlskjfdb7g8'/>
    <service host='192.0.2.1' port='8888' transport='udp' type='stun'/>
    <service host='192.0.2.1' port='8889' password='93jn3bakj9s832lrjbbz' transport='udp' type='turn' username='auu98sjl2wk3e9fjdsl7'/>
    <service host='ftp.shakespeare.lit' name='Shakespearean File Server' password='guest' port='20' transport='tcp' type='ftp' username='guest'/>
  </services>
</iq>"""


def read(**service: str) -> IceServer:
    """A service with these attributes."""
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in service.items())
    (server,) = xmpp.ice_servers(xmpp.parse(
        f"<iq xmlns='jabber:client'><services xmlns='urn:xmpp:extdisco:2'><service {attributes}/></services></iq>"
    ))  # fmt: skip
    return server


LOGIN = {"username": "u", "password": "p"}


def test_the_servers_of_the_standard_s_example_are_read_without_its_file_server() -> None:
    servers = xmpp.ice_servers(xmpp.parse(EXAMPLE))
    assert [str(each) for each in servers] == [
        "STUN stun.shakespeare.lit:9998 over UDP",
        "TURN relay.shakespeare.lit:9999 over UDP",
        "STUN 192.0.2.1:8888 over UDP",
        "TURN 192.0.2.1:8889 over UDP",
    ]
    assert (servers[1].username, servers[1].password) == ("nb78932lkjlskjfdb7g8", "jj929jkj5sadjfj93v3n")
    assert not any(each.wrong for each in servers)
    assert "jj929jkj5sadjfj93v3n" not in repr(servers)


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        ({"type": "stun", "host": "a"}, "STUN a:3478 over UDP"),
        ({"type": "stun", "host": "a", "transport": "tcp"}, "STUN a:3478 over UDP"),  # lib-jitsi-meet takes it so
        ({"type": "turn", "host": "a", **LOGIN}, "TURN a:3478 over UDP"),
        ({"type": "turn", "host": "a", "transport": "tcp", "port": "443", **LOGIN}, "TURN a:443 over TCP"),
        ({"type": "turns", "host": "a", **LOGIN}, "TURN a:5349 over TLS"),
        ({"type": "turns", "host": "a", "transport": "tcp", **LOGIN}, "TURN a:5349 over TLS"),
        ({"type": "stun", "host": "2001:db8::1"}, "STUN [2001:db8::1]:3478 over UDP"),
        ({"type": "stun", "host": "[2001:db8::1]"}, "STUN [2001:db8::1]:3478 over UDP"),
    ],
)
def test_a_server_is_taken_as_a_browser_takes_it(service: dict[str, str], shown: str) -> None:
    assert (str(read(**service)), read(**service).wrong) == (shown, "")


@pytest.mark.parametrize(
    ("service", "wrong"),
    [
        ({"type": "stun"}, "no host"),
        ({"type": "stun", "host": "a b"}, "no host"),
        ({"type": "stun", "host": "fe80::1%eth0"}, "no host"),
        ({"type": "stun", "host": "a" * 254}, "no host"),
        ({"type": "stun", "host": "a", "port": "0"}, "no port"),
        ({"type": "stun", "host": "a", "port": "65536"}, "no port"),
        ({"type": "stun", "host": "a", "port": "٣٤٧٨"}, "no port"),
        ({"type": "stun", "host": "a", "port": "25"}, "at such a port"),
        ({"type": "turn", "host": "a", "transport": "tls", **LOGIN}, "transport"),
        ({"type": "turns", "host": "a"}, "without user and password"),
        ({"type": "turn", "host": "a", "username": "u"}, "without user and password"),
        ({"type": "turn", "host": "a", "username": "ế" * 170, "password": "p"}, "too long"),
    ],
)
def test_what_no_browser_could_use_is_told(service: dict[str, str], wrong: str) -> None:
    assert wrong in read(**service).wrong


@pytest.mark.parametrize("declared", ["xmlns={}", "xmlns:p={}", "a='' xmlns:p\n=\t{}", f"xmlns:{'p' * 90}={{}}"])
@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_namespace_that_would_be_written_out_a_thousand_times_is_not_read(declared: str, quote: str) -> None:
    said = "<iq {}><a/><b/></iq>"
    with pytest.raises(xmpp.ProtocolError, match="a namespace with a name too long"):
        xmpp.parse(said.format(declared.format(f"{quote}{'u' * 257}{quote}")))
    assert xmpp.parse(said.format(declared.format(f"{quote}{'u' * 256}{quote}")))


def test_the_largest_word_takes_little_memory_whatever_stands_in_it() -> None:
    names = " ".join(f'{"p" * 100}:a{each:x}=""' for each in range(280))
    tracemalloc.start()
    try:
        for said in (
            f"<x xmlns:{'p' * 100}='{'u' * 30_000}' {names}/>",  # a name that is not seen as too long
            f"<x xmlns='{'u' * 256}'>{''.join(f'<a{each:x}/>' for each in range(8000))}</x>",
            f"<x>{'<a>' * 9000}{'</a>' * 9000}</x>",
            "xmlns" * 13_000,
            "xmlns " * 10_000,
            f"xmlns{' ' * 65_000}",
        ):
            assert len(said) < 1 << 16
            with contextlib.suppress(xmpp.ProtocolError):
                xmpp.parse(said)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 32 << 20


def test_a_server_that_is_named_twice_is_one() -> None:
    line = "<service host='192.0.2.1' port='8888' transport='udp' type='stun'/>"
    for again in (line, line.replace("'udp'", "'tcp'")):  # of STUN a browser takes both for the same
        assert xmpp.ice_servers(xmpp.parse(EXAMPLE.replace(line, line + again))) == xmpp.ice_servers(
            xmpp.parse(EXAMPLE)
        )


@pytest.mark.parametrize(
    ("element", "told"),
    [
        ("<iq xmlns='jabber:client' type='error'><services xmlns='urn:xmpp:extdisco:2'/><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", "service-unavailable"),
        ("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>", "not-authorized"),
        ("<iq xmlns='jabber:client' type='error'><error/></iq>", "it does not say why"),
        ("<failure/>", "it does not say why"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_by_its_name(element: str, told: str) -> None:
    assert xmpp.condition(xmpp.parse(element)) == told


def test_ways_to_log_in_are_told_on_one_line() -> None:
    features = "<f><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism><mechanism>A\nB</mechanism><mechanism/></mechanisms></f>"
    assert xmpp.mechanisms(xmpp.parse(features)) == ["PLAIN", "A B", ""]


BOMB = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><a>&b;</a>"
DEEP = "<a>" * 9000 + "</a>" * 9000


@given(some.text(max_size=60) | some.text("<>/&;'\"=! ab:?[]-\0\ud800", max_size=40))
@example(BOMB)
@example("<a xmlns:x='y'><x:b z:c=''/></a>")
@example("<?xml version='1.0' encoding='utf-7'?><a/>")
def test_any_text_is_an_element_or_one_error(text: str) -> None:
    with contextlib.suppress(xmpp.ProtocolError):
        element = xmpp.parse(text)
        assert xmpp.ice_servers(element) == []
        assert xmpp.mechanisms(element) == []
        assert len(xmpp.condition(element)) <= 60


@pytest.mark.parametrize("text", [BOMB, "<!DOCTYPE a><a/>", "", "<a>", "<a/><b/>", "<a>&b;</a>", "x"])
def test_a_document_type_and_what_is_broken_are_refused(text: str) -> None:
    with pytest.raises(xmpp.ProtocolError):
        xmpp.parse(text)


def test_the_deepest_that_a_message_can_hold_is_read() -> None:
    assert xmpp.mechanisms(xmpp.parse(DEEP)) == []


WORDS = some.text(
    some.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=600
)


@given(
    some.fixed_dictionaries(
        {"type": some.sampled_from(sorted(PORTS))},
        optional={name: WORDS | some.integers().map(str) | some.sampled_from(["udp", "tcp", "a.example", "443"]) for name in ("host", "port", "transport", "username", "password")},
    )
)  # fmt: skip
def test_any_server_can_be_asked_or_is_wrong(service: dict[str, str]) -> None:
    server = read(**service)
    assert len(str(server)) < 300
    if not server.wrong:
        assert server.host
        assert 1 <= server.port <= 65535
        assert server.transport in ("udp", "tcp", "tls")
        assert len(server.username) <= xmpp.MOST_USERNAME
        assert server.kind == "stun" or (server.username and server.password)


@given(some.binary(max_size=80), some.integers(0, len(EXAMPLE)))
def test_an_answer_that_was_changed_anywhere_is_read_or_one_error(noise: bytes, at: int) -> None:
    with contextlib.suppress(xmpp.ProtocolError):
        xmpp.ice_servers(xmpp.parse(EXAMPLE[:at] + noise.decode("utf-8", "replace") + EXAMPLE[at + len(noise) :]))
