"""What people are told of a room: why it is not ready, what to do; and whom to call about anything; for mails, pages and commands alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from monitor.core.model import Cause, Incident, Inventory, Role, Site, Target
from monitor.core.quality import Quality, RoomQuality
from monitor.core.readiness import Readiness, Room
from monitor.core.words import Words

ON_SITE = frozenset({Cause.POWER, Cause.LAN, Cause.DEVICE})
"""Causes of which those at the site see most (mains, lights, cables), and a provider nothing, whatever failed first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The texts of one language."""

    readiness: Mapping[str, str]
    because: Mapping[str, str]
    """By `because`, or by `because/serves` of what serves all rooms."""
    quality: Mapping[str, str]
    """How it went, when the meeting is over."""
    own_equipment: str
    """That of a room, where nothing in front of it was the reason."""
    todo: Mapping[str, str]
    """By `because`, or by `because/serves`, or by `because/role` of what is the reason, or `because/reason` or `because/says` of what is seen of it."""


SENTENCES: Mapping[str, Sentences] = {
    "vi": Sentences(
        readiness={"not-ready": "Chưa sẵn sàng", "at-risk": "Có nguy cơ", "ready": "Sẵn sàng"},
        quality={"cut": "Bị cắt", "poor": "Không ổn định", "unseen": "Không có số liệu", "good": "Tốt"},
        own_equipment="thiết bị của phòng họp",
        because={
            "ready": "sẵn sàng",
            "down": "phòng họp không kết nối được: {trouble}",
            "cut-off": "bị cắt do {name} ngừng: {trouble}",
            "down/serves": "mọi phòng họp đều cần, nhưng đang ngừng: {trouble}",
            "unknown": "chưa có số liệu về phòng họp",
            "unknown/serves": "mọi phòng họp đều cần, nhưng chưa có số liệu",
            "degraded/serves": "mọi phòng họp đều cần, nhưng không ổn định: {trouble}",
            "degraded": "phòng họp hoạt động không ổn định: {trouble}",
            "bad-way": "{name} không ổn định: {trouble}",
            "remark": "thiết bị họp tự báo: {trouble}",
            "remark/serves": "mọi phòng họp đều cần; thiết bị tự báo: {trouble}",
            "one-way-left": "{name} ngừng, chỉ còn đường dự phòng",
            "on-battery": "mất điện lưới, đang chạy bằng ắc quy",
            "planned": "{name} có lịch bảo trì trong giờ họp",
        },
        todo={
            "down/serves": "Báo ngay bộ phận vận hành hệ thống này; chuẩn bị cách họp khác.",
            "degraded/serves": "Báo bộ phận vận hành hệ thống này.",
            "unknown/serves": "Thử gọi qua hệ thống này bằng tay.",
            "remark/serves": "Báo bộ phận vận hành hệ thống này.",
            "down": "Xem thiết bị họp đã bật chưa, dây mạng đã cắm chưa; khởi động lại thiết bị.",
            "down/not-registered": "Khởi động lại thiết bị họp; xem tên và mật khẩu đăng ký trên thiết bị.",
            "cut-off/link": "Gọi nhà cung cấp đường truyền; tại xã xem nguồn điện và đèn của bộ chuyển đổi quang.",
            "cut-off/device": "Xem nguồn điện và dây của thiết bị này; khởi động lại.",
            "cut-off/service": "Báo bộ phận quản trị hệ thống này.",
            "unknown": "Gọi phòng họp để thử kết nối bằng tay.",
            "degraded": "Thử một cuộc gọi ngắn với phòng họp.",
            "bad-way/link": "Gọi nhà cung cấp đường truyền; trong giờ họp tắt bớt việc tải nặng.",
            "bad-way": "Xem thiết bị này; thử một cuộc gọi ngắn.",
            "remark": "Xem thiết bị họp; thử một cuộc gọi ngắn.",
            "remark/no-camera": "Xem dây và nguồn của camera; khởi động lại thiết bị họp.",
            "remark/no-microphone": "Xem dây của micro; khởi động lại thiết bị họp.",
            "remark/muted": "Bật micro trên thiết bị họp và thử nói trước giờ họp.",
            "remark/last-call": "Gọi thử trước giờ họp; nếu vẫn mất gói, xem dây mạng của thiết bị họp và gọi nhà cung cấp đường truyền.",
            "remark/unregistered": "Khởi động lại thiết bị họp; xem tên và mật khẩu đăng ký trên thiết bị.",
            "one-way-left": "Gọi nhà cung cấp để nối lại trước giờ họp.",
            "on-battery": "Gọi điện lực hỏi giờ có điện; chuẩn bị máy phát hoặc phòng khác.",
            "planned": "Xin dời lịch bảo trì hoặc dời cuộc họp.",
        },
    ),
    "en": Sentences(
        readiness={"not-ready": "Not ready", "at-risk": "At risk", "ready": "Ready"},
        quality={"cut": "Cut off", "poor": "Unsteady", "unseen": "Not seen", "good": "Good"},
        own_equipment="the equipment of the room",
        because={
            "ready": "ready",
            "down": "the room cannot be reached: {trouble}",
            "cut-off": "cut off, for {name} is down: {trouble}",
            "down/serves": "all rooms need it, but it is down: {trouble}",
            "unknown": "nothing is known of the room yet",
            "unknown/serves": "all rooms need it, but nothing is known of it yet",
            "degraded/serves": "all rooms need it, but it does not work as it should: {trouble}",
            "degraded": "the room does not work as it should: {trouble}",
            "bad-way": "{name} does not work as it should: {trouble}",
            "remark": "the endpoint says of itself: {trouble}",
            "remark/serves": "all rooms need it; it says of itself: {trouble}",
            "one-way-left": "{name} is down, only the other line is left",
            "on-battery": "mains power is off, it runs on battery",
            "planned": "{name} has planned work while the meeting is held",
        },
        todo={
            "down/serves": "Tell those who run this system at once; have another way to meet ready.",
            "degraded/serves": "Tell those who run this system.",
            "unknown/serves": "Try a call through this system by hand.",
            "remark/serves": "Tell those who run this system.",
            "down": "See that the endpoint is switched on and plugged in; restart it.",
            "down/not-registered": "Restart the endpoint; look at its registration name and password.",
            "cut-off/link": "Call the provider of the line; on site look at power and the lights of the converter.",
            "cut-off/device": "See power and cables of this device; restart it.",
            "cut-off/service": "Tell those who run this system.",
            "unknown": "Call the room and try a connection by hand.",
            "degraded": "Try a short call with the room.",
            "bad-way/link": "Call the provider of the line; keep heavy traffic off it during the meeting.",
            "bad-way": "Look at this device; try a short call.",
            "remark": "Look at the endpoint; try a short call.",
            "remark/no-camera": "See cable and power of the camera; restart the endpoint.",
            "remark/no-microphone": "See the cable of the microphone; restart the endpoint.",
            "remark/muted": "Switch the microphone on at the endpoint, and try it before the meeting.",
            "remark/last-call": "Try a call before the meeting; if it loses packets too, see the network cable of the endpoint, and call the provider of the line.",
            "remark/unregistered": "Restart the endpoint; look at its registration name and password.",
            "one-way-left": "Call the provider to have it back before the meeting.",
            "on-battery": "Ask the power company when mains is back; have a generator or another room ready.",
            "planned": "Have the work moved, or the meeting.",
        },
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """A room, in words."""

    target: str
    name: str
    """Its place."""
    readiness: Readiness
    says: str
    """The readiness, as a heading."""
    why: str
    todo: str
    """Empty: nothing."""
    call: str
    """Whom to call, one line with a number; empty: nobody is known."""
    circuit: str
    """Of the line that is the reason, which the provider asks for; empty: it is none."""
    incident: str


def advise(room: Room, inventory: Inventory, words: Words) -> Advice:
    """What people are told of it."""
    said = SENTENCES[words.language]
    target, of = inventory.targets[room.target], inventory.targets.get(room.of)
    site = inventory.sites[target.site]
    served = (f"{room.because}/serves",) if room.serves else ()
    sentence = next((said.because[each] for each in (*served, room.because) if each in said.because), room.because)
    narrower = (of.role.value if of else "", room.reason, room.says)
    keys = (*served, *(f"{room.because}/{each}" for each in narrower), room.because)
    return Advice(
        target=room.target,
        name=words.room(target, site),
        readiness=room.readiness,
        says=said.readiness[room.readiness],
        why=sentence.format(name=_named(of, target, inventory, words), trouble=words.trouble(room.reason, room.says)),
        todo=next(filter(None, (said.todo.get(each) for each in keys)), ""),
        call=whom_to_call(of or target, inventory)[0] if room.readiness is not Readiness.READY else "",
        circuit=of.circuit if of else "",
        incident=room.incident,
    )


def _named(of: Target | None, room: Target, inventory: Inventory, words: Words) -> str:
    """What is the reason; with its place where that is another than the room's."""
    if of is None:
        return ""
    return words.name(of) if of.site == room.site else f"{words.name(of)} – {inventory.sites[of.site].name}"


