"""Daily and monthly summaries: when they are due, what they tell, and that they fit a mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from alerts import daily, monthly
from alerts.letter_samples import a_day, a_month
from alerts.regular import LONGEST_DAILY, due, last_day, last_month
from alerts.routing import Routing, Summaries
from monitor.core.account import Account, Entry
from monitor.core.ledger import By, Member, Span, Totals, merged
from monitor.core.model import Cause, Held, Incident, Inventory, Letter, Maintenance, Reason, Role, State
from monitor.core.words import EN, LOCAL, VI
from monitor.inventory.load import load_inventory
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, inventory

HOUR = timedelta(hours=1)
ROUTING = Routing(
    contacts={ON_CALL.id: ON_CALL}, summaries={ON_CALL.id: Summaries(daily=time(7, 0), monthly=time(7, 30))}
)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL).astimezone(UTC)


@pytest.mark.parametrize(
    ("at", "ids"),
    [
        ("2026-11-27T06:59:59", set()),
        ("2026-11-27T07:00:00", {"daily-20261127.on-call"}),
        ("2026-11-27T23:59:59", {"daily-20261127.on-call"}),
        ("2026-11-28T00:00:00", set()),
        ("2026-12-01T07:29:59", {"daily-20261201.on-call"}),
        ("2026-12-01T07:30:00", {"daily-20261201.on-call", "monthly-202611.on-call"}),
        ("2026-12-02T00:00:00", {"monthly-202611.on-call"}),
        ("2026-12-03T23:59:59", {"daily-20261203.on-call", "monthly-202611.on-call"}),
        ("2026-12-04T07:30:00", {"daily-20261204.on-call"}),
        ("2027-01-01T07:30:00", {"daily-20270101.on-call", "monthly-202612.on-call"}),
    ],
)
def test_a_summary_is_due_from_its_time_on_as_long_as_it_is_news(at: str, ids: set[str]) -> None:
    assert {each.id for each in due(ROUTING, local(at))} == ids


def test_a_day_begins_where_the_last_one_ended_and_a_month_is_a_calendar_month_of_viet_nam() -> None:
    day = timedelta(days=1)
    assert last_day(NOW, None) == Span(NOW - day, NOW)
    assert last_day(NOW, NOW - 3 * day) == Span(NOW - 3 * day, NOW)
    assert last_day(NOW, NOW - LONGEST_DAILY - HOUR) == Span(NOW - day, NOW)
    assert last_day(NOW, NOW + HOUR) == Span(NOW - day, NOW), "the clock was set back since"
    assert last_month(local("2027-01-01T00:00:00")) == Span(local("2026-12-01T00:00:00"), local("2027-01-01T00:00:00"))


def letter(name: str, given: dict[str, object], language: str = "vi") -> Letter:
    return composer().letter(name, replace(ON_CALL, language=language), name, given)


def test_a_day_tells_what_is_open_what_was_the_worst_and_what_comes() -> None:
    known = inventory()
    span = Span(NOW - timedelta(days=1), NOW)
    ended = replace(INCIDENT, id="ended", root="phuong-phu-ly/tslcd", began=NOW - 5 * HOUR, closed=NOW - 2 * HOUR)
    short = replace(ended, id="short", began=NOW - 3 * HOUR)
    still = replace(INCIDENT, began=NOW - HOUR)
    held = {
        "center/website": Held(target="center/website", state=State.DEGRADED, since=NOW - HOUR, reason=Reason.TIMEOUT),
        "center/router": Held(target="center/router", state=State.UP, since=NOW),
        "no/longer": Held(target="no/longer", state=State.DEGRADED, since=NOW),
    }
    sums = {
        "phuong-phu-ly/tslcd": Totals(up=20 * HOUR, down=3 * HOUR, unreachable=HOUR),
        "xa-kim-dong/tslcd": Totals(up=24 * HOUR),
    }
    works = tuple(
        Maintenance(targets=frozenset(targets), starts=(NOW + start,), lasts=HOUR, reason=reason)
        for targets, start, reason in (
            (("xa-kim-dong/tslcd", "xa-kim-dong/router"), timedelta(hours=4), "new cable"),
            (("center/router",), timedelta(minutes=-30), "under way"),
            (("center/router",), timedelta(hours=-2), "over"),
            (("center/router",), timedelta(hours=13), "tomorrow in Viet Nam"),
        )
    )
    day = daily.Day(span=span, incidents=[short, ended, still], held=held, lines=merged(By.LINK, span, [sums]))
    made = letter("daily", daily.told(day, replace(known, maintenance=works), EN, "http://board.example"), "en")
    assert made.subject == "DAILY SUMMARY 24/11: 3 incidents, 1 still open"
    lines = [each for each in made.text.splitlines() if each.startswith("- ")]
    assert lines == [
        "- 1 h: TSLCĐ line – Xã Kim Đông (Minor, the line; 11:00 24/11; nobody has it)",
        "- 3 h: TSLCĐ line – Phường Phủ Lý (Minor, the line; 07:00 – 10:00 24/11)",
        "- 1 h: TSLCĐ line – Phường Phủ Lý (Minor, the line; 09:00 – 10:00 24/11)",
        "- 83.333 %: TSLCĐ line – Phường Phủ Lý (down 4 h, VNPT Ninh Bình)",
        "- Web site – Trung tâm dữ liệu: no answer in time, since 11:00 24/11",
        "- Phường Phủ Lý: 2 incidents, in all 4 h",
        "- Xã Kim Đông: 1 incident, in all 1 h",
        "- 11:30 – 12:30 24/11: Router – Trung tâm dữ liệu: under way",
        "- 16:00 – 17:00 24/11: Router – Xã Kim Đông and 1 other targets: new cable",
    ]
    for each in ("new cable", "83.333 %", f"http://board.example/incidents/{INCIDENT.id}?lang=en"):
        assert each in made.html


def month(incidents: list[Incident], sums: dict[str, Totals], watched: str = "2026-10-01T00:00") -> Account:
    """Of lines of one provider."""
    span = last_month(local("2026-12-01T07:30:00"))
    entries = [
        Entry(
            member=Member(target=each, role=Role.LINK, kind="tslcd", provider="vnpt", since=span.since),
            totals=totals, outages=(),
        )
        for each, totals in sums.items()
    ]  # fmt: skip
    return Account(asked=span, span=span, entries=entries, incidents=incidents, watched=local(watched))


def test_a_month_names_the_lines_below_what_their_contract_promises() -> None:
    known = inventory()
    promised = replace(known, providers={"vnpt": replace(known.providers["vnpt"], promised_percent=99.5)})
    sums = {
        "xa-kim-dong/tslcd": Totals(up=99 * HOUR, down=HOUR),
        "phuong-phu-ly/tslcd": Totals(up=98 * HOUR, down=2 * HOUR, power=2 * HOUR),
        "no/longer": Totals(up=9 * HOUR, down=HOUR),  # it has left the inventory, its contract has not
        "center/tslcd": Totals(up=HOUR),
    }
    over = replace(INCIDENT, began=local("2026-10-31T22:00"), closed=local("2026-11-01T01:00"))
    still = replace(INCIDENT, id="still", root="center/router", cause=Cause.DEVICE, began=local("2026-11-30T20:00"))
    slow = replace(INCIDENT, id="slow", state=State.DEGRADED)
    known_month = month([slow, over, still], sums)
    made = letter("monthly", monthly.told(known_month, promised, VI))
    assert made.subject == "TỔNG HỢP THÁNG 11/2026: 2/4 đường truyền dưới cam kết"
    lines = [each for each in made.text.splitlines() if each.startswith("- ")]
    assert lines == [
        "- no/longer, VNPT Ninh Bình, cam kết 99,500 % – KHÔNG ĐẠT; ngừng 1 giờ: 90,000 % (90,000 %)",
        "- Đường TSLCĐ – Xã Kim Đông, VNPT Ninh Bình, cam kết 99,500 % – KHÔNG ĐẠT; ngừng 1 giờ: 99,000 % (99,000 %)",
        "- Đường TSLCĐ – Phường Phủ Lý, VNPT Ninh Bình, cam kết 99,500 %; ngừng 2 giờ: 98,000 % (100,000 %)",
        "- 1 không ngừng lần nào",
        "- VNPT Ninh Bình; ngừng 4 giờ: 98,104 % (99,043 %)",
        "- 4 giờ: Bộ định tuyến – Trung tâm dữ liệu (thiết bị; 20:00 30/11 – chưa khắc phục khi hết tháng)",
        "- 1 giờ: Đường TSLCĐ – Xã Kim Đông (đường truyền; 22:00 31/10 – 01:00 01/11)",
    ]
    assert "KHÔNG ĐẠT" in made.html
    without = letter("monthly", monthly.told(month([], sums), known, VI))
    assert without.subject == "TỔNG HỢP THÁNG 11/2026: 4 đường truyền, 0 sự cố"


def test_a_month_tells_since_when_it_was_watched_and_what_is_not_known() -> None:
    sums = {"xa-kim-dong/tslcd": Totals(up=3 * HOUR, unknown=HOUR)}
    for language, words, said in (
        ("vi", VI, "giám sát từ 08:00:00 05/11/2026; trước đó không có số liệu. Không rõ 25,000 % thời gian"),
        ("en", EN, "Watched since 08:00:00 05/11/2026; nothing is known of the time before. 25.000 % of the time is"),
    ):
        made = letter("monthly", monthly.told(month([], sums, "2026-11-05T08:00"), inventory(), words), language)
        assert said in made.text
        assert said in made.html


@pytest.mark.parametrize("language", ["vi", "en"])
def test_summaries_of_a_nation_with_long_names_are_not_clipped(language: str) -> None:
    """Gmail shows 102 kB."""
    few = inventory(name="Xã" * 5000)
    sites = {f"xa-{n}": replace(few.sites["xa-kim-dong"], id=f"xa-{n}") for n in range(200)}
    targets = {
        f"{site}/{kind}": replace(few.targets[f"xa-kim-dong/{kind}"], id=f"{site}/{kind}", site=site, label={"vi": "Đ" * 5000})
        for site in sites for kind in ("tslcd", "website")
    }  # fmt: skip
    known = replace(few, sites=few.sites | sites, targets=targets)
    words = {"vi": VI, "en": EN}[language]
    span = Span(NOW - timedelta(days=1), NOW)
    hurt = {each: Totals(up=HOUR, down=HOUR) for each in targets if each.endswith("tslcd")}
    incidents = [
        replace(INCIDENT, id=f"i{n}", root=each, closed=NOW if n % 2 else None) for n, each in enumerate(targets)
    ]
    held = {each: Held(target=each, state=State.DEGRADED, since=NOW) for each in targets}
    day = daily.Day(span=span, incidents=incidents, held=held, lines=merged(By.LINK, span, [hurt]))
    for name, given in (
        ("daily", daily.told(day, known, words, "http://board.example")),
        ("monthly", monthly.told(month(incidents, hurt), known, words)),
    ):
        made = letter(name, given, language)
        assert max(len(made.html.encode()), len(made.text.encode())) < 92_000
        assert {"vi": "và 180 mục khác", "en": "and 180 more"}[language] in made.text
        assert {"vi": "và 180 mục khác", "en": "and 180 more"}[language] in made.html


def test_a_template_that_fails_gives_a_plain_mail_that_is_short(tmp_path: Path) -> None:
    (tmp_path / "vi").mkdir()
    (tmp_path / "vi" / "daily.txt").write_text("{{ nothing.at.all }}")
    sums = {"xa-kim-dong/tslcd": Totals(up=HOUR, down=HOUR)}
    day = daily.Day(
        span=Span(NOW - HOUR, NOW), incidents=[INCIDENT] * 500, held={}, lines=merged(By.LINK, Span(NOW, NOW), [sums])
    )
    made = composer(tmp_path).letter("daily", ON_CALL, "daily", daily.told(day, inventory(), VI, ""))
    assert (made.subject, made.html) == ("commune-monitor: daily", "")
    assert len(made.text) < 5000


def test_examples_are_made_of_any_inventory() -> None:
    for known in (inventory(), Inventory(sites={}, targets={}, providers={})):
        letter("daily", daily.told(a_day(known, NOW), known, VI, ""))
        letter("monthly", monthly.told(a_month(known, NOW), known, VI))


def test_the_day_of_a_preview_could_be() -> None:
    folder = Path(__file__).parents[2] / "config" / "inventory"
    example = load_inventory(folder, None)
    day = a_day(example, NOW)
    still = {each.root for each in day.incidents if each.closed is None}
    assert not still & set(day.held), "what is down is not degraded too"
    assert {each.severity for each in day.incidents} == {example.targets[each.root].severity for each in day.incidents}
    sites = {role: {each.partition("/")[0] for each in still if example.targets[each].role is role} for role in Role}
    assert all(len(found) == 1 for found in sites.values())
    assert not sites[Role.LINK] & sites[Role.DEVICE], "equipment behind a line that is down is no cause"
    assert all(example.sites[each].kind == "commune" for each in sites[Role.DEVICE]), "one that nothing hangs behind"
