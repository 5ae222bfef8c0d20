"""The command that makes the report of a month."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import click

from alerts.plain import table_csv, text
from alerts.printed import page
from alerts.regular import last_month
from alerts.report import TABLES, Paper, paper
from alerts.workbook import workbook
from monitor.archive import Archive, ArchiveError
from monitor.commands.shared import SETTINGS, fail
from monitor.core.account import Account
from monitor.core.ledger import Maintenance, Span, announced, read_span
from monitor.core.model import Inventory
from monitor.core.words import EN, WORDS, Words
from monitor.exchange.places import fold
from monitor.inventory.load import load_inventory
from monitor.settings import load_settings, named_files
from monitor.yamlfile import ConfigError


class Format(StrEnum):
    """What a report is written as."""

    TEXT = "text"
    HTML = "html"
    XLSX = "xlsx"
    CSV = "csv"


@click.command()
@SETTINGS
@click.option("--month", help="A calendar month of Viet Nam, such as 2026-11; without it, the last that is over.")
@click.option("--provider", help="Only the lines of this provider (id or name).")
@click.option("--site", help="Only what is at this site (id or name).")
@click.option(
    "--format", "form", type=click.Choice([each.value for each in Format]),
    help="For the terminal, to be printed, for Excel, or one table for programs; without it, by the ending of FILE, else text.",
)  # fmt: skip
@click.option("--table", type=click.Choice(TABLES), default="lines", show_default=True, help="Which one is in the CSV.")
@click.option("--lang", type=click.Choice(list(WORDS)), default="vi", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write it into this file.")
def report(
    path: Path, month: str | None, provider: str | None, site: str | None, form: str | None, table: str, lang: str, out: Path | None
) -> None:  # fmt: skip
    """Report how available all was in a month, against the contracts, with its outages; the daemon may run or not."""
    now, words = datetime.now(UTC), WORDS[lang]
    try:
        span = read_span(month, None, None, now) if month else last_month(now)
        if span.since >= now:
            fail("this month has not begun")
        inventory = load_inventory(named_files(path)[0], None)
        works = announced(inventory, span)
        whole = asyncio.run(_read_account(load_settings(path, None).database_url, span, now, works))
    except (ConfigError, ArchiveError, ValueError) as error:
        fail(error)
        return
    if not whole.entries:
        since = f"watched since {EN.moment(whole.watched)}" if whole.watched else "nothing was ever watched"
        fail(f"nothing is known of this month: {since}")
    account, names = _narrowed(whole, inventory, provider, site)
    made = paper(account, inventory, words, names)
    _write(made, Format(form) if form else _format_of(out), table, words, out)


async def _read_account(url: str, span: Span, now: datetime, works: Sequence[Maintenance]) -> Account:
    archive = Archive(url)
    try:
        return await archive.account(span, now, works)
    finally:
        archive.close()


def _narrowed(
    whole: Account, inventory: Inventory, provider: str | None, site: str | None
) -> tuple[Account, list[str]]:
    """What was asked for, and what it is called; ends the command when there is no such thing in the month."""
    account, names = whole, []
    if provider:
        called = {each.member.provider: "" for each in whole.entries if each.member.provider}
        called |= {id_: each.name for id_, each in inventory.providers.items() if id_ in called}
        chosen = _chosen("provider", provider, called)
        account = account.only(lambda member: member.provider == chosen)
        names.append(called[chosen] or chosen)
    if site:
        called = {each.member.site: "" for each in account.entries}
        called |= {id_: each.name for id_, each in inventory.sites.items() if id_ in called}
        where = _chosen("site", site, called)
        account = account.only(lambda member: member.site == where)
        names.append(called[where] or where)
    return account, names


def _chosen(what: str, wanted: str, called: Mapping[str, str]) -> str:
    """The id that is meant by an id or a name, typed with diacritics or without; `called` are the names by id. Ends the command when it is none."""
    if wanted in called:
        return wanted
    plain = fold(wanted)
    found = [id_ for id_, name in called.items() if plain in {fold(id_), fold(name)} - {""}]
    if len(found) > 1:
        fail(f"{what} {wanted!r} may be any of: {', '.join(sorted(found))}")
    if not found:
        near = sorted(id_ for id_, name in called.items() if plain in fold(f"{id_} {name}")) or sorted(called)
        fail(f"nothing of {what} {wanted!r} was watched in this month; there was: {', '.join(near[:8])}")
    return found[0]


def _format_of(out: Path | None) -> Format:
    ending = out.suffix.removeprefix(".") if out else ""
    return Format(ending) if ending in list(Format) else Format.TEXT


def _write(made: Paper, form: Format, table: str, words: Words, out: Path | None) -> None:
    formats: Mapping[Format, Callable[[], str | bytes]] = {
        Format.TEXT: lambda: text(made, words),
        Format.HTML: lambda: page(made, words),
        Format.XLSX: lambda: workbook(made, words),
        Format.CSV: lambda: table_csv(made.table(table)),
    }
    if out is None and form is Format.XLSX:
        fail("a workbook is no text: name a file by --out")
    written = formats[form]()
    if out is None:
        click.echo(written, nl=False)
        return
    try:
        # The mark at the beginning of a CSV tells a spreadsheet that it is UTF-8.
        coding = "utf-8-sig" if form is Format.CSV else "utf-8"
        out.write_bytes(written if isinstance(written, bytes) else written.encode(coding))
    except OSError as error:
        fail(f"{out}: {error.strerror}")
