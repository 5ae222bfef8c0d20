"""The board: what stands on it, in both languages, whatever the names are."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import jinja2
import pytest

from monitor.core.life import Life
from monitor.core.model import (
    Acknowledgement,
    Cause,
    Explanation,
    Happening,
    Importance,
    IncidentEvent,
    Look,
    Provider,
    Reason,
    Severity,
    Silence,
    State,
    Threat,
    Weight,
    Window,
)
from monitor.core.planned import Work
from monitor.core.words import dialled, unbroken
from monitor.inventory.load import load_inventory
from monitor.web.board import MAX_CARDS, MAX_LISTED, Board
from monitor.web.overview import WORST_FIRST, _box, _covers, draw_map, short_name
from monitor.web.phrases import PHRASES
from monitor.web.view import TargetView
from monitor.web.words import EN, VI, WORDS
from tests.web.province import NOW, Province, commune, inventory_of, site_views

CONFIG = Path(__file__).parents[2] / "config"
HOSTILE = """"><script>alert(1)</script><img src=x onerror='x'>{{ 7*7 }}&amp;"""
FIRST_VIEW_BYTES = 100_000


class Page(HTMLParser):
    """Counts what a browser would see, and that every tag is closed."""

    VOID = frozenset({"meta", "link", "br", "use", "circle", "path", "rect", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value for name, value in attrs if name == "href" and value and value.startswith("/")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in self.VOID

    def handle_endtag(self, tag: str) -> None:
        # HTML lets a parser close these by itself; our templates close everything.
        assert self.open.pop() == tag


def _overview(province: Province, language: str = "vi") -> str:
    return Board().overview(province, WORDS[language], NOW)


def test_a_well_province_says_so(province: Province) -> None:
    assert VI.page["all_well"] in _overview(province)
    assert VI.page["none_open"] in _overview(province)


def test_a_cut_line_is_one_card_with_whom_to_call(province: Province) -> None:
    province.cut("phuong-phu-ly")
    page = _overview(province)
    assert '<span class="big">1</span>/3 xã, phường đang bị ảnh hưởng' in page
    assert page.count('class="card down"') == 1
    for fact in ("Phường Phủ Lý – Đường TSLCĐ", "12 phút 5 giây", "11:47:55 24/11/2026", "2 đối tượng, 1 xã, phường"):
        assert fact in page
    assert unbroken("VNPT Ninh Bình: 1800 1260 (24/7) · C-phuong-phu-ly") in page
    assert VI.page["nobody"].capitalize() in page
    english = _overview(province, "en")
    assert "1</span>/3 communes hurt" in english
    assert "2 targets, 1 commune ·" in english
    assert 'href="/incidents/i-phuong-phu-ly?lang=en"' in english


def test_the_map_and_the_tiles_show_state_by_shape_and_not_by_colour_alone(province: Province) -> None:
    province.cut("phuong-phu-ly")
    page = _overview(province)
    assert page.count("<use ") == 3
    assert '<use href="#down"' in page
    assert "■</span> Phủ Lý" in page
    assert "<h3>Khác</h3>" in page


def test_a_card_tells_of_the_meeting_that_it_disturbs_until_that_is_over(province: Province) -> None:
    case, hour = province.cut("phuong-phu-ly"), timedelta(hours=1)
    held = Threat(
        meeting="m", title="Giao ban", importance=Importance.HIGH, begins=NOW - hour, ends=NOW + hour, rooms=()
    )
    for threat, told in (
        (held, "Cuộc họp: Giao ban, 11:00–13:00 24/11/2026 (đang họp)"),
        (replace(held, begins=NOW + hour, ends=NOW + 2 * hour), "Cuộc họp: Giao ban, 13:00–14:00 24/11/2026<"),
    ):
        province.cases = [replace(case, meetings=(threat,))]
        assert told in _overview(province)
    province.cases = [replace(case, meetings=(replace(held, ends=NOW),))]
    assert "Giao ban" not in _overview(province)


def test_what_everybody_shares_stands_first(province: Province) -> None:
    line = province.cut("phuong-phu-ly")
    province.cases.append(
        replace(line, id="i-docs", root="centre/doc-management", cause=Cause.SERVICE, impact=(), opened=NOW)
    )
    page = _overview(province)
    assert page.index("Quản lý văn bản</b>") < page.index("Phường Phủ Lý – ")


def test_the_most_severe_stands_first_and_says_so(province: Province) -> None:
    province.cut("phuong-phu-ly")
    lossy = replace(province.cut("xa-kim-dong"), state=State.DEGRADED, severity=Severity.CRITICAL, impact=())
    province.cases[-1] = lossy
    page = _overview(province)
    assert page.index("i-xa-kim-dong") < page.index("i-phuong-phu-ly")
    assert "Mức độ: nghiêm trọng · Từ" in page
    assert "Mức độ: thấp · Từ" in page
    province.cases[-1] = replace(lossy, weight=Weight(target=lossy.root))
    one = Board().incident(province, lossy.id, VI, NOW)
    assert one is not None
    assert "<dt>Mức độ</dt><dd>Nghiêm trọng <" in one
    assert "Mức độ nghiêm trọng: theo chính xa-kim-dong/tslcd." in one


def test_our_own_blindness_blames_nobody(province: Province) -> None:
    line = province.cut("phuong-phu-ly")
    province.cases = [replace(line, root="centre/gateway", cause=Cause.VANTAGE)]
    province.set_all(State.UNKNOWN)
    page, wall = _overview(province), Board().wall(province, VI, NOW)
    assert 'class="card unknown"' in page
    assert "Không nhìn thấy: 2 đối tượng" in page
    for each in (page, wall):
        assert VI.page["blind"] in each
        assert VI.page["nothing_known"] not in each, "it was known, and will be again"
        assert "ảnh hưởng" not in each.lower()
    one = Board().incident(province, line.id, VI, NOW)
    assert one is not None
    assert "Không nhìn thấy: 2 đối tượng" in one
    site = Board().site(province, "phuong-phu-ly", VI, NOW)
    assert site is not None
    assert f"<p>{PHRASES['vi']['nothing_seen']}</p>" not in site, "it was, until then"


def test_a_monitor_that_knows_little_does_not_say_that_nothing_is_wrong(province: Province) -> None:
    province.set_all(State.UP)
    seen = {target: view for target, view in province.held.items() if target.startswith("xa-kim-dong/")}
    for known, says in (({}, "none_known"), (seen, "none_seen")):
        province.held = known
        for page in (_overview(province), Board().wall(province, VI, NOW)):
            assert VI.page[says] in page
            assert VI.page["none_open"] not in page


@pytest.mark.parametrize("state", list(State))
def test_every_state_renders_in_every_language(province: Province, state: State) -> None:
    province.set_all(state)
    for language, words in WORDS.items():
        assert words.states[state] in _overview(province, language)
        site = Board().site(province, "xa-kim-dong", words, NOW)
        assert site is not None
        assert words.states[state] in site


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_and_cause_has_words(reason: Reason) -> None:
    for words in WORDS.values():
        assert words.reasons[reason]
        assert all(words.causes[cause] for cause in Cause)


def test_both_languages_have_the_same_keys() -> None:
    for part in ("page", "states", "severities", "causes", "reasons", "says", "why", "kinds"):
        assert set(getattr(VI, part)) == set(getattr(EN, part)), part


def test_trouble_of_the_monitor_itself_is_on_every_page(province: Province) -> None:
    province.cut("phuong-phu-ly")
    province.figures = {
        "reload_ok": False, "store_ok": False, "outbox_oldest_seconds": 900.0,
        "outbox_waits": "on-call: mail.example:25: timeout at data", "outbox_failed": "support: 550 <who?>",
    }  # fmt: skip
    province.left = 1212, 2580
    board = Board()
    for page in (
        board.overview(province, EN, NOW),
        board.site(province, "phuong-phu-ly", EN, NOW),
        board.incident(province, "i-phuong-phu-ly", EN, NOW),
        board.missing(province, "no_site", EN, NOW),
    ):
        assert page is not None
        assert page.count('role="alert"') == 5
        assert "timeout at data" in page
        assert "550 &lt;who?&gt;" in page
        assert "1,212 of 2,580 checks" in page


def test_the_site_page_tells_whom_to_call_and_what_was_seen_last(province: Province) -> None:
    province.cut("phuong-phu-ly")
    page = Board().site(province, "phuong-phu-ly", VI, NOW)
    assert page is not None
    assert unbroken('<a href="tel:18001260">1800 1260 (24/7)</a>') in page
    assert unbroken('<a href="tel:0229000018">Bà Hoa, ĐT 0229 000 018</a>') in page
    for fact in ("C-phuong-phu-ly", "10 of 10 echoes lost", "Bà Hoa", "13291", "không trả lời trong thời hạn"):
        assert fact in page
    assert page.index("</span> Đường TSLCĐ: <span") < page.index("</span> Bộ định tuyến: <span")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0229 000 8002 (24/7)", "02290008002"),
        ("1800 8119", "18008119"),
        ("+84 229.000-8002, máy lẻ 305", "+842290008002"),
        ("0229 000 8001 / 0229 000 8002", "02290008001"),
        ("Phòng 305, ĐT 0229 000 018", "0229000018"),
        ("113", "113"),
        ("Bà Hoa, trực 24/7", ""),
        ("+00", ""),
        ("٠١٢٣٤", ""),
        ("", ""),
    ],
)
def test_a_telephone_dials_the_number_and_nothing_around_it(text: str, number: str) -> None:
    assert dialled(text) == number


