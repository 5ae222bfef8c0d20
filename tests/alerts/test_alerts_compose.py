"""What the mails look like on the wire."""

from __future__ import annotations

import html
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts import compose
from alerts.compose import URGENT
from alerts.grafana import page_of
from alerts.policy import ACTS
from alerts.subject import SUBJECT_LENGTH, fit
from alerts.summary import as_mailed
from alerts.tidy import LONGEST, line
from alerts.trial import check_templates
from monitor.core.ledger import Cost
from monitor.core.model import (
    SUMMARIES,
    Acknowledgement,
    Cause,
    Contact,
    Explanation,
    Happening,
    Incident,
    Inventory,
    Look,
    Notification,
    Reason,
    Severity,
    State,
    Weight,
)
from monitor.core.words import EN, VI
from tests.alerts.sample import COMMON, INCIDENT, NOW, ON_CALL, composer, inventory, notification

LETTERS = "aăâbcdđeêghiklmnoôơpqrstuưvxyAĂÂĐÊÔƠƯàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ"
VIETNAMESE = st.text(
    alphabet=st.one_of(
        st.sampled_from(LETTERS),
        st.sampled_from(" -–,.'’\"()<>@:;\\=?_&/%#\u0301\u0309\u0303\u0300\u0323"),
        st.characters(blacklist_categories=("Cs",)),
    ),
    min_size=1,
    max_size=120,
)
LINE_BREAKS = st.sampled_from(("\r\n", "\n", "\r", "\u2028", "\x85", "\x0b", "\x00"))
ROOTS = {Cause.SERVICE: "xa-kim-dong/website", Cause.SHARED: "center/router", Cause.VANTAGE: "center/router"}
INVENTORY = inventory()
WRITER = composer()
untimed = settings(max_examples=150)


