"""The HTML of mails holds to what mail programs keep: docs/mail.md says what is used, who drops it and why that does no harm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

from alerts.letter_samples import letters
from alerts.links import Signer
from alerts.samples import A_COST, as_page, notification_of, province, short_series
from monitor.core.model import ONLY_MAILED, Happening
from monitor.core.words import WORDS
from monitor.inventory.load import load_inventory
from tests.alerts.sample import KEY, NOW, composer

GMAIL_STYLES = 16_384
"""Bytes of style sheets that Gmail reads (caniemail, html-style)."""
ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "mail.md"
CONFIG = ROOT / "config" / "inventory"
Element = tuple[str, dict[str, str], dict[str, str]]
"""Name, attributes, and what its style sets."""


class Elements(HTMLParser):
    """The elements of a page, and its style sheets."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.sheets: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.found.append((tag, attributes, dict(declarations(attributes.pop("style", "")))))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "style" and data.strip():
            self.sheets.append(data)


def declarations(style: str) -> Iterator[tuple[str, str]]:
    """Property and value of each declaration."""
    for each in style.split(";"):
        if each.strip():
            name, _, value = each.partition(":")
            yield name.strip(), value.strip()


def pages() -> Iterator[str]:
    """Every mail, in all that it may say."""
    known = load_inventory(CONFIG, None)
    inventory, incidents = province()
    writer = composer(
        grafana="http://g.example", signer=Signer(KEY),
        last_hour=lambda root: short_series() if root == incidents[0].root else None,
    )  # fmt: skip
    for language in WORDS:
        for what, incident, outsider in product(Happening, incidents, (False, True)):
            if not (outsider and what in ONLY_MAILED):
                told = notification_of(incident, what, language, outsider=outsider)
                yield as_page(writer.compose(told, inventory, incident.opened, A_COST))
        contact = notification_of(incidents[0], Happening.OPENED, language).contact
        for name, given in letters(known, NOW, WORDS[language], "http://board.example").items():
            yield writer.letter(name, contact, name, given).html


@cache
def seen() -> tuple[tuple[Element, ...], frozenset[str]]:
    """All elements and style sheets of all mails."""
    read = [Elements(each) for each in pages()]
    return tuple(each for page in read for each in page.found), frozenset(each for page in read for each in page.sheets)


def used() -> set[tuple[str, str]]:
    """What the mails use, and on which element: `<td>`, `width=`, `padding`."""
    found = set()
    for tag, attributes, style in seen()[0]:
        names = [f"<{tag}>", *(f"{name}=" for name in attributes), *style]
        found.update((name, "" if name[0] == "<" else tag) for name in names)
    return found


def allowed() -> set[tuple[str, str]]:
    """What the manual allows."""
    section = MANUAL.read_text(encoding="utf-8").partition("\n## Mail programs\n")[2].partition("\n## ")[0]
    table = section.partition("| used | on |")[2].partition("\n\n")[0]
    found = set()
    for row in table.splitlines()[2:]:
        names, places = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:3])
        found.update(product(names, places or [""]))
    return found


def test_the_manual_lists_what_mails_use_and_nothing_else() -> None:
    assert used() == allowed()


def test_word_which_outlook_lays_out_with_finds_its_sizes_in_attributes() -> None:
    for tag, attributes, style in seen()[0]:
        if "width" in style or "max-width" in style:
            assert re.fullmatch(r"\d+%?", attributes.get("width", "")), (tag, attributes, style)
        assert ("white-space" in style) == ("nowrap" in attributes), (tag, attributes, style)
        assert not re.search(r"-\d|auto", style.get("margin", "")), "margins that it does not know"


def test_a_colour_in_an_attribute_is_in_the_style_too() -> None:
    """Thunderbird's dark mode takes the attribute away, and leaves the white words that stood on it."""
    for tag, attributes, style in seen()[0]:
        assert attributes.get("bgcolor", "") in ("", style.get("background")), (tag, attributes, style)


def test_no_style_makes_a_program_drop_the_others() -> None:
    """Gmail drops all styles for what it fetches, or for an at-rule within another; Outlook wants a space before the mark."""
    sheets = seen()[1]
    assert len("".join(sheets).encode()) < GMAIL_STYLES
    for sheet in sheets:
        assert not re.search(r"url\(|/\*|\S!important|@[^@]*@", sheet)
        rules = re.sub(r"@media \(prefers-color-scheme:dark\)\{(.*)\}", r"\1", sheet, flags=re.DOTALL)
        for selector in re.findall(r"([^{}]+)\{", rules):
            assert re.fullmatch(r":root|\.\w+( \.?\w+)?", selector.strip()), f"{selector} is not known everywhere"
    for _, _, style in seen()[0]:
        assert not re.search(r"url\(|!important", " ".join(style.values()))


def test_pictures_come_with_the_mail() -> None:
    for tag, attributes, _ in seen()[0]:
        assert tag != "img" or attributes["src"].startswith("data:image/png;"), "what as_page makes of cid:"
