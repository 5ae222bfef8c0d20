"""Pure: changes of a YAML file that leave every byte alone that they are not about (uses PyYAML, as `yamlfile` does).

A file is not read and written anew, for then comments, order, quotes and line breaks would be at the mercy of a library: the parser
tells where each value stands, and only that piece of the text is replaced. Afterwards the whole is read again as the daemon reads it
and must be what was asked for; where it is not, nothing is changed.
"""

from __future__ import annotations

import copy
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml

from monitor.yamlfile import ConfigError, Key, Where, parse, plain

_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_BOM = "\ufeff"
WIDTH = 110
"""Signs of the longest mapping that is written in one line."""
_LIKE_NUMBER = re.compile(r"[-+]?(0[xob])?[0-9a-fA-F_]*[0-9][0-9a-fA-F_]*|[-+]?[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?")
"""Some reader of YAML or other takes it for a number: codes with leading zeros above all."""
_REST = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")
"""What may stand behind the last value of a line."""


@dataclass(frozen=True, slots=True)
class Put:
    """A value at its place, over what is there; mappings on the way are made where they are missing."""

    where: Where
    value: object


@dataclass(frozen=True, slots=True)
class Drop:
    """An entry of a mapping or a list goes; mappings that it leaves empty go with it. What is not there stays so."""

    where: Where


@dataclass(frozen=True, slots=True)
class Append:
    """One more entry at the end of a list, which is made where it is missing."""

    where: Where
    value: object


Edit = Put | Drop | Append


class EditError(ValueError):
    """The file is written in a way that this module cannot change; it says which."""


class KeyInListError(EditError):
    """A key is to be put where there is no mapping."""


def edited(data: bytes, file: str, edits: Sequence[Edit]) -> bytes:
    """The file with all changes; what goes, goes last. Places are those before any of them.

    Raises ConfigError where the file is not in form, and EditError.
    """
    before = parse(data, file).value
    text = data.decode("utf-8")
    mark, text = (_BOM, text[1:]) if text.startswith(_BOM) else ("", text)
    crlf = "\r\n" in text and "\n" not in text.replace("\r\n", "")
    text = _changed(text.replace("\r\n", "\n") if crlf else text, edits)
    made = f"{mark}{text.replace(chr(10), chr(13) + chr(10)) if crlf else text}".encode()
    try:
        if parse(made, file).value == _wanted(before, edits):
            return made
    except ConfigError:
        pass
    raise EditError(f"{file} is written in a way that cannot be changed by program: change it by hand")


def _changed(text: str, edits: Sequence[Edit]) -> str:
    """Site by site, from the last to the first, so that what is in front keeps its place."""
    root = _compose(text)
    inner = [each for each in edits if len(each.where) > 2]
    outer = [each for each in edits if len(each.where) <= 2]
    found = {where: list(group) for where, group in groupby(sorted(inner, key=_head), _head)}
    pieces = [(node, group) for where, group in found.items() if (node := _walk(root, where)) is not None]
    outer = [each for where, group in found.items() if _walk(root, where) is None for each in group] + outer
    for node, group in sorted(pieces, key=lambda each: -each[0].start_mark.index):
        begin, end, margin = node.start_mark.index, _end(node), 0
        if isinstance(node, yaml.CollectionNode) and not _flow(node):
            end, margin = _line_end(text, end), node.start_mark.column
        piece = " " * margin + text[begin:end]
        for each in _drops_last(group):
            piece = _apply(piece, each.where[2:], each)
        text = text[:begin] + piece[margin:] + text[end:]
    for each in _drops_last(outer):
        text = _apply(text, each.where, each)
    return text


def _drops_last(edits: Iterable[Edit]) -> list[Edit]:
    """And of a list the last entry first, so that places stay what they were."""
    edits = list(edits)
    drops = [each for each in edits if isinstance(each, Drop)]
    drops.sort(key=lambda each: [_sortable(key) for key in each.where], reverse=True)
    return [*(each for each in edits if not isinstance(each, Drop)), *drops]


def _head(edit: Edit) -> Where:
    return edit.where[:2]


def _sortable(key: Key) -> tuple[int, str]:
    return (key, "") if isinstance(key, int) else (0, key)


def _apply(text: str, where: Where, edit: Edit) -> str:
    root = _compose(text)
    if isinstance(edit, Drop):
        return _drop(text, root, where)
    if isinstance(edit, Append):
        return _append(text, root, where, edit.value)
    return _put(text, root, where, edit.value)


# -- the three changes -------------------------------------------------------------------------------------------------