def sent(told: Notification, known: Inventory = INVENTORY, folder: Path | None = None) -> EmailMessage:
    """The mail as its reader's program sees it: made, written as bytes, read again."""
    writer = composer(folder) if folder else WRITER
    message = message_from_bytes(writer.compose(told, known, NOW).as_bytes(), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    return str(found.get_content()) if found else ""


def test_what_lines_have_in_common_is_named_with_its_evidence_and_all_their_circuits() -> None:
    mail = sent(notification(incident=COMMON))
    assert mail["Subject"] == "NGỪNG: TSLCĐ – VNPT Ninh Bình (2 nơi cùng lúc)"
    text = part(mail, "plain")
    assert "Gọi VNPT Ninh Bình: 0229 000 8001: 2 kênh cùng ngừng" in text
    assert "C-1, C-1" in text
    assert "2/2 đối tượng có chung điểm này cùng hỏng một lúc, các đối tượng cùng loại khác: 0/7" in text
    assert "Xã Kim Đông, Phường Phủ Lý" in text
    assert "Bà Hoa" not in text, "no single commune is what it is about"


def test_what_comes_back_says_how_often_and_stays_in_its_thread() -> None:
    again = notification(Happening.REOPENED, incident=replace(INCIDENT, times=3), step="reopened-0510")
    mail = sent(again)
    assert mail["Subject"].startswith("LẠI NGỪNG (lần 3): ")
    assert "lần thứ 3 trong thời gian ngắn: tình trạng chập chờn" in part(mail, "plain")
    first = sent(notification())
    assert mail["In-Reply-To"] == first["Message-ID"] != mail["Message-ID"]


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("what", Happening)
def test_every_happening_of_every_cause_has_its_own_words_in_both_languages(
    what: Happening, language: str, cause: Cause, caplog: pytest.LogCaptureFixture
) -> None:
    contact = replace(ON_CALL, language=language)
    for state, reason in ((State.DOWN, Reason.TIMEOUT), (State.DEGRADED, Reason.LIMIT)):
        incident = replace(
            INCIDENT, cause=cause, root=ROOTS.get(cause, INCIDENT.root), state=state, reason=reason, says="loss"
        )
        mail = sent(notification(what, contact, incident))
        text, page = part(mail, "plain"), part(mail, "html")
        assert mail["Subject"] in html.unescape(page)
        assert f"/incidents/{incident.id}" in text
        assert "{{" not in text + page
        assert f'<html lang="{language}">' in page
    assert not caplog.records


def test_a_line_that_is_cut_says_whom_to_call_and_what_is_hurt() -> None:
    mail = sent(notification())
    assert mail["Subject"] == "NGỪNG: Đường TSLCĐ – Xã Kim Đông"
    text = part(mail, "plain")
    assert "Gọi VNPT Ninh Bình: 0229 000 8001, báo mã kênh C-1." in text
    assert "Ảnh hưởng:          Bộ định tuyến, Trang thông tin điện tử – Xã Kim Đông" in text
    assert "Nguyên nhân có thể: đường truyền\n" in text.replace("\r", "")
    assert "12:00:00 24/11/2026" in text, "times are those of Viet Nam"
    assert "- 10 of 10 echoes lost" in text


@pytest.mark.parametrize(
    ("cause", "language", "subject", "says"),
    [
        (Cause.POWER, "vi", "ĐÃ CÓ ĐIỆN LẠI – Xã Kim Đông", "Điện lưới tại Xã Kim Đông đã có lại lúc 12:00:03"),
        (Cause.POWER, "en", "Power is back – Xã Kim Đông", "Mains power at Xã Kim Đông is back since 12:00:03"),
        (Cause.VANTAGE, "vi", "ĐÃ CÓ ĐƯỜNG RA TRỞ LẠI – Trạm giám sát", "Trạm giám sát đã có đường ra trở lại lúc 12:00:03"),
        (Cause.VANTAGE, "en", "The monitor has its uplink again", "The monitor has its uplink again since 12:00:03"),
        (Cause.LINK, "vi", "ĐÃ TRỞ LẠI: Đường TSLCĐ – Xã Kim Đông", "Đường TSLCĐ – Xã Kim Đông đã hoạt động trở lại lúc"),
    ],
)  # fmt: skip
def test_the_end_of_an_incident_says_what_is_back_and_not_what_was_gone(
    cause: Cause, language: str, subject: str, says: str
) -> None:
    contact = replace(ON_CALL, language=language)
    mail = sent(notification(Happening.RECOVERED, contact, replace(INCIDENT, cause=cause)))
    assert mail["Subject"] == subject
    assert part(mail, "plain").startswith(says)
    assert says in html.unescape(part(mail, "html"))


@pytest.mark.parametrize(
    ("impact", "language", "subject", "says"),
    [
        ((), "vi", "NHẬN ĐỊNH LẠI: Mất điện – Xã Kim Đông", "Bộ lưu điện của Xã Kim Đông không còn trả lời: nhiều khả năng ắc quy đã cạn."),
        (("xa-kim-dong/tslcd",), "vi", "NHẬN ĐỊNH LẠI: Mất điện, mất liên lạc – Xã Kim Đông",
         "Mọi đường truyền của Xã Kim Đông đã ngừng theo: nhiều khả năng ắc quy của bộ lưu điện đã cạn."),
        (("xa-kim-dong/tslcd",), "en", "SEEN ANEW: Power cut, all contact lost – Xã Kim Đông",
         "Every line of Xã Kim Đông is gone too: most likely the battery of the UPS is empty."),
    ],
)  # fmt: skip
def test_a_power_cut_that_emptied_the_battery_says_that_the_commune_is_dark(
    impact: tuple[str, ...], language: str, subject: str, says: str
) -> None:
    contact = replace(ON_CALL, language=language)
    incident = replace(INCIDENT, cause=Cause.POWER, root="xa-kim-dong/router", impact=impact)
    mail = sent(notification(Happening.CHANGED, contact, incident))
    assert mail["Subject"] == subject
    assert part(mail, "plain").replace("\r", "").startswith(f"{says}\n")
    assert says in html.unescape(part(mail, "html"))


WEB = Weight(target="xa-kim-dong/website", rose_from=Severity.MINOR)


@pytest.mark.parametrize(
    ("changes", "language", "subject", "says"),
    [
        ({"severity": Severity.MAJOR, "weight": WEB}, "vi", "TĂNG MỨC ĐỘ: Đường TSLCĐ – Xã Kim Đông",
         "Mức độ tăng từ Thấp lên Cao: nay Trang thông tin điện tử – Xã Kim Đông cũng bị ảnh hưởng."),
        ({"severity": Severity.CRITICAL, "weight": replace(WEB, communes=7, rose_from=Severity.MAJOR)}, "vi",
         "KHẨN – TĂNG MỨC ĐỘ: TSLCĐ – Xã Kim Đông", "Mức độ tăng từ Cao lên Nghiêm trọng: nay 7 xã, phường bị ảnh hưởng."),
        ({"severity": Severity.CRITICAL, "weight": replace(WEB, communes=7, rose_from=Severity.MAJOR)}, "en",
         "URGENT – MORE SEVERE: TSLCĐ – Xã Kim Đông", "Severity rose from Major to Critical: 7 communes are hurt now."),
        ({"severity": Severity.MAJOR, "weight": replace(WEB, target=INCIDENT.root)}, "en",
         "MORE SEVERE: TSLCĐ line – Xã Kim Đông", "Severity rose from Minor to Major."),
        ({"severity": Severity.MAJOR, "weight": WEB, "cause": Cause.POWER, "root": "xa-kim-dong/router", "impact": ("xa-kim-dong/tslcd",)},
         "vi", "TĂNG MỨC ĐỘ: Mất điện, mất liên lạc hoàn toàn – Xã Kim Đông",
         "Mọi đường truyền của Xã Kim Đông đã ngừng theo: nhiều khả năng ắc quy của bộ lưu điện đã cạn. "
         "Mức độ tăng từ Thấp lên Cao: nay Trang thông tin điện tử – Xã Kim Đông cũng bị ảnh hưởng."),
        ({"severity": Severity.MAJOR, "weight": replace(WEB, rose_from=None)}, "en", "SEEN ANEW: TSLCĐ line – Xã Kim Đông",
         "Cause or severity of this incident were recognised anew, as follows."),
    ],
)  # fmt: skip
def test_a_mail_says_what_made_an_incident_more_severe(
    changes: Mapping[str, Any], language: str, subject: str, says: str
) -> None:
    incident = replace(INCIDENT, **changes)
    mail = sent(notification(Happening.CHANGED, replace(ON_CALL, language=language), incident))
    assert mail["Subject"] == subject
    assert part(mail, "plain").replace("\r", "").startswith(f"{says}\n")
    assert says in html.unescape(part(mail, "html"))


@pytest.mark.parametrize(
    ("cause", "language", "act"),
    [
        (Cause.SERVICE, "vi", "VIỆC CẦN LÀM: Báo Tổ vận hành, ĐT 0229 000 9020, kèm bằng chứng bên dưới."),
        (Cause.SERVICE, "en", "WHAT TO DO: Tell Tổ vận hành, ĐT 0229 000 9020, with the evidence below."),
        (Cause.DEVICE, "vi", "của thiết bị: Bà Hoa, ĐT 0912 000 111. Nếu vẫn hỏng, gọi Tổ vận hành, ĐT 0229 000 9020."),
        (Cause.SHARED, "vi", "sẽ tự trở lại. Gọi Tổ vận hành, ĐT 0229 000 9020."),
    ],
)  # fmt: skip
def test_a_mail_says_whom_to_call_about_its_target(cause: Cause, language: str, act: str) -> None:
    known = inventory()
    root = replace(known.targets["xa-kim-dong/website"], contact="Tổ vận hành, ĐT 0229 000 9020")
    known = replace(known, targets={**known.targets, root.id: root})
    told = notification(
        Happening.OPENED, replace(ON_CALL, language=language), replace(INCIDENT, root=root.id, cause=cause)
    )
    text = part(sent(told, known), "plain").replace("\r", "")
    assert f"{act}\n" in text
    assert re.search(r"^(Đầu mối|In charge): +Tổ vận hành, ĐT 0229 000 9020$", text, re.MULTILINE)
    assert 'href="tel:02290009020" style="color:#0b57d0">Tổ vận hành, ĐT 0229 000 9020</a></td>' in html.unescape(
        part(sent(told, known), "html")
    )


@pytest.mark.parametrize(
    ("changes", "vi", "en"),
    [
        ({"cause": Cause.LINK}, "Tại xã: xem bộ chuyển đổi quang", "At the commune: see whether the converter"),
        ({"cause": Cause.LINK, "state": State.DEGRADED}, "Tại xã: tạm dừng việc tải nặng", "At the commune: pause heavy"),
        ({"cause": Cause.POWER}, "Tại xã: tắt thiết bị chưa cần dùng", "At the commune: switch off what is not needed"),
        ({"cause": Cause.DEVICE}, "Tại xã: xem đèn nguồn", "At the commune: look at the power light"),
        ({"cause": Cause.DEVICE, "reason": Reason.NOT_REGISTERED}, "Tại xã: tắt thiết bị họp", "At the commune: switch the"),
        ({"cause": Cause.SHARED}, "Tại các xã không cần làm gì.", "The communes need do nothing."),
        ({"cause": Cause.SERVICE, "root": "center/website"}, "", ""),
    ],
)  # fmt: skip
def test_a_mail_has_a_plain_sentence_for_those_at_the_commune(changes: Mapping[str, Any], vi: str, en: str) -> None:
    for language, says in (("vi", vi), ("en", en)):
        incident = replace(INCIDENT, **changes)
        mail = sent(notification(Happening.OPENED, replace(ON_CALL, language=language), incident))
        for kind in ("plain", "html"):
            text = " ".join(html.unescape(part(mail, kind)).split())
            assert says in text
            assert says or not re.search(r"Tại (các )?xã|communes? ", text.split("Bằng chứng")[0])


@pytest.mark.parametrize(
    ("language", "contact", "act"),
    [
        ("vi", "Bà Hoa", "VIỆC CẦN LÀM: Gọi Bà Hoa, nhờ khởi động lại thiết bị họp rồi xem tên và mật khẩu đăng ký.\n"),
        ("vi", "", "VIỆC CẦN LÀM: Nhờ người tại chỗ khởi động lại thiết bị họp rồi xem tên và mật khẩu đăng ký.\n"),
        ("en", "Bà Hoa", "WHAT TO DO: Ask Bà Hoa to restart the endpoint, then to look at its registration name and password.\n"),
        ("en", "", "WHAT TO DO: Ask somebody on site to restart the endpoint, then to look at its registration name and password.\n"),
    ],
)  # fmt: skip
def test_a_mail_of_a_room_that_is_not_registered_sends_nobody_to_its_cables(
    language: str, contact: str, act: str
) -> None:
    incident = replace(INCIDENT, root="xa-kim-dong/router", cause=Cause.DEVICE, reason=Reason.NOT_REGISTERED)
    told = notification(Happening.OPENED, replace(ON_CALL, language=language), incident)
    assert act in part(sent(told, inventory(contact=contact)), "plain").replace("\r", "")


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ("center/website", "hệ thống dùng chung toàn tỉnh; không có đối tượng được giám sát nào khác bị ảnh hưởng"),
        ("xa-kim-dong/website", "không có đối tượng được giám sát nào khác bị ảnh hưởng"),
    ],
)
def test_a_system_that_the_whole_province_uses_is_not_told_as_without_impact(root: str, says: str) -> None:
    mail = sent(notification(incident=replace(INCIDENT, root=root, cause=Cause.SERVICE, impact=())))
    assert f"Ảnh hưởng:          {says}\n" in part(mail, "plain").replace("\r", "")
    assert f">{says}</td>" in html.unescape(part(mail, "html"))


