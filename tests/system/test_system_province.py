"""The daemon against the whole simulated province: real servers, real faults, real mails."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from monitor.inventory.load import load_inventory
from tests.dashboards.queries import queries
from tests.system.conftest import ON_CALL

INVENTORY = Path(__file__).parents[2] / "config" / "inventory"
DASHBOARDS = sorted((Path(__file__).parents[2] / "dashboards" / "json" / "vi").glob("*.json"))
AREA = "Huyện Yên Mô"
COMMUNE, REFUSED, KILLED, SHOWN = "xa-tan-thanh", "xa-thanh-binh", "xa-thanh-lam", "xa-thanh-liem"
DARK, TELLING = "xa-thanh-son", "xa-truc-ninh"
"""Each line is cut once, and each UPS: what fails again and again takes longer to be held well."""
pytestmark = pytest.mark.lab


def opened(lab: Any, root: str) -> dict[str, Any]:
    """The incident at `root`, once it was mailed."""
    incident = lab.wait(f"incident at {root}", lambda: [each for each in lab.open_incidents() if each["root"] == root])[
        0
    ]
    lab.wait(f"mail about {root}", lambda: lab.thread(incident["id"]))
    return incident


def recovered(lab: Any, incident: dict[str, Any]) -> list[dict[str, Any]]:
    """The whole thread of an incident, once its last mail came."""
    lab.mend()
    lab.wait("recovery mail", lambda: any(".recovered." in each["id"] for each in lab.thread(incident["id"])))
    return lab.thread(incident["id"])


def since(lab: Any, before: int) -> list[dict[str, Any]]:
    """Mails to who is on duty that came since there were so many in all; others are told of less."""
    return [each for each in lab.mails()[before:] if each["to"] == [ON_CALL]]


def test_the_whole_province_is_up_when_nothing_is_broken(lab: Any) -> None:
    found = lab.get("/api/v1/targets?limit=2000")["targets"]
    assert len(found) == 940
    assert {each["state"] for each in found} == {"up"}


def test_a_cut_line_is_one_mail_with_commune_provider_circuit_and_impact(lab: Any) -> None:
    before = len(lab.mails())
    lab.cut(f"{COMMUNE}/tslcd")
    incident = opened(lab, f"{COMMUNE}/tslcd")
    assert incident["cause"] == "link"
    cut = {"router", "switch", "ups", "vc-endpoint"}
    expected = {"tslcd": "down", "internet": "up", "website": "up"} | dict.fromkeys(cut, "unreachable")
    lab.wait("everything behind the line to be unreachable", lambda: lab.states(COMMUNE) == expected)
    first, last = recovered(lab, incident)
    assert len(since(lab, before)) == 2
    for said in (
        "Xã Tân Thanh",
        "Viettel Ninh Bình",
        "0229 000 8002",
        "NB-TSL-",
        "Bộ định tuyến",
        "Phòng họp trực tuyến",
    ):
        assert said in first["text"]
    assert first["subject"] == "NGỪNG: Đường truyền TSLCĐ – Xã Tân Thanh"
    assert last["answers"] == first["id"]


def test_a_line_that_the_gateway_refuses_is_the_same_and_names_the_hop(lab: Any) -> None:
    lab.refuse(f"{REFUSED}/tslcd")
    incident = opened(lab, f"{REFUSED}/tslcd")
    assert incident["cause"] == "link"
    assert "10.69.0.1 cho biết về" in lab.thread(incident["id"])[0]["text"]


def test_a_cut_core_is_one_incident_and_one_mail(lab: Any) -> None:
    before = len(lab.mails())
    lab.cut("center/core")
    incident = opened(lab, "center/core")
    assert incident["cause"] == "shared"
    hurt = {each.partition("/")[0] for each in incident["impact"]}
    assert sum(each.startswith(("xa-", "phuong-")) for each in hurt) == 129
    recovered(lab, incident)
    assert [each["subject"] for each in since(lab, before)] == [
        "KHẨN – NGỪNG: Bộ định tuyến lõi – TTDL tỉnh (129 xã, phường)",
        "ĐÃ TRỞ LẠI: Bộ định tuyến lõi – TTDL tỉnh (129 xã, phường)",
    ]


def test_lines_of_one_area_that_fail_together_are_one_incident_and_one_mail(lab: Any) -> None:
    before = len(lab.mails())
    sites = load_inventory(INVENTORY, None).sites.values()
    area = [each.id for each in sites if each.area == AREA and each.kind == "commune"]
    lab.cut(*(f"{each}/internet" for each in area))
    (incident,) = lab.wait("incident", lambda: [each for each in lab.open_incidents() if each["shared"]])
    assert incident["shared"]["by"]["area"] == AREA
    assert (incident["shared"]["hurt"], incident["shared"]["elsewhere"]) == (len(area), 0)
    first, last = recovered(lab, incident)
    assert len(since(lab, before)) == 2
    assert first["subject"].startswith("NGỪNG: Internet – ")
    assert f"({len(area)} nơi cùng lúc)" in first["subject"]
    assert last["answers"] == first["id"]


def test_our_own_uplink_blames_no_commune(lab: Any) -> None:
    before = len(lab.mails())
    lab.cut_own_uplink()
    incident = opened(lab, "center/gateway")
    assert incident["cause"] == "vantage"
    assert set(lab.states(COMMUNE).values()) <= {"unknown", "up"}
    recovered(lab, incident)
    assert len(since(lab, before)) == 2
    assert all("Trạm giám sát" in each["subject"] for each in since(lab, before))


def test_a_dead_switch_is_the_local_network(lab: Any) -> None:
    lab.cut(f"{COMMUNE}/switch")
    incident = opened(lab, f"{COMMUNE}/switch")
    assert incident["cause"] == "lan"
    assert lab.states(COMMUNE)["vc-endpoint"] == "unreachable"


def test_a_ups_on_battery_and_then_darkness_is_a_power_cut_and_not_a_line(lab: Any) -> None:
    before = len(lab.mails())
    lab.on_battery(f"{DARK}/ups")
    incident = opened(lab, f"{DARK}/ups")
    assert incident["cause"] == "power"
    lab.cut(f"{DARK}/tslcd", f"{DARK}/internet")
    lab.wait("dark commune", lambda: lab.states(DARK)["tslcd"] == "down")
    time.sleep(8)  # longer than the hold of a line: it must not become an incident of its own
    assert [each["root"] for each in lab.open_incidents()] == [f"{DARK}/ups"]
    recovered(lab, incident)
    *changes, last = [each["subject"] for each in since(lab, before)]
    assert changes
    assert all("Mất điện" in each for each in changes)
    assert last == "ĐÃ CÓ ĐIỆN LẠI – Xã Thanh Sơn"


def test_a_trap_makes_a_ups_be_asked_at_once_and_is_not_believed(lab: Any) -> None:
    def traps(outcome: str) -> int:
        return int(lab.log().count(f"({TELLING}/ups): {outcome}"))

    lab.tell_of_battery(f"{TELLING}/ups")
    lab.wait("the look", lambda: traps("looked") == 1)
    time.sleep(6)  # both looks are over
    assert lab.open_incidents() == [], "it is on mains, whatever the trap said"
    lab.on_battery(f"{TELLING}/ups")
    lab.tell_of_battery(f"{TELLING}/ups")
    start = time.monotonic()
    incident = opened(lab, f"{TELLING}/ups")
    assert incident["cause"] == "power"
    assert time.monotonic() - start < 12, "its turn comes every 15 s, and the mail a little after"
    recovered(lab, incident)


def test_a_page_with_an_error_text_is_a_broken_service_and_one_that_trickles_a_slow_one(lab: Any) -> None:
    """Both at a time: each has its turn once in a minute."""
    lab.break_page("qlvb.ninhbinh.example")
    lab.slow_page("dichvucong.ninhbinh.example")
    broken, slow = opened(lab, "center/doc-management"), opened(lab, "center/public-portal")
    assert broken["cause"] == slow["cause"] == "service"
    assert slow["state"] == "degraded"
    assert "Lỗi kết nối cơ sở dữ liệu" in lab.thread(broken["id"])[0]["text"]
    assert "trả lời chậm" in lab.thread(slow["id"])[0]["subject"]
    (other,) = lab.wait("mail to the support", lambda: lab.thread(broken["id"], "support@systems.example"))
    assert other["subject"].startswith("URGENT – DOWN: Document management")
    recovered(lab, broken)
    recovered(lab, slow)


def test_kill_9_with_the_mail_server_refusing_loses_and_repeats_no_mail(lab: Any) -> None:
    before, refused = len(lab.mails()), lab.refused()
    lab.refuse_mail("451 try later")
    lab.cut(f"{KILLED}/tslcd")
    lab.wait("refusal", lambda: lab.refused() > refused)
    lab.kill_daemon()
    lab.start_daemon()
    lab.wait_ready()
    lab.refuse_mail("")
    lab.wait("the mail", lambda: since(lab, before))
    lab.mend()
    lab.wait("both mails", lambda: len(since(lab, before)) >= 2)
    time.sleep(3)  # long enough for a repeated one to come too
    ids = [each["id"] for each in since(lab, before)]
    assert len(ids) == len(set(ids)) == 2
    assert since(lab, before)[1]["answers"] == ids[0]


def test_no_query_of_the_dashboards_is_empty_against_the_lab_s_prometheus(lab: Any) -> None:
    lab.cut(f"{SHOWN}/tslcd")
    opened(lab, f"{SHOWN}/tslcd")
    of_one = {"$site": COMMUNE, "$target": f"{COMMUNE}/tslcd", "$provider": "viettel", "$kind": "tslcd"}
    for path in DASHBOARDS:
        chosen = of_one if path.stem in {"commune-site", "commune-line"} else {}
        for query in queries(json.loads(path.read_text(encoding="utf-8")), chosen):
            lab.wait(f"data for {query.title}: {query.expr}", lambda expr=query.expr: series(lab, expr))


def series(lab: Any, expr: str) -> list[Any]:
    answer = json.loads(lab.fetch(f"http://10.69.0.2:9090/api/v1/query?query={quote(expr)}"))
    found: list[Any] = answer["data"]["result"]
    return found


def test_every_rule_can_be_evaluated_over_a_whole_province(lab: Any) -> None:
    def rules() -> list[dict[str, Any]]:
        answer = json.loads(lab.fetch("http://10.69.0.2:9090/api/v1/rules"))
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    lab.wait("every rule is evaluated", lambda: {each["health"] for each in rules()} == {"ok"})
    for record in (each["name"] for each in rules() if each["type"] == "recording"):
        if not record.endswith(":avg1d"):  # of whole hours
            lab.wait(f"data of {record}", lambda record=record: series(lab, record))


def test_prometheus_takes_every_scrape_of_the_daemon(lab: Any) -> None:
    assert series(lab, 'up{job="commune-monitor"}')[0]["value"][1] == "1"
    assert int(series(lab, 'count({site!=""})')[0]["value"][1]) > 10_000
