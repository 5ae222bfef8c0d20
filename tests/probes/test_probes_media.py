"""A media test against the real reflector, over lines that lose, delay, copy and remark by a known measure."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from lab import line as lab_line
from monitor.core.model import Outcome, Reason
from probes.engine import stamp_sender
from probes.registry import Result
from probes.wire import stamp
from probes.wire.stamp import Clock, Seen
from tests.probes.calls import KEY, Reflecting
from tests.probes.peers import LOOPBACK, Field, UdpPeer, ask, free_port, run

PORT = 18862
FREE = Clock(False, 1)
HOP, HOP_6 = "10.199.0.2", "fd99::2"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture(scope="module")
def reflector(namespaces: Field, key_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reflecting]:
    made = Reflecting(tmp_path_factory.mktemp("reflect"), PORT, "--key-file", str(key_file), namespace=namespaces.far)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def line(field: Field, seconds: float, jitter: float = 0.0, copies: int = 0) -> Iterator[None]:
    """A delayed line to `lab.line.FAR`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lab.line", field.near, field.far, str(seconds), str(jitter), str(copies)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.communicate(timeout=10)


def drop(field: Field, *, there: str = "", back: str = "") -> None:
    """Lose by rules that count, so that the measure is exact, or by chance."""
    rules = "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; udp {port} {PORT} {rule} drop; }}\n"
        for hook, port, rule in (("input", "dport", there), ("output", "sport", back))
        if rule
    )
    given = f"table inet media\ndelete table inet media\ntable inet media {{\n{rules}}}\n"
    run("ip", "netns", "exec", field.far, "nft", "-f", "-", given=given)


@pytest.fixture
def mended(field: Field) -> Iterator[Field]:
    """The near namespace, without losses before and after."""
    drop(field)
    yield field
    drop(field)


async def media(address: str = HOP, **options: Any) -> Result:
    return await ask("media", address, timeout=20, **{"port": PORT, "key": {"file": KEY}, "duration": 1.0, **options})


def both(result: Result, name: str) -> tuple[float, float]:
    assert result.outcome is Outcome.OK, result
    return tuple(result.values[f'probe_media_{name}{{direction="{way}"}}'] for way in ("there", "back"))  # type: ignore[return-value]


# -- a line as it should be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [HOP, HOP_6])
async def test_a_good_line_is_rated_well_and_keeps_the_marking(
    reflector: Reflecting, mended: Field, address: str
) -> None:
    result = await media(address)
    assert both(result, "loss_ratio") == (0, 0)
    assert both(result, "dscp_kept") == (1, 1)
    assert min(both(result, "rating")) > 90
    assert min(both(result, "mos")) > 4.3
    assert result.values["probe_media_packets"] == 50
    assert result.evidence.startswith("R 9")


async def test_video_comes_in_frames_at_its_bandwidth_and_has_no_rating_of_speech(
    reflector: Reflecting, mended: Field
) -> None:
    result = await media(profile="video")
    assert result.values["probe_media_packets"] == pytest.approx(2e6 / 8 / 1200, abs=1)
    assert both(result, "dscp_kept") == (1, 1)
    assert not any(name.startswith(("probe_media_rating", "probe_media_mos")) for name in result.values)


async def test_without_right_clocks_there_is_no_delay_one_way_and_with_them_there_is(
    reflector: Reflecting, mended: Field, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    result = await media(told=told)
    assert not any(name.startswith("probe_media_delay") for name in result.values)
    assert any("not both clocks" in line for line in told)
    monkeypatch.setattr(stamp_sender, "clock", lambda: Clock(True, 0.001))
    right = UdpPeer(answer=lambda data: [answered(data, clock=Clock(True, 0.002))])
    async with right as peer:
        result = await ask("media", LOOPBACK, timeout=20, port=peer.port, key={"file": KEY}, duration=0.2, told=told)
    assert 0 < both(result, "delay_seconds")[0] < 0.2
    assert any("right within 3.0 ms" in line for line in told)


# -- measured against set ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "back", "loss", "burst"),
    [
        ("numgen inc mod 20 == 7", "", (0.05, 0), (1, 1)),
        ("", "numgen inc mod 10 == 3", (0, 0.1), (1, 1)),
        ("numgen inc mod 50 < 5", "", (0.1, 0), (4.5, 1)),
        ("numgen inc mod 25 < 2", "numgen inc mod 23 < 1", (0.08, 1 / 23), (2 * 0.92, 1)),
    ],
)
async def test_losses_are_measured_as_they_were_set_and_in_their_direction(
    reflector: Reflecting,
    mended: Field,
    there: str,
    back: str,
    loss: tuple[float, float],
    burst: tuple[float, float],
) -> None:
    drop(mended, there=there, back=back)
    result = await media(duration=2)
    assert both(result, "loss_ratio") == pytest.approx(loss, abs=0.011)
    assert both(result, "burst_ratio") == pytest.approx(burst, abs=0.25)
    assert both(result, "rating")[0 if loss[0] else 1] < 85


