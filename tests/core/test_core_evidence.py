"""Evidence in Vietnamese: nothing that probes and judge write is forgotten, and nothing that peers write does harm."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.evidence import LONGEST, in_vietnamese
from monitor.core.evidence_vi import SENTENCES
from monitor.core.words import EN, VI
from probes.engine.values import MEASURES, Measured
from probes.registry import _ERRNO_REASONS
from tests.core.evidence_code import ROOT, WRITERS, texts

TECHNICAL = {
    "byte", "camera", "community", "content", "cookie", "fingerprint", "header", "hop", "length", "limit", "magic", "max", "ms",
    "namespace", "net", "ping", "resource", "socket", "sysctl",
}  # fmt: skip
"""Words that Vietnamese engineers say in English."""

THEIRS = {"channel", "example", "free", "garbage", "guest", "meet", "monitor", "service", "unavailable"}
"""Words of peers in docs/signalling.md."""

NO_EVIDENCE: Mapping[str, tuple[str, ...]] = {
    # Said to who writes the inventory, or starts a reflector.
    "probes/engine/connection.py": ("`7` is no name of a host",),
    "probes/engine/reflector.py": ("a reflector without a key answers only networks that are named",),
    "probes/engine/stamp_sender.py": ("a key has at least 7 characters: openssl rand -hex 32",),
    "probes/engine/told.py": ("`7` is no path: write names with / between them, such as Status/Audio/Volume",),
    "probes/h323.py": ("an alias is made of printable characters of the Basic Multilingual Plane",),
    "probes/http.py": (
        "expected an address such as https://name/path",
        "no user or password in an address: everybody who may read the inventory would have it",
        "`7` is no name of a header",
        "header `7` holds what no header may hold: line breaks, or letters beyond latin-1",
    ),
    "probes/registry.py": (
        "write where the secret is, never the secret itself: {file: NAME} or {env: NAME}",
        "name of a file in the folder of secrets, or of systemd's credentials",
        "name of a variable of the environment",
        "expected a bandwidth such as 512k, 50M or 1G (bits per second)",
        "`7` is not an object id: write numbers with dots between them, such as 1.3.6.1.4.1.14988",
        "probe kind 7 is registered twice: by 7 and by 7",
    ),
    "probes/webrtc_room.py": (
        "expected an address such as https://meet.example.org/room",
        "`7` is no name of a host",
        "no user or password in an address: everybody who may read the inventory would have it",
    ),
    # The help of metrics, steps of a trace, the key of what is remembered.
    "probes/engine/lastcall.py": (
        "The worst read of it.",
        "Mean jitter of what a room received in its last call.",
        "First read that found the room in its last call, Unix time.",
        "Last read that found the room in its last call, Unix time.",
    ),
    "probes/media.py": (
        "7 packets of 7 bytes, DSCP 7",
        "7 of 7 lost, 7 late, 7 overtaken",
        "DSCP 7 arrives 7 as 7",  # is evidence, but its words come out of a loop: see REAL
    ),
    "probes/snmp.py": ("port 7",),
    "probes/wire/stamp.py": ("7 bytes", "a TLV that does not end", "a reply, and no test packet"),
    # Said to the peer.
    "probes/wire/sip.py": (
        "Via: SIP/2.0/7 7;branch=7;rport",
        "From: <sip:commune-monitor@7>;tag=7",
        "Contact: <sip:commune-monitor@7>",
        "Accept: application/sdp",
        "User-Agent: commune-monitor",
    ),
    "probes/wire/xmpp.py": (
        '<auth xmlns="7" mechanism="ANONYMOUS">7</auth>',
        '<close xmlns="7"/>',
        '<iq xmlns="7" type="set" id="bind"><bind xmlns="7"/></iq>',
        '<open xmlns="7" to=7 version="1.0"/>',
        '<iq xmlns="7" type="get" id="ice" to=7><services xmlns="7"/></iq>',
    ),
}

REAL = {
    "ninh-binh/tslcd: no echo from 10.0.0.1 within 1 s": "ninh-binh/tslcd: 10.0.0.1 không trả lời ping trong 1 s",
    "10.0.0.2 says about 10.0.0.1: host unreachable": "10.0.0.2 cho biết về 10.0.0.1: không tới được máy (host unreachable)",
    'loss_ratio 0.25, above 0.05; echo from 10.0.0.1 in 12.30 ms':
        "loss_ratio 0.25, trên ngưỡng 0.05; 10.0.0.1 trả lời ping sau 12.30 ms",
    'probe_icmp_duration_seconds{phase="rtt"} 0.062, usual at this hour 0.012':
        'probe_icmp_duration_seconds{phase="rtt"} 0.062, thường ngày vào giờ này là 0.012',
    "not observed since 02:10:00 UTC": "không có kết quả kiểm tra từ 02:10:00 UTC",
    "Connection refused at 10.0.0.1 port 443: nobody listens there, or a firewall says so":
        "từ chối kết nối (Connection refused) tại 10.0.0.1 cổng 443: "
        "không có gì nhận kết nối ở đó, hoặc tường lửa từ chối thay",
    "no answer within 5 s, still waited for: TLS; the connection is open":
        "không trả lời trong 5 s, vẫn đang chờ: TLS; kết nối đã mở",
    "we were held up for 1.2 s ourselves: no answer within 5 s": "chính trạm giám sát bị chậm 1.2 s: không trả lời trong 5 s",
    "GET https://a.vn/x → 503 Service Unavailable in 0.10 s": "GET https://a.vn/x → 503 Service Unavailable sau 0.10 s",
    "xa/website: GET https://a.vn → 200 in 0.10 s, but the page does not hold “no; answer: x, y”":
        "xa/website: GET https://a.vn → 200 sau 0.10 s, nhưng trang không có “no; answer: x, y”",
    "certificate not trusted: Hostname mismatch, certificate is not valid for 'a.vn'.":
        "chứng thư số không được tin cậy: cấp cho tên khác, không phải 'a.vn' (Hostname mismatch)",
    "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)":
        "không bắt tay được TLS [SSL: WRONG_VERSION_NUMBER] (wrong version number, _ssl.c:1006)",
    "after banner: 554 5.7.1 no route; connection refused, sorry":
        "sau bước banner: 554 5.7.1 no route; connection refused, sorry",
    "up 3 d 4 h; port line of Gi0/2 (Gi0/2) is down; on battery, 12 minutes left, the battery must be replaced; 62.4 °C at CPU":
        "đã chạy 3 ngày 4 giờ; cổng line of Gi0/2 (Gi0/2) bị ngắt; đang chạy bằng ắc quy, còn khoảng 12 phút, ắc quy cần thay; "
        "62.4 °C tại CPU",
    "no port wan1; the device has lan1, lan2": "không có cổng wan1; thiết bị có lan1, lan2",
    "no SNMP answer, 3 tries; a wrong community looks the same": "không trả lời SNMP, đã hỏi 3 lần; sai community cũng như vậy",
    "R 62, MOS 3.2, 2.0% lost on the way back, jitter 3.1 ms, round trip 20.0 ms, DSCP 46 arrives there as 0, DSCP 34 arrives back as 0":
        "R 62, MOS 3.2, mất 2.0% gói ở chiều về, dao động trễ 3.1 ms, khứ hồi 20.0 ms, DSCP 46 tới nơi thành 0 ở chiều đi, "
        "DSCP 34 tới nơi thành 0 ở chiều về",
    "1443 bytes pass whole, larger ones vanish without a word, DSCP 46 is lost on the way back, DSCP 34 is kept":
        "gói 1443 byte đi qua nguyên vẹn, gói lớn hơn mất mà không ai báo, DSCP 46 bị mất ở chiều về, DSCP 34 được giữ nguyên",
    "last call 27/11 08:00 to 09:30 (UTC+0700), lost 4 %, at worst 9 %, jitter 12 ms, at worst 40 ms; room muted 1; room loss 0 %":
        "cuộc gọi gần nhất 27/11 08:00 đến 09:30 (UTC+0700), mất gói 4 %, cao nhất 9 %, dao động trễ 12 ms, cao nhất 40 ms; "
        "micro phòng họp tắt tiếng: 1; phòng họp mất gói 0 %",
    "its registrar 10.9.0.5 does not know it: 404 Not Found (kamailio)":
        "máy chủ đăng ký 10.9.0.5 không biết phòng này: 404 Not Found (kamailio)",
    "its registrar 10.9.0.5 answers (200 OK), but for 101 comes its registrar 10.9.0.5: 500 Oops":
        "máy chủ đăng ký 10.9.0.5 trả lời (200 OK), nhưng về 101 lại báo máy chủ đăng ký 10.9.0.5: 500 Oops",
    "alive, but wants credentials: 401 Unauthorized, not again before 30 s":
        "có hoạt động, nhưng đòi thông tin đăng nhập: 401 Unauthorized, hẹn hỏi lại sau 30 s",
    "its gatekeeper 10.9.0.6: the gatekeeper does not tell: requestDenied":
        "máy chủ đăng ký H.323 10.9.0.6: máy chủ đăng ký H.323 không cho biết: requestDenied",
    "its registrar 10.9.0.5 says that it is busy: 486 Busy Here":
        "máy chủ đăng ký 10.9.0.5 báo phòng này đang bận: 486 Busy Here",
    "no guest may log in: the signalling offers nothing": "khách không được vào: kênh báo hiệu không có cách đăng nhập nào",
    "1400 bytes pass whole, this host refuses more": "gói 1400 byte đi qua nguyên vẹn, chính trạm giám sát không gửi gói lớn hơn",
    "GET http://mẫu.vn/tin tức → 404 Not Found in 0.10 s": "GET http://mẫu.vn/tin tức → 404 Not Found sau 0.10 s",
    "supply Black Cartridge 55 20 %; value disk 0 6; disk C: Label 7 91 %; alarms fan 2 tray 1; disk D: 9 %":
        "mực Black Cartridge 55 còn 20 %; giá trị disk 0: 6; ổ đĩa C: Label 7 91 %; bộ phận báo hỏng fan 2 tray: 1; ổ đĩa D: 9 %",
    "the answer to GET /Status: the page is larger than 9 bytes": "câu trả lời cho GET /Status: trang lớn hơn 9 byte",
    "0 bytes read on a total of 2 expected bytes": "mới nhận 0 trong 2 byte thì hết",
    "answers message 0x7f": "trả lời bản tin 0x7f",
    "confirmed of Tỉnh": "đã xác nhận, Tỉnh",
    "answers Release Complete, cause 16, call state 3": "trả lời Release Complete, nguyên nhân 16, trạng thái cuộc gọi 3",
    "1 of 2 STUN and TURN servers does not work: TURN meet.example:3478 over UDP: at none of 2 addresses: Connection refused":
        "1 trong 2 máy chủ STUN, TURN không hoạt động: TURN meet.example:3478 qua UDP: không được ở địa chỉ nào trong 2 địa chỉ: "
        "từ chối kết nối (Connection refused)",
    "the page and the signalling answer, the certificate is good for 30 days, 2 STUN and TURN servers work":
        "trang và kênh báo hiệu trả lời, chứng thư số còn hạn 30 ngày, 2 máy chủ STUN, TURN hoạt động",
    "KeyError: 'missing'": "KeyError: 'missing'",
    "220 mx.a.vn ESMTP ready": "220 mx.a.vn ESMTP ready",
    "Lỗi": "Lỗi",
    "": "",
}  # fmt: skip
"""Of the probes, put together as they and the judge do it, and what is shown of it."""


def left_in_english(english: str) -> set[str]:
    """Words that are the same in Vietnamese; what is kept in brackets, to be searched for, is none."""
    shown = re.sub(r" \(([^)]*)\)", lambda kept: "" if kept[1] in english else kept[0], in_vietnamese(english))
    return {*re.findall(r"\b[a-z]{2,}\b", english)} & {*re.findall(r"\b[a-z]{2,}\b", shown)} - TECHNICAL


@pytest.mark.parametrize("path", WRITERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_whatever_the_code_can_write_as_evidence_has_its_vietnamese(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    none = NO_EVIDENCE.get(name, ())
    found = list(texts(path))
    asked = ((line, text, left_in_english(text)) for line, text in found if text not in none)
    missing = [f"{name}:{line}: {text!r} keeps {sorted(left)}" for line, text, left in asked if left]
    assert not missing, "add them to monitor/core/evidence_vi.py, or say in NO_EVIDENCE why nobody sees them"
    assert {*none} <= {text for _, text in found}, "it is no longer in the code"


def test_the_walk_through_the_code_finds_what_is_there() -> None:
    found = {text for path in WRITERS for _, text in texts(path)}
    assert {
        "no answer within 7 s, still waited for: 7", "port 7 is down", "on battery, 7 minutes left", "7 7, usual at this hour 7",
        "registered, calls go to 7:7", "does not know 7 any more", "host unreachable", "alive, but wants a log-in: 7",
    } <= found  # fmt: skip
    assert len(found) > 300


@pytest.mark.parametrize("metric", MEASURES)
def test_what_a_device_tells_of_itself_has_its_vietnamese(metric: str) -> None:
    said = str(Measured(metric, "7" if MEASURES[metric].label else "", 1.0))
    assert in_vietnamese(said) != said
    assert not left_in_english(said)


@pytest.mark.parametrize("number", [*_ERRNO_REASONS, errno.EMFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL])
def test_errors_of_the_system_are_told_in_vietnamese_and_can_be_searched_for(number: int) -> None:
    english = os.strerror(number)
    assert in_vietnamese(english).endswith(f" ({english})")


def test_both_sides_of_a_sentence_have_the_same_places() -> None:
    for english, vietnamese in SENTENCES.items():
        there, here = ([part for part in Formatter().parse(each) if part[1]] for each in (english, vietnamese))
        assert sorted(name for _, name, *_ in there) == sorted(name for _, name, *_ in here), english
        assert {kind for _, _, kind, _ in there} <= {"", "n", "w", "as-is", "all"}, english
        assert not any(kind for _, _, kind, _ in here), vietnamese
        assert all(text for text, *_ in there[1:]), f"two places that touch cannot be told apart: {english}"


@pytest.mark.parametrize(("english", "vietnamese"), REAL.items())
def test_real_evidence_is_told_in_vietnamese(english: str, vietnamese: str) -> None:
    assert in_vietnamese(english) == vietnamese


def test_what_real_rooms_and_servers_were_seen_to_do_keeps_only_their_own_words() -> None:
    """The table of docs/signalling.md, which another test holds against real peers; it leaves ports out."""
    rows = [row.split(" | ") for row in (ROOT / "docs/signalling.md").read_text(encoding="utf-8").splitlines()]
    seen = {row[4].removesuffix(" |") for row in rows if len(row) == 5 and row[3].startswith("`")}
    assert len(seen) > 50
    for each in seen:
        ours = re.sub(r"\b[1-6]\d\d [A-Z][^,;()]*", "7 ", each.replace("at 127.0.0.1:", "at 127.0.0.1 port 7:"))
        assert left_in_english(ours) <= THEIRS, in_vietnamese(ours)


def test_only_who_reads_vietnamese_gets_it() -> None:
    assert (VI.seen("silence"), EN.seen("silence")) == ("im lặng", "silence")


@given(
    st.lists(
        st.one_of(st.sampled_from([*SENTENCES, "; ", ": ", ", ", " is down", " of ", "“", "”", "{", "}"]), st.text())
    )
)
def test_no_text_breaks_it(pieces: list[str]) -> None:
    in_vietnamese("".join(pieces))


@pytest.mark.parametrize(
    "piece",
    [": ", "; ", ", ", "a: ", "a; b, c: ", "7 says ", " at 7 port 7", "alive, but ", ", but ", "its registrar 7 ", "answers ", "“", "9",
     "we were held up for 1 s ourselves: ", "{", "{seen}", "\\1", " ", "port ", " is down", "7, above 7", "GET a → ", "[SSL: "],
)  # fmt: skip
def test_a_peer_cannot_make_it_slow(piece: str) -> None:
    text = piece * (2 * LONGEST // len(piece))
    began = time.process_time()
    shown = in_vietnamese(text)
    assert time.process_time() - began < 0.5
    assert shown.endswith(text[LONGEST:])
