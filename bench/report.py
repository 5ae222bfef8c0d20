"""`python -m bench report`: docs/performance.md and its pictures from bench/results/*.json; the words of the page stay as they are.

A part's tables stand in the page between `<!-- bench NAME -->` and `<!-- end -->`, with date, machine, versions and command.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from bench.harness import RESULTS, columns, is_peer, shown

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "performance.md"
UNSAID = ("iproute2", "util-linux", "libc6-dev")
"""Packages whose version changes no figure."""
OURS, PEERS, FLOOR = "#0b6e4f", "#8d99ae", "#d8dbe2"


def write() -> None:
    """Put what was measured last into the page; parts without a result keep what is there."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, results), encoding="utf-8")
    mpl.rcParams["svg.hashsalt"] = "commune-monitor"  # the same picture from the same figures
    mpl.rcParams["font.size"] = 9
    draw_costs(results, DOCS / "images" / "costs.svg")
    draw_growth(results, DOCS / "images" / "growth.svg")
    draw_hold(results, DOCS / "images" / "hold.svg")
    print(f"{PAGE.name}: {', '.join(results) or 'nothing measured yet'}")


def filled(page: str, results: Mapping[str, Any]) -> str:
    """The page with the tables of the results in their places."""
    for name, found in results.items():
        body = f"<!-- bench {name} -->\n{tables(found)}\n<!-- end -->"
        page = re.sub(rf"<!-- bench {name} -->\n.*?<!-- end -->", body.replace("\\", r"\\"), page, flags=re.DOTALL)
    return page


def tables(found: Mapping[str, Any]) -> str:
    """A part's tables in Markdown, and where the figures come from."""
    lines = []
    for title, rows in found["tables"].items():
        heads = columns(rows)
        lines += [
            f"{title}:",
            "",
            f"| | {' | '.join(heads)} |",
            "| --- " * (len(heads) + 1) + "|",
        ]
        lines += [
            f"| {_cell(name)} | {' | '.join(shown(row.get(each)) for each in heads)} |" for name, row in rows.items()
        ]
        lines.append("")
    said = {name: version for name, version in found["versions"].items() if name not in UNSAID}
    known = ", ".join(f"{name} {version}" for name, version in said.items())
    lines.append(f"{found['date']}, {found['machine']}, `{found['command']}`. {known}.")
    if found["missing"]:
        lines.append(f"Measured without {', '.join(found['missing'])}.")
    return "\n".join(lines)


def _cell(name: str) -> str:
    """A name of a row; that of a function may look like HTML."""
    return f"`{name}`" if "<" in name else name


def draw_costs(results: Mapping[str, Any], path: Path) -> None:
    """CPU of a probe, a panel for each table that has one; logarithmic where it must be."""
    panels = [
        (title.partition(":")[0] + ":" + title.partition(":")[2].split(", ")[0], rows)
        for part in ("echo", "snmp", "http") if part in results
        for title, rows in results[part]["tables"].items()
        if "cProfile" not in title
    ]  # fmt: skip
    if not panels:
        return
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(8, 0.5 + sum(0.5 + 0.26 * len(rows) for _, rows in panels)), squeeze=False,
        gridspec_kw={"height_ratios": [len(rows) + 1 for _, rows in panels]}, layout="constrained",
    )  # fmt: skip
    for axis, (title, rows) in zip(axes[:, 0], panels, strict=True):
        ordered = sorted(rows.items(), key=lambda each: -each[1]["CPU ms/answer"])
        costs = [row["CPU ms/answer"] for _, row in ordered]
        colours = [PEERS if is_peer(name) else FLOOR if name.startswith("floor") else OURS for name, _ in ordered]
        axis.barh([name for name, _ in ordered], costs, color=colours)
        for index, cost in enumerate(costs):
            axis.text(cost, index, f" {cost:.3g}", va="center", fontsize=8)
        if max(costs) > 15 * min(costs):
            axis.set(xscale="log", xlim=(min(costs) / 2, max(costs) * 3))
        else:
            axis.set_xlim(0, max(costs) * 1.15)
        axis.set_title(title)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1, 0].set_xlabel("CPU ms an answer")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def draw_growth(results: Mapping[str, Any], path: Path) -> None:
    """CPU and memory over the number of communes."""
    _draw_two(results.get("growth"), path, "communes", ("% of a core", "% of a core"), ("MiB", "MiB"))


def draw_hold(results: Mapping[str, Any], path: Path) -> None:
    """What a longer hold costs in time, and what it spares in incidents of nothing that lasts."""
    needless = "incidents of nothing that lasts"
    _draw_two(results.get("hold"), path, "hold s", ("p99", "cut to incident, p99, s"), (needless, needless))


def _draw_two(
    result: Mapping[str, Any] | None, path: Path, over: str, left: tuple[str, str], right: tuple[str, str]
) -> None:
    """Two columns of a result over a third, each with its own axis; `left` and `right` are a column and its label."""
    if result is None:
        return
    (rows,) = result["tables"].values()
    found = sorted(rows.values(), key=lambda row: row[over])
    figure, first = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for axis, (key, label), colour, mark in ((first, left, OURS, "o-"), (first.twinx(), right, PEERS, "s--")):
        axis.plot([row[over] for row in found], [row[key] for row in found], mark, color=colour)
        axis.set_ylabel(label, color=colour)
        axis.set_ylim(bottom=0)
        axis.spines["top"].set_visible(False)
    first.set_xlabel(over)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