def _put(text: str, root: Any, where: Where, value: object) -> str:
    if root is None:
        return _below(text, _block(_nested(where, value)))
    parent, rest = root, list(where)
    while rest:
        key_node, node = _entry(parent, rest[0])
        if node is None:
            return _add(text, parent, rest[0], _nested(rest[1:], value))
        if len(rest) > 1 and isinstance(node, yaml.CollectionNode) and node.value:
            parent = node
            del rest[0]
            continue
        return _replace(text, parent, key_node, node, _nested(rest[1:], value))
    raise EditError("nothing is put over a whole file")


def _replace(text: str, parent: Any, key_node: Any, node: Any, value: object) -> str:
    begin, end = node.start_mark.index, _end(node)
    if _flow(parent):
        return text[:begin] + _gap(text, begin) + _inline(value) + text[end:]
    if isinstance(value, list) and isinstance(node, yaml.SequenceNode) and not _flow(node):
        column = node.start_mark.column
        lines = textwrap.indent(_items(value), " " * column).strip()
        if not value:  # may stand as far left as its key, which a list in brackets may not
            lines = "  []" if key_node is None or column <= key_node.start_mark.column else "[]"
        return text[:begin] + lines + text[end:]
    if _short(value) and (_flow(node) or (isinstance(node, yaml.ScalarNode) and node.style not in ("|", ">"))):
        return text[:begin] + _gap(text, begin) + _after_key(value) + text[end:]
    if key_node is None:
        raise EditError("an entry of a list is not replaced by something longer")
    column = key_node.start_mark.column
    lines = textwrap.indent(_block({key_node.value: value}), " " * column).strip()
    rest = (
        "\n" if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and text[end - 1 : end] == "\n" else ""
    )
    return text[: key_node.start_mark.index] + lines + rest + text[end:]


def _add(text: str, parent: Any, key: Key, value: object) -> str:
    if not isinstance(parent, yaml.MappingNode) or not isinstance(key, str):
        raise KeyInListError(f"`{key}` cannot be written where the file has a list or a text")
    if _flow(parent):
        entry = _inline({key: value})[1:-1]
        if not parent.value:
            return text[: parent.start_mark.index] + "{" + entry + "}" + text[parent.end_mark.index :]
        end = _end(parent.value[-1][1])
        return f"{text[:end]}, {entry}{text[end:]}"
    return _insert(text, _line_end(text, _end(parent)), _block({key: value}), parent.start_mark.column)


def _append(text: str, root: Any, where: Where, value: object) -> str:
    node = _walk(root, where)
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return _put(text, root, where, [value])
    if _flow(node):
        end = _end(node.value[-1])
        return f"{text[:end]}, {_inline(value)}{text[end:]}"
    return _insert(text, _line_end(text, _end(node)), _items([value]), node.start_mark.column)


def _drop(text: str, root: Any, where: Where) -> str:
    parent = _walk(root, where[:-1])
    key_node, node = _entry(parent, where[-1])
    if node is None:
        return text
    if len(parent.value) == 1:
        return _drop_last(text, root, where, parent)
    entries = [each if isinstance(each, tuple) else (each, each) for each in parent.value]
    index = next(number for number, (_, each) in enumerate(entries) if each is node)
    begin, end = entries[index][0].start_mark.index, _end(node)
    if _flow(parent) and index:
        return text[: _end(entries[index - 1][1])] + text[end:]
    if key_node is None and not _flow(parent):
        begin = text.rfind("-", 0, begin)
    line = text.rfind("\n", 0, begin) + 1
    if (
        _flow(parent) or text[line:begin].strip() or (parent is root and not index)
    ):  # behind the `-` of a list, here or cut off
        return text[:begin] + text[entries[index + 1][0].start_mark.index :]
    rest = text[_line_end(text, end) :]
    return text[:line] + rest[1:] if rest else text[:line].removesuffix("\n")


def _drop_last(text: str, root: Any, where: Where, parent: Any) -> str:
    """Of the only entry of a mapping or list."""
    mapping = isinstance(parent, yaml.MappingNode)
    if len(where) == 1:
        return text[: parent.start_mark.index] + ("{}" if mapping else "[]") + text[_end(parent) :]
    if mapping and isinstance(where[-2], str):
        return _drop(text, root, where[:-1])
    above = _walk(root, where[:-2])
    return _replace(text, above, _entry(above, where[-2])[0], parent, {} if mapping else [])


# -- places in the text ------------------------------------------------------------------------------------------------


def _compose(text: str) -> Any:
    return yaml.compose(text, Loader=_LOADER)


def _flow(node: Any) -> bool:
    """Whether it is in brackets."""
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _entry(node: Any, key: Key) -> tuple[Any, Any]:
    """The nodes of a key and its value, or None."""
    if isinstance(node, yaml.MappingNode):
        return next(((name, value) for name, value in node.value if name.value == key), (None, None))
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return None, node.value[key]
    return None, None


