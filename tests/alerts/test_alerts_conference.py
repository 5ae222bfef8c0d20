"""Of a conference four kinds of things fail: a room, the registrar or gatekeeper, the bridge, the path. A mail and who gets it tell them apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.routing import Scope
from monitor.core.model import Cause, Incident, Inventory, Role, Target
from tests.alerts.sample import INCIDENT, NOW, composer, inventory, notification
from tests.alerts.test_alerts_threatened import mailed, threat

CLASSES = {
    "room": ("xa-kim-dong/room", Role.DEVICE, "vc-endpoint", Cause.DEVICE, "Phòng họp trực tuyến – Xã Kim Đông"),
    "registrar": (
        "center/sip",
        Role.SERVICE,
        "registrar",
        Cause.SERVICE,
        "Máy chủ đăng ký họp trực tuyến – Trung tâm dữ liệu",
    ),
    "gatekeeper": ("center/gk", Role.SERVICE, "gatekeeper", Cause.SERVICE, "Máy chủ đăng ký H.323 – Trung tâm dữ liệu"),
    "bridge": ("center/mcu", Role.SERVICE, "vc-bridge", Cause.SERVICE, "Cầu họp trực tuyến (MCU) – Trung tâm dữ liệu"),
    "path": ("xa-kim-dong/tslcd", Role.LINK, "tslcd", Cause.LINK, "Đường TSLCĐ – Xã Kim Đông"),
}
SCOPES = {
    "room": Scope(kinds=("vc-endpoint",)),
    "registrar": Scope(kinds=("registrar",)),
    "gatekeeper": Scope(kinds=("gatekeeper",)),
    "bridge": Scope(kinds=("vc-bridge",)),
    "path": Scope(causes=(Cause.LINK, Cause.SHARED)),
}
"""What a contact writes who wants these alone."""


def conference() -> Inventory:
    """The sample with one of each."""
    known = inventory()
    made = {
        id_: Target(id=id_, site=id_.partition("/")[0], name=id_.partition("/")[2], role=role, kind=kind)
        for id_, role, kind, _, _ in CLASSES.values()
    }
    return replace(known, targets=made | dict(known.targets))


def incident(name: str) -> Incident:
    root, _, _, cause, _ = CLASSES[name]
    return replace(INCIDENT, root=root, cause=cause, impact=())


@pytest.mark.parametrize("name", CLASSES)
def test_the_subject_says_which_of_them_it_is(name: str) -> None:
    about = notification(incident=incident(name))
    assert CLASSES[name][-1] in str(composer().compose(about, conference(), NOW)["Subject"])


@pytest.mark.parametrize(("name", "told"), [(name, name in ("registrar", "gatekeeper", "bridge")) for name in CLASSES])
def test_the_mail_about_what_serves_all_rooms_sends_nobody_to_a_commune(name: str, *, told: bool) -> None:
    text = composer().compose(notification(incident=incident(name)), conference(), NOW).get_body(("plain",))
    assert text is not None
    said = text.get_content()
    assert ("Mọi phòng họp đều cần hệ thống này; không cần gọi các xã." in said) is told
    assert ("Nhờ người tại chỗ" in said) is (name == "room")


@pytest.mark.parametrize("name", CLASSES)
def test_who_wants_one_of_them_is_told_of_that_alone(name: str) -> None:
    fits = {each for each in CLASSES if not SCOPES[name].misses(incident(each), conference())}
    assert fits == {name}


def test_a_meeting_that_loses_its_registrar_is_said_to_lose_what_all_rooms_need() -> None:
    hurt = replace(threat(NOW), rooms=("xa-kim-dong/room", "center/sip"))
    _, text, _ = mailed(hurt, known=conference())
    assert "Máy chủ đăng ký họp trực tuyến – Trung tâm dữ liệu (mọi phòng đều cần), Xã Kim Đông" in text