def test_the_incident_page_shows_facts_evidence_and_impact(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    province.cases = [replace(case, why="line-silent-power-well", says="loss", reason=Reason.LIMIT)]
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    for fact in (
        "line-silent-power-well",
        "mất gói nhiều",
        "10 of 10 echoes lost",
        "Phường Phủ Lý – UPS",
        "Vẫn đang mở, ảnh hưởng 2 đối tượng",
        unbroken(
            '<a href="tel:18001260">☎ Gọi VNPT Ninh Bình: 1800 1260 (24/7)</a> <span>Mã kênh <code>C-phuong-phu-ly</code>'
        ),
        unbroken('<a href="tel:0229000018">Bà Hoa, ĐT 0229 000 018</a>'),
        VI.page["nobody"].capitalize(),
    ):
        assert fact in page
    province.cases = [replace(province.cases[0], closed=NOW - timedelta(minutes=1))]
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    assert "kéo dài 11 phút 5 giây" in page


def test_the_incident_page_says_what_to_do_while_it_is_open(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    province.cases = [case]
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    assert "<strong>Cần làm:</strong> Gọi VNPT Ninh Bình: 1800 1260 (24/7), báo mã kênh C-phuong-phu-ly." in page
    page = Board().incident(province, case.id, EN, NOW)
    assert page is not None
    assert "<strong>To do:</strong> Call VNPT Ninh Bình" in page
    province.cases = [replace(case, closed=NOW)]
    page = Board().incident(province, case.id, VI, NOW)
    assert page is not None
    assert "Cần làm" not in page


def test_both_pages_tell_who_is_in_charge_of_a_target(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    root = replace(province.settings.targets[case.root], contact="Tổ vận hành, ĐT 0229 000 9020")
    province.settings = replace(province.settings, targets={**province.settings.targets, root.id: root})
    for page in (Board().site(province, root.site, VI, NOW), Board().incident(province, case.id, VI, NOW)):
        assert page is not None
        assert unbroken('<a href="tel:02290009020">Tổ vận hành, ĐT 0229 000 9020</a>') in page


def test_hostile_names_stay_text(province: Province) -> None:
    province.settings = inventory_of(commune("phuong-phu-ly", HOSTILE, 20.5, 105.9, HOSTILE))
    target = province.settings.targets["phuong-phu-ly/tslcd"]
    province.settings = replace(
        province.settings,
        targets={
            **province.settings.targets,
            target.id: replace(target, label={"vi": HOSTILE}, circuit=HOSTILE, address=HOSTILE),
        },
        providers={"vnpt": Provider(id="vnpt", name=HOSTILE, hotline="javascript:alert(1)")},
    )
    case = province.cut("phuong-phu-ly", evidence=HOSTILE)
    province.cases = [replace(case, id=HOSTILE, why=HOSTILE, says=HOSTILE, reason=Reason.LIMIT, impact=(HOSTILE,))]
    board = Board()
    for page in (
        board.overview(province, VI, NOW),
        board.site(province, "phuong-phu-ly", VI, NOW),
        board.incident(province, HOSTILE, VI, NOW),
    ):
        assert page is not None
        seen = Page(page)
        assert not seen.open
        assert not {"img", "b8"} & set(seen.tags)
        assert seen.tags.count("script") == 1
        assert not [name for name in seen.attributes if name.startswith("on") or name == "style"]
        assert "{{ 7*7 }}" in page
        assert "javascript:alert(1)" not in re.findall(r'href="([^"]*)"', page)


def test_on_a_narrow_screen_a_tile_is_as_wide_as_a_name(province: Province) -> None:
    narrow = _overview(province).partition("@media(max-width:800px){")[2]
    assert ".areas{columns:1}.tiles{grid-template-columns:repeat(auto-fill,minmax(7.5rem,1fr));" in narrow


def test_the_style_sheet_is_the_one_that_the_policy_allows(province: Province) -> None:
    board = Board()
    site = board.site(province, "phuong-phu-ly", VI, NOW)
    pages = board.overview(province, VI, NOW) + board.wall(province, VI, NOW) + str(site)
    found = re.findall(r"<style>(.*?)</style>", pages, re.DOTALL)
    assert [b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in found] == board.style_hashes


def test_the_first_view_of_129_communes_all_hurt_is_under_100_kb(province: Province) -> None:
    province.settings = inventory_of(
        *(
            commune(
                f"phuong-thien-truong-{n}", f"Phường Thiên Trường {n}", 20 + n / 200, 105.5 + n / 129, f"Huyện {n % 22}"
            )
            for n in range(129)
        )
    )
    for number in range(129):
        province.cut(f"phuong-thien-truong-{number}", evidence="x" * 100_000)
    board, page = Board(), _overview(province, "en")
    for each in (page, board.wall(province, EN, NOW)):
        assert len(each.encode()) + len(board.script.encode()) < FIRST_VIEW_BYTES
    assert page.count('class="card down"') == MAX_CARDS
    assert page.count('class="listed card down"') == MAX_LISTED
    assert "And 117 more incidents" in page
    assert "57 more incidents are open" in page


def test_one_incident_that_hurts_all_stays_a_page(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    province.cases = [
        replace(case, impact=tuple(f"gone-{n}/tslcd" for n in range(20_000)), evidence=("y" * 9999,) * 999)
    ]
    page = Board().incident(province, case.id, EN, NOW)
    assert page is not None
    assert len(page.encode()) < FIRST_VIEW_BYTES
    assert "and more: 19500" in page


def test_places_keep_their_proportions_and_stay_inside(province: Province) -> None:
    drawn = draw_map(site_views(province.settings, province.held).values())
    assert all(0 < place.x < drawn.width and 0 < place.y < drawn.height for place in drawn.places)
    by_id = {place.site.site.id: place for place in drawn.places}
    assert by_id["phuong-phu-ly"].y < by_id["xa-kim-dong"].y
    assert by_id["xa-cuc-phuong"].x < by_id["xa-kim-dong"].x


def test_no_name_of_an_area_covers_a_place_or_another_name() -> None:
    known = load_inventory(CONFIG / "inventory", None)
    drawn = draw_map(site_views(known, {}).values())
    places = [(place.x - 5, place.y - 5, place.x + 5, place.y + 5) for place in drawn.places]
    names = [_box(short_name(label.area), label.x, label.y) for label in drawn.labels]
    assert len(names) == 22
    covered = [
        label.area
        for label, name in zip(drawn.labels, names, strict=True)
        if _covers(name, (each for each in (*places, *names) if each is not name))
    ]
    assert covered == []


@pytest.mark.parametrize(("latitude", "longitude"), [(20.0, 106.0), (float("nan"), 1.0), (900.0, 0.0)])
def test_one_place_or_an_impossible_one_draws_no_nonsense(
    province: Province, latitude: float, longitude: float
) -> None:
    province.settings = inventory_of(commune("a", "Xã A", latitude, longitude))
    drawn = draw_map(site_views(province.settings, {}).values())
    assert len(drawn.places) == (1 if latitude == 20.0 else 0)
    assert "nan" not in _overview(province)


def test_the_worst_is_drawn_last(province: Province) -> None:
    province.cut("phuong-phu-ly")
    drawn = draw_map(site_views(province.settings, province.held).values())
    assert drawn.places[-1].site.site.id == "phuong-phu-ly"
    assert WORST_FIRST[0] is State.DOWN


def test_an_empty_inventory_has_a_page(province: Province) -> None:
    province.settings = inventory_of()
    assert VI.page["no_communes"] in _overview(province)


def test_a_site_without_targets_is_unknown(province: Province) -> None:
    site, _ = commune("xa-moi", "Xã Mới", 20.0, 106.0)
    province.settings = inventory_of((site, []))
    assert site_views(province.settings, {})["xa-moi"].state is State.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (0, "0 giây"),
        (59, "59 giây"),
        (60, "1 phút"),
        (3661, "1 giờ 1 phút"),
        (90_061, "1 ngày 1 giờ"),
        (-5, "0 giây"),
        (3605, "1 giờ"),
    ],
)
def test_spans_are_told_in_two_units(seconds: int, says: str) -> None:
    assert VI.lasted(NOW, NOW + timedelta(seconds=seconds)) == says


@pytest.mark.parametrize(
    ("value", "vi", "en"), [(1482, "1.482", "1,482"), (0.25, "0,25", "0.25"), (1234.5, "1.234", "1,234"), (0, "0", "0")]
)
def test_figures_are_written_as_each_language_writes_them(value: float, vi: str, en: str) -> None:
    assert (VI.figure(value), EN.figure(value)) == (vi, en)


async def test_every_link_of_the_board_leads_somewhere(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    province.close(province.cut("xa-kim-dong"))
    province.cases.append(replace(province.cases[0], id="xa-kim-dong/tslcd@2026#1 ?"))
    todo, done = {"/", "/?lang=en"}, set[str]()
    while todo - done:
        path = (todo - done).pop()
        done.add(path)
        async with http.get(path) as answer:
            assert answer.status == 200, path
            if answer.content_type == "text/html":
                page = Page(await answer.text())
                assert not page.open
                todo |= {link.replace("&amp;", "&") for link in page.links}
    assert len(done) >= 22


def test_a_limit_is_told_by_its_sentence_and_an_unknown_one_by_its_key(province: Province) -> None:
    line = "phuong-phu-ly/tslcd"
    for says, shown in (("loss", "mất gói nhiều"), ("vendor-thing", "vendor-thing")):
        province.held[line] = TargetView(state=State.DEGRADED, since=NOW, reason=Reason.LIMIT, says=says)
        page = Board().site(province, "phuong-phu-ly", VI, NOW)
        assert page is not None
        assert shown in page


async def test_the_page_of_an_incident_says_folded_why_it_was_decided_so(
    http: aiohttp.ClientSession, province: Province
) -> None:
    case = province.cut("phuong-phu-ly")
    async with http.get(f"/incidents/{case.id}") as response:
        assert VI.page["explained"] not in await response.text()
    looks = (Look(rule="by-kind", fits=True, because="link", of=(HOSTILE,)),)
    because = Explanation(looks=looks)
    event = IncidentEvent(incident=case, what=Happening.OPENED, at=NOW, because=because)
    province.lives[case.id] = Life(incident=case, events=(event,))
    async with http.get(f"/incidents/{case.id}?lang=en") as response:
        text = await response.text()
    assert Page(text).open == []
    folded = text.partition(f"<summary>{EN.page['explained']}")[2].partition("</details>")[0]
    assert "by-kind: yes" in folded
    assert "is a line" in folded
    assert text.count("<script") == 1


@pytest.mark.parametrize(("language", "said"), [("vi", "Đang bảo trì đến"), ("en", "In maintenance until")])
async def test_planned_work_is_on_the_wall_the_site_and_the_incident(
    language: str, said: str, http: aiohttp.ClientSession, province: Province
) -> None:
    case = province.cut("xa-kim-dong")
    window = Window(begins=NOW - timedelta(hours=1), ends=NOW + timedelta(hours=1), reason="Thay <tủ> mạng")
    for target in (case.root, "xa-kim-dong/ups"):
        province.held[target] = replace(province.held[target], maintenance=window)
    province.planned = [Work(window=window, targets=frozenset({case.root, "xa-kim-dong/ups"}))]
    mark = f"{said} 13:00:00 24/11/2026: Thay &lt;tủ&gt; mạng"
    for page, times in (("/", 2), ("/sites/xa-kim-dong", 3), (f"/incidents/{case.id}", 1), ("/sites/phuong-phu-ly", 0)):
        async with http.get(f"{page}?lang={language}") as response:
            assert (await response.text()).count(mark) == times, page
    async with http.get("/api/v1/targets?site=xa-kim-dong") as response:
        found = {each["id"]: each["maintenance"] for each in (await response.json())["targets"]}
    work = {"begins": "2026-11-24T04:00:00Z", "ends": "2026-11-24T06:00:00Z", "reason": "Thay <tủ> mạng"}
    assert found == {"xa-kim-dong/tslcd": work, "xa-kim-dong/router": None, "xa-kim-dong/ups": work}


def test_work_at_a_whole_site_is_said_once_at_its_head(province: Province) -> None:
    window = Window(begins=NOW, ends=NOW + timedelta(hours=1), reason="Thay tủ mạng")
    for target in ("tslcd", "router", "ups"):
        province.held[f"xa-kim-dong/{target}"] = TargetView(state=State.UP, maintenance=window)
    page = Board().site(province, "xa-kim-dong", VI, NOW)
    assert page is not None
    assert page.count("Thay tủ mạng") == 1
    assert page.index("Thay tủ mạng") < page.index("<fieldset")


@pytest.mark.parametrize(("language", "said"), [("vi", "Tạm tắt thư báo đến"), ("en", "Silenced until")])
async def test_a_silence_is_on_the_wall_the_site_and_the_incident(
    language: str, said: str, http: aiohttp.ClientSession, province: Province
) -> None:
    case = province.cut("xa-kim-dong")
    silence = Silence(
        id=3, site="xa-kim-dong", begins=NOW, ends=NOW + timedelta(hours=1), reason="<b>", by="Hoa (root)"
    )
    province.held[case.root] = replace(province.held[case.root], silence=silence)
    mark = f"{said} 13:00:00 24/11/2026: &lt;b&gt; (Hoa (root))"
    for page, times in (("/", 1), ("/sites/xa-kim-dong", 2), (f"/incidents/{case.id}", 1)):
        async with http.get(f"{page}?lang={language}") as response:
            assert (await response.text()).count(mark) == times, page
    async with http.get("/api/v1/incidents") as response:
        (found,) = (await response.json())["incidents"]
    assert found["silence"] == {"id": 3, "ends": "2026-11-24T06:00:00Z", "reason": "<b>", "by": "Hoa (root)"}


@pytest.mark.parametrize(("language", "said"), [("vi", "Đã có người nhận:"), ("en", "Acknowledged by")])
async def test_who_has_it_is_on_the_wall_the_site_and_the_incident(
    language: str, said: str, http: aiohttp.ClientSession, province: Province
) -> None:
    case = province.cut("xa-kim-dong")
    had = Acknowledgement(by="Hoa (root)", at=NOW, note="Đã gọi <VNPT>")
    province.cases[0] = replace(case, acknowledged=had)
    mark = f"{said} Hoa (root), 12:00:00 24/11/2026: Đã gọi &lt;VNPT&gt;"
    for page in ("/", "/sites/xa-kim-dong", f"/incidents/{case.id}"):
        async with http.get(f"{page}?lang={language}") as response:
            text = await response.text()
            assert text.count(mark) == 1, page
            assert WORDS[language].page["nobody"].capitalize() not in text
    async with http.get(f"/api/v1/incidents/{case.id}") as response:
        found = (await response.json())["acknowledged"]
    assert found == {"by": "Hoa (root)", "at": "2026-11-24T05:00:00Z", "note": "Đã gọi <VNPT>"}


def test_no_page_compiles_a_template_when_it_is_looked_at(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    board = Board()

    def compiles(*_: object, **__: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr(jinja2.Environment, "compile", compiles)
    assert board.overview(province, VI, NOW)
    assert board.wall(province, VI, NOW)
    assert board.site(province, "phuong-phu-ly", VI, NOW)
    assert board.missing(province, "no_page", VI, NOW)
