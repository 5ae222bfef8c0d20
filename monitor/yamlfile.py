"""YAML files with the place of every value, and mistakes as file:line:column (only user of PyYAML).

Read as YAML 1.2 core schema, so that `no`, `on`, `1_000` and `12:30:45` stay what the admin wrote: text; so do `017` and `0o17`. What invites
mistakes or attacks is refused: duplicate keys, anchors and aliases, tags, several documents, great size or depth.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

MAX_BYTES = 16 << 20
MAX_DEPTH = 32

Key = str | int
Where = tuple[Key, ...]
"""Keys and list positions from the top of a file to a value."""

_PARSER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_ODD = re.compile(r"[-+]?0[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+(_[0-9]+)+")
"""A number to some readers of YAML, to some of them another one than it looks, and a code to whoever wrote it: text to us."""
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDS = ("'", '"', "}", "]")
_ODD_SPACE = re.compile(r"^[ -]*(?:[^\s:]+:)?([\u00a0\u2007\u202f\u3000])", re.MULTILINE)
"""Where the space of YAML belongs: before a key or right behind it. In a text it is none of our business."""
_CURLY = re.compile(r"[“”„][^“”„]*[“”„]?|[‘’][^‘’]*[‘’]?")
"""A text that is quoted as a whole; one that begins with a quoted name is a text."""
_NEED_QUOTES = ("%", "@", "`")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake of an admin: where, what, and what to do."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    warning: bool = False
    """It may be meant, and does not keep anything from being taken over."""
    saying: str = field(default="", compare=False)
    """What it is about, for whom it is told in other words than `message`; empty: nobody."""
    words: Mapping[str, object] = field(default_factory=dict, compare=False)
    """Of that saying."""

    def known_as(self, saying: str, **words: object) -> Problem:
        """The same, for those who have their own words for it."""
        return replace(self, saying=saying, words=words)

    @property
    def place(self) -> str:
        """`file:line:column`, as far as it is known."""
        return ":".join(map(str, filter(None, (self.file, self.line, self.column))))

    def __str__(self) -> str:
        kind = "warning: " if self.warning else ""
        return f"{self.place}: {kind}{self.message}{f'; {self.hint}' if self.hint else ''}"


class ConfigError(Exception):
    """Settings that cannot be taken; holds every problem found, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(dict.fromkeys(problems), key=lambda each: (each.file, each.line, each.column)))
        super().__init__("\n".join(map(str, self.problems)))

    @property
    def places(self) -> str:
        """Where they are, for those who must not read what stands there: a message may hold a secret that was written in a wrong place."""
        return "\n".join(dict.fromkeys(each.place for each in self.problems))


@dataclass(frozen=True, slots=True)
class Source:
    """What a file holds, and where each value stands in it."""

    file: str
    value: object
    marks: Mapping[Where, tuple[int, int]]
    """Line and column (from 1) of the value."""
    key_marks: Mapping[Where, tuple[int, int]]
    """Line and column of the key that leads to the value."""
    plain: Mapping[Where, str]
    """Unquoted scalars that are no text, as they stand in the file."""

    def problem(self, where: Where, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
        """A problem at a value, or at the nearest thing around it that the file holds."""
        marks = self.key_marks if at_key else self.marks
        while where and where not in marks:
            where, marks = where[:-1], self.marks
        line, column = marks.get(where, (1, 1))
        return Problem(self.file, line, column, message, hint)


def read(path: Path) -> Source:
    """Read one file; raises ConfigError."""
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(file, 0, 0, f"cannot be read: {error.strerror}")]) from error
    if len(data) > MAX_BYTES:
        raise ConfigError([Problem(file, 0, 0, f"larger than {MAX_BYTES >> 20} MiB", "split it into several files")])
    return parse(data, file)