def whom_to_call(of: Target, inventory: Inventory, cause: Cause | None = None) -> tuple[str, str]:
    """Whom to call about a target, one line with a number, and the circuit that a provider asks for; each may be empty.

    The provider of a line; else who has the target; else who is at its site, who comes first where a look at the thing tells most.
    A commune can do nothing about what stands elsewhere, and a provider nothing about mains power or the local network in front of
    its line.
    """
    if of.role is Role.LINK and of.provider in inventory.providers and cause not in ON_SITE:
        return _of_provider(of.provider, inventory), of.circuit
    at_site = inventory.sites[of.site].contact
    return (at_site or of.contact if cause in ON_SITE else of.contact or at_site), ""


def about(incident: Incident, inventory: Inventory, words: Words) -> tuple[Target | None, Site | None]:
    """What an incident is about, and where; of what failed together only what all of it has in common. None: it is gone."""
    root = inventory.targets.get(incident.root)
    site = inventory.sites[root.site] if root else None
    if incident.shared is None or root is None or site is None:
        return root, site
    provider = incident.shared.trait("provider")
    place = words.place(incident.shared, inventory)
    return (
        replace(root, label={}, address="", contact="", circuit="", provider=provider),
        replace(site, name=place, contact=""),
    )


def called_about(incident: Incident, inventory: Inventory) -> tuple[str, str]:
    """The same about an incident: in mails and on pages alike.

    Of what failed together, the provider that all of it has; of ourselves nobody, for who reads it is who can do something.
    """
    if incident.shared is not None:
        return _of_provider(incident.shared.trait("provider"), inventory), ""
    of = inventory.targets.get(incident.root)
    return whom_to_call(of, inventory, incident.cause) if of and incident.cause is not Cause.VANTAGE else ("", "")


def _of_provider(id_: str, inventory: Inventory) -> str:
    known = inventory.providers.get(id_)
    return f"{known.name}: {known.hotline}" if known else ""


def called_after(room: RoomQuality, inventory: Inventory) -> tuple[str, str]:
    """The same about what a room of a meeting suffered from."""
    of = inventory.targets.get(room.of)
    return whom_to_call(of, inventory, room.cause) if of and room.quality in (Quality.CUT, Quality.POOR) else ("", "")
