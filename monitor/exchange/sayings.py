"""Sentences of the exchange as values: which one, its words, and for a mistake its place; told in Vietnamese or English."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.words import Language
from monitor.exchange.texts import SAYINGS
from monitor.yamlfile import Problem

SHOWN = 60
"""Signs of a cell that a message shows."""


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence."""

    saying: str
    """Which of them."""
    words: Mapping[str, object] = field(default_factory=dict)
    """What stands in it: texts, sentences of their own, or texts by language."""

    def text(self, language: Language) -> str:
        """In one language."""
        return SAYINGS[language][self.saying].format_map({key: _in(each, language) for key, each in self.words.items()})

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, where, and what to do."""

    at: str
    saying: str
    words: Mapping[str, object] = field(default_factory=dict)

    def text(self, language: Language) -> str:
        """One line."""
        return f"{self.at}: {Said(self.saying, self.words).text(language)}"

    def __str__(self) -> str:
        return self.text("en")


def placed(problem: Problem, at: str) -> Mistake:
    """A problem of the files, told elsewhere, and in words of our own where there are some."""
    if problem.saying:
        close = problem.words.get("close", ())
        words = {**problem.words, "near": near(close, ()) if isinstance(close, list) else ""}
        return Mistake(at, problem.saying, words)
    message = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    return Mistake(at, "check", {"message": message})


def in_words(each: Mistake | Problem, language: Language) -> str:
    """One line."""
    return (each if isinstance(each, Mistake) else placed(each, each.place)).text(language)


def said(saying: str, **words: object) -> Said:
    """A sentence with its words."""
    return Said(saying, words)


def listed(parts: Sequence[object], between: str | Said = ", ") -> Mapping[str, str]:
    """Several one after the other, by language."""
    languages: tuple[Language, ...] = ("vi", "en")
    return {each: _in(between, each).join(_in(part, each) for part in parts) for each in languages}


def _in(word: object, language: Language) -> str:
    if isinstance(word, Said):
        return word.text(language)
    return str(word[language] if isinstance(word, Mapping) else word)


def cut(value: object) -> str:
    """A cell for a message, on one line."""
    text = " ".join("".join(each if each.isprintable() else " " for each in str(value)[: 4 * SHOWN]).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def known(words: Sequence[str], most: int = 12) -> str:
    """The first of a list, for a message."""
    return ", ".join(f"`{each}`" for each in words[:most]) + (", …" if len(words) > most else "")


def like(name: str, known: Iterable[str]) -> Mapping[str, str]:
    """What was meant by a name that is none, by language; behind a `{near}`."""
    return near(difflib.get_close_matches(name, known, n=3, cutoff=0.6), ())


def near(close: Sequence[str], words: Sequence[str]) -> Mapping[str, str]:
    """What was meant, or what there is, by language; behind a `{near}`."""
    if close:
        meant = known(close)
        return {"vi": f"; có phải là {meant}?", "en": f"; did you mean {meant}?"}
    listed = known(words)
    return {"vi": f"; có: {listed}", "en": f"; there is: {listed}"} if words else {"vi": "", "en": ""}