async def test_delay_jitter_and_copies_are_measured_as_they_were_set(reflector: Reflecting, field: Field) -> None:
    # A busy machine only adds to a delay, so what is set is the least; docs/rooms.md has both sides of a quiet one.
    with line(field, 0.03, 0.012, copies=10):
        result = await media(lab_line.FAR, duration=2)
    assert result.outcome is Outcome.OK, result
    assert 0.066 < result.values["probe_media_round_trip_seconds"] < 0.2
    # Two even draws from a range differ by a third of it in the mean.
    assert min(both(result, "jitter_seconds")) > 0.003
    assert max(both(result, "loss_ratio")) <= 0.05
    assert result.values["probe_media_duplicates"] > 5


async def test_what_comes_later_than_a_listener_waits_is_late_and_rated_as_lost(
    reflector: Reflecting, field: Field
) -> None:
    with line(field, 0.01, 0.08):
        result = await media(lab_line.FAR_6, duration=2, jitter_buffer=0.04)
    assert max(both(result, "loss_ratio")) <= 0.05
    assert min(both(result, "late_ratio")) > 0.3
    assert min(both(result, "reordered_ratio")) > 0.1
    assert max(both(result, "rating")) < 45


async def test_a_hop_that_clears_the_marking_is_seen_in_its_direction(reflector: Reflecting, mended: Field) -> None:
    run(
        "ip", "netns", "exec", mended.far, "nft", "-f", "-",
        given=f"table inet media {{\nchain pre {{ type filter hook prerouting priority -150; udp dport {PORT} ip dscp set cs0; }}\n}}\n",
    )  # fmt: skip
    result = await media()
    assert both(result, "dscp_kept") == (0, 1)
    assert "DSCP 46 arrives there as 0" in result.evidence


# -- who does not play by the rules ---------------------------------------------------------------------------------------


def answered(
    data: bytes,
    *,
    key: bytes = KEY.encode(),
    place: int = 0,
    clock: Clock = FREE,
    sequence: int | None = None,
    ahead_ns: int = 0,
) -> bytes:
    """What our reflector would say, or nearly so."""
    test = stamp.receive(data, KEY.encode())
    if sequence is not None:
        test = test._replace(fields=(sequence, *test.fields[1:]))
    now = time.time_ns() + ahead_ns
    return stamp.reflect(test, key, place or test.fields[0], Seen(now, 46, 0, 64), now, clock)[0]


async def _against(peer: UdpPeer, **options: Any) -> Result:
    async with peer:
        return await ask(
            "media", LOOPBACK, timeout=20, **{"port": peer.port, "key": {"file": KEY}, "duration": 0.2, **options}
        )


async def test_silence_is_a_timeout_that_names_what_it_may_be(reflector: Reflecting, mended: Field) -> None:
    result = await media(key={"file": "another key of the same length.."}, duration=0.2)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert "none of 10 packets came back" in result.evidence
    assert "another key" in result.evidence


async def test_answers_with_another_key_are_an_authentication_failure() -> None:
    result = await _against(UdpPeer(answer=lambda data: [answered(data, key=b"another key, long enough")]))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.AUTH)
    assert "not signed with our key" in result.evidence


async def test_garbage_is_a_protocol_failure() -> None:
    result = await _against(UdpPeer([b"hello"]), key={"file": ""})
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "not STAMP" in result.evidence


