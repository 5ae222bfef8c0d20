"""The sentences of the pages, over those that mails use too; a key that is missing here is shown as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from monitor.core import words
from monitor.core.ledger import percent

LANGUAGES = ("vi", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(words.Words):
    """All texts of the pages in one language."""

    page: Mapping[str, str]
    health: Mapping[str, str]

    def many(self, number: int, noun: str) -> str:
        """A number with the noun behind it in its form; the plural is the noun's key with an `s`."""
        return f"{number} {self.page[noun if number == 1 else noun + 's']}"

    def figure(self, value: float) -> str:
        """A number as it is written in this language: 1.482 and 0,5 in Vietnamese."""
        whole = isinstance(value, int) or abs(value) >= 1000
        english = f"{value:,.0f}" if whole else f"{value:,.3g}"
        return english.translate(_VIETNAMESE) if self.language == "vi" else english

    def percent(self, ratio: float | None) -> str:
        """An availability in percent, `–` when nothing is known."""
        text = "–" if ratio is None else f"{percent(ratio)} %"
        return text.translate(_VIETNAMESE) if self.language == "vi" else text


_VIETNAMESE = str.maketrans(",.", ".,")


def machine_time(at: datetime) -> str:
    """ISO 8601 in UTC, for programs."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


VI = Words(
    **asdict(words.VI),
    page={
        "title": "Giám sát CNTT xã, phường",
        "hurt": "xã, phường đang bị ảnh hưởng",
        "all_well": "Tất cả xã, phường hoạt động bình thường",
        "unclear": "xã, phường chưa rõ trạng thái",
        "nothing_known": "Chưa có số liệu về xã, phường nào",
        "no_communes": "Chưa khai báo xã, phường nào",
        "open": "Sự cố đang mở",
        "maintenance": "Đang bảo trì",
        "silenced": "Tạm tắt thư báo",
        "acknowledged": "Đã có người nhận",
        "until": "đến",
        "none_open": "Không có sự cố nào đang mở.",
        "more_open": "sự cố khác đang mở, xem",
        "closed": "Vừa khắc phục",
        "map": "Bản đồ",
        "map_of": "Bản đồ trạng thái các xã, phường",
        "communes_title": "Xã, phường",
        "communes": "xã, phường",
        "other_area": "Khác",
        "central": "Hệ thống dùng chung",
        "backbone": "Trung tâm và điểm trung chuyển",
        "since": "Từ",
        "for": "đã",
        "lasted": "kéo dài",
        "cause": "Nguyên nhân có thể",
        "impact": "Ảnh hưởng",
        "impact_none": "không có đối tượng được giám sát nào khác bị ảnh hưởng",
        "thing": "đối tượng",
        "things": "đối tượng",
        "commune": "xã, phường",
        "provider": "Nhà cung cấp",
        "circuit": "Mã kênh",
        "hotline": "Tổng đài",
        "address": "Địa chỉ",
        "state": "Trạng thái",
        "severity": "Mức độ",
        "target": "Đối tượng",
        "evidence": "Bằng chứng",
        "explained": "Vì sao kết luận như vậy",
        "last_evidence": "Ghi nhận cuối",
        "this_month": "Khả dụng tháng này",
        "net": "không tính mất điện, bảo trì",
        "lately": "Những lần không bình thường gần đây",
        "excused_power": "mất điện",
        "excused_maintenance": "bảo trì",
        "check": "Phép đo",
        "began": "Bắt đầu",
        "opened": "Ghi nhận lúc",
        "times": "lần thứ",
        "closed_at": "Khắc phục lúc",
        "still_open": "chưa khắc phục",
        "why": "Vì sao nhận định như vậy",
        "reason": "Biểu hiện",
        "root": "Gốc sự cố",
        "contact": "Liên hệ tại chỗ",
        "in_charge": "Đầu mối",
        "code": "Mã hành chính",
        "area": "Khu vực",
        "own": "Trạm giám sát",
        "updated": "Cập nhật",
        "not_ready": "Trạm giám sát chưa sẵn sàng",
        "mail_late": "Thư cảnh báo đang bị ứ, chưa gửi được",
        "store_failed": "Không ghi được cơ sở dữ liệu; sự cố mới đang được giữ trong bộ nhớ, thư cảnh báo chưa gửi được",
        "reload_failed": "Khai báo mới có lỗi; đang chạy với khai báo cũ",
        "back": "← Toàn tỉnh",
        "not_found": "Không tìm thấy",
        "no_site": "Không có xã, phường hay điểm nào mang mã này.",
        "no_incident": "Không có sự cố nào mang mã này (có thể đã cũ).",
        "and_more": "và còn nữa",
        "yes": "tốt",
        "no": "lỗi",
        "other_language": "English",
        "ask_ack": "Nhận xử lý sự cố này?",
        "ask_silence": "Tạm tắt thư báo về đối tượng này?",
        "means_ack": "Những người đã được báo sẽ nhận một thư ngắn cho biết ai đang xử lý. Chưa có gì thay đổi cho đến khi bấm nút.",
        "means_silence": "Đến {until} sẽ không ai nhận thư về đối tượng này. Sự cố vẫn hiện trên bảng trạng thái. Chưa có gì thay đổi cho đến khi bấm nút.",
        "do_ack": "Nhận xử lý",
        "do_silence": "Tạm tắt thư báo",
        "done_ack": "Đã ghi nhận người xử lý",
        "done_silence": "Đã tạm tắt thư báo",
        "done_by": "{by}, lúc {now}.",
        "done_until": "{by}, đến {until}.",
        "your_name": "Tên của anh, chị (có thể để trống)",
        "see_incident": "Xem sự cố trên bảng trạng thái",
        "by_link": "qua liên kết trong thư",
        "refused": "Liên kết này không dùng được",
        "link_unknown": "Liên kết không đúng hoặc thiếu một phần. Hãy mở lại từ thư gốc, hoặc dùng lệnh ack, silence trên máy chủ giám sát.",
        "link_expired": "Liên kết đã hết hạn. Hãy dùng liên kết trong thư mới nhất, hoặc lệnh ack, silence trên máy chủ giám sát.",
        "link_used": "Liên kết này đã được dùng rồi; mỗi liên kết chỉ dùng được một lần.",
        "link_over": "Sự cố này đã kết thúc, không cần làm gì nữa.",
        "link_name": "Tên không hợp lệ: chỉ một dòng, tối đa 80 ký tự. Hãy quay lại và sửa.",
        "link_trouble": "Trạm giám sát hiện không ghi được, nên chưa có gì thay đổi. Liên kết vẫn còn hiệu lực, hãy thử lại sau ít phút.",
        "link_busy": "Đang có quá nhiều yêu cầu cùng lúc. Liên kết vẫn còn hiệu lực, hãy thử lại sau ít giây.",
    },
    health={
        "version": "Phiên bản",
        "checks": "Phép đo",
        "targets": "Đối tượng",
        "observations": "Lượt đo đã ghi nhận",
        "unknown": "Đối tượng chưa rõ",
        "outbox": "Thư chờ gửi",
        "outbox_oldest_seconds": "Thư chờ lâu nhất (giây)",
        "reload_ok": "Nạp khai báo lần cuối",
        "store_ok": "Cơ sở dữ liệu",
        "started": "Chạy từ",
        "loop_lag_seconds": "Độ trễ vòng lặp (giây)",
    },
)

EN = Words(
    **asdict(words.EN),
    page={
        "title": "Commune IT monitor",
        "hurt": "communes hurt",
        "all_well": "All communes are well",
        "unclear": "communes of which nothing is known",
        "nothing_known": "Nothing is known about any commune yet",
        "no_communes": "No commune is in the inventory",
        "open": "Open incidents",
        "maintenance": "In maintenance",
        "silenced": "Silenced",
        "acknowledged": "Acknowledged by",
        "until": "until",
        "none_open": "No incident is open.",
        "more_open": "more incidents are open, see",
        "closed": "Recovered lately",
        "map": "Map",
        "map_of": "Map of the communes by state",
        "communes_title": "Communes",
        "communes": "communes",
        "other_area": "Other",
        "central": "Shared systems",
        "backbone": "Centre and points of presence",
        "since": "Since",
        "for": "for",
        "lasted": "lasted",
        "cause": "Likely",
        "impact": "Impact",
        "impact_none": "nothing else that is watched is hurt",
        "thing": "target",
        "things": "targets",
        "commune": "commune",
        "provider": "Provider",
        "circuit": "Circuit",
        "hotline": "Hotline",
        "address": "Address",
        "state": "State",
        "severity": "Severity",
        "target": "Target",
        "evidence": "Evidence",
        "explained": "Why it was decided so",
        "last_evidence": "Last evidence",
        "this_month": "Available this month",
        "net": "without power cuts and maintenance",
        "lately": "Times when it was not well lately",
        "excused_power": "power cut",
        "excused_maintenance": "maintenance",
        "check": "Check",
        "began": "Began",
        "opened": "Opened",
        "times": "time",
        "closed_at": "Closed",
        "still_open": "still open",
        "why": "Why we think so",
        "reason": "What is seen",
        "root": "Root",
        "contact": "Contact on site",
        "in_charge": "In charge",
        "code": "Official code",
        "area": "Area",
        "own": "The monitor itself",
        "updated": "Updated",
        "not_ready": "The monitor is not ready",
        "mail_late": "Alert mails are held up and have not been delivered",
        "store_failed": "The database cannot be written; what happens is kept in memory, and no mail about it can leave",
        "reload_failed": "The new settings are faulty; the old ones stay in force",
        "back": "← The province",
        "not_found": "Not found",
        "no_site": "No commune or other site has this id.",
        "no_incident": "No incident has this id (it may be too old).",
        "and_more": "and more",
        "yes": "ok",
        "no": "failed",
        "other_language": "Tiếng Việt",
        "ask_ack": "Take this incident?",
        "ask_silence": "Silence mails about this target?",
        "means_ack": "Those who were told get one short mail that says who has it. Nothing changes until you press the button.",
        "means_silence": "Until {until} nobody is mailed about this target. The board goes on showing the incident. Nothing changes until you press the button.",
        "do_ack": "Take it",
        "do_silence": "Silence the mails",
        "done_ack": "It is noted who has it",
        "done_silence": "The mails are silenced",
        "done_by": "{by}, {now}.",
        "done_until": "{by}, until {until}.",
        "your_name": "Your name (may stay empty)",
        "see_incident": "See the incident on the board",
        "by_link": "by the link in a mail",
        "refused": "This link does nothing",
        "link_unknown": "The link is wrong, or a part of it is missing. Open it from the mail itself, or use the commands ack and silence on the monitor.",
        "link_expired": "The link has expired. Use the one in the latest mail, or the commands ack and silence on the monitor.",
        "link_used": "This link was used before; each can be used once.",
        "link_over": "This incident is over: nothing needs to be done.",
        "link_name": "The name is not valid: one line of at most 80 characters. Go back and correct it.",
        "link_trouble": "The monitor cannot write now, so nothing was changed. The link still holds: try again in some minutes.",
        "link_busy": "Too many requests at once. The link still holds: try again in some seconds.",
    },
    health={
        "version": "Version",
        "checks": "Checks",
        "targets": "Targets",
        "observations": "Observations",
        "unknown": "Targets unknown",
        "outbox": "Mails waiting",
        "outbox_oldest_seconds": "Oldest mail waiting (s)",
        "reload_ok": "Last reload",
        "store_ok": "Database",
        "started": "Running since",
        "loop_lag_seconds": "Loop lag (s)",
    },
)

WORDS: Mapping[str, Words] = {"vi": VI, "en": EN}