def parse(data: bytes, file: str) -> Source:
    """The contents of a file as values with places; raises ConfigError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ConfigError([Problem(file, line, column, "not UTF-8", "save the file as UTF-8")]) from error
    builder = _Builder(file)
    try:
        builder.build(yaml.parse(data, Loader=_PARSER))
    except yaml.MarkedYAMLError as error:
        builder.no_yaml(error, text)
    except yaml.YAMLError as error:
        builder.problems.append(Problem(file, 1, 1, f"not YAML: {error}"))
    if builder.problems:
        raise ConfigError(builder.problems)
    return Source(file, builder.top, builder.marks, builder.key_marks, builder.plain)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    where: Where
    value: dict[str, object] | list[object]
    key: str | None = None
    key_mark: tuple[int, int] = (1, 1)
    flow: bool = False
    """Between brackets."""


class _Builder:
    """Values from parser events, without recursion."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.top: object = None
        self.marks: dict[Where, tuple[int, int]] = {}
        self.key_marks: dict[Where, tuple[int, int]] = {}
        self.plain: dict[Where, str] = {}
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._documents = 0
        self._quoted: Any = None
        """The last scalar in quotes."""

    def _wrong(self, mark: tuple[int, int], message: str, hint: str = "") -> None:
        self.problems.append(Problem(self.file, *mark, message, hint))

    def build(self, events: Iterator[Any]) -> None:
        for event in events:
            mark = _at(event.start_mark)
            if isinstance(event, yaml.AliasEvent):
                self._wrong(mark, "aliases (*name) are not read", "write the value out, or use a template")
                self._put(None, mark)
            elif isinstance(event, yaml.DocumentStartEvent):
                self._documents += 1
                if event.version or event.tags:
                    self._wrong(mark, "directives (lines that begin with %) are not read", "leave them out")
                if self._documents == 2:
                    self._wrong(mark, "a second document begins here", "put it into a file of its own")
                    return
            elif isinstance(event, yaml.NodeEvent):
                self._begin(event, mark)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._stack.pop()

    def no_yaml(self, error: yaml.MarkedYAMLError, text: str) -> None:
        """What the parser complains of, in an admin's words: where the mistake begins, and what to do."""
        mark = error.problem_mark or error.context_mark
        assert mark is not None
        before = text[text.rfind("\n", 0, mark.index) + 1 : mark.index].rstrip()
        here, quoted = text[mark.index : mark.index + 1], self._quoted
        bracket = self._stack[-1] if self._stack and self._stack[-1].flow else None
        at, message, hint = (mark.line + 1, mark.column + 1), str(error.problem), ""
        line_before = text.rfind("\n", 0, max(0, text.rfind("\n", 0, mark.index))) + 1
        if odd := _ODD_SPACE.search(text, line_before, mark.index):
            at = (text.count("\n", 0, odd.start(1)) + 1, odd.start(1) - text.rfind("\n", 0, odd.start(1)))
            message, hint = "a no-break space, which is no space to YAML", "type it anew; text that was copied has such"
        elif here == "\t":
            message, hint = "a tab", "indent with spaces, not tabs"
        elif "quoted scalar" in (error.context or "") and "end of stream" in message:
            at, message, hint = (
                _at(error.context_mark),
                "a quote without its end",
                "close the quote that begins here",
            )
        elif quoted and quoted.start_mark.line < quoted.end_mark.line == mark.line:
            at, message = _at(quoted.start_mark), f"a quote that ends only in line {mark.line + 1}"
            hint = "close the quote that begins here"
        elif "could not find expected ':'" in message and error.context_mark:
            at, message, hint = (
                _at(error.context_mark),
                "a text where a key is expected",
                "write a space behind each `:`",
            )
        elif "mapping values" in message and ": " in before:
            message, hint = "a second `: ` in this line", "put the text in quotes: it holds `: `"
        elif "mapping values" in message:
            message = "a key where none can stand"
            hint = "begin the line as far right as its neighbours, and write a space behind each `:`"
        elif before[-1:] in _ENDS:
            message, hint = f"text behind `{before[-1]}`", "put all of the text between one pair of quotes"
        elif here in _NEED_QUOTES:
            message, hint = f"a text that begins with {here}", "put it in quotes"
        elif bracket and not text[mark.index :].strip():
            at, message = self.marks[bracket.where], "a bracket without its end"
            hint = "close the bracket that begins here"
        elif bracket and "expected ','" in message:
            line, column = self.marks[bracket.where]
            hint = f"write a comma before this, or close the bracket of line {line}, column {column}"
        elif "expected key" in message or "'-' indicator" in message:
            hint = "begin the line as far right as its neighbours"
        self._wrong(at, f"not YAML: {message}", hint)

    def _begin(self, event: Any, mark: tuple[int, int]) -> None:
        if event.anchor:
            self._wrong(mark, f"anchors (&{event.anchor}) are not read", "use a template")
        if event.tag:
            self._wrong(mark, f"tags ({event.tag}) are not read", "leave the tag out")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, mark)
            return
        value: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        where = self._put(value, mark)
        if len(self._stack) >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=event.start_mark)
        self._stack.append(_Open(where, value, flow=event.flow_style))

    def _scalar(self, event: Any, mark: tuple[int, int]) -> None:
        if event.style in ("'", '"'):
            self._quoted = event
        if _CONTROL.search(event.value):
            self._wrong(mark, "a control character in the text", "remove it")
        if not event.style and _CURLY.fullmatch(event.value):
            self._wrong(mark, f"{event.value[0]} is no quote to YAML", "write straight ones: ' or \"")
        top = self._stack[-1] if self._stack else None
        if top is None or isinstance(top.value, list) or top.key is not None:
            value = event.value if event.style else plain(event.value)
            where = self._put(value, mark)
            if not isinstance(value, str):
                self.plain[where] = event.value
        elif event.value == "<<" and not event.style:
            self._wrong(mark, "merge keys (<<) are not read", "use a template")
            top.key, top.key_mark = event.value, mark
        elif event.value in top.value:
            first = self.key_marks[*top.where, event.value]
            self._wrong(mark, f"`{event.value}` is already written in line {first[0]}", "remove one of the two")
            top.key, top.key_mark = event.value, first
        else:
            top.key, top.key_mark = event.value, mark

    def _put(self, value: object, mark: tuple[int, int]) -> Where:
        """Hang a value where it belongs; returns the way to it."""
        if not self._stack:
            self.top = value
            self.marks[()] = mark
            return ()
        top = self._stack[-1]
        if isinstance(top.value, list):
            where = (*top.where, len(top.value))
            top.value.append(value)
        elif top.key is None:
            self._wrong(mark, "a key must be plain text")
            top.key, top.key_mark = "", mark
            return top.where
        else:
            where = (*top.where, top.key)
            top.value[top.key] = value
            self.key_marks[where] = top.key_mark
            top.key = None
        self.marks[where] = mark
        return where


