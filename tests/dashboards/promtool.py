"""`promtool test rules` over what the daemon exports: a province that is well, but for what a case changes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.dashboards.daemon import Series, exported

RULES = sorted((Path(__file__).parents[2] / "dashboards" / "rules").glob("*.yml"))
STEP = 15
"""Seconds between scrapes, as in prometheus.yml."""
MINUTE = 60 // STEP
LONG = 100 * MINUTE
"""Scrapes of a series whose end is of no matter."""
EXPORTED: Series = exported()
GROWS = {"monitor_observations_total": 100, "monitor_echo_rtt_seconds_count": 15, "monitor_loop_lag_seconds_bucket": 10}
"""Counters that grow by so much a scrape when all is well."""
NAMED = frozenset(re.findall(r"\w+", "".join(each.read_text(encoding="utf-8") for each in RULES)))

Labels = Mapping[str, str]
Values = str
"""In promtool's notation."""
Changes = Mapping[tuple[str, str], Values]
"""Values by family name and by one of its label values, such as the target; empty: of all series of the family."""


def then(*parts: tuple[float | None, float], grows: float = 0) -> Values:
    """Values one after the other, each for so many minutes; None: the series is gone. The last one stays."""
    texts = []
    for value, minutes in (*parts[:-1], (parts[-1][0], LONG / MINUTE)):
        scrapes = int(minutes * MINUTE)
        texts.append(f"stale _x{scrapes - 1}" if value is None else f"{value:.15g}+{grows}x{scrapes - 1}")
    return " ".join(texts)


def growing(by: float, start: float = 0) -> Values:
    """A counter that grows by so much a scrape."""
    return then((start, LONG), grows=by)


def series(changes: Changes) -> Iterator[tuple[str, Labels, Values]]:
    """All that is scraped and that the rules name. A change of what the daemon does not export is a mistake of the test."""
    unused = set(changes)
    for name, family in EXPORTED.items():
        if name not in NAMED:
            unused -= {key for key in changes if key[0] == name}
            continue
        for labels, value in family.items():
            texts = [each for _, each in labels]
            keys = [key for key in changes if key[0] == name and key[1] in ("", *texts)]
            unused -= set(keys)
            values = changes[max(keys, key=lambda key: len(key[1]))] if keys else growing(GROWS.get(name, 0), value)
            yield name, dict(labels), values
    assert not unused, f"the daemon does not export {unused}"


def selector(name: str, labels: Labels) -> str:
    """A series as promtool writes it."""
    return f"{name}{{{','.join(f'{key}={json.dumps(value)}' for key, value in labels.items())}}}"


@dataclass(frozen=True, slots=True)
class Question:
    """What an expression must give at a time."""

    expr: str
    minutes: float
    samples: Sequence[tuple[str, float]]

    def asked(self) -> dict[str, object]:
        """As promtool wants it."""
        found = [{"labels": labels, "value": value} for labels, value in self.samples]
        return {"expr": self.expr, "eval_time": f"{self.minutes * 60:.0f}s", "exp_samples": found}


def hold(folder: Path, changes: Changes, questions: Sequence[Question], step: int = STEP) -> None:
    """Fail when the rules give other answers; with another `step` the same values are scraped more seldom."""
    program = shutil.which("promtool")
    if program is None:
        pytest.fail("promtool is not installed: apt-get install prometheus")
    inputs = [{"series": selector(name, labels), "values": values} for name, labels, values in series(changes)]
    test = {
        "rule_files": [str(each) for each in RULES],
        "evaluation_interval": f"{step}s",
        "group_eval_order": [
            "commune-monitor-states", "commune-monitor-loss", "commune-monitor-availability", "commune-monitor-lines",
        ],
        "tests": [
            {"interval": f"{step}s", "input_series": inputs, "promql_expr_test": [each.asked() for each in questions]}
        ],
    }  # fmt: skip
    file = folder / "test.yml"
    file.write_text(json.dumps(test), encoding="utf-8")
    done = subprocess.run([program, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
