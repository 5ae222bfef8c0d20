"""What people read, in Vietnamese and English side by side, and a dashboard in one of the two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.core.words import Language


class Text(str):
    """A text in both languages: to Python, and so to the builders, it is the Vietnamese one.

    What is made of it (by `+`, in an f-string) is an ordinary str, the same in both dashboards: a test looks for Vietnamese in the English ones.
    """

    __slots__ = ("english",)
    english: str

    def __new__(cls, vietnamese: str, english: str) -> Text:
        """Neither can be left out."""
        made = super().__new__(cls, vietnamese)
        made.english = english
        return made


def of_language(name: str) -> Text:
    """A uid or tag: the English dashboards have their own, beside the Vietnamese ones in the same Grafana."""
    return Text(name, f"{name}-en")


def on_board(path: str) -> Text:
    """Address of a page of the status board."""
    return Text(f"${{board}}{path}", f"${{board}}{path}?lang=en")


def spoken(holder: object, language: Language) -> Any:
    """What the builders made as plain JSON, with every text in one language."""
    if isinstance(holder, Text):
        return holder.english if language == "en" else str(holder)
    if isinstance(holder, Mapping):
        return {spoken(key, language): spoken(value, language) for key, value in holder.items()}
    if isinstance(holder, list | tuple):
        return [spoken(each, language) for each in holder]
    to_json = getattr(holder, "to_json", None)
    return spoken(to_json(), language) if to_json else holder
