"""The page of a commune: what is wrong, whom to call, and the past of everything there."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import samples
from monitor.core.lasthour import EVERY, POINTS, Point, Series
from monitor.core.ledger import Excuse, Interval, Span
from monitor.core.model import Cause, Meeting, Observation, Outcome, Reason, Role, Session, State, Target
from monitor.core.readiness import Outlook, Readiness, Room
from monitor.web.board import Board
from monitor.web.drawing import HEIGHT, PERIODS, REACH, SLOTS, band, chart
from monitor.web.overview import case_of
from monitor.web.phrases import PHRASES, PROBES
from monitor.web.sitepage import LONGEST, MAX_PAST, MAX_TARGETS, page_of, past_span, until_now, why_held
from monitor.web.view import TargetView
from monitor.web.words import EN, VI, Words
from probes import registry
from tests.web.province import COMPOSER, NOW, Province, site_views
from tests.web.test_web_board import HOSTILE, Page

SITE = "phuong-phu-ly"
LINE = f"{SITE}/tslcd"
DAY = PERIODS["24h"]


def site_page(province: Province, words: object = VI, **given: object) -> str:
    page = Board("https://grafana.example/").site(province, SITE, words, NOW, **given)  # type: ignore[arg-type]
    assert page is not None
    assert not Page(page).open
    return page


def hours(state: State, since: float, until: float, excuse: Excuse | None = None) -> Interval:
    return Interval(NOW - timedelta(hours=since), NOW - timedelta(hours=until), state, excuse)


# -- what is wrong, and whom to call -----------------------------------------------------------------------------------


def test_first_comes_what_is_wrong_and_the_number_to_call(province: Province) -> None:
    province.cut(SITE)
    head = re.sub(r"</?time[^>]*>", "", site_page(province).partition("</section>")[0]).replace("\u00a0", " ")
    told = [
        "Ngừng</span></h1>", "Từ 11:47:55 24/11/2026, đã 12 phút 5 giây", "không trả lời trong thời hạn",
        "đường truyền</strong>", '<a href="tel:18001260">☎ Gọi VNPT Ninh Bình: 1800 1260 (24/7)</a>', "<code>C-phuong-phu-ly</code>",
        '<a href="tel:0229000018">Bà Hoa, ĐT 0229 000 018</a>',
    ]  # fmt: skip
    places = [head.index(each) for each in told]
    assert places == sorted(places)


def test_a_site_that_is_well_says_so_and_calls_nobody(province: Province) -> None:
    head = site_page(province, EN).partition("</section>")[0]
    assert PHRASES["en"]["all_well"] in head
    assert "☎" not in head


def test_trouble_that_is_no_incident_yet_is_named(province: Province) -> None:
    province.cut(SITE)
    province.cases.clear()
    assert "Đường TSLCĐ: ngừng, không trả lời trong thời hạn" in site_page(province).partition("</section>")[0]


def test_a_cause_elsewhere_is_named_with_its_place(province: Province) -> None:
    case = province.cut(SITE)
    province.cases = [replace(case, root="centre/gateway", impact=(LINE,))]
    assert "Bộ định tuyến – Trung tâm dữ liệu</a></h2>" in site_page(province)


PROVIDER, IN_CHARGE, AT_SITE = "Sample: 0000", "Tổ mạng, ĐT 0229 1", "Bà Hoa, ĐT 0229 2"
AREA = (("area", "Huyện Mẫu"),)


def called(text: str) -> str:
    """Who is named first."""
    named = [each for each in (PROVIDER, IN_CHARGE, AT_SITE) if each in text]
    return min(named, key=text.index, default="")


@pytest.mark.parametrize("words", [VI, EN], ids=["vi", "en"])
@pytest.mark.parametrize(("in_charge", "at_site"), [("", ""), (IN_CHARGE, ""), ("", AT_SITE), (IN_CHARGE, AT_SITE)])
def test_mail_and_pages_name_the_same_one_to_call_whatever_the_cause(
    in_charge: str, at_site: str, words: Words
) -> None:
    known, incidents = samples.province()
    known = replace(
        known,
        targets={each.id: replace(each, contact=in_charge) for each in known.targets.values()},
        sites={each.id: replace(each, contact=at_site) for each in known.sites.values()},
    )
    incidents += [replace(each, root="sample/tslcd") for each in incidents]
    incidents += [replace(each, shared=replace(each.shared, by=AREA)) for each in incidents if each.shared]
    found: dict[Cause, set[str]] = {}
    for incident in (replace(each, closed=None, impact=("sample/website",)) for each in incidents):
        province, board = Province(known, cases=[incident]), Board()
        act = COMPOSER.what_to_do(incident, known, words.language)[0]
        found.setdefault(incident.cause, set()).add(called(act))
        for page in (board.incident(province, incident.id, words, NOW), board.site(province, "sample", words, NOW)):
            button = "".join(re.findall("☎ [^<]*<", page or "")).replace("\u00a0", " ")
            assert called(button) == called(act), (incident, act)
            assert ("<code>C-1</code></span></p>" in (page or "")) == (PROVIDER in button and not incident.shared)
    assert found.pop(Cause.LINK) == {PROVIDER}
    assert PROVIDER in found.pop(Cause.SERVICE) & found.pop(Cause.SHARED)
    assert found.pop(Cause.VANTAGE) == {""}
    assert found.pop(Cause.DEVICE) == {"", at_site or in_charge}, "also what left the inventory"
    assert found == {Cause.POWER: {at_site or in_charge}, Cause.LAN: {at_site or in_charge}}


def test_a_line_without_a_known_provider_has_who_has_it_called(province: Province) -> None:
    case = province.cut(SITE)
    line = replace(province.settings.targets[LINE], provider="")
    for contact in ("Tổ mạng 0229 100", ""):
        targets = {**province.settings.targets, LINE: replace(line, contact=contact)}
        found = case_of(case, replace(province.settings, targets=targets))
        assert (found.call, found.circuit) == (contact or "Bà Hoa, ĐT 0229 000 018", "")


# -- checks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"), [(VI, "không trả lời ping trong 1 s"), (EN, "no echo from 10.0.0.1 within 1 s")]
)
def test_evidence_is_told_in_the_language_of_the_page(words: Words, says: str, province: Province) -> None:
    case = province.cut(SITE, evidence="no echo from 10.0.0.1 within 1 s")
    province.held[LINE] = replace(province.held[LINE], evidence="no echo from 10.0.0.1 within 1 s; silence")
    incident = Board().incident(province, case.id, words, NOW)
    assert incident is not None
    for page in (site_page(province, words), incident):
        assert f"{says}</code>" in page
        assert ("no echo" in page) == (words is EN)
    assert "<p><code>" in site_page(province, words), "what it was down for, beside what is seen now"


@pytest.mark.parametrize(
    ("state", "held", "said", "why"),
    [
        (State.DOWN, "no echo within 1 s", "no echo within 1.5 s", ""),
        (State.DEGRADED, "upsOnBattery 1, above 0; on battery, 12 minutes left", "on battery, 3 minutes left",
         "upsOnBattery 1, above 0"),
        (State.DOWN, "no echo within 1 s", "10.0.0.1 says: unreachable", "no echo within 1 s"),
        (State.UP, "an echo of three days ago", "echo after 2.1 ms", ""),
        (State.DOWN, "no echo", "", "no echo"),
    ],
)  # fmt: skip
def test_what_a_check_says_again_with_other_figures_is_told_once(
    state: State, held: str, said: str, why: str, province: Province
) -> None:
    province.cut(SITE, evidence=said)
    view = replace(province.held[LINE], state=state, evidence=held)
    assert why_held(view) == why
    province.held[LINE] = view
    page = site_page(province)
    assert (f"<p><code>{VI.seen(why)}</code></p>" in page) == bool(why)
    assert page.count(f'<code class="dim">{VI.seen(said)}</code>') == bool(said)


@pytest.mark.parametrize(
    ("outcome", "reason", "says"),
    [
        (Outcome.OK, Reason.OK, "Ping: well, answered after 1 s"),
        (Outcome.FAILED, Reason.REFUSED, "Ping: connection refused"),
        (Outcome.INCONCLUSIVE, Reason.PERMISSION, "Ping: tells nothing yet: the monitor lacks a permission"),
        (None, Reason.OK, "Ping: never ran yet"),
    ],
)
def test_every_check_is_told_in_plain_words(
    outcome: Outcome | None, reason: Reason, says: str, province: Province
) -> None:
    province.cut(SITE)
    seen = province.held[LINE].checks["echo"]
    checks = {"echo": seen._replace(outcome=outcome, reason=reason)} if outcome else {}
    province.held[LINE] = replace(province.held[LINE], checks=checks)
    assert says in site_page(province, EN)


def test_two_checks_of_a_kind_are_told_apart_and_a_test_call_is_not_called_slow(province: Province) -> None:
    line = province.settings.targets[LINE]
    call = replace(line.checks[0], probe="media", options=SimpleNamespace(takes_seconds=6.0))
    seen = Observation(
        check="", target=LINE, at=NOW, outcome=Outcome.OK, reason=Reason.OK, values={}, duration_seconds=4.98
    )
    two = replace(line, checks=(replace(call, name="call"), replace(call, name="video")))
    province.settings = replace(province.settings, targets={**province.settings.targets, LINE: two})
    province.held[LINE] = replace(province.held[LINE], checks={"call": seen, "video": seen})
    page = site_page(province, EN)
    for name in ("call", "video"):
        assert f"{PROBES['en']['media']}, {name}: well" in page
    assert "4.98" not in page


def test_a_probe_of_somebody_else_is_called_by_its_kind(province: Province) -> None:
    line = province.settings.targets[LINE]
    foreign = replace(line, checks=(replace(line.checks[0], probe="call"),))
    province.settings = replace(province.settings, targets={**province.settings.targets, LINE: foreign})
    assert "</span> call: chưa đo lần nào" in site_page(province)
    ours = {name for name, kind in registry.load().items() if kind.module.startswith("probes.")}
    assert PROBES["vi"].keys() == PROBES["en"].keys() == ours


def test_a_ups_tells_how_long_it_lasts(province: Province) -> None:
    values = {"upsOnBattery": 1.0, "upsEstimatedChargeRemaining": 34.0, "upsEstimatedMinutesRemaining": 9.0}
    seen = Observation(
        check=f"{SITE}/ups#battery", target=f"{SITE}/ups", at=NOW, outcome=Outcome.OK, reason=Reason.OK, values=values
    )
    province.held[f"{SITE}/ups"] = TargetView(state=State.DEGRADED, since=NOW, checks={"battery": seen})
    assert "runs on battery, battery at 34 %, lasts about 9 minutes (as of 12:00 24/11)" in site_page(province, EN)


def test_a_room_tells_its_next_meeting_and_whether_it_can_hold_it(province: Province) -> None:
    room = Target(id=f"{SITE}/room", site=SITE, name="room", role=Role.DEVICE, kind="vc-endpoint")
    province.settings = replace(province.settings, targets={**province.settings.targets, room.id: room})
    session = Session(NOW + timedelta(hours=1), NOW + timedelta(hours=2), "m")
    meeting = Meeting(id="m", title="Giao ban <tỉnh>", rooms=(room.id,), sessions=[session])
    state = Room(target=room.id, readiness=Readiness.AT_RISK, because="unknown", of=room.id)
    province.outlooks = [Outlook(meeting=meeting, session=session, rooms=(state,))]
    page = site_page(province)
    assert '<a href="/meetings/m">Giao ban &lt;tỉnh&gt;</a>' in page
    assert "<strong>Có nguy cơ</strong>: chưa có số liệu về phòng họp" in page


# -- the past ------------------------------------------------------------------------------------------------------------


async def test_the_page_tells_this_month_and_what_was_not_well_however_short(
    http: aiohttp.ClientSession, province: Province
) -> None:
    province.remember_a_cut(SITE, power=True)
    async with http.get(f"/sites/{SITE}") as answer:
        page = await answer.text()
    assert not Page(page).open
    assert "Khả dụng tháng này: 99,468 % (không tính mất điện, bảo trì: 100,000 %)" in page, (
        "of 564 hours since 1 November"
    )
    assert "Khả dụng tháng này: 100,000 %<" in page
    assert page.count("<summary>Các lần không bình thường") == 1
    assert "Ngừng 08:55:00 24/11/2026, 3 giờ (mất điện)" in page
    assert 'aria-label="Đường TSLCĐ, 24 giờ qua: Ngừng 3 giờ, Bình thường 21 giờ"' in page
    assert 'aria-label="Đường TSLCĐ, 30 ngày qua: Ngừng 3 giờ, Bình thường 29 ngày 21 giờ"' in page
    async with http.get(f"/sites/{SITE}?lang=en") as answer:
        page = await answer.text()
    assert "Available this month: 99.468 % (without power cuts and maintenance: 100.000 %)" in page
    (asked,) = {(span.since, span.until) for span in province.asked}
    assert asked[0] <= NOW - LONGEST.length


async def test_a_ledger_that_cannot_be_read_is_told(http: aiohttp.ClientSession, province: Province) -> None:
    province.records = None
    async with http.get(f"/sites/{SITE}") as answer:
        page = await answer.text()
    assert page.count(PHRASES["vi"]["no_history"]) == 3
    assert "Khả dụng" not in page


def test_no_more_than_ten_times_are_told_newest_first_and_none_in_which_nothing_was_known(province: Province) -> None:
    times = [NOW - timedelta(seconds=each) for each in range(60, -1, -1)]
    states = [State.DOWN, State.UP, State.UNKNOWN]
    past = [Interval(one, other, states[index % 3]) for index, (one, other) in enumerate(pairwise(times))]
    found = site_views(province.settings, province.held)[SITE]
    page = page_of(found, province, VI, NOW, {LINE: past})
    row = next(each for each in page.sections["links"] if each.member.target.id == LINE)
    assert [each.state for each in row.times] == [State.DOWN] * MAX_PAST
    assert list(row.times) == sorted(row.times, reverse=True)
    assert len(row.times) + row.more_times == 20


def test_what_is_held_now_goes_on_where_the_ledger_ends() -> None:
    past = [hours(State.UP, 9, 2), hours(State.DOWN, 2, 0.1, Excuse.POWER)]
    still = TargetView(state=State.DOWN, since=NOW - timedelta(hours=2))
    assert until_now(past, still, NOW) == [past[0], hours(State.DOWN, 2, 0, Excuse.POWER)]
    back = TargetView(state=State.UP, since=NOW - timedelta(hours=0.2))
    assert until_now(past, back, NOW) == [
        past[0], hours(State.DOWN, 2, 0.2, Excuse.POWER), hours(State.UP, 0.2, 0),
    ]  # fmt: skip
    long_ago = TargetView(state=State.UNKNOWN, since=NOW - timedelta(hours=99))
    assert until_now(past, long_ago, NOW) == [*past, hours(State.UNKNOWN, 0.1, 0)]
    assert until_now([], still, NOW) == []


def test_the_ledger_is_asked_for_the_same_span_all_hour_long() -> None:
    assert len({past_span(NOW.replace(minute=each)) for each in range(60)}) == 1
    assert past_span(NOW).since <= NOW - LONGEST.length < NOW < past_span(NOW).until


# -- bands ---------------------------------------------------------------------------------------------------------------


def pieces(drawn: list[tuple[str, str]], name: str) -> list[tuple[int, int]]:
    """Where pieces of this class begin, and how wide they are."""
    path = dict(drawn).get(name, "")
    return [(int(at), int(width)) for at, width in re.findall(r"M(\d+) \d+h(\d+)V", path)]


def test_a_band_is_as_wide_as_the_time_was_long() -> None:
    drawn = band([hours(State.UP, 24, 6), hours(State.DOWN, 6, 3), hours(State.UP, 3, 0)], DAY.span(NOW))
    assert pieces(drawn, "down") == [(216, 36)]
    assert pieces(drawn, "up") == [(0, 216), (252, 36)]


def test_the_shortest_outage_is_seen_and_the_worst_of_a_piece_is_drawn() -> None:
    moment = hours(State.DOWN, 12, 12 - 1e-6)
    drawn = band([hours(State.UP, 24, 12), moment, hours(State.DEGRADED, 12 - 1e-6, 0)], DAY.span(NOW))
    assert pieces(drawn, "down") == [(144, 1)]


def test_an_excuse_is_drawn_over_the_state() -> None:
    drawn = band([hours(State.DOWN, 12, 6, Excuse.MAINTENANCE), hours(State.DOWN, 6, 0)], DAY.span(NOW))
    assert pieces(drawn, "down") == [(144, 144)]
    assert pieces(drawn, "maintenance") == [(144, 72)]
    assert [name for name, _ in drawn][-1] == "maintenance"


def test_states_differ_by_height_or_pattern_and_not_by_colour_alone() -> None:
    assert len({REACH[each] for each in State}) == len(State) - 1
    assert REACH[State.DOWN] == REACH[State.UNREACHABLE], "the one with a pattern"
    sheet = Board()._pages.get_template("pages.css").render()
    assert ".band .unreachable{fill:url(#hatch)}" in sheet


MOMENTS = st.floats(-40 * 24, 40 * 24, allow_nan=False)


@given(st.lists(st.tuples(MOMENTS, st.sampled_from(State), st.sampled_from([None, *Excuse])), max_size=400))
def test_however_often_a_target_flaps_a_band_stays_small(turns: list[tuple[float, State, Excuse | None]]) -> None:
    ordered = sorted(turns, key=lambda each: each[0])
    found = [hours(state, -since, -until, excuse) for (since, state, excuse), (until, *_) in pairwise(ordered)]
    drawn = band([each for each in found if each.since < each.until], LONGEST.span(NOW))
    assert sum(len(path) for _, path in drawn) < 10_000
    for name, _ in drawn:
        assert all(at >= 0 and width > 0 and at + width <= SLOTS for at, width in pieces(drawn, name))
    covered = sum(width for state in State for _, width in pieces(drawn, state.value))
    assert covered <= SLOTS


def test_the_axis_ends_now() -> None:
    assert PERIODS["24h"].marks(NOW) == ["12:00", "18:00", "00:00", "06:00", "12:00"]
    assert PERIODS["7d"].marks(NOW)[::7] == ["17/11", "24/11"]
    assert max(low for _, low in REACH.values()) == HEIGHT
    assert DAY.span(NOW) == Span(NOW - timedelta(days=1), NOW)


# -- the last hour -------------------------------------------------------------------------------------------------------


def measured(*points: tuple[float, float]) -> Series:
    first = NOW - (len(points) - 1) * EVERY
    return Series(
        role=Role.LINK,
        points=tuple(Point(at=first + n * EVERY, seconds=each, lost=lost) for n, (each, lost) in enumerate(points)),
    )


def test_a_line_shows_its_last_hour_with_a_link_to_more(province: Province) -> None:
    province.cut(SITE)
    province.measured[LINE] = measured(*[(0.004, 0.0)] * 48, *[(math.nan, 1.0)] * 12)
    page = site_page(province)
    said = "Một giờ qua: độ trễ 4 ms đến 4 ms, thường 4 ms; mất gói nhiều nhất 100 %."
    assert f'aria-label="Đường TSLCĐ. {said}"' in page
    assert "/d/commune-line?var-site=phuong-phu-ly&amp;var-target=phuong-phu-ly/tslcd" in page
    assert 'href="https://grafana.example/d/commune-site?var-site=phuong-phu-ly"' in page
    assert page.count('class="chart"') == 1
    english = site_page(province, EN)
    assert "/d/commune-line-en?var-site=phuong-phu-ly&amp;var-target=phuong-phu-ly/tslcd" in english
    assert 'href="https://grafana.example/d/commune-site-en?var-site=phuong-phu-ly"' in english
    province.measured[LINE] = measured((0.004, 0.0))
    assert 'class="chart"' not in site_page(province)
    without = Board().site(province, SITE, VI, NOW)
    assert without is not None
    assert "Grafana" not in without


def test_the_chart_goes_through_what_was_measured_and_marks_where_it_began() -> None:
    cut = chart(measured(*[(0.004, 0.0)] * 50, *[(math.nan, 1.0)] * 10), NOW - 10 * EVERY)
    assert cut.delay.count("M") == 1
    assert cut.lost.count("M") == 10
    assert cut.mark is not None
    last = float(cut.delay.rpartition("L")[2].split()[0])
    assert last <= cut.mark < last + 10
    assert chart(measured(*[(0.004, 0.0)] * 60), NOW - timedelta(hours=2)).mark is None
    assert chart(measured((math.nan, 1.0), (0.004, 0.0), (math.nan, 1.0)), None).delay.endswith("h0")


SECONDS = st.one_of(st.just(math.nan), st.floats(0, 1e6))


@given(st.lists(st.tuples(SECONDS, st.one_of(st.just(math.nan), st.floats(0, 1))), min_size=1, max_size=POINTS + 1))
def test_whatever_was_measured_is_drawn_inside(points: list[tuple[float, float]]) -> None:
    drawn = chart(measured(*points), None)
    assert len(drawn.delay) + len(drawn.lost) < 5000
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", drawn.delay):
        assert 0 <= float(x) <= 360
        assert 0 <= float(y) <= 132


# -- bounds and strangers --------------------------------------------------------------------------------------------------


def test_a_site_with_a_thousand_flapping_targets_stays_a_page(province: Province) -> None:
    line, states = province.settings.targets[LINE], [State.UP, State.DOWN, State.DEGRADED]
    many = {f"{SITE}/line-{n}": replace(line, id=f"{SITE}/line-{n}", name=f"line-{n}") for n in range(1000)}
    province.settings = replace(province.settings, targets=many)
    times = [NOW - timedelta(minutes=5 * each) for each in range(8640, -1, -1)]
    past = [Interval(one, other, states[n % 3]) for n, (one, other) in enumerate(pairwise(times))]
    page = site_page(province, past=dict.fromkeys(many, past))
    assert page.count('<article class="row') == MAX_TARGETS
    assert f"và còn nữa: {1000 - MAX_TARGETS}" in page
    assert len(page.encode()) < 1_200_000


def test_hostile_texts_of_checks_and_meetings_stay_text(province: Province) -> None:
    province.cut(SITE, evidence=HOSTILE)
    seen = Page(site_page(province))
    assert not {"img", "b8"} & set(seen.tags)
    assert seen.tags.count("script") == 1, "our own"
    assert html.escape(HOSTILE, quote=False).replace('"', "&#34;") in site_page(province).replace("&#39;", "'")


def test_both_languages_have_the_same_phrases_with_the_same_fields() -> None:
    def fields(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    assert PHRASES["vi"].keys() == PHRASES["en"].keys()
    for key, text in PHRASES["vi"].items():
        assert fields(text) == fields(PHRASES["en"][key]), key
