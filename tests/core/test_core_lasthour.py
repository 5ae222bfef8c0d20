"""An hour of points in bounded memory."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from monitor.core.lasthour import ECHO_RTT, EVERY, POINTS, LastHour, Loss, Series
from monitor.core.model import Check, Inventory, Observation, Outcome, Reason, Role, Site, State, Target
from tests.alerts.sample import NOW


def check(target: str, probe: str) -> Check:
    return Check(
        id=f"{target}#{probe}", target=target, name=probe, probe=probe, address="192.0.2.1", options=None,
        interval_seconds=1, timeout_seconds=1, confirm=3, when_failed=State.DOWN,
    )  # fmt: skip


def target(name: str, role: Role, *probes: str) -> Target:
    id_ = f"xa/{name}"
    return Target(id=id_, site="xa", name=name, role=role, kind=name, checks=tuple(check(id_, each) for each in probes))


LINE = target("tslcd", Role.LINK, "snmp", "icmp")
SERVICE = target("website", Role.SERVICE, "http", "tls")
ROUTER = target("router", Role.DEVICE, "icmp")
SILENT = target("silent", Role.LINK, "snmp")


def inventory(*targets: Target) -> Inventory:
    return Inventory(sites={"xa": Site(id="xa", name="Xã")}, targets={each.id: each for each in targets}, providers={})


def seen(of: Target, probe: str, outcome: Outcome = Outcome.OK, rtt: float = 0.004) -> dict[str, Observation]:
    values = {ECHO_RTT: rtt} if probe == "icmp" else {}
    made = Observation(
        check=f"{of.id}#{probe}", target=of.id, at=NOW, outcome=outcome, reason=Reason.OK, values=values,
        duration_seconds=0.2,
    )  # fmt: skip
    return {made.check: made}


def no_loss(_: str) -> None:
    return None


def made(*targets: Target) -> LastHour:
    hour = LastHour()
    hour.adopt(inventory(*targets))
    return hour


def look(hour: LastHour, minute: int, last: dict[str, Observation], loss: Loss = no_loss) -> None:
    for _ in hour.look(last, loss, NOW + minute * EVERY):
        pass


def numbers(series: Series | None) -> list[tuple[float, float]]:
    assert series is not None
    return [(round(each.seconds, 4), round(each.lost, 4)) for each in series.points]


def test_an_hour_is_kept_and_no_more_and_the_present_comes_last() -> None:
    hour = made(LINE)
    for minute in range(150):
        look(hour, minute, seen(LINE, "icmp", rtt=minute / 1000))
    now = NOW + 149 * EVERY + timedelta(seconds=20)
    found = hour.of(LINE.id, seen(LINE, "icmp", rtt=0.5), no_loss, now)
    assert numbers(found) == [(minute / 1000, 0) for minute in range(90, 150)] + [(0.5, 0)]
    assert found is not None
    assert found.points[-1].at == now
    assert sum(len(row) for row in hour._rows.values()) == 2 * POINTS


def test_of_a_line_the_echo_is_drawn_and_its_loss_of_a_service_what_is_asked_first() -> None:
    hour = made(LINE, SERVICE)
    last = seen(LINE, "icmp") | seen(LINE, "snmp") | seen(SERVICE, "http", Outcome.FAILED) | seen(SERVICE, "tls")
    look(hour, 0, last, lambda name: 0.05 if name.endswith("icmp") else None)
    line, service = (hour.of(each.id, {}, no_loss, NOW) for each in (LINE, SERVICE))
    assert numbers(line)[0] == (0.004, 0.05)
    assert service is not None
    assert math.isnan(service.points[0].seconds)
    assert service.points[0].lost == 1


@pytest.mark.parametrize("last", [{}, seen(LINE, "icmp", Outcome.INCONCLUSIVE)])
def test_what_says_nothing_about_a_target_is_no_point(last: dict[str, Observation]) -> None:
    found = made(LINE).of(LINE.id, last, no_loss, NOW)
    assert found is not None
    assert all(math.isnan(each) for each in (found.points[0].seconds, found.points[0].lost))


@pytest.mark.parametrize("id_", [ROUTER.id, SILENT.id, "no/longer"])
def test_nothing_else_is_kept(id_: str) -> None:
    hour = made(LINE, ROUTER, SILENT)
    look(hour, 0, seen(ROUTER, "icmp"))
    assert hour.of(id_, {}, no_loss, NOW) is None
    assert set(hour._rows) == {LINE.id}


def test_a_reload_keeps_what_stays_and_forgets_what_left() -> None:
    hour = made(LINE, SERVICE)
    look(hour, 0, seen(LINE, "icmp"))
    hour.adopt(inventory(LINE))
    assert set(hour._rows) == {LINE.id}
    assert hour.of(SERVICE.id, {}, no_loss, NOW) is None
    assert len(numbers(hour.of(LINE.id, {}, no_loss, NOW))) == 2


def test_what_was_before_the_clock_was_set_back_is_not_shown() -> None:
    hour = made(LINE)
    look(hour, 5, seen(LINE, "icmp"))
    assert len(numbers(hour.of(LINE.id, {}, no_loss, NOW))) == 1


def test_a_look_that_is_under_way_shows_nothing_half() -> None:
    many = [target(f"line-{number}", Role.LINK, "icmp") for number in range(1200)]
    hour = made(*many)
    pauses = hour.look({}, no_loss, NOW)
    next(pauses)
    assert len(numbers(hour.of(many[0].id, {}, no_loss, NOW))) == 1
    assert len(list(pauses)) == 2
    assert len(numbers(hour.of(many[0].id, {}, no_loss, NOW))) == 2
