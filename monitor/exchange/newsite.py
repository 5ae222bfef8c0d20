"""Pure: a new site of a sheet: what its template wants and no cell tells, and what it gets that nobody wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.core.words import Language
from monitor.exchange.columns import Column, site_values, told, word_column
from monitor.exchange.draft import NO_WORDS, Draft
from monitor.exchange.sayings import Mistake, cut, known
from monitor.exchange.sheet import Filled, Row
from monitor.exchange.written import Written, one_text, wanted

MOST_LISTED = 40
"""Values of one site that are told."""


def untold(written: Written, draft: Draft, filled: Filled, row: Row, wrong: Collection[str]) -> Iterator[Mistake]:
    """Words that nothing tells: each at a cell that would tell it, unless that is one of the `wrong` ones, with an example of another site."""
    template = draft.site.own.get("like", "")
    if draft.missing() and row.cells.keys() <= {"id", "name"}:
        yield Mistake(filled.at(row, "name"), "only-name", {"given": cut(draft.site.own["name"])})
        return
    for word in draft.missing():
        if word in NO_WORDS:
            makes = known(draft.texts_with(word))
            words = {"template": template, "makes": makes, "example": filled.table.column(word).example}
            yield Mistake(filled.at(row, word), "makes", words)
            continue
        column = _telling(draft, filled, word)
        if filled.at(row, column.key) in wrong:
            continue
        seen = _elsewhere(written, draft, column)
        example = {"vi": f", ví dụ `{seen}`" if seen else "", "en": f", such as `{seen}`" if seen else ""}
        words = {"template": template, "word": f"{{{word}}}", "heading": column.headers, "example": example}
        yield Mistake(filled.at(row, column.key), "word", words)


def _telling(draft: Draft, filled: Filled, word: str) -> Column:
    """The column of a line that the template makes of the word, else that of the word itself."""
    for column in filled.table.columns:
        name, _, key = column.key.rpartition(":")
        inherited = draft.site.inherited("links", name).get(key)
        if column.key in filled.columns and word in wanted(one_text(inherited)):
            return column
    return word_column(word)


def _elsewhere(written: Written, draft: Draft, column: Column) -> str:
    """What another site of the same template has there."""
    like = draft.site.own.get("like")
    alike = (each for each in written.sites.values() if each.own.get("like") == like)
    values = (site_values(each, [column])[column.key] for each in alike)
    return next((told(column, value) for value in values if value), "")


def derived(
    draft: Draft, filled: Filled, row: Row, asked: Collection[str], devices: Collection[str]
) -> Iterator[Mistake]:
    """What nobody wrote: words of the template that other cells told, and all that it makes of them.

    `asked` are the columns that the row fills in, `devices` those that have a row of their own.
    """
    site, at = draft.site, filled.at(row, "id")
    yield Mistake(at, "new-site", {"site": site.id, "template": site.own.get("like", "–")})
    words = [f"{word} = {value}" for word, value in site.vars().items() if f"vars:{word}" not in asked]
    if words:
        yield Mistake(at, "told-by-row", {"site": site.id, "given": known(words)})
    columns = [
        each
        for each in filled.table.columns
        if each.key.partition(":")[0] in site.names("links") and each.key not in asked
    ]
    values = site_values(site, columns)
    given = [(each.headers, told(each, values[each.key])) for each in columns if values[each.key]]
    rest = [
        f"{name}: {site.target('devices', name).get('address', '–')}"
        for name in site.names("devices")
        if name not in devices
    ]
    if given or rest:
        languages: tuple[Language, ...] = ("vi", "en")
        texts = {each: [*(f"{headers[each]}: {text}" for headers, text in given), *rest] for each in languages}
        both = {each: known(texts[each], MOST_LISTED) for each in languages}
        yield Mistake(at, "by-template", {"site": site.id, "given": both})
