"""What the code can write as evidence: its strings, with 7 in each place, for nobody would remember to list them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
WRITERS = (*sorted((ROOT / "probes").rglob("*.py")), ROOT / "monitor/core/judge.py")
"""Whose strings may become evidence."""
QUIET = (
    "Field", "Metric", "_Measure", "trace", "_trace", "_tell", "info", "warning", "error", "NamedTuple", "Literal", "say",
)  # fmt: skip
"""Calls that make no evidence of what they are given: descriptions, the trace of a run, the log, lines for the peer."""
CHECKS_OPTIONS = ("Options", "BaseModel")
"""Classes with such a base speak to who writes the inventory; so does whatever a validator decorates."""
MOST = 64
"""Ways to fill one text that are tried."""
PROSE = re.compile(r"[a-z]{2,}")
RESULTS = ("ok", "failed", "inconclusive")
"""Calls that make evidence of one word too."""


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each that has words in it, one alone only where it is a result's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = _Texts()
    found.visit(tree)
    filled = [(node, dict.fromkeys(_filled(node, found.named[id(node)], found))) for node in found.whole]
    for node, several in filled:
        if id(node) not in found.parts:
            said = (
                each for each in several if PROSE.search(each) and (id(node) in found.results or " " in each.strip())
            )
            yield from ((node.lineno, each) for each in said)


def _filled(node: ast.expr, named: dict[str, list[ast.expr]], found: _Texts) -> Iterator[str]:
    """The texts that an expression can be; 7 where only a run knows."""
    match node:
        case ast.Constant(value=str(text)):
            yield re.sub(r"{}|%[sd]", "7", text)
        case ast.Constant(value=None | False | True):
            return
        case ast.JoinedStr(values=pieces):
            ways = [list(dict.fromkeys(_filled(each, named, found))) or ["7"] for each in pieces]
            yield from islice(map("".join, product(*ways)), MOST)
        case ast.FormattedValue(value=value):
            yield from _filled(value, named, found)
        case ast.IfExp(body=body, orelse=orelse):
            for each in (body, orelse):
                found.note(each)
                yield from _filled(each, named, found)
        case ast.BoolOp(op=ast.And(), values=[_, value]):
            found.note(value)
            yield ""
            yield from _filled(value, named, found)
        case ast.Name(id=name) if name in named:
            for each in named[name]:
                found.note(each)
                yield from _filled(each, {key: value for key, value in named.items() if key != name}, found)
        case _:
            yield "7"


class _Texts(ast.NodeVisitor):
    """Finds all texts, and for each the texts that the names of its function are given."""

    def __init__(self) -> None:
        self.whole: list[ast.expr] = []
        self.named: dict[int, dict[str, list[ast.expr]]] = {}
        self.parts: set[int] = set()
        """Those that were seen inside others."""
        self.results: set[int] = set()
        self._names: dict[str, list[ast.expr]] = {}

    def note(self, part: ast.expr) -> None:
        if isinstance(part, ast.Constant | ast.JoinedStr):
            self.parts.add(id(part))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if any("validator" in ast.unparse(each) for each in node.decorator_list):
            return
        before, self._names = self._names, {}
        for each in ast.walk(node):
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and _is_text(each.value):
                self._names.setdefault(each.targets[0].id, []).append(each.value)
        self.generic_visit(node)
        self._names = before

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if not any(ast.unparse(base).endswith(CHECKS_OPTIONS) for base in node.bases):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in RESULTS:
            self.results |= {id(each) for each in node.args}
        if called not in QUIET:
            self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._take(node)
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                self.visit(each.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._take(node)

    def _take(self, node: ast.expr) -> None:
        self.whole.append(node)
        self.named[id(node)] = self._names


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return isinstance(value, str)
        case ast.IfExp(body=body, orelse=orelse):
            return _is_text(body) and _is_text(orelse)
    return isinstance(node, ast.JoinedStr)
