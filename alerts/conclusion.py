"""PURE: what a month comes to, in the sentences that stand first: how it was, who owes something, who was worst, what there is to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts.figures import hours, in_language
from alerts.tidy import line
from monitor.core.account import Account, Delivery, Verdict, promised, too_long_at_least, verdict
from monitor.core.ledger import ZERO, By
from monitor.core.model import Inventory
from monitor.core.words import Words

NAMED = 3
"""So many providers, and so much of what is still down, are named; the rest are counted."""

_SAID: Mapping[str, tuple[str, str]] = {
    "met": ("Mọi đường truyền có cam kết ({held}) đều đạt.", "Every line with a promise ({held}) met it."),
    "missed": (
        "{missed} trong {held} đường truyền có cam kết không đạt.",
        "{missed} of {held} lines with a promise missed it.",
    ),
    "no-promise": (
        "{n} đường truyền chưa ghi cam kết trong danh mục nên chưa đối chiếu được với hợp đồng.",
        "Lines without a promise in the inventory: {n}; there is nothing to hold them against.",
    ),
    "claim": (
        "{provider}: {missed}/{held} đường ngừng quá mức cam kết, tổng {over} – yêu cầu xử lý theo hợp đồng.",
        "{provider}: {missed} of {held} down too long, by {over} together – to be claimed by contract.",
    ),
    "so-far": (
        "{provider}: đến nay {missed}/{held} đường ngừng quá mức cam kết, tổng {over}; tháng chưa hết.",
        "{provider}: {missed} of {held} down too long so far, by {over} together; the month is not over.",
    ),
    "sure": ("Chắc chắn: {sure} đường, {least}.", "Sure of: {sure}, {least}."),
    "unsure": ("Chưa đường nào chắc chắn.", "Sure of: none."),
    "more-claims": ("Và {n} nhà cung cấp khác: xem bảng dưới.", "And {n} more providers: see below."),
    "worst": (
        "Kém nhất: {name}{provider}, ngừng {lost} trong {outages} lần, không kể mất điện, bảo trì.",
        "The worst: {name}{provider}, down {lost} (outages: {outages}; power cuts and works not counted).",
    ),
    "power": (
        "Mất điện làm ngừng đường truyền của {sites} nơi, lâu nhất {name} ({lasted}) – kiểm tra UPS, nguồn dự phòng.",
        "Sites whose lines were out for want of power: {sites}, longest {name} ({lasted}) – look after UPS and generators.",
    ),
    "still": ("Chưa khắc phục: {names}.", "Not over: {names}."),
    "more": ("{n} mục khác", "{n} more"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A line with a provider, and what becomes of it when it is held against what was promised."""

    delivery: Delivery
    promised: float | None
    """Ratio 0 to 1; None: nothing."""
    verdict: Verdict | None
    """None: nothing is promised, or known."""
    least: timedelta
    """How much too long it was down at least, whatever is not known; zero: perhaps not at all."""


def contracts(account: Account, inventory: Inventory) -> list[Contract]:
    """Of each line and provider; worst first."""
    whole = account.asked.until - account.asked.since
    return [
        Contract(
            delivery=each, promised=ratio, verdict=verdict(each.totals, ratio),
            least=ZERO if ratio is None else too_long_at_least(each, ratio, whole),
        )
        for each in account.deliveries()
        for ratio in (promised(each.target, each.provider, inventory),)
    ]  # fmt: skip


def conclusion(account: Account, held: Sequence[Contract], inventory: Inventory, words: Words) -> tuple[str, ...]:
    """The sentences; the first says how it was."""
    return tuple(_Teller(account, held, inventory, words).told())


class _Teller:
    def __init__(self, account: Account, held: Sequence[Contract], inventory: Inventory, words: Words) -> None:
        self._account, self._contracts, self._inventory, self._words = account, held, inventory, words

    def told(self) -> Iterator[str]:
        yield from self._kept()
        yield from self._claims()
        yield from self._worst()
        yield from self._power()
        yield from self._still()

    def _says(self, key: str, **given: object) -> str:
        return in_language(_SAID[key], self._words).format(**given)

    def _name(self, target: str) -> str:
        known = self._inventory.targets.get(target)
        return line(self._words.at_place(known, self._inventory) if known else target)

    def _kept(self) -> Iterator[str]:
        held = [each.verdict for each in self._contracts if each.verdict is not None]
        if held:
            missed = sum(not each.met for each in held)
            yield self._says("missed" if missed else "met", held=len(held), missed=missed)
        if without := sum(each.promised is None for each in self._contracts):
            yield self._says("no-promise", n=without)

    def _claims(self) -> Iterator[str]:
        """What is owed, of the provider that owes most first."""
        of: dict[str, list[Contract]] = {}
        for each in self._contracts:
            if each.verdict is not None and not each.verdict.met:
                of.setdefault(each.delivery.provider, []).append(each)
        over = {key: sum((-each.verdict.spare for each in some if each.verdict), ZERO) for key, some in of.items()}
        for key in sorted(of, key=lambda key: (-over[key], key))[:NAMED]:
            known, sure = self._inventory.providers.get(key), [each for each in of[key] if each.least]
            held = sum(each.verdict is not None and each.delivery.provider == key for each in self._contracts)
            said = self._says(
                "claim" if self._account.over else "so-far", provider=line(known.name if known else key),
                missed=len(of[key]), held=held, over=hours(over[key]),
            )  # fmt: skip
            least = hours(sum((each.least for each in sure), ZERO))
            yield f"{said} {self._says('sure' if sure else 'unsure', sure=len(sure), least=least)}"
        if len(of) > NAMED:
            yield self._says("more-claims", n=len(of) - NAMED)

    def _worst(self) -> Iterator[str]:
        worst = max(self._contracts, key=lambda each: each.delivery.totals.counted, default=None)
        if worst is not None and worst.delivery.totals.counted:
            known = self._inventory.providers.get(worst.delivery.provider)
            yield self._says(
                "worst", name=self._name(worst.delivery.target), provider=f" ({line(known.name)})" if known else "",
                lost=self._words.span(worst.delivery.totals.counted), outages=sum(bool(one.counted) for one in worst.delivery.outages),
            )  # fmt: skip

    def _power(self) -> Iterator[str]:
        dark: dict[str, timedelta] = {}
        for each in self._contracts:
            site = each.delivery.target.partition("/")[0]
            dark[site] = max(dark.get(site, ZERO), each.delivery.totals.power)
        dark = {site: lasted for site, lasted in dark.items() if lasted}
        if dark:
            longest = max(dark, key=lambda site: (dark[site], site))
            known = self._inventory.sites.get(longest)
            name, lasted = line(known.name if known else longest), self._words.span(dark[longest])
            yield self._says("power", sites=len(dark), name=name, lasted=lasted)

    def _still(self) -> Iterator[str]:
        """What was down when the time ended that is known."""
        down = [
            each.member.target
            for each in self._account.entries
            if (each.member.key(By.LINK) or each.member.key(By.SERVICE))
            and each.outages and not each.outages[-1].ended and each.outages[-1].until == self._account.span.until
        ]  # fmt: skip
        if down:
            names = [self._name(each) for each in down[:NAMED]]
            if len(down) > NAMED:
                names.append(self._says("more", n=len(down) - NAMED))
            yield self._says("still", names=", ".join(names))