@pytest.mark.parametrize(
    ("impact", "language", "says"),
    [
        (("phuong-phu-ly/room", "phuong-phu-ly/website", "xa-kim-dong/website"), "vi",
         "3 đối tượng tại 2 nơi (2 xã, phường; 1 phòng họp trực tuyến; 2 dịch vụ): Xã Kim Đông, Phường Phủ Lý"),
        (("phuong-phu-ly/room", "phuong-phu-ly/website", "xa-kim-dong/website"), "en",
         "3 targets at 2 sites (2 communes; 1 video-conference room; 2 services): Xã Kim Đông, Phường Phủ Lý"),
        (("xa-kim-dong/router", "center/router"), "en", "2 targets at 2 sites (1 commune): Xã Kim Đông, Trung tâm dữ liệu"),
    ],
)  # fmt: skip
def test_the_impact_counts_communes_rooms_and_services(impact: tuple[str, ...], language: str, says: str) -> None:
    known = inventory()
    room = replace(known.targets["phuong-phu-ly/router"], id="phuong-phu-ly/room", kind="vc-endpoint")
    known = replace(known, targets={**known.targets, room.id: room})
    told = notification(Happening.OPENED, replace(ON_CALL, language=language), replace(INCIDENT, impact=impact))
    assert f" {says}\n" in part(sent(told, known), "plain").replace("\r", "")
    assert f">{says}</td>" in html.unescape(part(sent(told, known), "html"))