async def test_a_replayed_answer_of_another_test_counts_for_nothing() -> None:
    old: list[bytes] = []

    def remember(data: bytes) -> list[bytes]:
        old.append(answered(data))
        return old[-1:]

    await _against(UdpPeer(answer=remember))
    result = await _against(UdpPeer(answer=lambda _: old))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
    assert "of another test" in result.evidence


async def test_answers_to_what_was_never_sent_and_without_end_count_for_nothing() -> None:
    result = await _against(UdpPeer(answer=lambda data: [answered(data, sequence=999), *[answered(data)] * 50]))
    assert result.outcome is Outcome.OK
    assert result.values["probe_media_duplicates"] == 10, "two of each are taken, and no more"


def _number(data: bytes) -> int:
    return int.from_bytes(data[:4], "big")


async def test_a_clock_that_is_set_in_the_middle_is_not_the_line() -> None:
    wrong = await _against(UdpPeer(answer=lambda data: [answered(data, ahead_ns=3600 * 10**9)]))
    assert wrong.outcome is Outcome.OK
    moving = UdpPeer(answer=lambda data: [answered(data, ahead_ns=(_number(data) // 5) * 10**9)])
    result = await _against(moving)
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert result.evidence == "a clock was set by 1 s or more in the middle of the test, ours or the reflector's"


async def test_a_reflector_that_is_started_again_in_the_middle_is_not_the_line() -> None:
    result = await _against(UdpPeer(answer=lambda data: [answered(data, place=_number(data) % 5 + 1)]))
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert result.evidence == "the reflector was started again in the middle of the test"


class Elsewhere(UdpPeer):
    """Answers rightly, but from another address."""

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.seen.append(data)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as another:
            another.bind(("127.0.0.9", 0))
            another.sendto(answered(data), addr)


async def test_an_answer_from_another_address_is_none() -> None:
    peer = Elsewhere()
    result = await _against(peer)
    assert len(peer.seen) == 10
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)


async def test_nobody_there_is_refused_at_once() -> None:
    result = await ask("media", LOOPBACK, timeout=20, port=free_port(), key={"file": KEY}, duration=10)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)


async def test_no_way_is_unreachable_and_the_hop_that_says_so_is_named(mended: Field) -> None:
    mended.no_way_to("10.200.0.9")
    result = await media("10.200.0.9", duration=0.5)
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.UNREACHABLE)
    assert "says 10.199.0.2" in result.evidence


async def test_when_we_ourselves_are_too_busy_to_send_the_line_is_not_blamed() -> None:
    async def busy() -> None:
        await asyncio.sleep(0.1)
        time.sleep(0.4)

    async with UdpPeer(answer=lambda data: [answered(data)]) as peer:
        result, _ = await asyncio.gather(
            ask("media", LOOPBACK, timeout=20, port=peer.port, key={"file": KEY}, duration=0.6), busy()
        )
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert "too busy to send" in result.evidence
    assert len(peer.seen) < 10, "what is due does not leave all at once"


async def test_when_our_own_queue_is_full_the_line_is_not_blamed(reflector: Reflecting, mended: Field) -> None:
    queue = ("dev", "near0", "root", "tbf", "rate", "64kbit", "burst", "2000", "limit", "2000")
    run("tc", "-n", mended.near, "qdisc", "add", *queue)
    try:
        result = await media(duration=1.5)
    finally:
        run("tc", "-n", mended.near, "qdisc", "del", "dev", "near0", "root")
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL), result
    assert "never left this host" in result.evidence


@pytest.mark.parametrize("options", [{"key": {"file": "short"}}, {"reflector": "room.example"}, {"dscp": 64}])
async def test_options_that_can_never_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        await ask("media", LOOPBACK, **options)


# -- the reflector ---------------------------------------------------------------------------------------------------------


def _packet(sequence: int = 0, *, key: bytes = KEY.encode(), session: int = 5) -> bytes:
    return stamp.encode(
        stamp.TestPacket(sequence=sequence, sent_ns=0, clock=Clock(False, 1), session=session, dscp=0), key, 172
    )


@contextlib.asynccontextmanager
async def _asking(*packets: bytes, port: int = PORT, address: str = HOP) -> AsyncIterator[list[bytes]]:
    """Send them from one port; the answers of the next tenths of a second."""
    got: list[bytes] = []

    class Taking(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: Any) -> None:
            got.append(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Taking, remote_addr=(address, port))
    try:
        for each in packets:
            transport.sendto(each)
        yield got
    finally:
        transport.abort()


