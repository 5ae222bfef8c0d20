"""The sentences for states, causes and reasons, in Vietnamese and English; a key that is missing is shown as it is.

Mails and pages say the same things with the same words, so both take them from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Literal

from monitor.core.evidence import in_vietnamese
from monitor.core.model import Cause, Incident, Inventory, Reason, Shared, Site, Target

Language = Literal["vi", "en"]
ROOM = "vc-endpoint"
"""Kind of the targets that are rooms of video conferences."""
CONFERENCE_SERVERS = frozenset({"registrar", "gatekeeper", "vc-bridge", "turn-server", "browser-meetings"})
"""Kinds of what serves all rooms of a conference, and is none."""
LOCAL = timezone(timedelta(hours=7), "ICT")
"""Viet Nam has one zone and no summer time, so no time-zone data is needed on the host."""


def thousandths(ratio: float) -> int:
    """Thousandths of a percent: cut off and not rounded, so that only what never failed is 100.000 %.

    What binary fractions cannot hold is made up for, or a promise of 99.002 % would be shown as 99.001.
    """
    return math.floor(round(ratio * 100_000, 9))


def percent(ratio: float) -> str:
    """`99.995`."""
    return f"{thousandths(ratio) / 1000:.3f}"


_NUMBER = re.compile(r"\+?[0-9][0-9 .-]*")
_LEAST_DIGITS = 3
"""Of something that can be called, such as 113: the 24 and the 7 of `(24/7)` are none."""


def unbroken(text: str) -> str:
    """The same where no number is broken at the end of a line: 0229 000 8001 stays together."""
    return re.sub(r"(?<=\d) (?=\d)", "\u00a0", text)


def dialled(text: str) -> str:
    """The number that a telephone dials for a hotline or contact: the longest in it, of two the first; else empty."""
    numbers = (re.sub(r"[ .-]", "", found) for found in _NUMBER.findall(text))
    longest = max(numbers, key=len, default="")
    return longest[:20] if len(longest.lstrip("+")) >= _LEAST_DIGITS else ""


def shown_length(since: datetime, until: datetime) -> timedelta:
    """The length between two moments as they are shown, which is to whole seconds, cut off."""
    return until.replace(microsecond=0) - since.replace(microsecond=0)


_VIETNAMESE = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The texts of one language that mails and pages share."""

    language: str
    units: tuple[str, str, str, str]
    """Day, hour, minute, second, each with the space before it."""
    counted: str
    """How many have failed of those that have something in common, and of the others."""
    states: Mapping[str, str]
    severities: Mapping[str, str]
    causes: Mapping[str, str]
    reasons: Mapping[str, str]
    says: Mapping[str, str]
    why: Mapping[str, str]
    kinds: Mapping[str, str]
    for_all: str
    """Follows the name of what serves all rooms."""

    def lasted(self, since: datetime, until: datetime) -> str:
        """A span in its two largest units, such as `2 giờ 5 phút`; never negative, and what one gets who subtracts the times as printed."""
        return self.span(shown_length(since, until))

    def span(self, length: timedelta) -> str:
        """The same of a length."""
        seconds = max(0, int(length.total_seconds()))
        parts = (seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60, seconds % 60)
        largest = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
        shown = [f"{parts[index]}{self.units[index]}" for index in range(largest, min(largest + 2, len(parts)))]
        return " ".join(shown[:1] if len(shown) > 1 and shown[1].startswith("0") else shown)

    def figure(self, value: float) -> str:
        """A number as it is written in this language: 1.482 and 0,5 in Vietnamese."""
        whole = isinstance(value, int) or abs(value) >= 1000
        return self._written(f"{value:,.0f}" if whole else f"{value:,.3g}")

    def percent(self, ratio: float | None) -> str:
        """An availability in percent, `–` when nothing is known."""
        return "–" if ratio is None else self._written(f"{percent(ratio)} %")

    def seconds(self, value: float) -> str:
        """A measured time, in milliseconds below one second; `–` when nothing was measured."""
        if math.isnan(value):
            return "–"
        return f"{self.figure(value)} s" if value >= 1 else f"{self.figure(value * 1000)} ms"

    def _written(self, english: str) -> str:
        return english.translate(_VIETNAMESE) if self.language == "vi" else english

    def moment(self, at: datetime) -> str:
        """A time of day in Viet Nam with its date."""
        return at.astimezone(LOCAL).strftime("%H:%M:%S %d/%m/%Y")

    def session(self, begins: datetime, ends: datetime) -> str:
        """When a meeting is held, in Viet Nam: `14:00–16:00 27/11/2026`."""
        first, last = begins.astimezone(LOCAL), ends.astimezone(LOCAL)
        until = f"{last:%H:%M}" if first.date() == last.date() else f"{last:%H:%M %d/%m/%Y}"
        return f"{first:%H:%M}–{until} {first:%d/%m/%Y}" if len(until) < 6 else f"{first:%H:%M %d/%m/%Y} – {until}"

    def room(self, target: Target | None, site: Site | None, fallback: str = "") -> str:
        """What a person calls a room of a meeting: by its place; by its name too where it has one of its own, and what else a meeting needs."""
        if target is None or site is None:
            return fallback
        return site.name if target.kind == ROOM and not target.own_label else f"{self.name(target)} – {site.name}"

    def hurt_room(self, target: Target | None, site: Site | None, fallback: str) -> str:
        """The same where a list of hurt rooms may hold what serves all of them."""
        served = target is not None and target.kind in CONFERENCE_SERVERS
        return self.room(target, site, fallback) + (f" ({self.for_all})" if served else "")

    def hour(self, at: datetime) -> str:
        """The same in short, for lists: hour and minute, day and month."""
        return at.astimezone(LOCAL).strftime("%H:%M %d/%m")

    def times(self, since: datetime, until: datetime) -> str:
        """From when to when, in short."""
        same = since.astimezone(LOCAL).date() == until.astimezone(LOCAL).date()
        return f"{self.hour(since)[:5] if same else self.hour(since)} – {self.hour(until)}"

    def name(self, target: Target | None, fallback: str = "") -> str:
        """What a person calls a target."""
        if target is None:
            return fallback
        return target.label.get(self.language) or self.kinds.get(target.kind) or target.name

    def at_place(self, target: Target, inventory: Inventory) -> str:
        """The same with its site."""
        return f"{self.name(target)} – {inventory.sites[target.site].name}"

    def root(self, incident: Incident, inventory: Inventory) -> str:
        """What an incident is about, and where."""
        root = inventory.targets.get(incident.root)
        if incident.cause is Cause.VANTAGE:
            said = self.causes[Cause.VANTAGE]
            return said[:1].upper() + said[1:]
        if root is not None and incident.shared is not None:
            return f"{self.name(replace(root, label={}))} – {self.place(incident.shared, inventory)}"
        return self.at_place(root, inventory) if root is not None else incident.root

    def place(self, shared: Shared, inventory: Inventory) -> str:
        """What targets have in common, such as `VNPT, Huyện Hải Hậu`."""
        provider = inventory.providers.get(shared.trait("provider"))
        named = {"provider": provider.name if provider else "", "behind": ""}
        front = inventory.targets.get(shared.trait("behind"))
        if front is not None:
            named["behind"] = self.name(front)
        return ", ".join(named.get(trait) or value for trait, value in shared.by)

    def evidence(self, shared: Shared) -> str:
        """How strong the evidence for a common cause is."""
        return self.counted.format(hurt=shared.hurt, of=shared.of, elsewhere=shared.elsewhere, others=shared.others)

    def seen(self, evidence: str) -> str:
        """What a check has seen, or a line of it that an incident keeps."""
        return in_vietnamese(evidence) if self.language == "vi" else evidence

    def trouble(self, reason: Reason, says: str) -> str:
        """What is seen, in a few words: the broken limit where there is one, else the reason."""
        if reason is Reason.LIMIT and says:
            return self.says.get(says, says)
        return self.reasons.get(reason.value, reason.value)


