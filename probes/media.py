"""Can the way to a room carry a call? A short stream like a call's to a reflector and back, rated as ITU-T G.107 rates speech.

Source: RFC 8762 and RFC 8972 (STAMP, the packets), RFC 3550 (jitter), ITU-T G.107 and G.113 (R and MOS). Costs what a call
costs: audio 80 kbit/s, video 2 Mbit/s each way for `duration`; the daemon never runs many at once (`media` of its settings).
The far end is `commune-monitor reflect`, or any STAMP reflector that numbers what it gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from monitor.core.model import Reason
from probes.engine import stamp_sender
from probes.engine.reflector import PORT
from probes.engine.stamp_sender import Packet, Test
from probes.registry import Bandwidth, Metric, Options, Request, Result, Secret, inconclusive, labelled, ok, probe
from probes.wire import emodel
from probes.wire.course import Course, Way, look

AUDIO_SECONDS, AUDIO_BYTES = 0.02, 172
"""A packet of G.711: RTP header and 20 ms of speech (RFC 3550, RFC 3551). With IP and UDP 50 of them are 80 kbit/s."""
FRAME_SECONDS, VIDEO_BYTES = 0.04, 1200
"""25 frames a second, each in packets that leave together, of a size that every path carries."""
CLOCK_MOVED_SECONDS = 0.02
"""Clocks that run free part by less during a test; more would look like packets that come too late."""
DSCPS = {"audio": 46, "video": 34}
"""EF and AF41 (RFC 4594)."""


class MediaOptions(Options):
    """What call to imitate, and with whom."""

    profile: Literal["audio", "video"] = Field("audio", description="audio: 50 packets a second; video: 25 frames")
    key: Annotated[Secret, AfterValidator(stamp_sender.check_key)] = Field(
        SecretStr(""), description="where the key of the reflector is; none: it is asked unsigned"
    )
    reflector: Annotated[str, AfterValidator(stamp_sender.number)] = Field(
        "", description="address of the reflector beside the room; empty: the target's own"
    )
    port: int = Field(PORT, ge=1, le=65535, description="port of the reflector")
    duration: float = Field(5.0, ge=0.1, le=30, description="length in seconds; `timeout` must be 2 s longer")
    dscp: int | None = Field(None, ge=0, le=63, description="marking of the packets; none: EF (46) or AF41 (34)")
    bandwidth: Bandwidth = Field(2e6, ge=64e3, le=10e6, description="of video, in bits per second")
    codec: Literal["g711", "g711-plc", "g729a", "g723.1", "gsm-efr"] = Field(
        "g711-plc", description="whose speech is rated (ITU-T G.113)"
    )
    jitter_buffer: float = Field(0.06, ge=0, le=1, description="seconds that a listener waits for the slowest packet")

    @property
    def takes_seconds(self) -> float:
        """The stream, and the last replies."""
        return self.duration + stamp_sender.LAST_SECONDS


def _plan(options: MediaOptions) -> Iterator[Packet]:
    dscp = DSCPS[options.profile] if options.dscp is None else options.dscp
    if options.profile == "audio":
        for index in range(round(options.duration / AUDIO_SECONDS)):
            yield Packet(index * AUDIO_SECONDS, AUDIO_BYTES, dscp)
        return
    a_frame = options.bandwidth * FRAME_SECONDS / 8 / VIDEO_BYTES
    sent = 0
    for frame in range(round(options.duration / FRAME_SECONDS)):
        due = max(1, round((frame + 1) * a_frame)) - sent
        sent += due
        yield from (Packet(frame * FRAME_SECONDS, VIDEO_BYTES, dscp) for _ in range(due))


DIRECTION = ("direction",)


@probe(
    "media",
    MediaOptions,
    metrics=[
        Metric(name="probe_media_packets", help="Packets that the last test sent."),
        Metric(name="probe_media_loss_ratio", help="Packets lost on the way, 0 to 1.", labels=DIRECTION),
        Metric(name="probe_media_late_ratio", help="Packets too late for the jitter buffer, 0 to 1.", labels=DIRECTION),
        Metric(name="probe_media_burst_ratio", help="Whether losses come together, 1 is random.", labels=DIRECTION),
        Metric(name="probe_media_jitter_seconds", help="Mean change of the transit time.", labels=DIRECTION),
        Metric(name="probe_media_reordered_ratio", help="Packets that others overtook, 0 to 1.", labels=DIRECTION),
        Metric(
            name="probe_media_delay_seconds", help="Least delay one way, where both clocks are right.", labels=DIRECTION
        ),
        Metric(name="probe_media_dscp_kept", help="1 when all packets kept their DSCP.", labels=DIRECTION),
        Metric(name="probe_media_duplicates", help="Replies that came more than once."),
        Metric(name="probe_media_round_trip_seconds", help="Median round trip, without the reflector's time."),
        Metric(name="probe_media_round_trip_max_seconds", help="Longest round trip."),
        Metric(name="probe_media_rating", help="R of ITU-T G.107, 0 to 100, of audio.", labels=DIRECTION),
        Metric(name="probe_media_mos", help="MOS of ITU-T G.107, 1 to 4.5, of audio.", labels=DIRECTION),
    ],
    by_number=True,
    loads_the_line=True,
)
async def run(request: Request[MediaOptions]) -> Result:
    """Send, take back, count, rate."""
    options = request.options
    address = options.reflector or request.address
    plan = list(_plan(options))
    what = f"{len(plan)} packets of {plan[0].size} bytes, DSCP {plan[0].dscp}"
    request.trace(f"{what}, in {options.duration:g} s to {address} port {options.port}")
    request.doing = f"the end of a test of {options.duration:g} s"
    test = await stamp_sender.send(address, options.port, stamp_sender.key_of(options.key), plan)
    for what, count in test.strange.items():
        request.trace(f"{count} datagrams left out: {what}")
    if (trouble := stamp_sender.trouble(test, address, options.port)) is not None:
        return trouble
    course = look(test.sent, test.trips, options.jitter_buffer)
    if void := _void(course):
        return inconclusive(Reason.LOCAL, void)
    values = {
        "probe_media_packets": float(course.sent),
        "probe_media_duplicates": float(course.duplicates),
        "probe_media_round_trip_seconds": course.round_trip_seconds,
        "probe_media_round_trip_max_seconds": course.most_round_trip_seconds,
        **_ways(course),
        **_markings(test),
        **(_delays(course) if test.synchronised else {}),
        **(_ratings(course, test, options) if options.profile == "audio" else {}),
    }
    _tell(request, course, test)
    return ok(_evidence(course, test, values), **values)


def _void(course: Course) -> str:
    """Why the figures of a test are none; empty when they are."""
    if course.began_anew:
        return "the reflector was started again in the middle of the test"
    if course.clock_moved_seconds > CLOCK_MOVED_SECONDS:
        return f"a clock was set by {course.clock_moved_seconds:.2g} s or more in the middle of the test, ours or the reflector's"
    return ""


def _both(name: str, there: float, back: float) -> dict[str, float]:
    return {labelled(name, direction="there"): there, labelled(name, direction="back"): back}


def _ways(course: Course) -> dict[str, float]:
    there, back = course.there, course.back
    return {
        **_both("probe_media_loss_ratio", there.loss_ratio, back.loss_ratio),
        **_both("probe_media_late_ratio", there.late_ratio, back.late_ratio),
        **_both("probe_media_burst_ratio", there.burst_ratio, back.burst_ratio),
        **_both("probe_media_jitter_seconds", there.jitter_seconds, back.jitter_seconds),
        **_both("probe_media_reordered_ratio", there.reordered / there.offered, back.reordered / max(1, back.offered)),
    }


def _markings(test: Test) -> dict[str, float]:
    """Nothing of the way there from a reflector that does not say what it saw; nothing back of one that marks as it likes."""
    if any(seen is None for _, seen in test.dscp_there):
        return {}
    return _both(
        "probe_media_dscp_kept",
        float(all(ours == seen for ours, seen in test.dscp_there)),
        float(all(ours == seen for ours, seen in test.dscp_back)),
    )


def _delays(course: Course) -> dict[str, float]:
    return _both("probe_media_delay_seconds", course.delay_there_seconds, course.delay_back_seconds)


def _ratings(course: Course, test: Test, options: MediaOptions) -> dict[str, float]:
    codec = emodel.CODECS[options.codec]
    own = codec.frame_seconds + codec.lookahead_seconds + options.jitter_buffer
    half = course.least_round_trip_seconds / 2

    def rated(way: Way, delay: float) -> float:
        network = max(0.0, delay) if test.synchronised else half
        heard = way.loss_ratio + way.late_ratio
        return emodel.rating(codec, loss_ratio=heard, burst_ratio=way.burst_ratio, delay_seconds=network + own)

    there, back = rated(course.there, course.delay_there_seconds), rated(course.back, course.delay_back_seconds)
    return {
        **_both("probe_media_rating", there, back),
        **_both("probe_media_mos", emodel.mean_opinion(there), emodel.mean_opinion(back)),
    }


def _tell(request: Request[MediaOptions], course: Course, test: Test) -> None:
    for name, way in (("there", course.there), ("back", course.back)):
        counts = f"{way.lost} of {way.offered} lost, {way.late} late, {way.reordered} overtaken"
        request.trace(f"{name}: {counts}, jitter {way.jitter_seconds * 1000:.2f} ms")
    if test.synchronised:
        there, back = course.delay_there_seconds * 1000, course.delay_back_seconds * 1000
        request.trace(f"one way {there:.2f} ms there, {back:.2f} ms back")
        request.trace(f"both clocks together are right within {test.error_seconds * 1000:.1f} ms")
    else:
        request.trace("no delay one way: not both clocks are known to be right; rated by half of the round trip")
    request.trace(f"TTL left: {test.hops[0]} there, {test.hops[1]} back")


def _evidence(course: Course, test: Test, values: dict[str, float]) -> str:
    """What there is to know at a glance: of two directions the worse."""
    lost = max(course.there.loss_ratio, course.back.loss_ratio)
    worse = "there" if course.there.loss_ratio >= course.back.loss_ratio else "back"
    jitter = max(course.there.jitter_seconds, course.back.jitter_seconds)
    told = [
        f"{lost:.1%} lost{f' on the way {worse}' if lost else ''}",
        f"jitter {jitter * 1000:.1f} ms",
        f"round trip {course.round_trip_seconds * 1000:.1f} ms",
    ]
    ratings = _by_direction(values, "probe_media_rating")
    if ratings:
        told.insert(0, f"R {min(ratings):.0f}, MOS {min(_by_direction(values, 'probe_media_mos')):.1f}")
    changed = [
        f"DSCP {ours} arrives {way} as {seen}"
        for way, seen_as in (("there", test.dscp_there), ("back", test.dscp_back))
        for ours, seen in seen_as
        if seen not in (None, ours)
    ]
    return ", ".join(told + changed[:2])


def _by_direction(values: dict[str, float], name: str) -> Sequence[float]:
    return [value for key, value in values.items() if key.startswith(f"{name}{{")]
