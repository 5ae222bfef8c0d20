"""The commands `export …`, `import xlsx` and `import csv`: spreadsheets that people fill in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from alerts.routing import Routing
from monitor.commands.changing import checked, finish
from monitor.commands.importing import imports
from monitor.commands.shared import LANGUAGE, SETTINGS, fail
from monitor.core.model import Inventory
from monitor.core.words import Language
from monitor.exchange import scrape
from monitor.exchange.grid import MAX_FILE_BYTES, Sheet, SheetError
from monitor.exchange.sayings import Mistake, in_words
from monitor.exchange.spreadsheet import (
    as_csv,
    as_xlsx,
    in_order,
    located,
    made,
    read_csv,
    read_written,
    read_xlsx,
    taken_over,
)
from monitor.exchange.writing import Change
from monitor.exchange.written import Written
from monitor.exchange.yamledit import EditError
from monitor.files import load_all
from monitor.inventory.tell import TOLD
from monitor.settings import named_files
from monitor.yamlfile import ConfigError, Problem

MOST_TOLD = 200
"""Mistakes that are told; the rest are counted."""
_WORDS = {
    "more": {"vi": "và {n} lỗi nữa", "en": "and {n} more mistakes"},
    "nothing": {"vi": "không có gì được ghi", "en": "nothing is written"},
}


# -- export ------------------------------------------------------------------------------------------------------------


@click.group("export")
def exports() -> None:
    """Write the inventory as a spreadsheet, or for Prometheus."""


@exports.command("xlsx")
@click.argument("file", type=click.Path(path_type=Path))
@LANGUAGE
@SETTINGS
def export_xlsx(file: Path, lang: Language, path: Path) -> None:
    """Write sites and devices as a workbook to fill in: drop-downs, a note on each heading, a guide."""
    _out(file, lambda: as_xlsx(_checked(path), lang))


@exports.command("csv")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--table", type=click.Choice(["sites", "devices"]), default="sites", show_default=True)
@LANGUAGE
@SETTINGS
def export_csv(file: Path, table: str, lang: Language, path: Path) -> None:
    """Write sites or devices as CSV, coded as UTF-8."""
    _out(file, lambda: as_csv(_checked(path), table, lang))


@exports.command("file-sd")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", "kinds", multiple=True, help="Only targets of this kind, such as router; as often as needed.")
@click.option("--port", type=click.IntRange(1, 65535), help="Write it behind each address.")
@SETTINGS
def export_file_sd(file: Path, kinds: Sequence[str], port: int | None, path: Path) -> None:
    """Write what has an address for Prometheus' file-based service discovery."""

    def write_targets() -> bytes:
        inventory = load_all(path, with_secrets=False)[1]
        if unknown := set(kinds) - {each.kind for each in inventory.targets.values()}:
            fail(f"no target is of kind {', '.join(sorted(unknown))}")
        return scrape.as_file_sd(inventory, frozenset(kinds), port)

    _out(file, write_targets)


def _checked(path: Path) -> Written:
    load_all(path, with_secrets=False)
    return read_written(named_files(path)[0])[0]


def _out(file: Path, make: Callable[[], bytes]) -> None:
    """Into a file, whole at once, or with `-` on standard output."""
    try:
        data = make()
    except ConfigError as error:
        fail(error)
    if str(file) == "-":
        sys.stdout.buffer.write(data)
        return
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_bytes(data)
        beside.replace(file)
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")


# -- import ------------------------------------------------------------------------------------------------------------

_OPTIONS = (
    click.argument("file", type=click.Path(path_type=Path)),
    click.option("--into", type=click.Path(path_type=Path), help="New sites go into this file; default: that with most sites."),
    click.option("--remove", is_flag=True, help="Take out what the sheet has no row for."),
    click.option("--diff", is_flag=True, help="Show the lines of the files that would come and go."),
    click.option("--write", "do_write", is_flag=True, help="Write it into the inventory, if the result is well."),
    LANGUAGE,
    SETTINGS,
)  # fmt: skip


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for each in reversed(_OPTIONS):
        command = each(command)
    return command


@imports.command("xlsx")
@_options
def import_xlsx(file: Path, **options: object) -> None:
    """Take over a workbook of `export xlsx` that was filled in."""
    _take(lambda _: read_xlsx(_data(file), file.name), **options)  # type: ignore[arg-type]


@imports.command("csv")
@click.option(
    "--encoding", "coding", help="How the letters are coded, such as windows-1258, where the file does not tell."
)
@_options
def import_csv(file: Path, coding: str | None, **options: object) -> None:
    """Take over a table of `export csv` that was filled in."""
    _take(lambda written: read_csv(_data(file), file.name, written, coding), **options)  # type: ignore[arg-type]


def _data(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise SheetError([Mistake(str(file), "unreadable", {"why": error.strerror})]) from error


def _take(
    read: Callable[[Written], list[Sheet]], *, into: Path | None, remove: bool, diff: bool, do_write: bool,
    lang: Language, path: Path,
) -> None:  # fmt: skip
    try:
        _, inventory, routing = load_all(path, with_secrets=False)
        written, data = read_written(named_files(path)[0])
        asked = taken_over(read(written), written, into=_into(into, path), remove=remove)
        files = [each for each in made(asked, written, data) if each.before != each.after]
        warnings: list[Problem] = []
        plan, problems = _tried(path, files, (inventory, routing), lang, warnings)
    except SheetError as error:
        _refuse(error.mistakes, lang)
    except (ConfigError, EditError) as error:
        fail(error)
    doubts = (each for each in located(warnings, asked, files) if isinstance(each, Mistake))
    for line in dict.fromkeys(in_words(each, lang) for each in (*asked.notes, *in_order(doubts))):
        click.echo(line)
    if wrong := [*asked.mistakes, *_besides(asked.mistakes, located(problems, asked, files))]:
        _refuse(in_order(wrong), lang)
    if not files:
        click.echo(TOLD[lang].nothing)
        return
    finish(files, plan, lang, diff=diff, do_write=do_write)


def _tried(
    path: Path,
    files: Sequence[Change],
    before: tuple[Inventory, Routing],
    lang: Language,
    warnings: list[Problem],
) -> tuple[Sequence[str], Sequence[Problem]]:
    """The plan of a reload, or what would be wrong."""
    try:
        return (checked(path, files, before, lang, warnings) if files else ()), ()
    except ConfigError as error:
        return (), error.problems


def _besides(mistakes: Sequence[Mistake], found: Iterable[Mistake | Problem]) -> Iterator[Mistake | Problem]:
    """Where cells have mistakes of their own: what is wrong with others; what is at no cell may come of them."""
    cells = {each.at for each in mistakes}
    for each in found:
        if not mistakes or (isinstance(each, Mistake) and each.at not in cells):
            yield each


def _into(into: Path | None, path: Path) -> Path | None:
    """The file as the inventory calls it."""
    if into is None:
        return None
    folder = named_files(path)[0]
    if into.resolve().parent != folder.resolve() or into.suffix != ".yaml":
        fail(f"--into {into}: must be a *.yaml file in {folder}")
    return folder / into.name


def _refuse(mistakes: Iterable[Mistake | Problem], lang: Language) -> None:
    told = [in_words(each, lang) for each in mistakes]
    for line in told[:MOST_TOLD]:
        click.echo(line, err=True)
    if len(told) > MOST_TOLD:
        click.echo(_WORDS["more"][lang].format(n=len(told) - MOST_TOLD), err=True)
    fail(_WORDS["nothing"][lang])
