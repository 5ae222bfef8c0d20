"""Files of other systems as plain values with the way to each; whatever stands in them is an answer or a problem, never an exception.

JSON, YAML, CSV, and XML without a document type; bounded in size, depth and number of entries.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from monitor.exchange.found import Found
from monitor.exchange.places import fold, one_line
from monitor.exchange.sayings import Mistake, said
from monitor.yamlfile import MAX_BYTES as MAX_YAML_BYTES
from monitor.yamlfile import ConfigError, Problem, near, parse

MAX_BYTES = 64 << 20
MAX_ENTRIES = 100_000
_XML_LISTS = frozenset({"hosts", "groups", "interfaces", "templates"})
"""Elements that hold entries; the others hold fields."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value of a file, and the way to it. What is missing, or of another type than asked for, is empty."""

    value: object
    file: str
    path: str = ""
    """`devices #3`, the third of them; empty: the whole file."""

    @property
    def source(self) -> str:
        """For messages: `devices.json: devices #3`."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def get(self, key: str) -> Item:
        """What stands under a key; columns of a table are known in small letters."""
        table = self.value if isinstance(self.value, dict) else {}
        return Item(table.get(key, table.get(key.casefold())), self.file, f"{self.path}.{key}".lstrip("."))

    def text(self, *keys: str) -> str:
        """Text or number on the way along the keys, on one line."""
        item = reduce(Item.get, keys, self)
        told = isinstance(item.value, (str, int, float)) and not isinstance(item.value, bool)
        return one_line(str(item.value)) if told else ""

    def is_set(self, key: str) -> bool:
        """Whether it is 1 or true."""
        return self.get(key).value is True or self.text(key).casefold() in ("1", "true", "yes")

    def place(self, latitude: str, longitude: str) -> tuple[float, float] | None:
        """Where it is on earth."""
        try:
            found = float(self.text(latitude)), float(self.text(longitude))
        except ValueError:
            return None
        good = all(map(math.isfinite, found)) and abs(found[0]) <= 90 and abs(found[1]) <= 180
        return found if good and any(found) else None

    def items(self) -> Iterator[Item]:
        """The entries of a list, counted as people do."""
        for number, each in enumerate(self.value if isinstance(self.value, list) else (), 1):
            yield Item(each, self.file, f"{self.path} #{number}".lstrip())


@dataclass(frozen=True, slots=True)
class Listing:
    """What a file tells of."""

    found: list[Found]
    notes: list[Mistake]
    """What of it was left out, and what else should be known."""


class LeftOut(Exception):
    """An entry that is not for us, and why."""

    def __init__(self, saying: str, **words: object) -> None:
        self.why = said(saying, **words)
        super().__init__(self.why)


def listing(entries: Iterable[Item], take: Callable[[Item], Found]) -> Listing:
    """Each entry as `take` understands it; it raises LeftOut."""
    result = Listing([], [])
    for entry in entries:
        try:
            result.found.append(take(_told(entry)))
        except LeftOut as left:
            result.notes.append(Mistake(entry.source, "left-out", {"why": left.why}))
    return result


def _told(entry: Item) -> Item:
    if not isinstance(entry.value, dict):
        raise LeftOut("not-keyed")
    return entry


def refuse(file: str, message: str, hint: str = "", line: int = 0, column: int = 0) -> NoReturn:
    """The whole file is not to be had."""
    raise ConfigError([Problem(file, line, column, message, hint)])


def is_tree(data: bytes) -> bool:
    """Whether it begins as JSON or XML does, and is no table."""
    return data[:4096].decode("utf-8", "ignore").lstrip("\ufeff \t\r\n\0")[:1] in ("{", "[", "<")


def tree(data: bytes, file: str) -> Item:
    """JSON, XML or YAML, as it looks; raises ConfigError."""
    _bounded(data, file, MAX_BYTES)
    if file.lower().endswith((".yaml", ".yml")) or not is_tree(data):
        _bounded(data, file, MAX_YAML_BYTES)
        return Item(parse(data, file).value, file)
    text = _decoded(data, file)
    try:
        return Item(_xml(text, file) if text.lstrip()[:1] == "<" else json.loads(text), file)
    except json.JSONDecodeError as error:
        refuse(file, f"not JSON: {error.msg}", "export it anew", error.lineno, error.colno)
    except RecursionError:
        refuse(file, "nested too deeply")
    except ValueError as error:  # a number of thousands of digits
        refuse(file, f"not JSON: {one_line(str(error))}")


def entries(top: Item, *keys: str) -> list[Item]:
    """The list at the top of a file, or under the first of these keys that is there; raises ConfigError."""
    lists = [top, *(top.get(key) for key in keys)]
    found = next((each for each in lists if isinstance(each.value, list)), None)
    if found is None:
        refuse(
            top.file, f"holds no list{''.join(f', nor one under `{key}`' for key in keys)}", "is it the right export?"
        )
    if len(found.value) > MAX_ENTRIES:  # type: ignore[arg-type]  # it is a list
        refuse(top.file, f"more than {MAX_ENTRIES} entries", "split it")
    return list(found.items())


def rows(data: bytes, file: str, *, need: str) -> list[Item]:
    """The rows of a CSV table whose first row names the columns; they are known in small letters with `_` for blanks. Raises ConfigError."""
    _bounded(data, file, MAX_BYTES)
    lines = _decoded(data, file).splitlines(keepends=True)
    first = next((each for each in lines if each.strip()), "")
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count))
    found: list[Item] = []
    columns: list[str] = []
    try:
        for row in reader:
            if not any(map(str.strip, row)):
                continue
            if not columns:
                columns = [fold(each[:80])[:40].replace(" ", "_") for each in row]
                if need not in columns:
                    refuse(file, f"no column `{need}`", near(need, columns), reader.line_num)
            elif len(found) < MAX_ENTRIES:
                found.append(Item(dict(zip(columns, row, strict=False)), f"{file}:{reader.line_num}"))
            else:
                refuse(file, f"more than {MAX_ENTRIES} rows", "split it")
    except csv.Error as error:
        refuse(file, f"not CSV: {error}", "export it anew", reader.line_num)
    if not columns:
        refuse(file, "is empty")
    return found


def _bounded(data: bytes, file: str, most: int) -> None:
    if len(data) > most:
        refuse(file, f"larger than {most >> 20} MiB", "split it")


def _decoded(data: bytes, file: str) -> str:
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError as error:
        refuse(file, "not UTF-8", "save the file as UTF-8", data.count(b"\n", 0, error.start) + 1)


def _xml(text: str, file: str) -> object:
    try:
        root = fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text), forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        refuse(file, f"not XML: {str(error.msg).partition(':')[0]}", "export it anew", line, column + 1)
    except DefusedXmlException:
        refuse(file, "a document type, which no export has", "export it anew")
    return {root.tag: _fields(root)}


def _fields(element: Element) -> object:
    if not len(element):
        return element.text or ""
    children = [(each.tag, _fields(each)) for each in element]
    return [each for _, each in children] if element.tag in _XML_LISTS else dict(children)
