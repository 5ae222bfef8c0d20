"""The API: shapes, filters, bounds, and that the description tells the truth."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import aiohttp
import jsonschema
import pytest

from monitor.core.model import Importance, Meeting, Observation, Session, Severity, Silence, State, Window
from monitor.core.planned import Work
from monitor.core.quality import SessionQuality
from monitor.core.readiness import Outlook
from monitor.web import api
from monitor.web.openapi import description
from monitor.web.words import machine_time
from tests.web.province import NOW, SECRET, Province, commune, inventory_of


async def _json(http: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with http.get(path) as answer:
        assert answer.status == status, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def test_targets_tell_state_line_and_last_observation(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    body = await _json(http, "/api/v1/targets?site=phuong-phu-ly&kind=tslcd")
    (line,) = body["targets"]
    assert body["total"] == 1
    assert line["id"] == "phuong-phu-ly/tslcd"
    assert (line["state"], line["reason"]) == ("down", "timeout")
    assert (line["provider"], line["circuit"]) == ("vnpt", "C-phuong-phu-ly")
    assert line["since"] == "2026-11-24T04:47:55Z"
    assert datetime.fromisoformat(line["since"]).tzinfo is not None
    assert line["checks"][0]["outcome"] == "failed"


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 11),
        ("?site=phuong-phu-ly", 3),
        ("?site=phuong-phu-ly&site=xa-kim-dong", 6),
        ("?state=down", 1),
        ("?state=down&state=unreachable", 3),
        ("?kind=ups&state=up", 2),
        ("?site=nowhere", 0),
    ],
)
async def test_filters_are_an_and_of_ors(
    http: aiohttp.ClientSession, province: Province, query: str, total: int
) -> None:
    province.cut("phuong-phu-ly")
    body = await _json(http, f"/api/v1/targets{query}")
    assert body["total"] == len(body["targets"]) == total


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("targets?state=broken", "state='broken' is not known; known: up, degraded, down, unreachable, unknown"),
        ("targets?stat=down", "unknown parameter 'stat'; known: site, state, kind, limit, offset"),
        ("targets?limit=0", "limit must be a whole number from 1 to 2000"),
        ("targets?limit=٣", "limit must be a whole number from 1 to 2000"),
        ("targets?offset=-1", "offset must be a whole number from 0 to 10000000"),
        ("incidents?open=yes", "open='yes' is not known; known: true, false"),
    ],
)
async def test_what_is_not_understood_is_said(http: aiohttp.ClientSession, path: str, says: str) -> None:
    assert await _json(http, f"/api/v1/{path}", 400) == {"error": says}


async def test_a_long_list_comes_in_pages(http: aiohttp.ClientSession) -> None:
    first = await _json(http, "/api/v1/targets?limit=4")
    second = await _json(http, "/api/v1/targets?limit=4&offset=8")
    assert [len(first["targets"]), len(second["targets"]), first["total"], second["offset"]] == [4, 3, 11, 8]


def test_no_answer_lists_more_than_the_bound(province: Province) -> None:
    province.settings = inventory_of(*(commune(f"xa-{number}", f"Xã {number}", 20.0, 106.0) for number in range(2000)))
    body = api.targets(province, [])()
    assert isinstance(body["targets"], list)
    assert len(body["targets"]) == api.MAX_ITEMS
    assert body["total"] == 6002


async def test_a_target_that_nobody_judged_is_unknown(http: aiohttp.ClientSession, province: Province) -> None:
    province.held = {}
    body = await _json(http, "/api/v1/targets?site=xa-kim-dong")
    assert {(each["state"], each["since"]) for each in body["targets"]} == {("unknown", None)}


async def test_incidents_name_the_line_of_their_root(http: aiohttp.ClientSession, province: Province) -> None:
    province.close(province.cut("xa-kim-dong"))
    province.cut("phuong-phu-ly")
    assert [case["id"] for case in (await _json(http, "/api/v1/incidents"))["incidents"]] == [
        "i-phuong-phu-ly",
        "i-xa-kim-dong",
    ]
    (case,) = (await _json(http, "/api/v1/incidents?open=true"))["incidents"]
    assert case["impact"] == ["phuong-phu-ly/router", "phuong-phu-ly/ups"]
    assert (case["site"], case["provider"], case["circuit"]) == ("phuong-phu-ly", "vnpt", "C-phuong-phu-ly")
    assert case["severity"] == "minor"
    assert case["closed"] is None
    (closed,) = (await _json(http, "/api/v1/incidents?open=false"))["incidents"]
    assert closed["closed"] == "2026-11-24T04:59:00Z"
    assert await _json(http, "/api/v1/incidents/i-phuong-phu-ly") == case
    assert await _json(http, "/api/v1/incidents/none", 404) == {"error": "no incident has this id"}


async def test_an_incident_outlives_its_root(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    province.settings = inventory_of()
    (case,) = (await _json(http, "/api/v1/incidents"))["incidents"]
    assert (case["site"], case["provider"], case["site_name"]) == ("phuong-phu-ly", None, None)


async def test_options_of_checks_never_show(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    for path in ("/api/v1/targets", "/api/v1/incidents", "/", "/sites/phuong-phu-ly", "/incidents/i-phuong-phu-ly"):
        async with http.get(path) as answer:
            assert SECRET not in await answer.text()


async def test_half_a_surrogate_pair_in_evidence_breaks_nothing(
    http: aiohttp.ClientSession, province: Province
) -> None:
    province.cut("phuong-phu-ly", evidence="got \udcff\x00")
    await _json(http, "/api/v1/targets")
    for path in ("/sites/phuong-phu-ly", "/incidents/i-phuong-phu-ly"):
        async with http.get(path) as answer:
            assert answer.status == 200


async def test_the_description_names_every_key(http: aiohttp.ClientSession, province: Province) -> None:
    province.cut("phuong-phu-ly")
    hour = timedelta(hours=1)
    session = Session(NOW + hour, NOW + 2 * hour, "i-phuong-phu-ly")
    meeting = Meeting(id=session.meeting, title="M", rooms=(), sessions=(session,))
    province.outlooks.append(Outlook(meeting=meeting, session=session, rooms=()))
    begun = session._replace(begins=NOW - hour)
    assert province.sessions is not None
    province.sessions.append(SessionQuality(session=begun, title="M", importance=Importance.NORMAL, rooms=()))
    document = await _json(http, "/api/v1/openapi.json")
    schemas = document["components"]["schemas"]
    (target, *_) = (await _json(http, "/api/v1/targets"))["targets"]
    (case,) = (await _json(http, "/api/v1/incidents"))["incidents"]
    province.remember_a_cut("phuong-phu-ly")
    available = await _json(http, "/api/v1/availability")
    answer = document["paths"]["/api/v1/availability"]["get"]["responses"]["200"]["content"]["application/json"]
    assert set(answer["schema"]["required"]) == set(available)
    assert schemas["Availability"]["required"] == list(available["items"][0])
    assert schemas["Target"]["required"] == list(target)
    assert schemas["Check"]["required"] == list(target["checks"][0])
    assert schemas["Incident"]["required"] == list(case)
    province.quiet.append(
        Silence(id=3, area="Kim Sơn", begins=NOW, ends=NOW + hour, reason="Sửa đường", by="Hoa (root)")
    )
    province.planned.append(
        Work(window=Window(begins=NOW, ends=NOW + hour, reason="Thay tủ"), targets=frozenset({"xa-kim-dong/ups"}))
    )
    (silence,) = (await _json(http, "/api/v1/silences"))["silences"]
    (work,) = (await _json(http, "/api/v1/maintenance"))["maintenance"]
    workings = await _json(http, "/api/v1/monitor")
    assert schemas["Silence"]["required"] == list(silence)
    assert schemas["Work"]["required"] == list(work)
    assert schemas["Monitor"]["required"] == list(workings)
    jsonschema.validate(workings, {**schemas["Monitor"], "components": document["components"]})
    assert (silence["area"], silence["site"], work["targets"]) == ("Kim Sơn", None, ["xa-kim-dong/ups"])
    assert schemas["Incident"]["properties"]["severity"]["enum"] == [each.value for each in Severity]
    assert schemas["Target"]["properties"]["state"]["enum"] == [state.value for state in State]
    for path in description()["paths"]:  # type: ignore[attr-defined]
        await _json(http, path.format(id="i-phuong-phu-ly", begins=machine_time(begun.begins)))


def test_an_observation_of_a_check_that_is_gone_is_left_out(province: Province) -> None:
    province.cut("phuong-phu-ly")
    held = province.held["phuong-phu-ly/tslcd"]
    stale: dict[str, Observation] = {"old": held.checks["echo"]}
    target = province.settings.targets["phuong-phu-ly/tslcd"]
    shown = api.target_json(target, type(held)(state=State.UP, checks=stale), province.settings)["checks"]
    assert shown == [
        {"name": "echo", "at": None, "outcome": None, "reason": None, "evidence": "", "duration_seconds": None}
    ]


# -- availability ------------------------------------------------------------------------------------------------------


async def test_availability_tells_sums_and_ratios_worst_first(http: aiohttp.ClientSession, province: Province) -> None:
    province.remember_a_cut("phuong-phu-ly", power=True)
    body = await _json(http, "/api/v1/availability?by=link&from=2026-11-24&limit=2")
    assert (body["by"], body["from"], body["until"]) == ("link", "2026-11-23T17:00:00Z", "2026-11-24T05:00:00Z")
    assert (body["total"], body["offset"], len(body["items"])) == (3, 0, 2)
    assert body["items"][0] == {
        "key": "phuong-phu-ly/tslcd", "availability": 0.75, "availability_net": 1.0, "up_seconds": 32400.0,
        "degraded_seconds": 0.0, "down_seconds": 10800.0, "unreachable_seconds": 0.0, "unknown_seconds": 0.0,
        "power_seconds": 10800.0, "maintenance_seconds": 0.0,
    }  # fmt: skip
    month = await _json(http, "/api/v1/availability")
    assert (month["by"], month["from"], month["total"]) == ("target", "2026-10-31T17:00:00Z", 11)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("by=colour", "by='colour' is not known; known: target, link, provider, commune, kind, service"),
        ("by=link&by=kind", "by may be given once"),
        ("month=2026-11&from=2026-11-01", "month goes alone, without from and until"),
        ("month=%00", "month is not understood; write it like 2026-11"),
        ("from=2020-01-01", "from and until may be 400 days apart at most"),
        ("limit=2001", "limit must be a whole number from 1 to 2000"),
    ],
)
async def test_what_is_not_understood_of_availability_is_said_before_any_work(
    http: aiohttp.ClientSession, province: Province, query: str, says: str
) -> None:
    assert await _json(http, f"/api/v1/availability?{query}", 400) == {"error": says}
    assert province.asked == []


async def test_a_ledger_that_cannot_be_read_is_503_and_the_site_page_goes_without(
    http: aiohttp.ClientSession, province: Province
) -> None:
    province.records = None
    body = await _json(http, "/api/v1/availability", 503)
    assert body == {"error": "the database cannot be read now; the daemon's log says why"}
    async with http.get("/sites/phuong-phu-ly") as answer:
        assert answer.status == 200