def test_a_mail_of_a_target_that_left_the_inventory_names_it() -> None:
    assert "no/longer" in sent(notification(incident=replace(INCIDENT, root="no/longer", impact=())))["Subject"]


def test_a_mail_says_that_a_machine_wrote_it() -> None:
    mail = sent(notification())
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Id"] == "<incidents.noc.example.org>"
    assert mail["Precedence"] is None
    assert mail["X-Commune-Monitor-Incident"] == INCIDENT.id
    assert mail["Date"].datetime == NOW


@pytest.mark.parametrize("severity", Severity)
@pytest.mark.parametrize("what", Happening)
def test_a_mail_says_how_severe_it_is_and_is_urgent_when_something_critical_begins(
    what: Happening, severity: Severity
) -> None:
    urgent = severity is Severity.CRITICAL and what in URGENT
    for language, prefix, row, word in (
        ("vi", "KHẨN – ", "Mức độ", VI.severities),
        ("en", "URGENT – ", "Severity", EN.severities),
    ):
        contact = replace(ON_CALL, language=language)
        mail = sent(notification(what, contact, replace(INCIDENT, severity=severity)))
        assert mail["X-Commune-Monitor-Severity"] == severity.value
        assert (mail["Importance"], mail["X-Priority"]) == (("high", "1") if urgent else (None, None))
        assert mail["Subject"].startswith(prefix) is urgent
        if what not in (*ACTS, *SUMMARIES):
            assert re.search(rf"^{row}: +{word[severity]}\r?$", part(mail, "plain"), re.MULTILINE)
            assert re.search(rf">{row}</td><td [^>]*>{word[severity]}</td>", part(mail, "html"))


