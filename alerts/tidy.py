"""What others wrote, made fit to be shown: one line, of a bounded length, and nothing in it that is not seen.

Names come from the inventory, evidence from the peers of probes. A line break could add a line to a mail that looks like ours, a
mark that turns the direction of writing could make a number read backwards, and half a surrogate pair cannot be sent at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

MAX_TEXT = 300
LONGEST: Mapping[str, int] = {
    "name": 120,
    "names": 120,
    "place": 120,
    "label": 120,
    "area": 120,
    "evidence": 500,
    "circuit": 2000,
}
"""By field, how much is shown of what is not MAX_TEXT long at most: circuits of many lines stand in one."""


def tidy(value: Any, most: int = MAX_TEXT) -> Any:
    """The same value with every text in it made fit; what has none is not copied."""
    if isinstance(value, str):
        return value if isinstance(value, Enum) else line(value, most)
    if isinstance(value, tuple):
        made = tuple(tidy(each, most) for each in value)
        return value if all(new is old for new, old in zip(made, value, strict=True)) else made
    if isinstance(value, Mapping):
        return {key: tidy(each, LONGEST.get(key, most)) for key, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        old = {each.name: getattr(value, each.name) for each in fields(value)}
        changed = {name: new for name, each in old.items() if (new := tidy(each, LONGEST.get(name, most))) is not each}
        return replace(value, **changed) if changed else value
    return value


def line(text: str, most: int = MAX_TEXT) -> str:
    """A text as one line that can be seen, with `…` where it was cut."""
    if not text.isprintable():
        text = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * most]).split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
