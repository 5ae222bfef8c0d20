"""What checks have seen, for who reads Vietnamese; the English of probes and judge is the record, and stays it.

Evidence is put together: `target: sentence`, sentences with `; ` between them, a sentence in a sentence. So it is taken
apart the same way, and each part is looked up (`evidence_vi.py`). What is not found is shown as it is: what peers
say, names and figures have no other language. Nothing here takes more than a few passes over a text, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from string import Formatter
from typing import NamedTuple

from monitor.core.evidence_vi import SENTENCES

LONGEST = 500
"""Characters of a text that are looked at: mails and pages show no more."""
DEEPEST = 8
"""How many sentences may be inside each other."""

_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9.,]*(?:e[-+]?[0-9]+)?%?|inf|nan)")
_FITS: Mapping[str, Callable[[str], object]] = {
    "n": _NUMBER.fullmatch,
    "w": lambda held: " " not in held,
    "as-is": lambda held: "; " not in held,
    "all": bool,
    "": bool,
}
"""By kind of a place: what it may hold, beside nothing at all."""


class Sentence(NamedTuple):
    """One with places, such as `port {port:n} accepts`: what stands around them, and in Vietnamese what goes where."""

    around: tuple[str, ...]
    """One more than places."""
    kinds: tuple[str, ...]
    vietnamese: tuple[tuple[str, int | None], ...]
    """Pieces of text, each with the place that follows it."""

    def held(self, text: str) -> list[str] | None:
        """What the places hold in `text`; None when it is another sentence.

        Each is as short as can be and is not tried longer; but a number at the end takes no more than itself.
        """
        first, last = self.around[0], self.around[-1]
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return None
        found = []
        for index, piece in enumerate(self.around[1:-1], 2):
            is_last = index == len(self.kinds) and self.kinds[-1] == "n"
            place = text.rfind(piece, at, end) if is_last else text.find(piece, at, end)
            if place < 0:
                return None
            found.append(text[at:place])
            at = place + len(piece)
        found.append(text[at:end])
        fits = all(held and _FITS[kind](held) for held, kind in zip(found, self.kinds, strict=True))
        return found if fits else None


def sentence(english: str, vietnamese: str) -> Sentence:
    """Both sides taken apart."""
    around, names, kinds = [""], [], []
    for text, name, kind, _ in Formatter().parse(english):
        around[-1] += text
        if name is not None:
            names.append(name)
            kinds.append(kind or "")
            around.append("")
    said = tuple(
        (text, None if name is None else names.index(name)) for text, name, *_ in Formatter().parse(vietnamese)
    )
    return Sentence(tuple(around), tuple(kinds), said)


@cache
def _with_places() -> Mapping[str, Sequence[Sentence]]:
    """By first letter, those that begin with a place under "" and under all: those that say most first, for they mean more."""
    made = (sentence(*pair) for pair in SENTENCES.items() if "{" in pair[0])
    several = sorted(made, key=lambda each: -len("".join(each.around)))
    letters = {each.around[0][:1] for each in several}
    return {letter: [each for each in several if each.around[0][:1] in ("", letter)] for letter in letters}


def in_vietnamese(text: str) -> str:
    """Evidence as it is shown to who reads Vietnamese; no more to be trusted than it was."""
    return _told(text[:LONGEST], DEEPEST) + text[LONGEST:]


@lru_cache(2048)  # a page shows the same to all who look, each minute anew
def _told(text: str, deeper: int) -> str:
    """From the left: what is one sentence up to the end, or up to a semicolon; else what stands before the next mark."""
    told = ""
    while (whole := _whole(text, deeper)) is None and (marks := [mark for mark in ("; ", ": ") if mark in text]):
        mark = marks[0]
        before, _, rest = text.partition(mark)
        if mark == ": " or (shown := _whole(before, deeper)) is None:
            mark = min(marks, key=text.index)
            before, _, rest = text.partition(mark)
            shown = _told(before, deeper)
        told, text = told + shown + mark, rest
    return told + (_parts(text, deeper) if whole is None else whole)


def _whole(text: str, deeper: int) -> str | None:
    """None when it is no sentence that is known."""
    if (exact := SENTENCES.get(text)) is not None:
        return exact
    known = _with_places()
    for each in known.get(text[:1], known[""]) if deeper else ():
        if (held := each.held(text)) is not None:
            told = [part if kind else _told(part, deeper - 1) for part, kind in zip(held, each.kinds, strict=True)]
            return "".join(said if place is None else said + told[place] for said, place in each.vietnamese)
    return None


def _parts(text: str, deeper: int) -> str:
    """What holds commas at most, and is no sentence itself."""
    parts = text.split(", ") if deeper else [text]
    return text if len(parts) == 1 else ", ".join(_told(part, deeper - 1) for part in parts)
