"""Where the Grafana link of a mail leads: to a dashboard that is there, with variables that it has."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from alerts.grafana import AFTER, BEFORE, page_of
from monitor.core.model import Cause, Incident, Role, Site, Target
from tests.alerts.sample import COMMON, INCIDENT, NOW

JSON = Path(__file__).parents[2] / "dashboards" / "json"
COMMUNE = Site(id="xa-a", name="Xã A", kind="commune")
CENTRE = Site(id="centre", name="Trung tâm", kind="data-center")


def target(id_: str, role: Role, kind: str) -> Target:
    site, _, name = id_.partition("/")
    return Target(id=id_, site=site, name=name, role=role, kind=kind)


LINE = target("xa-a/tslcd", Role.LINK, "tslcd")
SHARED = COMMON.shared
assert SHARED is not None
CASES = {
    "a line": (INCIDENT, LINE, COMMUNE, "commune-line", {"site": "xa-a", "target": "xa-a/tslcd"}),
    "a device": (INCIDENT, target("xa-a/ups", Role.DEVICE, "ups"), COMMUNE, "commune-site", {"site": "xa-a"}),
    "a commune's page": (INCIDENT, target("xa-a/website", Role.SERVICE, "website"), COMMUNE, "commune-site", {"site": "xa-a"}),
    "a shared system": (INCIDENT, target("centre/lgsp", Role.SERVICE, "lgsp"), CENTRE, "commune-services", {"service": "centre/lgsp"}),
    "the registrar": (INCIDENT, target("centre/registrar", Role.SERVICE, "registrar"), CENTRE, "commune-rooms", {}),
    "the bridge": (INCIDENT, target("centre/mcu", Role.SERVICE, "vc-bridge"), CENTRE, "commune-rooms", {}),
    "our own gateway": (
        replace(INCIDENT, cause=Cause.VANTAGE), target("centre/gateway", Role.DEVICE, "gateway"), CENTRE, "commune-monitor", {},
    ),
    "a provider": (COMMON, LINE, COMMUNE, "commune-providers", {"provider": "vnpt"}),
    "an area": (
        replace(COMMON, shared=replace(SHARED, by=(("area", "Huyện Kim Sơn"),))), LINE, COMMUNE, "commune-province",
        {"area": "Huyện Kim Sơn"},
    ),
    "a model": (replace(COMMON, shared=replace(SHARED, by=(("model", "X"),))), LINE, COMMUNE, "commune-province", {}),
}  # fmt: skip


@pytest.mark.parametrize(("language", "ending"), [("vi", ""), ("en", "-en")])
@pytest.mark.parametrize(("incident", "root", "site", "name", "chosen"), CASES.values(), ids=CASES)
def test_it_leads_to_what_it_is_about(
    incident: Incident, root: Target, site: Site, name: str, chosen: dict[str, str], language: str, ending: str
) -> None:
    uid = name + ending
    address = urlsplit(page_of("http://g", incident, root, site, language))
    asked = {key: value for key, (value,) in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"http://g/d/{uid}"
    assert {key.removeprefix("var-"): value for key, value in asked.items() if key.startswith("var-")} == chosen
    board = json.loads((JSON / language / f"{uid}.json").read_text(encoding="utf-8"))
    assert board["uid"] == uid
    assert set(chosen) <= {each["name"] for each in board["templating"]["list"]}


def test_it_shows_what_was_usual_before_and_goes_on_to_now() -> None:
    assert f"from={(INCIDENT.began - BEFORE).timestamp() * 1000:.0f}&to=now" in page_of(
        "http://g", INCIDENT, LINE, COMMUNE, "vi"
    )


def test_what_is_over_is_shown_with_its_end() -> None:
    over = replace(INCIDENT, closed=NOW + timedelta(hours=2))
    assert page_of("http://g", over, LINE, COMMUNE, "vi").endswith(
        f"&to={(NOW + timedelta(hours=2) + AFTER).timestamp() * 1000:.0f}"
    )


@pytest.mark.parametrize(("base", "root"), [("", LINE), ("http://g", None)])
def test_without_grafana_or_a_root_there_is_no_link(base: str, root: Target | None) -> None:
    assert page_of(base, INCIDENT, root, COMMUNE, "vi") == ""
