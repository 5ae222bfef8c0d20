"""What can be broken, and how: one entry a scenario."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from lab.province import MEETING_ID, LabError, Province

Do = Callable[[Province], None]
Seen = Callable[[Province], bool]

SEEN_SECONDS = 120.0
"""Longest wait for the daemon to have seen a step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing done to the province."""

    what: str
    do: Do
    seen: Seen | None = None
    """Whether the daemon has seen it: the next step waits for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Steps that break something, and the steps that mend it."""

    says: str
    prepare: Sequence[Step] = ()
    """What goes before the fault and is none."""
    steps: Sequence[Step] = ()
    mend: Sequence[Step] = ()
    lasts_seconds: float = 30.0
    """Between the last fault's mail and mending; for a scenario without steps, how long it watches."""
    mail: bool = True
    """Whether it ends in a mail."""
    incident: bool = True
    """Whether that mail is of an incident, whose end is waited for."""
    examples: Sequence[str] = ()
    """Files of `config/examples` that it needs."""


def commune(province: Province, number: int = 17) -> str:
    """Id of a commune to hurt."""
    return [each.id for each in province.inventory.sites.values() if each.kind == "commune"][number]


MENDED = (Step(what="everything is mended", do=lambda province: province.mend()),)


def _power(province: Province) -> None:
    site = commune(province)
    province.on_battery(f"{site}/ups")


def _power_with_trap(province: Province) -> None:
    _power(province)
    province.tell_of_battery(f"{commune(province)}/ups")


def _power_seen(province: Province) -> bool:
    site = commune(province)
    (ups,) = province.get(f"/api/v1/targets?site={site}&kind=ups")["targets"]
    return bool(ups["says"] == "on-battery")


def _dark(province: Province) -> None:
    site = commune(province)
    province.cut(f"{site}/tslcd", f"{site}/internet")


def _exchange(province: Province) -> None:
    """What the internet lines of one area have in common is in no inventory."""
    area = province.inventory.sites[commune(province)].area
    sites = [each.id for each in province.inventory.sites.values() if each.area == area and each.kind == "commune"]
    province.cut(*(f"{each}/internet" for each in sites))


ROOM = "xa-vi-du"
"""The commune of `config/examples/rooms.yaml`."""


def _meeting(province: Province) -> None:
    province.call_meeting(ROOM, timedelta(minutes=18))


MEETING = (Step(what="a meeting is called that begins in 18 minutes", do=_meeting),)
SOONER = (
    Step(
        what="a meeting is called that begins in 17 minutes", do=lambda p: p.call_meeting(ROOM, timedelta(minutes=17))
    ),
)
"""Its report is the only mail, so that is waited for."""


def _camera_missed(province: Province) -> bool:
    rooms = province.get(f"/api/v1/meetings/{MEETING_ID}?lang=en")["rooms"]
    return any("camera" in each["why"] for each in rooms)


DOCUMENTS = "qlvb.ninhbinh.example"

SCENARIOS: dict[str, Scenario] = {
    "quiet": Scenario(says="nothing happens, so no mail may come", lasts_seconds=300.0, mail=False),
    "wan-cut": Scenario(
        says="a commune's TSLCĐ line is cut",
        steps=(Step(what="TSLCĐ line of a commune cut", do=lambda p: p.cut(f"{commune(p)}/tslcd")),),
        mend=MENDED,
    ),
    "core-cut": Scenario(
        says="the core router is gone, and with it 129 communes",
        steps=(Step(what="core router cut", do=lambda p: p.cut("center/core")),),
        mend=MENDED,
    ),
    "exchange-cut": Scenario(
        says="all internet lines of one area fail together, of something that no inventory names",
        steps=(Step(what="internet lines of one area cut", do=_exchange),),
        mend=MENDED,
    ),
    "own-uplink-cut": Scenario(
        says="the monitor's own gateway is gone",
        steps=(Step(what="the monitor's own uplink cut", do=Province.cut_own_uplink),),
        mend=MENDED,
    ),
    "device-down": Scenario(
        says="a commune's video-conference endpoint dies",
        steps=(Step(what="video-conference endpoint dead", do=lambda p: p.cut(f"{commune(p)}/vc-endpoint")),),
        mend=MENDED,
    ),
    "lan-down": Scenario(
        says="a commune's switch dies",
        steps=(Step(what="switch dead", do=lambda p: p.cut(f"{commune(p)}/switch")),),
        mend=MENDED,
    ),
    "service-broken": Scenario(
        says="document management answers 200 with an error text",
        steps=(Step(what="document management shows an error text", do=lambda p: p.break_page(DOCUMENTS)),),
        mend=MENDED,
    ),
    "service-slow": Scenario(
        says="document management trickles",
        steps=(Step(what="document management answers slowly", do=lambda p: p.slow_page(DOCUMENTS)),),
        mend=MENDED,
    ),
    "lossy-line": Scenario(
        says="a commune's line loses one packet in five",
        steps=(Step(what="20 % loss on a TSLCĐ line", do=lambda p: p.lose(f"{commune(p)}/tslcd")),),
        mend=MENDED,
    ),
    "room-unregistered": Scenario(
        says="a video-conference endpoint lives, but its registrar does not know it, and a meeting is near",
        examples=("rooms.yaml",),
        prepare=MEETING,
        steps=(Step(what="room not registered any more", do=lambda p: p.unregister()),),
        mend=MENDED,
        lasts_seconds=180.0,
    ),
    "camera-gone": Scenario(
        says="a room misses its camera, which is no incident, and a meeting is near",
        examples=("rooms.yaml",),
        prepare=SOONER,
        steps=(
            Step(
                what="camera of a room gone", do=lambda p: p.unplug_camera(f"{ROOM}/vc-endpoint"), seen=_camera_missed
            ),
        ),
        mend=MENDED,
        lasts_seconds=10.0,
        incident=False,
    ),
    "poor-call": Scenario(
        says="the line of a room loses one packet in five, so its test calls are poor, and a meeting is near",
        examples=("rooms.yaml",),
        prepare=MEETING,
        steps=(Step(what="20 % loss on the TSLCĐ line of a room", do=lambda p: p.lose(f"{ROOM}/tslcd")),),
        mend=MENDED,
        lasts_seconds=150.0,
    ),
    "ups-trap": Scenario(
        says="a UPS goes to battery and says so by a trap",
        steps=(Step(what="UPS on battery, with a trap", do=_power_with_trap),),
        mend=MENDED,
    ),
    "power-cut": Scenario(
        says="a commune's mains fails, later its battery is empty",
        steps=(
            Step(what="UPS on battery", do=_power, seen=_power_seen),
            Step(what="battery empty: everything at the commune is gone", do=_dark),
        ),
        mend=MENDED,
    ),
}


def take(steps: Sequence[Step], province: Province, note: Callable[[str], None]) -> None:
    """Do the steps, one after the other; raises LabError when the daemon does not see one that the next builds on."""
    for step in steps:
        step.do(province)
        note(step.what)
        until = time.monotonic() + SEEN_SECONDS
        while step.seen is not None and not step.seen(province):
            if time.monotonic() > until:
                raise LabError(f"the daemon did not see within {SEEN_SECONDS:g} s: {step.what}")
            time.sleep(0.5)
