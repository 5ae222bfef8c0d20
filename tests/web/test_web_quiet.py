"""The pages of silences, maintenance and the monitor itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.model import Silence, State, Window
from monitor.core.planned import Work
from monitor.web.board import LAG_WELL_SECONDS, MAX_WALL_CASES, Board
from monitor.web.glance import atlas_of
from monitor.web.phrases import TRAPS
from monitor.web.quiet import MAX_THINGS, told_silence, told_work
from monitor.web.view import TargetView
from monitor.web.words import EN, VI, WORDS
from tests.web.province import NOW, Province, commune, inventory_of

HOUR = timedelta(hours=1)
EVIL = "<script>alert(1)</script>"


def silence(**about: str) -> Silence:
    return Silence(id=1, begins=NOW - HOUR, ends=NOW + HOUR, reason="Sửa nhà", by="Hoa (root)", **about)  # type: ignore[arg-type]


def work(*targets: str, begins: timedelta = -HOUR, reason: str = "Thay tủ") -> Work:
    window = Window(begins=NOW + begins, ends=NOW + begins + 2 * HOUR, reason=reason)
    return Work(window=window, targets=frozenset(targets))


@pytest.mark.parametrize(
    ("about", "name", "path"),
    [
        ({"target": "xa-kim-dong/ups"}, "UPS – Xã Kim Đông", "/sites/xa-kim-dong"),
        ({"site": "xa-kim-dong"}, "Xã Kim Đông", "/sites/xa-kim-dong"),
        ({"area": "Kim Sơn"}, "Kim Sơn", "/"),
        ({"provider": "vnpt"}, "VNPT Ninh Bình", "/"),
        ({"target": "gone/ups"}, "gone/ups", "/"),
        ({"site": "gone"}, "gone", "/"),
        ({"provider": "gone"}, "gone", "/"),
    ],
)
def test_a_silence_is_told_by_what_it_is_about(about: dict[str, str], name: str, path: str, province: Province) -> None:
    (thing,) = told_silence(silence(**about), province.settings, VI).shown
    assert (thing.name, thing.path) == (name, path)


def test_work_at_a_whole_site_is_told_once_and_what_does_not_fit_is_counted(province: Province) -> None:
    whole = [each for each in province.settings.targets if each.startswith("xa-kim-dong/")]
    told = told_work(work(*whole, "phuong-phu-ly/ups", "gone/ups"), atlas_of(province.settings), VI)
    assert [each.name for each in told.shown] == ["gone/ups", "UPS – Phường Phủ Lý", "Xã Kim Đông"]
    many = inventory_of(*(commune(f"xa-{n:02}", f"Xã {n}", 20, 105) for n in range(MAX_THINGS + 3)))
    ups = [each for each in many.targets if each.endswith("/ups")]
    assert [each.name for each in told_work(work(*ups), atlas_of(many), VI).shown] == [f"UPS: {len(ups)} đối tượng"]
    routers = [each for each in many.targets if each.endswith("/router")][:2]
    told = told_work(work(*ups, *routers), atlas_of(many), VI)
    assert (len(told.shown), told.more) == (MAX_THINGS, 5)


@pytest.mark.parametrize("language", list(WORDS))
def test_the_page_of_silences_tells_who_until_why_and_what_comes(language: str, province: Province) -> None:
    words, board = WORDS[language], Board()
    empty = board.silences(province, words, NOW)
    for sentence in ("no_silences", "no_works_now", "no_works_coming"):
        assert words.page[sentence] in empty
    province.quiet = [silence(site="xa-kim-dong")]
    province.planned = [work("phuong-phu-ly/ups"), work("xa-cuc-phuong/ups", begins=20 * HOUR, reason=EVIL)]
    page = board.silences(province, words, NOW)
    for fact in (
        "Sửa nhà",
        "Hoa (root)",
        "13:00:00 24/11/2026",
        "Thay tủ",
        "11:00–13:00 24/11/2026",
        "08:00–10:00 25/11/2026",
    ):
        assert fact in page
    assert page.index("Xã Kim Đông") < page.index("Phường Phủ Lý") < page.index("Xã Cúc Phương")
    assert EVIL not in page
    assert 'href="/sites/xa-kim-dong' in page


@pytest.mark.parametrize("language", list(WORDS))
def test_the_page_of_the_monitor_tells_what_goes_on_and_what_is_wrong(language: str, province: Province) -> None:
    words, board = WORDS[language], Board()
    page = board.monitor(province, words, NOW)
    for fact in (
        "1.2.3",
        "icmp",
        "mail.example:25",
        "timeout at data",
        TRAPS[language]["looked"],
        words.page["monitor_well"],
    ):
        assert fact in page
    assert page.count('<h2 class="down"') == 0
    assert page.count('<h2 class="degraded"') == 1, "a relay failed last time"
    province.inside = replace(
        province.inside, reload_wrong=f"a.yaml:3:1: {EVIL}", database_trouble="disk full", traps=None, relays={},
        mails_failed=("support: 550 <who?>",), signs={"mail": ("withheld", NOW)},
    )  # fmt: skip
    page = board.monitor(province, words, NOW)
    assert page.count('<h2 class="down"') == 4
    for fact in (
        "a.yaml:3:1: &lt;script&gt;",
        "disk full",
        "550 &lt;who?&gt;",
        words.page["sign_withheld"],
        words.page["no_traps"],
    ):
        assert fact in page


def test_a_late_loop_and_a_monitor_without_signs_of_life_are_not_called_well(province: Province) -> None:
    calm = Board().monitor(province, VI, NOW)
    province.inside = replace(province.inside, lag_seconds=LAG_WELL_SECONDS * 2, signs={})
    page = Board().monitor(province, VI, NOW)
    assert page.count('<h2 class="degraded"') == calm.count('<h2 class="degraded"') + 1
    assert page.count('<h2 class="unknown"') == 1
    assert VI.page["no_signs"] in page


def test_a_monitor_that_has_just_started_is_not_in_trouble(province: Province) -> None:
    province.left = 0, 2580
    province.inside = replace(province.inside, kinds={}, traps={})
    page = Board().monitor(province, VI, NOW)
    assert f"{VI.page['own']}: {VI.page['monitor_starts']}" in page
    assert '<section class="box degraded">' in page
    assert "<table" not in page
    assert VI.page["none_yet"] in page
    province.figures["store_ok"] = False
    assert f"{VI.page['own']}: {VI.page['monitor_trouble']}" in Board().monitor(province, VI, NOW)


def test_the_wall_counts_what_does_not_fit_and_tells_who_has_what(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    province.cases += [replace(case, id=f"i-{number}") for number in range(MAX_WALL_CASES + 6)]
    services = ("a", "b", "c", "d", "e")
    documents = province.settings.targets["centre/doc-management"]
    extra = {f"centre/{name}": replace(documents, id=f"centre/{name}", name=name) for name in services}
    province.settings = replace(province.settings, targets={**province.settings.targets, **extra})
    province.held |= {each: TargetView(state=State.DOWN, since=NOW) for each in extra}
    page = Board().wall(province, VI, NOW)
    assert page.count("<article") == MAX_WALL_CASES
    assert "và 7 sự cố khác" in page
    assert "và 2 hệ thống khác" in page
    assert VI.page["nobody"] in page
    assert "<footer" not in page
    assert "and 7 more incidents" in Board().wall(province, EN, NOW)


def test_the_wall_counts_no_communes_where_none_is_hurt(province: Province) -> None:
    case = province.cut("phuong-phu-ly")
    assert "· 1 xã, phường" in Board().wall(province, VI, NOW)
    province.cases = [replace(case, root="centre/doc-management", impact=())]
    assert "0 xã, phường" not in Board().wall(province, VI, NOW)


def test_a_wall_with_room_tells_what_has_recovered_and_what_goes_on(province: Province) -> None:
    province.close(province.cut("phuong-phu-ly"))
    window = Window(begins=NOW, ends=NOW + timedelta(hours=1), reason="Thay UPS")
    province.planned = [Work(window=window, targets=frozenset({"xa-kim-dong/ups"}))]
    calm = Board().wall(province, VI, NOW)
    for told in ("11:59 Phường Phủ Lý", "đến 13:00, Thay UPS", VI.page["no_meetings"]):
        assert told in calm
    province.cases += [replace(province.cases[0], id=f"i-{number}", closed=None) for number in range(3)]
    assert "Thay UPS" in Board().wall(province, VI, NOW), "one line fits"
    assert "11:59 Phường Phủ Lý" not in Board().wall(province, VI, NOW)
    province.cases.append(replace(province.cases[0], id="i-3", closed=None))
    assert "Thay UPS" not in Board().wall(province, VI, NOW)
