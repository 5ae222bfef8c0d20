"""A subject that fits a phone: state, what and where within SUBJECT_LENGTH characters, by shorter words instead of a cut."""

from __future__ import annotations

import re
from collections.abc import Mapping

SUBJECT_LENGTH = 60
"""What a phone shows of a subject in two lines."""
LIST_LENGTH = 42
"""What a list of mails shows of it in one line, 390 pixels wide (Roundcube 1.6)."""

SHORTER: Mapping[str, tuple[tuple[str, str], ...]] = {
    "vi": (
        (" xã, phường bị cắt)", " xã, phường)"),
        (" phòng chưa sẵn sàng", " chưa sẵn sàng"),
        (" phòng có nguy cơ", " có nguy cơ"),
        ("mất liên lạc hoàn toàn", "mất liên lạc"),
        # places
        ("Điểm trung chuyển ", "Điểm TC "),
        ("Trung tâm dữ liệu tỉnh", "TTDL tỉnh"),
        ("Trung tâm dữ liệu", "TTDL"),
        ("Thành phố ", "TP "),
        ("Thị xã ", "TX "),
        ("Huyện ", "H. "),
        # what is seen
        ("thiết bị trên đường báo không có lối tới", "không có lối tới"),
        ("thông tin đăng nhập bị từ chối", "không đăng nhập được"),
        ("không phân giải được tên miền", "lỗi tên miền"),
        ("trục trặc của chính trạm giám sát", "lỗi trạm giám sát"),
        ("không trả lời trong thời hạn", "không trả lời"),
        ("trả lời lớn quá mức cho phép", "trả lời quá lớn"),
        ("kết nối bị ngắt giữa chừng", "bị ngắt giữa chừng"),
        ("trả lời không đúng giao thức", "sai giao thức"),
        ("nội dung trả về không đúng", "sai nội dung"),
        ("chứng thư số không hợp lệ", "lỗi chứng thư số"),
        ("chứng thư số sắp hết hạn", "CTS sắp hết hạn"),
        ("UPS đang chạy bằng ắc quy", "chạy ắc quy"),
        ("ắc quy UPS sắp cạn", "ắc quy sắp cạn"),
        ("ắc quy UPS cần thay", "cần thay ắc quy"),
        ("thiết bị vừa khởi động lại", "vừa khởi động lại"),
        ("lâu không có số liệu mới", "thiếu số liệu"),
        ("độ trễ dao động mạnh", "trễ dao động"),
        ("cổng mạng bỏ nhiều gói tin", "cổng bỏ gói tin"),
        ("cổng mạng nhiều lỗi", "cổng nhiều lỗi"),
        ("cổng mạng bị ngắt", "cổng bị ngắt"),
        ("không bắt tay được TLS", "lỗi TLS"),
        ("trạm giám sát thiếu quyền", "thiếu quyền"),
        # things
        ("Hệ thống giải quyết thủ tục hành chính", "TTHC"),
        ("Giải quyết thủ tục hành chính", "TTHC"),
        ("Nền tảng tích hợp, chia sẻ dữ liệu (LGSP)", "LGSP"),
        ("Máy chủ các trang thông tin điện tử", "Máy chủ web"),
        ("Máy chủ đăng ký họp trực tuyến", "Máy chủ đăng ký"),
        ("Máy chủ đăng ký H.323", "Máy chủ H.323"),
        ("Máy chủ chuyển tiếp hình và tiếng", "Máy chủ TURN"),
        ("Cầu họp trực tuyến (MCU)", "Cầu họp"),
        ("Trang thông tin điện tử", "Trang web"),
        ("Quản lý văn bản và điều hành", "QLVB"),
        ("Quản lý văn bản", "QLVB"),
        ("CSDL hộ tịch, lý lịch tư pháp", "CSDL hộ tịch"),
        ("Cơ sở dữ liệu quốc gia", "CSDLQG"),
        ("CSDL quốc gia về", "CSDL"),
        ("Phòng họp trực tuyến", "Phòng họp"),
        ("Thư điện tử công vụ", "Thư công vụ"),
        ("Máy chủ tên miền (DNS)", "DNS"),
        ("Dịch vụ ký số (OCSP)", "Ký số"),
        ("Cổng ra của trạm giám sát", "Cổng ra trạm GS"),
        ("Cổng dịch vụ công", "Cổng DVC"),
        ("Bộ định tuyến biên Internet", "Router biên"),
        ("Bộ định tuyến", "Router"),
        ("Bộ chuyển mạch", "Switch"),
        ("mất đường ra, chưa rõ trạng thái các nơi", "mất đường ra"),
        # what happened
        ("không còn trong khai báo giám sát", "không còn giám sát"),
        ("ĐÃ CÓ NGƯỜI NHẬN:", "ĐÃ CÓ NGƯỜI:"),
        ("CHƯA CÓ NGƯỜI NHẬN:", "CHƯA AI NHẬN:"),
        ("NHẬN ĐỊNH LẠI:", "XEM LẠI:"),
        ("TĂNG MỨC ĐỘ:", "NẶNG HƠN:"),
        ("(lần ", "(×"),
        (" xã, phường)", " xã)"),
        ("KHẨN – ", "KHẨN "),
    ),
    "en": (
        (" communes cut off)", " communes)"),
        (", all contact lost", ", no contact"),
        ("Điểm trung chuyển ", "PoP "),
        ("Trung tâm dữ liệu tỉnh", "TTDL tỉnh"),
        ("Trung tâm dữ liệu", "TTDL"),
        ("Thành phố ", "TP "),
        ("Thị xã ", "TX "),
        ("Huyện ", "H. "),
        ("a router on the way says there is no way", "no way to it"),
        ("the UPS battery must be replaced", "replace the battery"),
        ("the UPS battery is nearly empty", "battery nearly empty"),
        ("the answer is not the protocol", "wrong protocol"),
        ("the UPS runs on battery", "on battery"),
        ("the device has just rebooted", "rebooted"),
        ("the certificate ends soon", "certificate ends"),
        ("the answer reports an error", "answers an error"),
        ("trouble of the monitor itself", "monitor's trouble"),
        ("the monitor lacks a permission", "no permission"),
        ("the line is nearly full", "line nearly full"),
        ("a port drops packets", "port drops packets"),
        ("connection broken off", "broken off"),
        ("connection refused", "refused"),
        ("the answer is too large", "answer too large"),
        ("the content is wrong", "wrong content"),
        ("certificate not valid", "bad certificate"),
        ("TLS handshake failed", "TLS failed"),
        ("packets are lost", "packet loss"),
        ("unsteady delay", "jitter"),
        ("Data integration platform (LGSP)", "LGSP"),
        ("Video-conference registrar", "VC registrar"),
        ("Conference bridge (MCU)", "Bridge"),
        ("Video-conference room", "VC room"),
        ("National population database", "Population DB"),
        ("National judicial database", "Judicial DB"),
        ("National land database", "Land DB"),
        ("National database", "National DB"),
        ("Digital signature (OCSP)", "Signature"),
        ("Digital signature", "Signature"),
        ("Public-service portal", "Portal"),
        ("Document management", "Documents"),
        ("Gateway of the monitor", "Monitor gateway"),
        ("Internet edge router", "Edge router"),
        ("Backbone router", "Router"),
        ("Host of the web sites", "Web host"),
        ("Name server (DNS)", "DNS"),
        ("Wi-Fi access point", "Wi-Fi"),
        ("Procedure system", "Procedures"),
        ("lost its uplink, sites unknown", "lost its uplink"),
        ("ACKNOWLEDGED:", "TAKEN:"),
        ("NOBODY HAS IT:", "UNTAKEN:"),
        ("SEEN ANEW:", "ANEW:"),
        ("MORE SEVERE:", "WORSE:"),
        ("(time ", "(×"),
        ("URGENT – ", "URGENT "),
    ),
}
"""By language: words and what stands for them where the subject is too long, in the order in which they are given up."""