VI = Words(
    language="vi",
    units=(" ngày", " giờ", " phút", " giây"),
    counted="{hurt}/{of} đối tượng có chung điểm này cùng hỏng một lúc, các đối tượng cùng loại khác: {elsewhere}/{others}.",
    states={
        "up": "Bình thường",
        "degraded": "Suy giảm",
        "down": "Ngừng",
        "unreachable": "Bị cắt theo",
        "unknown": "Chưa rõ",
    },
    severities={"minor": "Thấp", "major": "Cao", "critical": "Nghiêm trọng"},
    causes={
        "link": "đường truyền",
        "power": "mất điện",
        "lan": "mạng nội bộ (LAN)",
        "device": "thiết bị",
        "service": "dịch vụ",
        "shared": "điểm dùng chung phía trước nhiều nơi",
        "vantage": "đường ra của chính trạm giám sát",
    },
    reasons={
        "ok": "bình thường",
        "timeout": "không trả lời trong thời hạn",
        "refused": "từ chối kết nối",
        "reset": "kết nối bị ngắt giữa chừng",
        "unreachable": "thiết bị trên đường báo không có lối tới",
        "name-resolution": "không phân giải được tên miền",
        "tls": "không bắt tay được TLS",
        "certificate": "chứng thư số không hợp lệ",
        "protocol": "trả lời không đúng giao thức",
        "too-large": "trả lời lớn quá mức cho phép",
        "status": "trả lời báo lỗi",
        "content": "nội dung trả về không đúng",
        "authentication": "thông tin đăng nhập bị từ chối",
        "not-registered": "chưa đăng ký được với máy chủ đăng ký",
        "permission": "trạm giám sát thiếu quyền",
        "local": "trục trặc của chính trạm giám sát",
        "limit": "vượt ngưỡng",
        "stale": "lâu không có số liệu mới",
    },
    says={
        "limit": "vượt ngưỡng",
        "loss": "mất gói nhiều",
        "delay": "độ trễ cao",
        "jitter": "độ trễ dao động mạnh",
        "poor-call": "đường truyền không đủ tốt cho cuộc họp trực tuyến",
        "packet-size": "gói tin lớn không qua được",
        "marking": "gói tin thoại, hình bị mất nhãn ưu tiên (DSCP)",
        "ice-servers": "có máy chủ STUN/TURN không hoạt động, người họp sau tường lửa có thể mất hình và tiếng",
        "slow": "trả lời chậm",
        "on-battery": "UPS đang chạy bằng ắc quy",
        "low-battery": "ắc quy UPS sắp cạn",
        "replace-battery": "ắc quy UPS cần thay",
        "hot": "nhiệt độ cao",
        "port-down": "cổng mạng bị ngắt",
        "errors": "cổng mạng nhiều lỗi",
        "discards": "cổng mạng bỏ nhiều gói tin",
        "busy": "đường truyền gần đầy",
        "cpu": "bộ xử lý quá tải",
        "memory": "gần hết bộ nhớ",
        "disk": "ổ đĩa gần đầy",
        "supply": "sắp hết mực",
        "fault": "thiết bị tự báo có bộ phận hỏng",
        "overload": "tải điện gần hết mức cho phép",
        "crowded": "quá nhiều máy kết nối Wi-Fi",
        "certificate-ends": "chứng thư số sắp hết hạn",
        "rebooted": "thiết bị vừa khởi động lại",
        "no-camera": "camera không kết nối hoặc bị lỗi",
        "no-microphone": "micro không kết nối hoặc bị lỗi",
        "muted": "micro đang tắt tiếng",
        "last-call": "cuộc gọi gần nhất bị mất gói nhiều",
        "unregistered": "chưa đăng ký được với máy chủ đăng ký",
        "full": "cầu họp gần hết cổng",
    },
    why={
        "own-gateway": "Cổng ra của chính trạm giám sát không trả lời: trạm không nhìn thấy các nơi, nên không kết luận lỗi cho nơi nào.",
        "ups-on-battery": "UPS tại chỗ báo chạy bằng ắc quy: nhiều khả năng mất điện lưới, không phải lỗi đường truyền.",
        "all-lines": "Mọi đường truyền của điểm này ngừng gần như cùng lúc: nhiều khả năng do bộ định tuyến hoặc nguồn điện tại chỗ.",
        "many-sites": "Nhiều nơi nằm sau thiết bị này cùng mất liên lạc một lúc.",
        "all-behind-switch": "Bộ chuyển mạch ngừng, các thiết bị sau nó cũng mất, còn bộ định tuyến vẫn tốt: lỗi trong mạng nội bộ.",
        "in-common": "Các đối tượng này hỏng cùng một lúc và có chung một điểm: nhiều khả năng lỗi nằm ở điểm chung đó.",
        "by-kind": "Chính đối tượng này có lỗi, còn mọi thứ phía trước nó vẫn tốt.",
        "other-line-back": "Đường còn lại đã thông trở lại nên thiết bị không hỏng: chỉ đường này ngừng.",
    },
    kinds={
        "reflector": "Máy phản xạ kiểm tra cuộc gọi",
        "browser-meetings": "Họp trực tuyến trên trình duyệt",
        "tslcd": "Đường TSLCĐ",
        "internet": "Đường Internet",
        "router": "Bộ định tuyến",
        "switch": "Bộ chuyển mạch",
        "ups": "UPS",
        "vc-endpoint": "Phòng họp trực tuyến",
        "website": "Trang thông tin điện tử",
        "access-point": "Điểm phát Wi-Fi",
        "camera": "Camera",
        "server": "Máy chủ",
        "doc-management": "Quản lý văn bản",
        "public-portal": "Cổng dịch vụ công",
        "procedure-system": "Giải quyết thủ tục hành chính",
        "lgsp": "Nền tảng tích hợp, chia sẻ dữ liệu (LGSP)",
        "gateway": "Cổng ra của trạm giám sát",
        "registrar": "Máy chủ đăng ký họp trực tuyến",
        "gatekeeper": "Máy chủ đăng ký H.323",
        "vc-bridge": "Cầu họp trực tuyến (MCU)",
        "turn-server": "Máy chủ chuyển tiếp hình và tiếng",
        "digital-signature": "Chữ ký số",
        "official-mail": "Thư điện tử công vụ",
        "national-database": "Cơ sở dữ liệu quốc gia",
        "name-server": "Máy chủ tên miền (DNS)",
    },
    for_all="mọi phòng đều cần",
)

