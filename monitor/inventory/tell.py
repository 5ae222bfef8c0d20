"""A plan as text for people, in Vietnamese and English; what many entries have in common is told once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.inventory.diff import Audience, Changes, Plan

NAMED = 6
"""So many entries of a group are named; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentences:
    """The texts of one language."""

    tables: Mapping[str, str]
    """What the entries of a table are called, with their number."""
    nothing: str
    more: str
    none: str
    checks: str
    anew: str
    series: str
    duty: str
    told: str
    told_later: str
    more_targets: str
    fewer_targets: str
    unheard: str
    withdrawn: str
    restart: str
    keys: Mapping[str, str] = field(default_factory=dict)
    """What people call the keys of the files; a key that is missing is shown as it is written."""
    values: Mapping[str, str] = field(default_factory=dict)
    """The same of values."""
    point: str = "."
    """Before the decimals."""


VI = Sentences(
    tables={
        "sites": "địa điểm ({n})",
        "providers": "nhà cung cấp ({n})",
        "targets": "đối tượng ({n})",
        "maintenance": "việc bảo trì ({n})",
        "meetings": "cuộc họp ({n})",
        "contacts": "người nhận thư ({n})",
        "rotas": "lịch trực ({n})",
    },
    nothing="Không có gì thay đổi.",
    more="và {n} mục nữa",
    none="(trống)",
    checks="Phép kiểm tra: {before} → {after} ({slow} → {fast} lần mỗi giây)",
    anew="Phép kiểm tra bắt đầu đếm lại từ đầu, vì được hỏi khác trước ({n}): {ids}",
    series="Chuỗi số liệu Prometheus: khoảng {before} → {after}",
    duty="Đang trực {rota}: {before} → {after}",
    told="Thư cho {contact}: {what}",
    told_later="Thư cho {contact} khi sau {after} chưa có ai nhận: {what}",
    more_targets="thêm đối tượng ({n}: {ids})",
    fewer_targets="bớt đối tượng ({n}: {ids})",
    unheard="CHÚ Ý: không ai nhận thư về các đối tượng này ({n}): {ids}",
    withdrawn="Sự cố đang mở sẽ được rút lại: {id} ({root})",
    restart="Chỉ có hiệu lực sau khi khởi động lại dịch vụ, trong settings.yaml: {keys}",
    keys={
        "name": "tên",
        "code": "mã hành chính",
        "area": "khu vực",
        "kind": "nhóm",
        "latitude": "vĩ độ",
        "longitude": "kinh độ",
        "contact": "người liên hệ",
        "networks": "mạng",
        "label": "tên gọi",
        "address": "địa chỉ",
        "behind": "nối qua",
        "checks": "phép kiểm tra",
        "vantage": "cổng ra của trạm giám sát",
        "provider": "nhà cung cấp",
        "circuit": "mã kênh",
        "bandwidth": "băng thông",
        "model": "kiểu máy",
        "severity": "mức độ",
        "hotline": "đường dây nóng",
        "email": "thư điện tử",
        "tell": "báo cho nhà cung cấp",
        "promised": "cam kết",
        "probe": "cách hỏi",
        "options": "tùy chọn",
        "interval": "chu kỳ",
        "timeout": "chờ tối đa",
        "confirm": "số lần xác nhận",
        "when_failed": "khi hỏng",
        "limits": "ngưỡng",
        "window": "số lần xét",
        "above": "cao hơn",
        "below": "thấp hơn",
        "clear": "hết khi",
        "above_usual": "gấp mức thường",
        "at_least": "ít nhất",
        "start": "bắt đầu",
        "lasts": "kéo dài",
        "targets": "đối tượng",
        "title": "tên cuộc họp",
        "importance": "mức quan trọng",
        "rooms": "phòng họp",
        "sessions": "các buổi",
        "except": "trừ",
        "also": "thêm buổi",
        "owner": "người phụ trách",
        "reports": "báo cáo trước",
        "language": "ngôn ngữ",
        "quiet": "giờ yên tĩnh",
        "hours": "giờ",
        "at_once": "báo ngay từ mức",
        "storm": "giới hạn thư",
        "mails": "số thư",
        "within": "trong vòng",
        "summaries": "thư tổng hợp",
        "daily": "hằng ngày",
        "monthly": "hằng tháng",
        "causes": "nguyên nhân",
        "areas": "khu vực",
        "sites": "địa điểm",
        "kinds": "nhóm",
        "providers": "nhà cung cấp",
        "people": "người trực",
        "starts": "bắt đầu",
        "turn": "đổi ca",
        "overrides": "trực thay",
        "remind": "nhắc lại sau",
        "remind_acknowledged": "nhắc lại sau, khi đã có người nhận",
        "escalation after": "báo thêm sau",
    },
    values={"yes": "có", "True": "có", "False": "không", "(secret)": "(bí mật)"},
    point=",",
)