async def _answers(*packets: bytes, wanted: int, address: str = HOP) -> list[bytes]:
    async with _asking(*packets, address=address) as got:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5 if wanted else 0.5):
                while len(got) < max(1, wanted):
                    await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # what must not come has had its time
        return list(got)


async def test_what_is_not_signed_gets_no_answer(reflector: Reflecting, mended: Field) -> None:
    good = _packet()
    bad = [b"", b"\0" * 2000, _packet(key=b""), _packet(key=b"another key, long enough"), good[:111], b"\xff" * 112]
    assert len(await _answers(*bad, good, wanted=1)) == 1


async def test_places_are_counted_for_each_session(reflector: Reflecting, mended: Field) -> None:
    packets = [_packet(number, session=session) for number in (0, 5, 9) for session in (1, 2)]
    replies = [stamp.decode(each, KEY.encode()) for each in await _answers(*packets, wanted=6)]
    assert [(each.session, each.sequence, each.place) for each in replies] == [
        (1, 0, 0), (2, 0, 0), (1, 5, 1), (2, 5, 1), (1, 9, 2), (2, 9, 2),
    ]  # fmt: skip


async def test_an_answer_comes_from_the_address_that_was_asked(reflector: Reflecting, mended: Field) -> None:
    assert len(await _answers(_packet(), wanted=1, address="10.200.0.77")) == 1


async def test_a_source_and_all_together_have_a_rate_and_the_log_tells_the_end(
    field: Field, key_file: Path, tmp_path: Path
) -> None:
    limits = ("--rate", "5", "--rate-in-all", "8")
    made = Reflecting(tmp_path, PORT + 1, "--key-file", str(key_file), *limits, namespace=field.far)
    try:
        made.start()
        flood = [_packet(number) for number in range(200)]
        assert 5 <= len(await _answers_at(PORT + 1, flood)) <= 8
    finally:
        made.stop()
    assert made.counts["limited"] >= 190
    assert made.counts["answered"] + made.counts["limited"] == 200


async def test_while_keys_are_changed_both_are_answered_each_with_its_own(field: Field, tmp_path: Path) -> None:
    keys = [KEY, KEY[::-1]]
    for number, key in enumerate(keys):
        (tmp_path / f"{number}").write_text(key)
    options = [f"--key-file={tmp_path / str(number)}" for number in range(2)]
    made = Reflecting(tmp_path, PORT + 3, *options, namespace=field.far)
    try:
        made.start()
        for key in keys:
            result = await media(port=PORT + 3, key={"file": key}, duration=0.2)
            assert both(result, "loss_ratio") == (0, 0)
        other = await media(port=PORT + 3, key={"file": "0" * 32}, duration=0.2)
        assert other.reason is Reason.TIMEOUT
    finally:
        made.stop()
    assert made.counts == {"answered": 20, "unsigned": 10}


async def _answers_at(port: int, packets: list[bytes]) -> list[bytes]:
    async with _asking(*packets, port=port) as got:
        await asyncio.sleep(0.5)
        return list(got)


async def test_unsigned_packets_are_answered_only_when_asked_for_and_to_those_who_are_named(
    field: Field, tmp_path: Path
) -> None:
    made = Reflecting(tmp_path, PORT + 2, "--unsigned-from", "10.199.0.0/24", namespace=field.far)
    try:
        made.start()
        result = await media(port=PORT + 2, key={"file": ""}, duration=0.2)
        assert both(result, "loss_ratio") == (0, 0)
        refused = await media(HOP_6, port=PORT + 2, key={"file": ""}, duration=0.2)
        assert refused.reason is Reason.TIMEOUT
    finally:
        made.stop()
    assert made.counts["foreign"] == 10


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "say either --key-file, or --unsigned-from"),
        (["--key-file", "/nowhere"], "/nowhere: No such file"),
        (["--listen", "here", "--key-file", "x"], "no address and port"),
        (["--unsigned-from", "10.0.0.1/8"], "host bits set"),
    ],
)
def test_what_can_never_work_is_told_in_plain_words(options: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "reflect", *options], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode
    assert says in done.stderr