def _at(mark: Any) -> tuple[int, int]:
    """Line and column, from 1."""
    return mark.line + 1, mark.column + 1


def plain(text: str) -> object:
    """An unquoted scalar by the core schema (YAML 1.2.2 section 10.3.2), without numbers of other bases or that begin with 0."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) and len(text) <= 19:
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


# -- models ------------------------------------------------------------------------------------------------------

M = TypeVar("M", bound=BaseModel)

Layers = Sequence[tuple[Source, Where]]
"""Where a value may have been written, the first that holds it wins: the site itself, then its template."""


def place(layers: Layers, where: Where, message: str, hint: str = "", *, at_key: bool = False) -> Problem:
    """A problem at the layer that holds the value, else at the first."""
    source, whole = _holder(layers, where, at_key=at_key)
    return source.problem(whole, message, hint, at_key=at_key)


def _holder(layers: Layers, where: Where, *, at_key: bool = False) -> tuple[Source, Where]:
    for source, base in layers:
        if (*base, *where) in (source.key_marks if at_key else source.marks):
            return source, (*base, *where)
    source, base = layers[0]
    return source, (*base, *where)


def validate(source: Source, model: type[M], context: Mapping[str, Any] | None = None) -> M:
    """The whole file as `model`; raises ConfigError with every mistake."""
    value = {} if source.value is None else source.value
    found, problems = fit([(source, ())], model, value, context)
    if found is None:
        raise ConfigError(problems)
    return found


def fit(
    layers: Layers, model: type[M], value: object, context: Mapping[str, Any] | None = None
) -> tuple[M | None, list[Problem]]:
    """`value` as `model`, or None and what is wrong with it."""
    try:
        return model.model_validate(value, context=context), []
    except ValidationError as error:
        return None, [_problem(layers, model, dict(each)) for each in error.errors(include_url=False)]


def alike(word: str, known: Iterable[str]) -> list[str]:
    """The known words that look like `word`."""
    return difflib.get_close_matches(word, sorted(known), n=3, cutoff=0.6)


def near(word: str, known: Iterable[str]) -> str:
    """A hint with the known words that look like `word`, or all of them when they are few."""
    known = sorted(known)
    if close := alike(word, known):
        return f"did you mean {' or '.join(f'`{each}`' for each in close)}?"
    return f"known: {', '.join(known)}" if 0 < len(known) <= 16 else ""


_SAYINGS = {
    "string_type": "expected text",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "list_type": "expected a list (lines that begin with `- `)",
    "dict_type": "expected keys with values",
    "model_type": "expected keys with values",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "too_long": "must have at most {max_length} values, not {actual_length}",
    "less_than_equal": "must be at most {le:g}",
    "less_than": "must be less than {lt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "string_too_long": "must not be longer than {max_length} characters",
    "literal_error": "must be {expected}",
}


def _problem(layers: Layers, model: type[BaseModel], error: Mapping[str, Any]) -> Problem:
    where: Where = tuple(error["loc"])
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        return place(
            layers, where, f"unknown key `{where[-1]}`", near(str(where[-1]), _keys(model, where[:-1])), at_key=True
        )
    if kind == "missing":
        return place(layers, where[:-1], f"key `{where[-1]}` is missing")
    if where and where[-1] == "[key]":  # pydantic's name for a key of a mapping
        return place(
            layers,
            where[:-1],
            f"`{where[-2]}` is not a valid name",
            "use small letters, digits and hyphens",
            at_key=True,
        )
    message = _SAYINGS.get(kind, "").format_map(error.get("ctx", {})) or _lower(
        str(error["msg"]).removeprefix("Value error, ")
    )
    hint = ""
    if kind == "string_type" and isinstance(given, (int, float)):
        source, whole = _holder(layers, where)
        hint = f"put it in quotes: '{source.plain.get(whole, given)}'"
    elif kind in ("int_type", "float_type") and isinstance(given, str) and _ODD.fullmatch(given):
        message, hint = f"{message}, not {given!r}", "write it in plain digits, without a 0 before them"
    elif kind == "too_long" and isinstance(given, list) and all(isinstance(each, int) for each in given):
        hint = "decimals have a point, such as 20.45"
    elif kind in _SAYINGS and isinstance(given, (str, int, float)) and given != "":
        message += f", not {given!r}"
    return place(layers, where, message, hint)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _keys(model: Any, where: Where) -> set[str]:
    """The keys that may stand at `where` below `model`; empty when any may."""
    for step in where:
        if isinstance(model, type) and issubclass(model, BaseModel):
            fields = {info.alias or name: info.annotation for name, info in model.model_fields.items()}
            model = _inner(fields.get(str(step)))
        else:
            model = _inner(typing.get_args(model)[-1]) if typing.get_args(model) else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {info.alias or name for name, info in model.model_fields.items() if not info.exclude}
    return set()


def _inner(annotation: Any) -> Any:
    """The annotation without `| None` and Annotated."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _inner(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return _inner(next((each for each in typing.get_args(annotation) if each is not type(None)), None))
    return annotation
