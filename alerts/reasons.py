"""PURE: why somebody is told of an incident or not, in Vietnamese and English; each follows the name of who it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from alerts.routing import Hours, Scope, Shift, Storm
from monitor.core.model import Severity
from monitor.core.words import EN, VI, Words

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """The sentences of one language."""

    words: Words
    every: str
    some: str
    told: str
    late: str
    reminded: str
    after_quiet: str
    daily: str
    storm: str
    on_turn: str
    only: str
    only_hours: str
    traits: Mapping[str, str]
    """What of a scope is narrow, by the name of its field."""

    def wanted(self, scope: Scope) -> str:
        """Why somebody is told whose scope an incident fits."""
        narrow = [self._trait(name, scope) for name in self.traits if _narrow(scope, name)]
        return self.some.format("; ".join(narrow)) if narrow else self.every

    def unwanted(self, scope: Scope, misses: str) -> str:
        """Why somebody is not told, by the field of the scope that it does not fit."""
        return self.only.format(self._trait(misses, scope))

    def nobody_has_it(self, after: timedelta) -> str:
        """Why somebody is told by a step of escalation."""
        return self.late.format(after=self.span(after))

    def still_open(self, every: timedelta) -> str:
        """Why somebody is reminded."""
        return self.reminded.format(every=self.span(every))

    def too_many(self, limit: Storm) -> str:
        """Why somebody gets one mail about many incidents."""
        return self.storm.format(mails=limit.mails, within=self.span(limit.within))

    def span(self, time: timedelta) -> str:
        """A duration, such as `15 phút`."""
        return self.words.lasted(EPOCH, EPOCH + time)

    def not_now(self, hours: Hours) -> str:
        """Why somebody is not told at this hour."""
        return self.only_hours.format(hours.text)

    def on_duty(self, shift: Shift, rest: str) -> str:
        """The same of whom a rota leads to."""
        return self.on_turn.format(rota=shift.rota, until=self.clock(shift.until), rest=rest) if shift.until else rest

    def clock(self, at: datetime) -> str:
        """Time and date to the minute."""
        return self.words.moment(at).replace(":00 ", " ", 1)

    def _trait(self, name: str, scope: Scope) -> str:
        given = getattr(scope, name)
        return self.traits[name].format(", ".join(self._shown(name, [given] if name == "severity" else given)))

    def _shown(self, name: str, values: Iterable[str]) -> Iterable[str]:
        known = {"causes": self.words.causes, "kinds": self.words.kinds, "severity": self.words.severities}.get(
            name, {}
        )
        return (known.get(each, each) for each in values)


def _narrow(scope: Scope, name: str) -> bool:
    return scope.severity is not Severity.MINOR if name == "severity" else bool(getattr(scope, name))


REASONS: Mapping[str, Reasons] = {
    "vi": Reasons(
        words=VI,
        every="được báo mọi sự cố",
        some="được báo các sự cố có {}",
        told="đã được báo về sự cố này",
        late="được báo vì {after} mà chưa có ai nhận sự cố",
        reminded="được nhắc lại sau mỗi {every} khi sự cố chưa khắc phục",
        after_quiet="được gửi thư tổng hợp khi hết giờ yên lặng",
        daily="được gửi thư tổng hợp mỗi ngày về những việc không báo ngay",
        storm="được gửi thư tổng hợp khi có hơn {mails} thư trong {within}",
        on_turn="đang trực ({rota}) đến {until}, {rest}",
        only="chỉ nhận sự cố có {}",
        only_hours="chỉ nhận trong giờ {}",
        traits={
            "causes": "nguyên nhân {}",
            "severity": "mức từ {} trở lên",
            "areas": "khu vực {}",
            "sites": "địa điểm {}",
            "kinds": "loại đối tượng {}",
            "providers": "nhà cung cấp {}",
        },
    ),
    "en": Reasons(
        words=EN,
        every="is told of every incident",
        some="is told of incidents with {}",
        told="was told of this incident",
        late="is told because nobody has had it for {after}",
        reminded="is reminded each {every} while it is open",
        after_quiet="gets a digest at the end of the quiet hours",
        daily="gets a digest each day of what is not told at once",
        storm="gets a summary when there are more than {mails} mails within {within}",
        on_turn="is on duty ({rota}) until {until} and {rest}",
        only="wants only incidents with {}",
        only_hours="wants them only in the hours {}",
        traits={
            "causes": "cause {}",
            "severity": "severity {} or more",
            "areas": "area {}",
            "sites": "site {}",
            "kinds": "kind {}",
            "providers": "provider {}",
        },
    ),
}