@pytest.mark.parametrize(
    ("severity", "subject"),
    [
        (Severity.MAJOR, "NGỪNG: Bộ định tuyến – Trung tâm dữ liệu (2 xã, phường)"),
        (Severity.CRITICAL, "KHẨN – NGỪNG: Bộ định tuyến – TTDL (2 xã, phường)"),
    ],
)
def test_the_mark_of_urgency_makes_other_words_shorter(severity: Severity, subject: str) -> None:
    impact = ("phuong-phu-ly/router", "xa-kim-dong/router")
    incident = replace(INCIDENT, root="center/router", cause=Cause.SHARED, impact=impact, severity=severity)
    assert sent(notification(incident=incident))["Subject"] == subject


def test_composing_again_gives_the_same_mail() -> None:
    first, again = (composer().compose(notification(), INVENTORY, NOW) for _ in range(2))
    assert dict(first.items()) | {"Content-Type": ""} == dict(again.items()) | {"Content-Type": ""}
    assert part(first, "plain") == part(again, "plain")


def test_the_mails_of_an_incident_make_one_thread() -> None:
    opened = sent(notification(Happening.OPENED))
    assert opened["Message-ID"] == f"<{INCIDENT.id}.opened.on-call@noc.example.org>"
    assert opened["In-Reply-To"] is opened["References"] is None
    for what in (Happening.CHANGED, Happening.RECOVERED, Happening.WITHDRAWN):
        later = sent(notification(what))
        assert later["In-Reply-To"] == later["References"] == opened["Message-ID"]
        assert later["Message-ID"] != opened["Message-ID"]


def withdrawn(because: str) -> Notification:
    why = Explanation(looks=(Look(rule="withdrawn", fits=True, because=because, of=(INCIDENT.root,)),))
    told = notification(Happening.WITHDRAWN)
    return replace(told, event=as_mailed(replace(told.event, because=why), INVENTORY))


def test_a_withdrawal_says_which_of_its_two_causes_it_has_and_names_what_is_gone() -> None:
    after = replace(INVENTORY, targets={})
    gone = composer().compose(withdrawn("root-gone"), after, NOW)
    assert gone["Subject"] == "RÚT LẠI: TSLCĐ – Xã Kim Đông: không còn giám sát"
    for kind in ("plain", "html"):
        assert "Đường TSLCĐ – Xã Kim Đông không còn trong khai báo giám sát" in part(gone, kind)
        assert "phần của sự cố khác" not in part(gone, kind)
    merged = sent(withdrawn("part-of"))
    assert merged["Subject"] == "ĐÃ GỘP: Đường TSLCĐ – Xã Kim Đông"
    assert "một phần của sự cố khác" in part(merged, "plain")
    assert "khai báo" not in part(merged, "plain")


def test_what_left_while_the_daemon_was_stopped_is_told_by_its_id_once() -> None:
    after = replace(INVENTORY, targets={})
    told = notification(Happening.WITHDRAWN)
    why = Explanation(looks=(Look(rule="withdrawn", fits=True, because="root-gone", of=(INCIDENT.root,)),))
    told = replace(told, event=as_mailed(replace(told.event, because=why), after))
    assert composer().compose(told, after, NOW)["Subject"] == "RÚT LẠI: xa-kim-dong/tslcd: không còn giám sát"


def test_a_summary_tells_what_is_gone_from_what_was_a_part() -> None:
    items = tuple(withdrawn(each).event for each in ("root-gone", "part-of"))
    text = part(composer().compose(replace(notification(Happening.DIGEST), items=items), INVENTORY, NOW), "plain")
    assert text.count("; không còn trong khai báo giám sát") == text.count("; đã nhập vào sự cố khác") == 1


def test_a_message_id_of_the_longest_names_is_not_broken() -> None:
    incident = replace(INCIDENT, id=f"20261124-050000-{'a' * 63}.{'b' * 63}")
    contact = Contact(id="c" * 63, name="C", email="c@example.org")
    written = composer().compose(notification(Happening.RECOVERED, contact, incident), INVENTORY, NOW).as_bytes()
    assert f"\r\nIn-Reply-To: <{incident.id}.opened.{contact.id}@noc.example.org>\r\n".encode() in written


