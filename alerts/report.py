"""PURE: the availability report of a month: its figures and tables as values, which each format shows in its own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from alerts.conclusion import Contract, conclusion, contracts
from alerts.figures import in_language
from alerts.tidy import line
from monitor.core.account import Account, Outage, failures
from monitor.core.ledger import ZERO, By, Totals, joined
from monitor.core.model import Inventory
from monitor.core.words import LOCAL, Words

TABLES = ("providers", "lines", "communes", "services", "outages")
WORST = 12
"""So many rows there are on the first page: the providers, and then the worst lines."""


class Form(StrEnum):
    """What the values of a column are, and so how they are written."""

    TEXT = "text"
    COUNT = "count"
    RATIO = "ratio"
    """0 to 1, shown in percent, cut off and not rounded."""
    SPAN = "span"
    MOMENT = "moment"


class Room(IntEnum):
    """How much room there must be for a column."""

    TERMINAL = 1
    PAPER = 2
    SHEET = 3


Value = str | int | float | timedelta | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table."""

    key: str
    """What programs call it."""
    heading: str
    form: Form
    room: Room
    """The least place that has room for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table; what is worst stands first."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def within(self, room: Room) -> Table:
        """The columns that there is room for."""
        kept = [index for index, each in enumerate(self.columns) if each.room <= room]
        return replace(
            self, columns=tuple(self.columns[index] for index in kept),
            rows=tuple(tuple(row[index] for index in kept) for row in self.rows),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number for the head of the centre."""

    label: str
    value: str
    below: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The whole report."""

    title: str
    lead: tuple[str, ...]
    """What it is about: which time, since when it was watched, what is not known."""
    said: tuple[str, ...]
    """What it comes to, and what there is to do."""
    figures: tuple[Figure, ...]
    worst: Table
    tables: tuple[Table, ...]
    """All of TABLES."""
    foot: str
    """How to read it."""

    def table(self, key: str) -> Table:
        """One of TABLES."""
        return next(each for each in self.tables if each.key == key)


# -- words -----------------------------------------------------------------------------------------------------------

_TITLES: Mapping[str, tuple[str, str]] = {
    "providers": ("Nhà cung cấp so với cam kết", "Providers against their contracts"),
    "lines": ("Đường truyền", "Lines"),
    "communes": ("Xã, phường", "Communes"),
    "services": ("Dịch vụ", "Services"),
    "outages": ("Các lần ngừng", "Outages"),
    "worst": ("Đường truyền kém nhất", "The worst lines"),
}
_COLUMNS: Mapping[str, tuple[tuple[str, str], Form, Room]] = {
    "id": (("Mã", "Id"), Form.TEXT, Room.SHEET),
    "name": (("Tên", "Name"), Form.TEXT, Room.TERMINAL),
    "site": (("Địa điểm", "Site"), Form.TEXT, Room.TERMINAL),
    "provider": (("Nhà cung cấp", "Provider"), Form.TEXT, Room.PAPER),
    "circuit": (("Mã kênh", "Circuit"), Form.TEXT, Room.PAPER),
    "lines": (("Số đường", "Lines"), Form.COUNT, Room.TERMINAL),
    "availability": (("Khả dụng", "Available"), Form.RATIO, Room.TERMINAL),
    "availability_net": (("Trừ mất điện, bảo trì", "Without power, works"), Form.RATIO, Room.TERMINAL),
    "promised": (("Cam kết", "Promised"), Form.RATIO, Room.TERMINAL),
    "verdict": (("Kết quả", "Result"), Form.TEXT, Room.TERMINAL),
    "met": (("Đạt", "Met"), Form.COUNT, Room.TERMINAL),
    "missed": (("Không đạt", "Missed"), Form.COUNT, Room.TERMINAL),
    "over": (("Ngừng quá mức", "Down too long by"), Form.SPAN, Room.TERMINAL),
    "least": (("Quá mức ít nhất", "Too long by at least"), Form.SPAN, Room.SHEET),
    "elsewhere": (("Do phía trước ngừng", "By what is in front"), Form.SPAN, Room.SHEET),
    "spare": (("Còn được ngừng", "Could still be down"), Form.SPAN, Room.SHEET),
    "outages": (("Số lần ngừng", "Outages"), Form.COUNT, Room.TERMINAL),
    "longest": (("Lâu nhất", "Longest"), Form.SPAN, Room.PAPER),
    "repair": (("Khắc phục trung bình", "Mean time to repair"), Form.SPAN, Room.PAPER),
    "lost": (("Tổng thời gian ngừng", "Down in all"), Form.SPAN, Room.TERMINAL),
    "unknown": (("Không rõ", "Unknown"), Form.SPAN, Room.PAPER),
    "power": (("Do mất điện", "By power cuts"), Form.SPAN, Room.SHEET),
    "maintenance": (("Do bảo trì", "By works"), Form.SPAN, Room.SHEET),
    "up": (("Bình thường", "Up"), Form.SPAN, Room.SHEET),
    "degraded": (("Suy giảm", "Degraded"), Form.SPAN, Room.SHEET),
    "down": (("Ngừng", "Down"), Form.SPAN, Room.SHEET),
    "unreachable": (("Bị cắt theo", "Cut off"), Form.SPAN, Room.SHEET),
    "watched_since": (("Theo dõi từ", "Watched since"), Form.MOMENT, Room.SHEET),
    "began": (("Bắt đầu", "Began"), Form.MOMENT, Room.TERMINAL),
    "ended": (("Kết thúc", "Ended"), Form.MOMENT, Room.TERMINAL),
    "lasted": (("Kéo dài", "Lasted"), Form.SPAN, Room.TERMINAL),
    "excused": (("Trong đó mất điện, bảo trì", "Of it power, works"), Form.SPAN, Room.PAPER),
    "cause": (("Nguyên nhân", "Cause"), Form.TEXT, Room.TERMINAL),
    "note": (("Ghi chú", "Note"), Form.TEXT, Room.PAPER),
    "incident": (("Mã sự cố", "Incident"), Form.TEXT, Room.TERMINAL),
}
_SAID: Mapping[str, tuple[str, str]] = {
    "title": ("Báo cáo độ khả dụng tháng {month}", "Availability in {month}"),
    "whole": ("Từ {since} đến {until}.", "From {since} to {until}."),
    "part": (
        "Tháng chưa hết: số liệu từ {since} đến {until}.",
        "The month is not over: figures from {since} up to {until}.",
    ),
    "watched": ("Hệ thống giám sát từ {at}.", "Watched since {at}."),
    "watched-later": (
        "Hệ thống giám sát từ {at}; trước đó không có số liệu.",
        "Watched since {at}; nothing is known of the time before.",
    ),
    "unknown": (
        "Không rõ {share} thời gian (trạm giám sát không chạy hoặc chưa kết luận được): không tính là hoạt động, cũng không tính là ngừng.",
        "{share} of the time is unknown (the monitor did not run, or could not tell): it counts neither as up nor as down.",
    ),
    "only": ("Chỉ gồm: {names}.", "Only of: {names}."),
    "met": ("Đạt", "Met"),
    "missed": ("Không đạt", "Missed"),
    "no-data": ("Không có số liệu", "No data"),
    "maintenance": ("bảo trì", "announced work"),
    "short": ("không thành sự cố", "no incident"),
    "from-before": ("đã ngừng từ trước", "down already before"),
    "goes-on": ("chưa khắc phục", "not over"),
    "end-unseen": ("không rõ lúc hết", "end not seen"),
    "all-lines": ("{n} đường truyền", "Lines ({n})"),
    "all-communes": ("{n} xã, phường", "Communes ({n})"),
    "all-services": ("{n} dịch vụ", "Services ({n})"),
    "net": ("{net} nếu trừ mất điện, bảo trì", "{net} without power cuts and works"),
    "contracts": ("Đạt cam kết", "Contracts met"),
    "contracts-below": ("đường truyền có cam kết", "lines with a promise"),
    "outages-figure": ("Lần ngừng đường truyền", "Outages of lines"),
    "outages-below": ("{incidents} sự cố; lâu nhất {longest}", "{incidents} incidents; the longest {longest}"),
    "repair": ("Khắc phục trung bình", "Mean time to repair"),
    "repair-below": ("mỗi lần ngừng đã khắc phục", "of each outage that is over"),
    "foot": (
        "Khả dụng = (bình thường + suy giảm) / thời gian biết rõ. Cam kết được so với số đã trừ mất điện và bảo trì có báo trước. "
        "Thời gian: giờ:phút:giây. Một lần ngừng gồm cả thời gian bị cắt theo phía trước. "
        "Chắc chắn: so với cả tháng, coi mọi lúc không rõ là hoạt động, không tính lúc thiết bị phía trước ngừng.",
        "Available = (up + degraded) / known time. A promise is held against the figure without power cuts and announced works. "
        "Lengths: hours:minutes:seconds. An outage includes the time in which something in front was down. "
        "Sure: held against the whole month, with all that is unknown taken as up, and without what was down in front of the line.",
    ),
}  # fmt: skip
_ROWS_OF = {"lines": By.LINK, "communes": By.COMMUNE, "services": By.SERVICE}


# -- the report ------------------------------------------------------------------------------------------------------


def paper(account: Account, inventory: Inventory, words: Words, only: Sequence[str] = ()) -> Paper:
    """The report of an account; `only` are the names of what it was narrowed down to."""
    return _Maker(account, inventory, words).paper(only)


def lead(account: Account, words: Words, only: Sequence[str] = ()) -> Iterator[str]:
    """Sentences that say which time it is about, since when it was watched, and what is not known."""
    span = account.span
    yield _said(
        words, "whole" if account.over else "part", since=words.moment(span.since), until=words.moment(span.until)
    )
    if only:
        yield _said(words, "only", names=", ".join(map(line, only)))
    if account.watched is not None:
        later = account.watched > span.since
        yield _said(words, "watched-later" if later else "watched", at=words.moment(account.watched))
    known = _total(account, By.TARGET)
    if known.unknown:
        yield _said(words, "unknown", share=words.percent(known.unknown / known.whole))


def _said(words: Words, key: str, **given: object) -> str:
    return in_language(_SAID[key], words).format(**given)


def _total(account: Account, by: By) -> Totals:
    return joined(each.totals for each in account.entries if each.member.key(by))


class _Maker:
    """Makes one report."""

    def __init__(self, account: Account, inventory: Inventory, words: Words) -> None:
        self._account, self._inventory, self._words = account, inventory, words
        self._reports = {by: account.report(by) for by in (By.PROVIDER, *_ROWS_OF.values())}
        self._outages = {by: account.outages(by) for by in self._reports}
        self._since = {by: account.since(by) for by in self._reports}
        self._contracts = contracts(account, inventory)

    def paper(self, only: Sequence[str]) -> Paper:
        lines = self._table("lines", self._lines())
        tables = (
            self._table("providers", self._providers()),
            lines,
            self._table("communes", self._plain(By.COMMUNE, counted=False)),
            self._table("services", self._plain(By.SERVICE, counted=True)),
            self._table("outages", self._outage_rows()),
        )
        hurt = sorted(
            ((each.delivery.totals.counted, row) for each, row in zip(self._contracts, lines.rows, strict=True)),
            key=lambda one: -one[0],
        )
        keys = [each.key for each in lines.columns]
        worst = [dict(zip(keys, row, strict=True)) for lasted, row in hurt if lasted][: WORST - len(tables[0].rows)]
        return Paper(
            title=self._says("title", month=f"{self._account.asked.since.astimezone(LOCAL):%m/%Y}"),
            lead=tuple(lead(self._account, self._words, only)),
            said=conclusion(self._account, self._contracts, self._inventory, self._words),
            figures=tuple(self._figures()),
            worst=self._table("worst", worst),
            tables=tables,
            foot=self._says("foot"),
        )

    def _says(self, key: str, **given: object) -> str:
        return _said(self._words, key, **given)

    def _table(self, key: str, rows: Iterable[Mapping[str, Value]]) -> Table:
        """Its columns are the keys of its rows."""
        rows = list(rows)
        columns = tuple(
            Column(key=name, heading=in_language(headings, self._words), form=form, room=room)
            for name in (rows[0] if rows else ())
            for headings, form, room in (_COLUMNS[name],)
        )
        return Table(
            key=key,
            title=in_language(_TITLES[key], self._words),
            columns=columns,
            rows=tuple(tuple(each.values()) for each in rows),
        )

    # -- first page ----------------------------------------------------------------------------------------------------

    def _figures(self) -> Iterator[Figure]:
        for key, by in _ROWS_OF.items():
            number, sums = len(self._reports[by].totals), _total(self._account, by)
            if number:
                net = self._says("net", net=self._words.percent(sums.availability_net))
                yield Figure(
                    label=self._says(f"all-{key}", n=number), value=self._words.percent(sums.availability), below=net
                )
        held = [each.verdict for each in self._contracts if each.verdict is not None]
        if held:
            met = sum(each.met for each in held)
            below = self._says("contracts-below")
            yield Figure(label=self._says("contracts"), value=f"{met}/{len(held)}", below=below)
        outages = [each for some in self._outages[By.LINK].values() for each in some]
        if self._reports[By.LINK].totals:
            told, incidents = failures(outages), {each.incident.id for each in outages if each.incident}
            span = self._words.span
            below = self._says("outages-below", incidents=len(incidents), longest=span(told.longest))
            yield Figure(label=self._says("outages-figure"), value=str(told.number), below=below)
            if told.mean is not None:
                yield Figure(label=self._says("repair"), value=span(told.mean), below=self._says("repair-below"))

    # -- tables ----------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[dict[str, Value]]:
        """A line that changed its provider has a row with each: neither answers for what the other delivered."""
        for each in self._contracts:
            line = each.delivery
            row = self._line(line.target, line.provider) | self._sums(line.totals) | self._held(each)
            late = line.since if line.since > self._account.span.since else None
            yield row | self._failures(line.outages) | self._times(line.totals, late)

    def _line(self, key: str, by: str = "") -> dict[str, Value]:
        """What a target is called, and where it is; what has left the inventory has its id as name. `by`: who delivered it."""
        target, provider = self._inventory.targets.get(key), self._inventory.providers.get(by)
        site = self._inventory.sites.get(key.partition("/")[0])
        texts = {
            "site": site.name if site else "",
            "name": self._words.name(target) if target else key,
            "provider": provider.name if provider else by,
            "circuit": target.circuit if target and target.provider == by else "",
        }
        return {"id": key, **{name: line(text) for name, text in texts.items()}}

    def _held(self, contract: Contract) -> dict[str, Value]:
        """A line against its contract; empty where nothing is promised."""
        ratio, found = contract.promised, contract.verdict
        says = "" if ratio is None else self._says("no-data" if found is None else "met" if found.met else "missed")
        return {
            "promised": ratio,
            "verdict": says,
            "over": -found.spare if found and not found.met else None,
            "least": contract.least or None,
            "elsewhere": contract.delivery.elsewhere or None,
            "spare": found.spare if found and found.met else None,
        }

    @staticmethod
    def _sums(totals: Totals) -> dict[str, Value]:
        return {"availability": totals.availability, "availability_net": totals.availability_net}

    @staticmethod
    def _failures(outages: Sequence[Outage]) -> dict[str, Value]:
        told = failures(outages)
        return {"outages": told.number, "longest": told.longest, "repair": told.mean}

    @staticmethod
    def _times(totals: Totals, since: datetime | None) -> dict[str, Value]:
        return {
            "lost": totals.down + totals.unreachable,
            "unknown": totals.unknown,
            "power": totals.power,
            "maintenance": totals.maintenance,
            "up": totals.up,
            "degraded": totals.degraded,
            "down": totals.down,
            "unreachable": totals.unreachable,
            "watched_since": since,
        }

    def _providers(self) -> Iterator[dict[str, Value]]:
        for key, totals in self._reports[By.PROVIDER].totals.items():
            provider = self._inventory.providers.get(key)
            mine = [each for each in self._contracts if each.delivery.provider == key]
            held = [each.verdict for each in mine if each.verdict is not None]
            over = sum((-each.spare for each in held if not each.met), ZERO)
            sure = sum((each.least for each in mine), ZERO)
            percent = provider.promised_percent if provider else None
            row: dict[str, Value] = {
                "id": key, "name": line(provider.name if provider else key),
                "lines": len(mine), **self._sums(totals),
                "promised": None if percent is None else percent / 100, "met": sum(each.met for each in held) if held else None,
                "missed": sum(not each.met for each in held) if held else None,
                "over": over or None, "least": sure or None,
            }  # fmt: skip
            outages = self._failures(self._outages[By.PROVIDER].get(key, ()))
            yield row | outages | self._times(totals, self._since[By.PROVIDER].get(key))

    def _plain(self, by: By, *, counted: bool) -> Iterator[dict[str, Value]]:
        """Communes or services; of a commune outages are not counted: one of its line is one of all behind it."""
        for key, totals in self._reports[by].totals.items():
            site = self._inventory.sites.get(key)
            row: dict[str, Value] = (
                {"id": key, "name": line(site.name if site else key)}
                if by is By.COMMUNE
                else {name: each for name, each in self._line(key).items() if name in ("id", "site", "name")}
            )
            row |= self._sums(totals) | (self._failures(self._outages[by].get(key, ())) if counted else {})
            yield row | self._times(totals, self._since[by].get(key))

    def _outage_rows(self) -> Iterator[dict[str, Value]]:
        """Of lines and services, the longest first."""
        lines = [each.delivery for each in self._contracts]
        found = [(one, each.provider) for each in lines for one in each.outages]
        found += [(one, "") for some in self._outages[By.SERVICE].values() for one in some]
        for each, by in sorted(found, key=lambda one: (-one[0].lasted, one[0].since, one[0].target)):
            yield self._line(each.target, by) | {
                "began": each.since,
                "ended": each.until,
                "lasted": each.lasted,
                "excused": each.power + each.maintenance or None,
                "cause": self._cause(each),
                "note": self._note(each),
                "incident": each.incident.id if each.incident else "",
            }

    def _cause(self, outage: Outage) -> str:
        if outage.incident is not None:
            return self._words.causes[outage.incident.cause]
        return self._says("maintenance" if outage.maintenance == outage.lasted else "short")

    def _note(self, outage: Outage) -> str:
        said = [] if outage.begun else [self._says("from-before")]
        if not outage.ended:
            said.append(self._says("goes-on" if outage.until == self._account.span.until else "end-unseen"))
        return ", ".join(said)