def _walk(node: Any, where: Iterable[Key]) -> Any:
    for key in where:
        _, node = _entry(node, key)
    return node


def _end(node: Any) -> int:
    """Behind the last sign of a value; the parser puts the end of a block where the next thing begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return int(node.end_mark.index)


def _line_end(text: str, at: int) -> int:
    """The end of the line in which something ends, with the comment that stands there."""
    if at and text[at - 1] == "\n":  # the last value was a block scalar, which holds its line break
        return at - 1
    if not _REST.match(text, at):
        raise EditError("a value has something behind it that cannot be kept")
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _insert(text: str, at: int, lines: str, column: int) -> str:
    """Lines of their own below the one that ends there."""
    return f"{text[:at]}\n{textwrap.indent(lines, ' ' * column).rstrip()}{text[at:]}"


def _below(text: str, lines: str) -> str:
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{lines}"


def _gap(text: str, at: int) -> str:
    return " " if text[at - 1 : at] == ":" else ""


# -- values as text ----------------------------------------------------------------------------------------------------


class _Dumper(yaml.SafeDumper):
    """Quotes what any reader of YAML, old or new, may take for something else than text."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "'" if not isinstance(plain(value), str) or _LIKE_NUMBER.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def _dump(value: object, *, flow: bool) -> str:
    made: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, allow_unicode=True, sort_keys=False, width=1 << 30
    )
    return made.removesuffix("...\n")


def _inline(value: object) -> str:
    """Between brackets."""
    return _dump([value], flow=True).strip()[1:-1]


def _block(value: object) -> str:
    """Lines; what has no further depth is in brackets, as people write it."""
    if isinstance(value, Mapping) and value:
        return "".join(_line(key, each) for key, each in value.items())
    return f"{_inline(value)}\n"


def _line(key: object, value: object) -> str:
    if _short(value):
        return f"{_inline(key)}: {_after_key(value)}\n"
    return f"{_inline(key)}:\n{textwrap.indent(_items(value) if isinstance(value, list) else _block(value), '  ')}"


def _items(values: Any) -> str:
    """The entries of a list, each below the other."""
    return "".join(f"- {textwrap.indent(_block(each), '  ').lstrip()}" for each in values)


def _short(value: object) -> bool:
    """Whether it stands behind its key: text, a list of texts, or a mapping of no more than these, if it is no long one."""
    if isinstance(value, list):
        return not any(isinstance(each, (Mapping, list)) for each in value)
    if isinstance(value, Mapping):
        return (
            not any(isinstance(each, Mapping) or not _short(each) for each in value.values())
            and len(_inline(value)) <= WIDTH
        )
    return True


def _after_key(value: object) -> str:
    if isinstance(value, (Mapping, list)):
        return _inline(value)
    return _dump({"k": value}, flow=False).removeprefix("k:").strip()


def _nested(where: Sequence[Key], value: object) -> object:
    for key in reversed(where):
        value = {key: value}
    return value


# -- the same changes of the values, to hold the text against ----------------------------------------------------------


def _wanted(before: object, edits: Sequence[Edit]) -> object:
    top: Any = {"": copy.deepcopy(before) if before is not None else {}}
    for each in _drops_last(edits):
        steps = _steps(top, each.where, make=not isinstance(each, Drop))
        if not steps:
            continue
        holder, last = steps[-1]
        if isinstance(each, Put):
            holder[last] = copy.deepcopy(each.value)
        elif isinstance(each, Append):
            held = holder.get(last) if isinstance(holder, dict) else holder[last]
            holder[last] = [*(held if isinstance(held, list) else ()), copy.deepcopy(each.value)]
        else:
            _leave(steps)
    return top[""]


def _leave(steps: list[tuple[Any, Key]]) -> None:
    """What holds the last step loses it, and goes too when it is a mapping under a key that is empty then."""
    while True:
        holder, last = steps.pop()
        del holder[last]
        if holder or isinstance(holder, list) or len(steps) < 2 or isinstance(steps[-1][1], int):
            return


def _steps(top: Any, where: Where, *, make: bool) -> list[tuple[Any, Key]]:
    """What holds each step of the way; nothing where the way ends early."""
    found: list[tuple[Any, Key]] = []
    holder: Any = top
    for step, following in zip(("", *where), (*where, None), strict=True):
        if isinstance(holder, dict):
            missing = step not in holder
        elif isinstance(holder, list) and isinstance(step, int):
            missing = step >= len(holder)
        else:
            return []
        if missing and not make:
            return []
        found.append((holder, step))
        if following is None:
            break
        if missing or (make and (not holder[step] or not isinstance(holder[step], (dict, list)))):
            holder[step] = {}
        holder = holder[step]
    return found