@untimed
@given(name=VIETNAMESE.filter(lambda name: "\n" not in name))  # a subject ends where its line ends
def test_the_subject_survives_its_way_through_bytes_for_any_name(name: str) -> None:
    place = line(name, LONGEST["name"]) or INCIDENT.root
    expected = fit(compose._clean(f"NGỪNG: Đường TSLCĐ – {place}"), "vi")
    mail = sent(notification(), inventory(name=name))
    assert mail["Subject"] == expected
    assert len(mail["Subject"]) <= SUBJECT_LENGTH


@untimed
@given(name=VIETNAMESE)
def test_the_address_of_a_recipient_survives_any_name(name: str) -> None:
    (address,) = sent(notification(contact=replace(ON_CALL, name=name)))["To"].addresses
    assert address.addr_spec == ON_CALL.email


@untimed
@given(rest=st.text(alphabet=LETTERS + " -", max_size=120))
def test_the_name_of_a_recipient_survives_its_way_through_bytes(rest: str) -> None:
    name = compose._clean(f"Đội {rest}")
    made = WRITER.compose(notification(contact=replace(ON_CALL, name=name)), INVENTORY, NOW)
    # Read by the older decoder: the newer one of Python 3.11 puts a space between encoded words (RFC 2047 6.2 says none).
    to = message_from_bytes(made.as_bytes())["To"]
    assert str(make_header(decode_header(to))) == f"{name} <{ON_CALL.email}>"


@untimed
@given(
    before=VIETNAMESE, line_break=LINE_BREAKS, after=st.sampled_from(("Bcc: spy@example.com", "", " x", "\r\n\r\nbody"))
)
@example(before="=?utf-8?q?a=0d=0aBcc:victim@x.example?=", line_break="", after="")
@example(before="==??utf-8?q?a=0d=0aBcc:victim@x.example?=", line_break="", after="")
def test_no_name_can_put_in_a_header_or_end_the_headers(before: str, line_break: str, after: str) -> None:
    name = before + line_break + after
    told = notification(contact=replace(ON_CALL, name=name))
    raw = WRITER.compose(told, inventory(name=name, contact=name), NOW).as_bytes()
    headers, _, _ = raw.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].decode() for line in headers.split(b"\r\n") if not line[:1].isspace()]
    assert names == [
        "Subject", "From", "To", "Date", "Message-ID", "List-Id", "Auto-Submitted", "X-Commune-Monitor-Incident",
        "X-Commune-Monitor-Severity", "MIME-Version", "Content-Type",
    ]  # fmt: skip


@untimed
@given(name=VIETNAMESE, evidence=VIETNAMESE)
def test_html_shows_names_and_evidence_and_never_runs_them(name: str, evidence: str) -> None:
    bad = f"<script>alert(1)</script>{name}"
    told = notification(incident=replace(INCIDENT, evidence=(f"<img src=x>{evidence}",)))
    page = part(sent(told, inventory(name=bad, contact='"><b>')), "html")
    assert "<script" not in page
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("vi", "xa-kim-dong/tslcd: kết nối bị ngắt giữa chừng; trang không có “<b>”"),
        ("en", "xa-kim-dong/tslcd: the connection was broken off; the page does not hold “<b>”"),
    ],
)
@pytest.mark.parametrize("what", [Happening.OPENED, Happening.RECOVERED, Happening.ESCALATED])
def test_evidence_is_told_in_the_language_of_the_mail(what: Happening, language: str, says: str) -> None:
    seen = "xa-kim-dong/tslcd: the connection was broken off; the page does not hold “<b>”"
    mail = sent(notification(what, replace(ON_CALL, language=language), replace(INCIDENT, evidence=(seen,))))
    assert f"- {says}" in part(mail, "plain").splitlines()
    assert f">{html.escape(says)}<" in part(mail, "html")


def test_long_evidence_and_a_long_impact_are_cut() -> None:
    known = inventory()
    extra = {
        f"site-{number}/router": replace(known.targets["xa-kim-dong/router"], site=f"site-{number}")
        for number in range(40)
    }
    sites = {
        f"site-{number}": replace(known.sites["xa-kim-dong"], id=f"site-{number}", name=f"Xã {number}")
        for number in range(40)
    }
    wide = replace(known, targets={**known.targets, **extra}, sites={**known.sites, **sites})
    incident = replace(INCIDENT, impact=tuple(extra), evidence=tuple(f"line {number}" for number in range(30)))
    text = part(sent(notification(incident=incident), wide), "plain")
    assert "40 đối tượng tại 40 nơi (40 xã, phường): Xã 0, Xã 1" in text
    assert "và 28 nơi khác" in text
    assert "line 5" in text
    assert "line 6" not in text