EN = Sentences(
    tables={
        "sites": "sites ({n})",
        "providers": "providers ({n})",
        "targets": "targets ({n})",
        "maintenance": "maintenance ({n})",
        "meetings": "meetings ({n})",
        "contacts": "contacts ({n})",
        "rotas": "rotas ({n})",
    },
    nothing="Nothing changes.",
    more="and {n} more",
    none="(none)",
    checks="Checks: {before} → {after} ({slow} → {fast} a second)",
    anew="Checks that begin to count anew, for they are asked otherwise ({n}): {ids}",
    series="Series of Prometheus: about {before} → {after}",
    duty="On duty of {rota} now: {before} → {after}",
    told="Mail to {contact}: {what}",
    told_later="Mail to {contact} when nobody has it after {after}: {what}",
    more_targets="more targets ({n}: {ids})",
    fewer_targets="fewer targets ({n}: {ids})",
    unheard="NOTE that nobody is mailed of these targets ({n}): {ids}",
    withdrawn="An open incident will be withdrawn: {id} ({root})",
    restart="Only a restart takes these over, of settings.yaml: {keys}",
)

TOLD = {"vi": VI, "en": EN}


def tell(plan: Plan, words: Sentences) -> Iterator[str]:
    """The plan, line by line."""
    if plan.empty:
        yield words.nothing
        return
    for name in words.tables:
        yield from _table(getattr(plan, name), words.tables[name], words)
    before, after = plan.before, plan.after
    slow, fast = (f"{each.per_second:.1f}".replace(".", words.point) for each in (before, after))
    yield words.checks.format(before=before.checks, after=after.checks, slow=slow, fast=fast)
    if plan.anew:
        yield words.anew.format(n=len(plan.anew), ids=_named(plan.anew, words))
    yield words.series.format(before=before.series, after=after.series)
    for rota, (was, is_) in plan.duty.items():
        yield words.duty.format(rota=rota, before=was, after=is_)
    for contact, each in plan.audience.items():
        yield words.told.format(contact=contact, what=_heard(each, words))
    for step, audiences in plan.steps.items():
        for contact, each in audiences.items():
            yield words.told_later.format(contact=contact, after=step, what=_heard(each, words))
    if plan.unheard:
        yield words.unheard.format(n=len(plan.unheard), ids=_named(plan.unheard, words))
    for incident in plan.withdrawn:
        yield words.withdrawn.format(id=incident.id, root=incident.root)
    if plan.restart:
        yield words.restart.format(keys=", ".join(plan.restart))


def _heard(audience: Audience, words: Sentences) -> str:
    parts = ((words.more_targets, audience.more), (words.fewer_targets, audience.fewer))
    return "; ".join(text.format(n=len(ids), ids=_named(ids, words)) for text, ids in parts if ids)


def _table(changes: Changes, called: str, words: Sentences) -> Iterator[str]:
    for sign, ids in (("+", changes.added), ("-", changes.removed)):
        if ids:
            yield f"{sign} {called.format(n=len(ids))}: {_named(ids, words)}"
    moved = [f"{old} → {new}" for old, new in changes.renamed.items()]
    if moved:
        yield f"= {called.format(n=len(moved))}: {_named(moved, words)}"
    alike: dict[tuple[tuple[str, tuple[str, str]], ...], list[str]] = defaultdict(list)
    for id_, keys in changes.changed.items():
        alike[tuple(keys.items())].append(id_)
    for same, alike_ids in alike.items():
        yield f"~ {called.format(n=len(alike_ids))}: {_named(alike_ids, words)}"
        for key, (old, new) in same:
            yield f"    {_key(key, words)}: {_value(old, words)} → {_value(new, words)}"


def _key(key: str, words: Sentences) -> str:
    """The way to a key: `checks.echo.interval`."""
    parts = []
    for part in key.split("."):
        step, after, span = part.partition("escalation after ")
        parts.append(
            f"{words.keys.get(after.rstrip(), after.rstrip())} {span}"
            if after and not step
            else words.keys.get(part, part)
        )
    return ".".join(parts)


def _value(text: str, words: Sentences) -> str:
    return words.values.get(text, text) or words.none


def _named(ids: Sequence[str], words: Sentences) -> str:
    more: Iterable[str] = (words.more.format(n=len(ids) - NAMED),) if len(ids) > NAMED else ()
    return ", ".join((*ids[:NAMED], *more))