EN = Words(
    language="en",
    units=(" d", " h", " min", " s"),
    counted="{hurt} of {of} with this in common failed together, {elsewhere} of {others} others of the kind.",
    states={
        "up": "Up",
        "degraded": "Degraded",
        "down": "Down",
        "unreachable": "Cut off",
        "unknown": "Unknown",
    },
    severities={"minor": "Minor", "major": "Major", "critical": "Critical"},
    causes={
        "link": "the line",
        "power": "a power cut",
        "lan": "the local network",
        "device": "the device",
        "service": "the service",
        "shared": "something shared in front of several sites",
        "vantage": "the monitor's own uplink",
    },
    reasons={
        "ok": "well",
        "timeout": "no answer in time",
        "refused": "connection refused",
        "reset": "connection broken off",
        "unreachable": "a router on the way says there is no way",
        "name-resolution": "name not found",
        "tls": "TLS handshake failed",
        "certificate": "certificate not valid",
        "protocol": "the answer is not the protocol",
        "too-large": "the answer is too large",
        "status": "the answer reports an error",
        "content": "the content is wrong",
        "authentication": "log-in refused",
        "not-registered": "not registered with its registrar or gatekeeper",
        "permission": "the monitor lacks a permission",
        "local": "trouble of the monitor itself",
        "limit": "beyond its limit",
        "stale": "no fresh data",
    },
    says={
        "limit": "beyond its limit",
        "loss": "packets are lost",
        "delay": "long delay",
        "jitter": "unsteady delay",
        "poor-call": "the path is not good enough for a call",
        "packet-size": "large packets do not get through",
        "marking": "priority marking (DSCP) is lost",
        "ice-servers": "a STUN or TURN server does not work: people behind a firewall may have no picture and sound",
        "slow": "slow answers",
        "on-battery": "the UPS runs on battery",
        "low-battery": "the UPS battery is nearly empty",
        "replace-battery": "the UPS battery must be replaced",
        "hot": "too hot",
        "port-down": "a port is down",
        "errors": "errors on a port",
        "discards": "a port drops packets",
        "busy": "the line is nearly full",
        "cpu": "the processor is overloaded",
        "memory": "the memory is nearly full",
        "disk": "a disk is nearly full",
        "supply": "toner or ink is running out",
        "fault": "the device says that a part of it fails",
        "overload": "it carries nearly all the power that it can",
        "crowded": "too many devices on its Wi-Fi",
        "certificate-ends": "the certificate ends soon",
        "rebooted": "the device has just rebooted",
        "no-camera": "a camera is missing or fails",
        "no-microphone": "a microphone is missing or fails",
        "muted": "the microphones are off",
        "last-call": "the last call lost many packets",
        "unregistered": "not registered with its registrar or gatekeeper",
        "full": "the bridge has hardly any ports left",
    },
    why={
        "own-gateway": "The monitor's own gateway does not answer: it cannot see the sites, and blames none of them.",
        "ups-on-battery": "The UPS on site reported running on battery: most likely a power cut, not a fault of the line.",
        "all-lines": "All lines of the site went down at about the same time: most likely its router or its power.",
        "many-sites": "Many sites behind this device lost contact at the same time.",
        "all-behind-switch": "The switch and all behind it are gone while the router is well: a fault of the local network.",
        "in-common": "These failed at the same time and have something in common: most likely the fault is there.",
        "by-kind": "It is this target itself that fails; everything in front of it is well.",
        "other-line-back": "The other line came back, so the device is well: only this line is down.",
    },
    kinds={
        "reflector": "Reflector of test calls",
        "browser-meetings": "Meetings in the browser",
        "tslcd": "TSLCĐ line",
        "internet": "Internet line",
        "router": "Router",
        "switch": "Switch",
        "ups": "UPS",
        "vc-endpoint": "Video-conference room",
        "website": "Web site",
        "access-point": "Wi-Fi access point",
        "camera": "Camera",
        "server": "Server",
        "doc-management": "Document management",
        "public-portal": "Public-service portal",
        "procedure-system": "Procedure system",
        "lgsp": "Data integration platform (LGSP)",
        "gateway": "Gateway of the monitor",
        "registrar": "Video-conference registrar",
        "gatekeeper": "H.323 gatekeeper",
        "vc-bridge": "Conference bridge (MCU)",
        "turn-server": "TURN server",
        "digital-signature": "Digital signature",
        "official-mail": "Official e-mail",
        "national-database": "National database",
        "name-server": "Name server (DNS)",
    },
    for_all="all rooms need it",
)

WORDS: Mapping[str, Words] = {"vi": VI, "en": EN}