def test_addresses_that_are_not_set_leave_no_empty_link() -> None:
    made = composer(board="").compose(notification(), INVENTORY, NOW)
    assert "Bảng trạng thái" not in part(made, "plain") + part(made, "html")
    assert set(re.findall(r'href="([^:"]*)', part(made, "html"))) == {"tel"}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_grafana_is_pointed_at_the_line_and_the_time_in_the_language_of_the_reader(language: str) -> None:
    reader = replace(ON_CALL, language=language)
    made = composer(grafana="http://g").compose(notification(contact=reader), INVENTORY, NOW)
    address = page_of("http://g", INCIDENT, INVENTORY.targets[INCIDENT.root], None, language)
    assert f"Grafana: {address}" in part(made, "plain")
    assert address.replace("&", "&amp;") in part(made, "html")


# -- an admin's own templates --------------------------------------------------------------------------------------


def folder_with(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_our_own_templates_have_no_mistake() -> None:
    assert check_templates(None) == []


def test_an_admins_template_replaces_ours_and_only_that_one(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"vi/opened.txt": "Alô {{ place }}\n\nGọi ngay.\n"})
    assert check_templates(folder) == []
    mail = sent(notification(), folder=folder)
    assert mail["Subject"] == "Alô Xã Kim Đông"
    assert part(mail, "plain").splitlines() == ["Gọi ngay."]
    assert sent(notification(Happening.RECOVERED), folder=folder)["Subject"].startswith("ĐÃ TRỞ LẠI")


def test_a_template_that_fails_only_where_it_is_critical_is_told(tmp_path: Path) -> None:
    text = '{% if incident.severity == "critical" %}{{ plaice }}{% endif %}'
    assert "'plaice' is undefined" in str(check_templates(folder_with(tmp_path, {"vi/act.txt": text})))


BROKEN = {
    "syntax": ("Alô\n\n{% if %}\n", 3, "Expected an expression"),
    "unknown word": ("Alô\n{{ plaice }}\n", 2, "'plaice' is undefined"),
    "unknown attribute": ("Alô {{ incident.rot }}\n", 1, "has no attribute 'rot'"),
    "division by zero": ("Alô\n\n\n{{ 1 // 0 }}\n", 4, "ZeroDivisionError"),
    "attribute of nothing": ("Alô\n{{ provider.name.first }}\n", 2, "'first'"),
    "sandbox": ("Alô\n{{ ''.__class__.__mro__ }}\n", 2, "SecurityError"),
    "missing include": ('Alô\n{% include "vi/none.txt" %}\n', 0, "there is no such template"),
}


