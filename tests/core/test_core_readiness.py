"""Which rooms can hold a meeting, by a correlator that is told what turns."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.core.advice import SENTENCES, advise, called_after
from monitor.core.model import Cause, Inventory, Maintenance, Meeting, Provider, Reason, Role, Session
from monitor.core.quality import Quality, RoomQuality
from monitor.core.readiness import (
    CRITERIA,
    Outlook,
    Readiness,
    Room,
    Sight,
    hurt_by_incident,
    judge_room,
    needed_by,
    outlook,
    works_during,
)
from monitor.core.seen import HOLD_DOWN, HOLD_PATH_DEGRADED
from monitor.core.words import WORDS
from tests.core.correlating import T0, Replay, cut, province, target

NOT_READY, AT_RISK, READY = Readiness
ROOM = "a/vc-endpoint"


def sight(replay: Replay, *works: str) -> Sight:
    correlator = replay.correlator
    return Sight(
        inventory=replay.inventory, graph=correlator.graph, held=correlator.held,
        incidents=hurt_by_incident(correlator.incidents()), works=frozenset(works),
    )  # fmt: skip


def judged(replay: Replay, *works: str, room: str = ROOM) -> tuple[Readiness, str, str]:
    found = judge_room(room, sight(replay, *works))
    assert found is not None
    return found.readiness, found.because, found.of


def two_ways() -> Replay:
    return Replay(province(two_ways=True))


def test_a_room_is_ready_when_it_and_all_in_front_of_it_is_well() -> None:
    assert judge_room(ROOM, sight(Replay())) == Room(target=ROOM)


def test_a_room_that_is_down_itself_is_not_ready() -> None:
    replay = Replay()
    replay.down(ROOM)
    assert judged(replay) == (NOT_READY, "down", ROOM), "before there is an incident"
    replay.wait(10)
    found = judge_room(ROOM, sight(replay))
    assert found is not None
    assert (found.readiness, found.because, found.of) == (NOT_READY, "down", ROOM)
    assert found.incident == replay.the_only().id


def test_a_room_that_is_cut_off_is_not_ready_and_names_what_cut_it_off() -> None:
    replay = Replay()
    cut(replay, "a/tslcd")
    assert judged(replay) == (NOT_READY, "cut-off", "a/tslcd"), "before there is an incident"
    replay.wait(HOLD_DOWN)
    assert judged(replay) == (NOT_READY, "cut-off", "a/tslcd")
    assert judged(replay, room="b/vc-endpoint") == (READY, "ready", "")


def test_the_farthest_that_failed_is_named_and_not_all_between() -> None:
    replay = Replay()
    cut(replay, "pop/router")
    replay.wait(HOLD_DOWN)
    assert {judged(replay, room=f"{site}/vc-endpoint") for site in "abc"} == {(NOT_READY, "cut-off", "pop/router")}


def test_a_room_that_is_degraded_or_unknown_is_at_risk() -> None:
    replay = Replay()
    replay.degraded(ROOM, says="slow")
    assert judged(replay) == (AT_RISK, "degraded", ROOM)
    assert judged(Replay(well=False)) == (AT_RISK, "unknown", ROOM)


def test_a_lossy_way_is_a_risk_though_the_room_answers() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", says="loss")
    replay.wait(HOLD_PATH_DEGRADED)
    assert judged(replay) == (AT_RISK, "bad-way", "a/tslcd")


def test_a_room_whose_calls_are_poor_over_a_lossy_line_blames_the_line() -> None:
    replay = Replay()
    replay.degraded(ROOM, says="poor-call")
    assert judged(replay) == (AT_RISK, "degraded", ROOM), "nothing in front of it explains it"
    replay.degraded("a/tslcd", says="loss")
    assert judged(replay) == (AT_RISK, "bad-way", "a/tslcd")
    replay.degraded(ROOM, says="slow")
    assert judged(replay) == (AT_RISK, "degraded", ROOM), "its own trouble is told of it"


def test_of_two_lines_one_that_is_lossy_or_gone_is_a_risk_and_what_is_behind_other_sites_is_none() -> None:
    replay = two_ways()
    replay.degraded("a/internet", says="loss")
    assert judged(replay) == (AT_RISK, "bad-way", "a/internet")
    replay.down("a/internet")
    assert judged(replay) == (AT_RISK, "one-way-left", "a/internet")
    replay.up("a/internet")
    replay.degraded("centre/edge", says="busy")
    assert judged(replay) == (READY, "ready", ""), "there is another way, which is well"


def test_a_site_on_battery_is_at_risk() -> None:
    replay = Replay()
    replay.degraded("a/ups", says="on-battery")
    assert judged(replay) == (AT_RISK, "on-battery", "a/ups")
    replay.degraded("a/ups", says="replace-battery")
    assert judged(replay) == (READY, "ready", "")


def test_work_that_is_planned_for_the_time_of_the_meeting_is_a_risk() -> None:
    assert judged(Replay(), "pop/router", "a/website") == (AT_RISK, "planned", "pop/router")
    assert judged(two_ways(), "a/tslcd") == (READY, "ready", ""), "there is another way"


@pytest.mark.parametrize(("hours", "found"), [(-4, set()), (-3, {"x"}), (1, {"x"}), (2, set())])
def test_works_are_those_that_overlap_the_meeting(hours: int, found: set[str]) -> None:
    """One of four hours; the meeting is from T0 for two."""
    start = T0 + timedelta(hours=hours)
    never_ends = (start + timedelta(days=365 * each) for each in range(10**9))
    work = Maintenance(targets=frozenset({"x"}), starts=never_ends, lasts=timedelta(hours=4), reason="r")
    assert works_during([work], T0, T0 + timedelta(hours=2)) == found


def test_the_worst_rooms_come_first_and_are_counted() -> None:
    replay = Replay()
    replay.down("b/vc-endpoint")
    replay.degraded("c/vc-endpoint", says="slow")
    session = Session(T0, T0 + timedelta(hours=1), "m")
    meeting = Meeting(id="m", title="M", rooms=tuple(f"{each}/vc-endpoint" for each in "acbz"), sessions=(session,))
    found = outlook(meeting, session, lambda room: judge_room(room, sight(replay)))
    assert isinstance(found, Outlook)
    assert [each.target[0] for each in found.rooms] == ["b", "c", "a"], "what is no target is left out"
    assert found.counts() == {NOT_READY: 1, AT_RISK: 1, READY: 1}


def test_what_serves_all_rooms_is_no_room_and_says_so() -> None:
    found = province()
    found = replace(
        found, targets={**found.targets, "centre/mcu": target("centre/mcu", Role.SERVICE, "vc-bridge", "centre/core")}
    )
    replay = Replay(found)
    replay.down("centre/mcu")
    session = Session(T0, T0 + timedelta(hours=1), "m")
    meeting = Meeting(id="m", title="M", rooms=(ROOM, "centre/mcu"), sessions=(session,))
    seen = outlook(meeting, session, lambda room: judge_room(room, sight(replay)))
    assert ([each.target for each in seen.rooms], [each.target for each in seen.servers]) == ([ROOM], ["centre/mcu"])
    assert seen.counts() == {NOT_READY: 0, AT_RISK: 0, READY: 1}
    assert seen.server_counts() == {NOT_READY: 1, AT_RISK: 0, READY: 0}
    assert seen.worst() is NOT_READY
    said = advise(seen.servers[0], found, WORDS["vi"])
    assert said.name == "Cầu họp trực tuyến (MCU) – centre"
    assert said.why == "mọi phòng họp đều cần, nhưng đang ngừng: không trả lời trong thời hạn"
    assert said.todo == "Báo ngay bộ phận vận hành hệ thống này; chuẩn bị cách họp khác."


def test_before_a_meeting_the_room_its_way_and_its_ups_are_asked() -> None:
    graph = Replay().correlator.graph
    asked = needed_by([ROOM, "gone/room"], graph)
    assert set(asked) == {
        ROOM,
        "a/switch",
        "a/router",
        "a/tslcd",
        "pop/router",
        "centre/core",
        "centre/gateway",
        "a/ups",
    }
    assert len(needed_by([ROOM, "b/vc-endpoint"], graph)) == len(asked) + 5, "what they share is asked once"


def with_calls(inventory: Inventory) -> Inventory:
    line = replace(inventory.targets["a/tslcd"], provider="vnpt", circuit="C-1")
    site = replace(inventory.sites["a"], name="Xã A", contact="Chị Hoa 0912 345 678")
    return replace(
        inventory, targets={**inventory.targets, line.id: line}, sites={**inventory.sites, "a": site},
        providers={"vnpt": Provider(id="vnpt", name="VNPT", hotline="1800 1166")},
    )  # fmt: skip


def room_of(replay: Replay) -> Room:
    found = judge_room(ROOM, sight(replay))
    assert found is not None
    return found


def test_people_are_told_why_what_to_do_and_whom_to_call() -> None:
    replay = Replay(with_calls(province()))
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    found = advise(room_of(replay), replay.inventory, WORDS["vi"])
    assert (found.name, found.says) == ("Xã A", "Chưa sẵn sàng")
    assert found.why == "bị cắt do Đường TSLCĐ ngừng: không trả lời trong thời hạn"
    assert found.todo.startswith("Gọi nhà cung cấp")
    assert (found.call, found.circuit) == ("VNPT: 1800 1166", "C-1")
    replay = Replay(with_calls(province()))
    replay.down(ROOM)
    found = advise(room_of(replay), replay.inventory, WORDS["en"])
    assert (found.call, found.circuit) == ("Chị Hoa 0912 345 678", "")
    assert found.why == "the room cannot be reached: no answer in time"


def test_a_room_with_a_name_of_its_own_is_told_from_another_at_its_place() -> None:
    inventory, room = with_calls(province()), Room(target=ROOM)
    named = replace(inventory.targets[ROOM], label={"vi": "Phòng họp tầng 2"}, own_label=True)
    assert advise(room, inventory, WORDS["vi"]).name == "Xã A"
    inventory = replace(inventory, targets={**inventory.targets, ROOM: named})
    assert advise(room, inventory, WORDS["vi"]).name == "Phòng họp tầng 2 – Xã A"


def test_nobody_at_a_room_is_called_about_what_stands_elsewhere() -> None:
    inventory = province()
    sites = {id_: replace(each, contact=f"{id_} 0912 345 678") for id_, each in inventory.sites.items()}
    room = Room(target=ROOM, readiness=NOT_READY, because="cut-off", of="pop/router", reason=Reason.TIMEOUT)
    assert advise(room, replace(inventory, sites=sites), WORDS["vi"]).call == "pop 0912 345 678"
    sites["pop"] = replace(sites["pop"], contact="")
    assert advise(room, replace(inventory, sites=sites), WORDS["vi"]).call == ""


@pytest.mark.parametrize(
    ("of", "cause", "call"),
    [
        ("a/tslcd", Cause.LINK, ("VNPT: 1800 1166", "C-1")),
        ("a/tslcd", None, ("VNPT: 1800 1166", "C-1")),
        ("a/tslcd", Cause.POWER, ("Chị Hoa 0912 345 678", "")),
        (ROOM, Cause.DEVICE, ("Chị Hoa 0912 345 678", "")),
        (ROOM, None, ("Chị Hoa 0912 345 678", "")),
        ("pop/router", Cause.SHARED, ("", "")),
        ("gone/tslcd", Cause.LINK, ("", "")),
    ],
)
def test_after_a_meeting_those_are_named_who_can_do_something_about_the_cause(
    of: str, cause: Cause | None, call: tuple[str, str]
) -> None:
    room = RoomQuality(target=ROOM, quality=Quality.CUT, of=of, cause=cause)
    assert called_after(room, with_calls(province())) == call
    assert called_after(replace(room, quality=Quality.UNSEEN), with_calls(province())) == ("", "")


def test_a_room_that_is_not_registered_has_its_own_advice() -> None:
    replay = Replay(with_calls(province()))
    replay.down(ROOM)
    room = replace(room_of(replay), reason=Reason.NOT_REGISTERED)
    found = advise(room, replay.inventory, WORDS["vi"])
    assert found.why == "phòng họp không kết nối được: chưa đăng ký được với máy chủ đăng ký"
    assert found.todo == "Khởi động lại thiết bị họp; xem tên và mật khẩu đăng ký trên thiết bị."


def remarked(replay: Replay, *says: str) -> Room | None:
    return judge_room(ROOM, replace(sight(replay), remarks=lambda target: says if target == ROOM else ()))


def test_a_room_that_says_that_its_camera_is_gone_is_at_risk_and_is_told_what_to_look_at() -> None:
    replay = Replay()
    found = remarked(replay, "no-camera", "muted")
    assert found is not None
    assert (found.readiness, found.because, found.of) == (AT_RISK, "remark", ROOM)
    said = advise(found, replay.inventory, WORDS["vi"])
    assert said.why == "thiết bị họp tự báo: camera không kết nối hoặc bị lỗi"
    assert said.todo == "Xem dây và nguồn của camera; khởi động lại thiết bị họp."
    assert replay.events == []


def test_what_a_room_says_of_itself_is_told_after_what_keeps_people_from_it() -> None:
    replay = Replay()
    replay.degraded("a/tslcd", says="loss")
    found = remarked(replay, "muted")
    assert found is not None
    assert found.because == "bad-way"


def test_every_reason_has_its_sentences_in_each_language() -> None:
    keys = {
        "ready",
        "down",
        "cut-off",
        "unknown",
        "degraded",
        "bad-way",
        "one-way-left",
        "on-battery",
        "remark",
        "planned",
    }
    assert len(CRITERIA) == len(keys) - 2, "ready is none, and one tells two"
    for said in SENTENCES.values():
        assert {each.partition("/")[0] for each in said.because} == keys
        assert {each.partition("/")[0] for each in said.todo} == keys - {"ready"}
        assert set(said.readiness) == set(Readiness)