AS_GOOD: Mapping[str, tuple[tuple[str, str], ...]] = {
    "vi": (
        ("Đường truyền TSLCĐ", "TSLCĐ"),
        ("Đường TSLCĐ", "TSLCĐ"),
        ("Đường Internet", "Internet"),
        ("Bộ lưu điện (UPS)", "UPS"),
        ("Phường ", "P. "),
    ),
    "en": (("TSLCĐ line", "TSLCĐ"), ("Internet line", "Internet"), ("Phường ", "P. ")),
}
"""What says the same in fewer letters, for more than a list shows."""

_ASIDE = re.compile(r" \([^()]*\)$")


def fit(subject: str, language: str) -> str:
    """The subject, with as few words made shorter as it takes; what is too long then loses what stands in brackets at its
    end (what is seen, or how many are hurt), and at last is cut.
    """
    for long, short in AS_GOOD.get(language, ()):
        if len(subject) > LIST_LENGTH:
            subject = subject.replace(long, short)
    for long, short in SHORTER.get(language, ()):
        if len(subject) <= SUBJECT_LENGTH:
            return subject
        subject = subject.replace(long, short)
    if len(subject) > SUBJECT_LENGTH:
        subject = _ASIDE.sub("", subject)
    return subject if len(subject) <= SUBJECT_LENGTH else subject[: SUBJECT_LENGTH - 1].rstrip() + "…"