@pytest.mark.parametrize(("text", "line", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_template_is_told_with_file_and_line_and_costs_no_mail(
    text: str, line: int, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = folder_with(tmp_path, {"vi/opened.txt": text})
    found = check_templates(folder)
    assert any(each[1] == line and message in each[2] for each in found), found
    assert all(each[0] == str(folder / "vi/opened.txt") for each in found) or line == 0, found
    with caplog.at_level(logging.ERROR, logger="alerts.compose"):
        mail = sent(notification(), folder=folder)
    assert mail["Subject"] == "OPENED down: xa-kim-dong/tslcd"
    assert "10 of 10 echoes lost" in part(mail, "plain")
    assert mail["Message-ID"] == f"<{INCIDENT.id}.opened.on-call@noc.example.org>"
    assert "a plain mail goes out instead" in caplog.text


@pytest.mark.parametrize(
    "reach",
    [
        "{{ incident.__class__ }}",
        "{{ words.moment.__globals__ }}",
        "{{ (incident|attr('__class__')).__subclasses__() }}",
        "{{ ''.format.__self__.__class__.__base__ }}",
        "{{ '{0.__class__.__mro__}'.format(incident) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ self._TemplateReference__context }}",
        "{% for each in incident.impact.__class__ %}{% endfor %}",
    ],
)
def test_a_template_that_reaches_out_of_its_box_gives_the_plain_mail(reach: str, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {"vi/opened.html": f"<p>{reach}</p>", "vi/opened.txt": f"x\n\n{reach}\n"})
    mail = sent(notification(), folder=folder)
    assert mail["Subject"] == "OPENED down: xa-kim-dong/tslcd"
    assert "class" not in part(mail, "plain") + part(mail, "html")


@pytest.mark.parametrize("what", Happening)
def test_the_plain_mail_is_in_form_for_any_incident(what: Happening, tmp_path: Path) -> None:
    folder = folder_with(tmp_path, {f"vi/{each.value}.txt": "{{ nothing.at.all }}" for each in Happening})
    incident: Incident = replace(INCIDENT, root="no/longer", evidence=("Lỗi\r\nBcc: x",))
    mail = sent(notification(what, incident=incident), folder=folder)
    assert mail["Subject"] == f"{what.upper()} down: no/longer"
    assert mail["Bcc"] is None


def test_who_has_an_incident_is_one_short_mail_in_its_thread() -> None:
    mail = sent(notification(Happening.ACKNOWLEDGED))
    assert mail["Subject"] == "ĐÃ CÓ NGƯỜI NHẬN: TSLCĐ – Xã Kim Đông"
    assert mail["In-Reply-To"] == sent(notification())["Message-ID"]
    text, page = part(mail, "plain"), part(mail, "html")
    said = "Hoa (hoa) đã nhận xử lý sự cố này lúc 12:00:03 24/11/2026. Ghi chú: Đã gọi VNPT"
    assert text.startswith(f"{said}\r\n")
    assert said in page
    for body in (text, page):
        assert "echoes lost" not in body
        assert "Nguyên nhân" not in body
        assert f"/incidents/{INCIDENT.id}" in body


def test_an_incident_that_was_given_back_says_so() -> None:
    mail = sent(notification(Happening.UNACKNOWLEDGED))
    assert mail["Subject"] == "CHƯA CÓ NGƯỜI NHẬN: TSLCĐ – Xã Kim Đông"
    english = sent(notification(Happening.UNACKNOWLEDGED, replace(ON_CALL, language="en")))
    assert english["Subject"] == "NOBODY HAS IT: TSLCĐ line – Xã Kim Đông"
    assert "given it back" in part(english, "plain")


def test_later_mails_name_who_has_it() -> None:
    had = replace(INCIDENT, acknowledged=Acknowledgement(by="Hoa <hoa>", at=NOW))
    mail = sent(notification(Happening.CHANGED, incident=had))
    assert "Người nhận:         Hoa <hoa>\r\n" in part(mail, "plain")
    assert "Hoa &lt;hoa&gt;" in part(mail, "html")


@pytest.mark.parametrize(
    ("language", "before", "says"),
    [
        ("vi", 0.99981, "Khả dụng từ đầu tháng: 99,871 % (trước sự cố 99,981 %); không dùng được tổng cộng 53 phút."),
        ("vi", None, "Khả dụng từ đầu tháng: 99,871 %; không dùng được tổng cộng 53 phút."),
        ("en", 0.99981, "Available this month: 99.871 % (before: 99.981 %), down for 53 min in all."),
    ],
)
def test_the_mail_of_a_recovery_says_what_the_incident_took(language: str, before: float | None, says: str) -> None:
    told = notification(Happening.RECOVERED, replace(ON_CALL, language=language))
    cost = Cost(before=before, after=0.99871, down=timedelta(minutes=53))
    mail = WRITER.compose(told, INVENTORY, NOW, cost)
    assert f"\r\n\r\n{says}\r\n" in part(mail, "plain").replace("\n", "\r\n").replace("\r\r", "\r")
    assert says in html.unescape(part(mail, "html"))
    assert "Khả dụng" not in part(sent(notification(Happening.RECOVERED)), "plain")


@pytest.mark.parametrize("name", ["Xã Kim Đông", f"Xã {'Kim Đông ' * 12}".strip()], ids=["short", "long"])
def test_the_page_has_the_whole_headline_of_which_the_subject_is_cut(name: str) -> None:
    sites = {**INVENTORY.sites, "xa-kim-dong": replace(INVENTORY.sites["xa-kim-dong"], name=name)}
    mail = sent(notification(incident=replace(INCIDENT, root="xa-kim-dong/tslcd")), replace(INVENTORY, sites=sites))
    assert len(mail["Subject"]) <= SUBJECT_LENGTH
    assert mail["Subject"].endswith("…") == (len(name) > SUBJECT_LENGTH)
    (headline,) = re.findall(r"<td style=\"background:[^>]*>([^<]*)</td>", part(mail, "html"))
    assert name in headline


def test_no_mail_names_a_file_that_its_reader_cannot_see() -> None:
    templates = [each for each in compose.OURS.rglob("*.*") if ".yaml" in each.read_text(encoding="utf-8")]
    assert templates == []


def test_answers_go_to_who_reads_them() -> None:
    mail = composer(reply_to="Kíp trực NOC <truc@noc.example.org>").compose(notification(), inventory(), NOW)
    assert mail["Reply-To"] == "Kíp trực NOC <truc@noc.example.org>"
    assert composer().compose(notification(), inventory(), NOW)["Reply-To"] is None
