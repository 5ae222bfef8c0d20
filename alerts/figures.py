"""PURE: availability as mails show it: one row for each line, provider, commune or service."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.account import promised, verdict
from monitor.core.ledger import Totals
from monitor.core.model import Inventory
from monitor.core.words import Words


def hours(length: timedelta) -> str:
    """A length as it stands in tables, `26:22:07`, to the nearest second as spreadsheets have it, but a blink is not nothing; empty where there is none."""
    seconds = max(math.floor(length.total_seconds() + 0.5), 1) if length else 0
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" if seconds else ""


def in_language(texts: tuple[str, str], words: Words) -> str:
    """Of a text in Vietnamese and in English that of the reader."""
    return texts[0 if words.language == "vi" else 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How available something was."""

    key: str
    """Id of the target, provider or site."""
    name: str
    provider: str
    """Name of the line's provider; else empty."""
    circuit: str
    percent: str
    """Of the known time, in words."""
    net: str
    """The same without power cuts and maintenance."""
    promised: str
    """What the contract promises, in words; empty: it is not known."""
    below: bool
    """Whether it was less than promised, without power cuts and maintenance."""
    down: timedelta
    """How long it was down or cut off."""


def row_of(key: str, totals: Totals, inventory: Inventory, words: Words, by: str | None = None) -> Row:
    """The row of a sum; what has left the inventory has its id as name. `by`: the provider that delivered it then, if not today's."""
    target, site = inventory.targets.get(key), inventory.sites.get(key)
    by = (target.provider if target else "") if by is None else by
    named, provider = inventory.providers.get(key), inventory.providers.get(by)
    ratio = promised(key, by, inventory)
    held = verdict(totals, ratio)
    return Row(
        key=key,
        name=words.at_place(target, inventory) if target else site.name if site else named.name if named else key,
        provider=provider.name if provider else by,
        circuit=target.circuit if target and target.provider == by else "",
        percent=words.percent(totals.availability),
        net=words.percent(totals.availability_net),
        promised="" if ratio is None else words.percent(ratio),
        below=held is not None and not held.met,
        down=totals.down + totals.unreachable,
    )
