"""Why an incident was told as it was: its events as sentences for an engineer, in Vietnamese and English.

The correlator notes keys and figures (`Explanation`); a key that has no sentence is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.core.model import Common, Explanation, Held, Incident, IncidentEvent, Threat
from monitor.core.words import Words

EXPLAINED_ROOMS = 12
"""Rooms of a meeting that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The texts of one language."""

    happenings: Mapping[str, str]
    waited: Mapping[str, str]
    looks: Mapping[str, str]
    """By `rule/because`, and by `because` where all rules say the same."""
    commons: Mapping[str, str]
    considered: Mapping[str, str]
    told: str
    since: str
    fronts: str
    no_front: str
    asked: str
    left_out: str
    rules: str
    fits: str
    not_: str
    common: str
    compared: str
    incidents: str
    unrelated: str
    nothing: str
    severity: str
    root: str
    hurt: str
    lowered: str
    raised: str
    hurried: str
    meeting: str
    runs: str
    more: str


VI = Sentences(
    happenings={
        "opened": "mở sự cố",
        "changed": "xác định lại",
        "recovered": "đã khôi phục",
        "reopened": "tái diễn",
        "withdrawn": "rút lại",
        "acknowledged": "đã có người nhận",
        "unacknowledged": "không còn người nhận",
    },
    waited={
        "often": "chờ {seconds} giây để xem những gì hỏng cùng lúc",
        "slow": "chờ {seconds} giây, vì đối tượng này không được hỏi thường xuyên: các đối tượng cùng loại cần được hỏi lại",
        "path": "chờ {seconds} giây, vì mất gói và trễ hiện ra không cùng lúc dọc theo đường truyền",
        "grace": "chờ {seconds} giây, vì đường đi vừa thông trở lại, đối tượng cần được hỏi lại",
        "planned": "chờ {seconds} giây, vì đang trong thời gian bảo trì",
        "root-well": "chờ {seconds} giây: gốc sự cố trước đó đã tốt mà đối tượng này vẫn hỏng",
        "settle": "sau đó giữ tốt liên tục {seconds} giây",
    },
    looks={
        "gateway": "{0} là cổng ra của chính trạm giám sát",
        "no-gateway": "không phải cổng ra của trạm giám sát",
        "says-battery": "{0} tự báo đang chạy bằng ắc quy",
        "battery-lately": "{0} báo chạy bằng ắc quy cách đây {1} giây và chưa báo có điện lại",
        "no-battery": "không có UPS nào tại chỗ báo chạy bằng ắc quy",
        "battery-long-ago": "UPS báo chạy bằng ắc quy đã {0} giây trước: quá lâu",
        "elsewhere": "dịch vụ đặt ở nơi khác, không dùng điện và đường truyền tại chỗ",
        "not-down": "đối tượng chưa ngừng hẳn",
        "lines-up": "mới {0}/{1} đường truyền tại chỗ ngừng",
        "lines-apart": "cả {0} đường truyền ngừng nhưng cách nhau {1} giây",
        "lines-together": "cả {0} đường truyền ngừng trong vòng {1} giây; đầu cuối đều nằm trên {2}",
        "no-router": "không có thiết bị nào đứng sau các đường truyền",
        "front": "{0} ở phía trước cũng hỏng và giải thích được",
        "no-front": "không có gì phía trước hỏng mà giải thích được",
        "not-the-way": "lỗi này không thể do đường đi gây ra",
        "link": "{0} là đường truyền",
        "service": "{0} là dịch vụ",
        "device": "{0} là thiết bị",
        "sites": "sau {0} có {1} điểm khác",
        "few-sites": "sau {0} có {1} điểm khác, chưa đủ",
        "switch": "{0} là bộ chuyển mạch, các thiết bị sau nó cũng mất",
        "no-switch": "{0} không phải bộ chuyển mạch có thiết bị phía sau bị mất",
        "common": "các đối tượng cùng hỏng có chung một điểm, xem so sánh bên dưới",
        "uncommon": "không tìm thấy điểm chung với các đối tượng khác cùng hỏng",
        "others-up": "{0} vẫn ngừng còn {1} đường kia đã thông lâu hơn thời gian chờ",
        "came-back": "sự cố cũ lặp lại, lần thứ {0}; lần này phải tốt liên tục {1} giây mới coi là hết",
        "part": "sự cố đã báo ở {0} chỉ là một phần của sự cố này ({1} sự cố được gộp)",
        "part-of": "là một phần của sự cố tại {0} ({1})",
        "root-gone": "{0} không còn trong danh mục",
        "well": "gốc sự cố và các phần của nó đã tốt",
        "parts-ill": "gốc sự cố đã tốt; vẫn còn hỏng vì lý do riêng: {0}",
        "worse/down": "{0} từ suy giảm thành ngừng",
        "rose": "nặng hơn mức đã báo: từ {0} lên {1}",
    },
    commons={
        "fits": "phù hợp",
        "few": "quá ít đối tượng có điểm này bị hỏng",
        "others-well": "quá nhiều đối tượng có điểm này vẫn tốt",
        "elsewhere": "quá nhiều đối tượng không có điểm này cũng hỏng",
        "chance": "có thể chỉ là ngẫu nhiên",
    },
    considered={
        "front-explains-not": "gốc ở phía trước nhưng không giải thích được lỗi này",
        "too-late": "có chung điểm đó nhưng hỏng muộn hơn",
        "same-site": "cùng một nơi nhưng là nguyên nhân khác",
    },
    told="{at}  {what}: {root}, {cause} (quy tắc {why})",
    since="từ {since}",
    fronts="Phía trước lúc đó:",
    no_front="Phía trước không có gì.",
    asked="Đã hỏi lại ngay: {targets}",
    left_out="(không liệt kê {count} đối tượng nữa)",
    rules="Các quy tắc theo thứ tự:",
    fits="đúng",
    not_="không",
    common="So sánh với các đối tượng cùng loại:",
    compared="{by}: hỏng {hurt}/{of}, các đối tượng khác {elsewhere}/{others}{chance}: {because}",
    incidents="Sự cố đang mở đã xem xét:",
    unrelated="Sự cố khác đang mở, không liên quan: {count}.",
    nothing="Không lưu lời giải thích (phiên bản cũ).",
    severity="Mức độ {severity}: {from_}{lowered}{raised}.",
    root="theo chính {target}",
    hurt="theo {target} bị ảnh hưởng nặng nhất",
    lowered=", hạ một bậc vì chỉ suy giảm",
    raised=", nâng một bậc vì {communes} xã, phường bị ảnh hưởng",
    hurried=", nâng một bậc vì cuộc họp quan trọng {meeting} đang diễn ra hoặc bắt đầu trong vòng một giờ",
    meeting="Đe doạ cuộc họp {title} ({meeting}), {when}{runs}: {rooms}",
    runs=", khi đó đang họp",
    more=" và {count} phòng nữa",
)

EN = Sentences(
    happenings={
        "opened": "opened",
        "changed": "recognised anew",
        "recovered": "recovered",
        "reopened": "came back",
        "withdrawn": "withdrawn",
        "acknowledged": "acknowledged",
        "unacknowledged": "given back",
    },
    waited={
        "often": "it waited {seconds} s, so that what failed with it could be seen",
        "slow": "it waited {seconds} s, for it is asked only now and then: others of its kind had to be asked",
        "path": "it waited {seconds} s, for loss and delay show at different times along a line",
        "grace": "it waited {seconds} s, for the way had just come back and it had to be asked again",
        "planned": "it waited {seconds} s, for it was in maintenance",
        "root-well": "it waited {seconds} s: the root of the incident before was well, and this still was not",
        "settle": "and stayed well for {seconds} s",
    },
    looks={
        "gateway": "{0} is the monitor's own gateway",
        "no-gateway": "it is not the monitor's own gateway",
        "says-battery": "{0} itself reports running on battery",
        "battery-lately": "{0} reported running on battery {1} s ago and has not been well since",
        "no-battery": "no UPS of the site has reported running on battery",
        "battery-long-ago": "the UPS reported running on battery {0} s ago: too long",
        "elsewhere": "the service is hosted elsewhere and has neither power nor lines of its site",
        "not-down": "it is not down",
        "lines-up": "{0} of {1} lines of the site are down",
        "lines-apart": "all {0} lines are down, but {1} s apart",
        "lines-together": "all {0} lines went down within {1} s; their far ends are on {2}",
        "no-router": "no device is behind the lines",
        "front": "{0} in front of it is bad as well and explains it",
        "no-front": "nothing in front of it is bad in a way that explains it",
        "not-the-way": "no trouble of the way can make it look like this",
        "link": "{0} is a line",
        "service": "{0} is a service",
        "device": "{0} is a device",
        "sites": "{1} other sites are behind {0}",
        "few-sites": "{1} other sites are behind {0}, too few",
        "switch": "{0} is a switch, and something behind it is gone too",
        "no-switch": "{0} is no switch with something gone behind it",
        "common": "what failed together has something in common, see the numbers below",
        "uncommon": "nothing in common with others that failed with it",
        "others-up": "{0} is still down while the {1} others have been up for longer than the settling time",
        "came-back": "the same incident once more ({0} times now): it is over when it was well for {1} s",
        "part": "the incident that was told at {0} is only a part of this ({1} taken together)",
        "part-of": "it is a part of the incident at {0} ({1})",
        "root-gone": "{0} has left the inventory",
        "well": "the root and all its parts are well",
        "parts-ill": "the root is well; still bad for reasons of their own: {0}",
        "worse/down": "{0} went from degraded to down",
        "rose": "more severe than what was told: from {0} to {1}",
    },
    commons={
        "fits": "fits",
        "few": "too few with it failed",
        "others-well": "too many with it are well",
        "elsewhere": "too many without it failed as well",
        "chance": "may be chance",
    },
    considered={
        "front-explains-not": "its root is in front, but does not explain this",
        "too-late": "has that in common, but failed later",
        "same-site": "at the same site, but another cause",
    },
    told="{at}  {what}: {root}, {cause} (rule {why})",
    since="since {since}",
    fronts="In front of it at that moment:",
    no_front="Nothing is in front of it.",
    asked="Asked again at once: {targets}",
    left_out="({count} more are left out)",
    rules="The rules, in order:",
    fits="yes",
    not_="no",
    common="Compared with others of its kind:",
    compared="{by}: {hurt} of {of} failed, of the others {elsewhere} of {others}{chance}: {because}",
    incidents="Open incidents that were considered:",
    unrelated="Other open incidents that have nothing to do with it: {count}.",
    nothing="No explanation was kept (an older version).",
    severity="Severity {severity}: that of {from_}{lowered}{raised}.",
    root="{target} itself",
    hurt="{target}, which matters most of what it hurts",
    lowered=", one step less, for it is only degraded",
    raised=", one step more, for {communes} communes are hurt",
    hurried=", one step more, for the important meeting {meeting} runs or begins within an hour",
    meeting="Threatens the meeting {title} ({meeting}), {when}{runs}: {rooms}",
    runs=", which ran then",
    more=" and {count} more rooms",
)

SENTENCES: Mapping[str, Sentences] = {"vi": VI, "en": EN}


def explain(event: IncidentEvent, words: Words) -> Iterator[str]:
    """One event as lines: first what happened and when, then why, indented."""
    said, incident, because = SENTENCES[words.language], event.incident, event.because
    yield said.told.format(
        at=words.moment(event.at), what=said.happenings[event.what], root=incident.root,
        cause=words.causes[incident.cause], why=incident.why,
    )  # fmt: skip
    if incident.weight is not None:
        yield f"  {explain_severity(incident, words)}"
    yield from (f"  {_threat(each, event.at, said, words)}" for each in incident.meetings)
    if because is None:
        yield f"  {said.nothing}"
        return
    if because.problem is not None:
        waited = said.waited.get(because.waited, because.waited).format(seconds=f"{because.waited_seconds:.3g}")
        yield f"  {_held(because.problem, said, words)}{f'; {waited}' if waited else ''}"
    yield from _around(because, said, words)
    if because.looks:
        yield f"  {said.rules}"
    for look in because.looks:
        sentence = said.looks.get(f"{look.rule}/{look.because}") or said.looks.get(look.because, look.because)
        of = look.of if look.because != "parts-ill" else (", ".join(look.of),)
        yield f"    {look.rule}: {said.fits if look.fits else said.not_}, {_filled(sentence, of)}"
    if because.commons:
        yield f"  {said.common}"
    yield from (f"    {_compared(each, said)}" for each in because.commons)
    if because.considered:
        yield f"  {said.incidents}"
    for each in because.considered:
        yield f"    {each.incident} ({each.root}): {said.considered.get(each.because, each.because)}"
    if because.unrelated > 0:
        yield f"  {said.unrelated.format(count=because.unrelated)}"


def explain_all(events: Iterable[IncidentEvent], words: Words) -> str:
    """All events of an incident, step by step in time."""
    return "\n".join(line for event in events for line in explain(event, words))


def explain_severity(incident: Incident, words: Words) -> str:
    """Why an incident is as severe as it is, in one sentence; "" when nobody weighed it."""
    said, weight = SENTENCES[words.language], incident.weight
    if weight is None:
        return ""
    return said.severity.format(
        severity=words.severities[incident.severity].lower(),
        from_=(said.root if weight.target == incident.root else said.hurt).format(target=weight.target),
        lowered=said.lowered if weight.lowered else "",
        raised=(said.raised.format(communes=weight.communes) if weight.communes else "")
        + (said.hurried.format(meeting=weight.meeting) if weight.meeting else ""),
    )


def _threat(threat: Threat, at: datetime, said: Sentences, words: Words) -> str:
    more = len(threat.rooms) - EXPLAINED_ROOMS
    return said.meeting.format(
        title=threat.title, meeting=threat.meeting, when=words.session(threat.begins, threat.ends),
        runs=said.runs if threat.begins <= at < threat.ends else "",
        rooms=", ".join(threat.rooms[:EXPLAINED_ROOMS]) + (said.more.format(count=more) if more > 0 else ""),
    )  # fmt: skip


def _around(because: Explanation, said: Sentences, words: Words) -> Iterator[str]:
    """What was in front, and what was asked again; only where a problem was decided on."""
    if because.fronts:
        yield f"  {said.fronts}"
        yield from (f"    {_held(each, said, words)}" for each in because.fronts)
    elif because.waited not in ("", "settle"):
        yield f"  {said.no_front}"
    if because.asked:
        yield f"  {said.asked.format(targets=', '.join(because.asked))}"
    if because.left_out:
        yield f"  {said.left_out.format(count=because.left_out)}"


def _held(held: Held, said: Sentences, words: Words) -> str:
    since = said.since.format(since=words.moment(held.since))
    trouble = "" if held.reason.value == "ok" else f" ({words.trouble(held.reason, held.says)})"
    evidence = f": {words.seen(held.evidence)}" if held.evidence else ""
    return f"{held.target}: {words.states[held.state]} {since}{trouble}{evidence}"


def _compared(common: Common, said: Sentences) -> str:
    shared = common.shared
    return said.compared.format(
        by=", ".join(f"{trait} {value}" for trait, value in shared.by), hurt=shared.hurt, of=shared.of,
        elsewhere=shared.elsewhere, others=shared.others, because=said.commons.get(common.because, common.because),
        chance="" if common.chance is None else f", p = {common.chance:.2g}",
    )  # fmt: skip


def _filled(sentence: str, of: tuple[str, ...]) -> str:
    """The sentence with its parts; one of another version may have fewer than it needs."""
    try:
        return sentence.format(*of)
    except (IndexError, KeyError, ValueError):
        return " ".join((sentence, *of))
