"""Pure: what kind of equipment is meant, in the words of other systems and of people."""

from __future__ import annotations

import re
from collections.abc import Collection

from monitor.exchange.places import fold, slug
from monitor.exchange.sayings import Said, said

_WORDS = {
    "router": "router|routers|gateway|gateways|firewall|firewalls|rtr|gw|bo dinh tuyen|tuong lua",
    "switch": "switch|switches|sw|bo chuyen mach",
    "ups": "ups|power|bo luu dien",
    "access-point": "access point|access points|ap|wireless|wifi|wi fi|wlan|bo phat wifi|bo phat song",
    "vc-bridge": "mcu|conference bridge|rmx|cau hop",
    "vc-endpoint": "video conference|video conferencing|videoconference|conference|telepresence|collaboration|codec|hop truc tuyen",
    "camera": "camera|cameras|ipcam|cctv",
    "printer": "printer|printers|may in",
    "server": "server|servers|hypervisor|hypervisors|linux|windows|may chu",
}
"""How the kinds of the example's profiles are called elsewhere, folded; the first that is found counts."""
_PATTERNS = {kind: re.compile(rf"\b({words})\b") for kind, words in _WORDS.items()}


def words_of(kind: str) -> list[str]:
    """What people and other systems call a kind."""
    return _WORDS[kind].split("|") if kind in _WORDS else []


def kind_of(told: str, name: str, kinds: Collection[str]) -> tuple[str, Said | None]:
    """The kind and the reason for it: as it is told, else by a word in its name; neither where nothing says one.

    `kinds` are those of the inventory's profiles; one that is told in just these words is taken. Told may be several groups, with `;` between them.
    """
    groups = told.split(";")
    for each in groups:
        if slug(each) in kinds:
            return slug(each), said("is-called", name=each.strip())
    called = ((each, said("is-called", name=each.strip())) for each in groups)
    for text, reason in (*called, (name, said("has-name", name=name))):
        words = re.sub(r"\d+", " ", fold(text))
        kind = next((kind for kind, pattern in _PATTERNS.items() if pattern.search(words)), "")
        if kind:
            return kind, reason
    return "", None
