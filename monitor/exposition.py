"""The many series of checks and targets as text, in the Prometheus text format and in OpenMetrics 1.0.

Checks measure the same things run after run, and as others do, so their lines are kept as templates that only want labels and
numbers: prometheus-client needs half a second for 50,000 series, this a few hundredths. The text comes in pieces, so that no scrape holds up the loop.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from monitor.core.model import Inventory, Observation, Outcome
from probes.registry import Metric

RTT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
RTT = "monitor_echo_rtt_seconds"
LOST = "monitor_echo_lost_total"
AT_ONCE = 500
"""Checks or targets that are gone through without a pause: about a millisecond."""
PIECE_CHARACTERS = 1 << 18
"""About a millisecond."""

_BOUNDS = tuple(f'le="{each}"' for each in (*RTT_BUCKETS, "+Inf"))


def quote(value: str) -> str:
    """A label value as the text format wants it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def labels(**values: str) -> str:
    """Label text without its braces."""
    return ",".join(f'{name}="{quote(value)}"' for name, value in values.items())


def head(metric: Metric, *, openmetrics: bool = False, kind: str = "") -> str:
    """HELP and TYPE of a family. OpenMetrics knows a counter only by a name that ends in `_total`."""
    name, kind = metric.name, kind or ("counter" if metric.counter else "gauge")
    if openmetrics and kind == "counter":
        name, kind = (name.removesuffix("_total"), kind) if name.endswith("_total") else (name, "unknown")
    return f"# HELP {name} {metric.help}\n# TYPE {name} {kind}\n"


@dataclass(slots=True)
class _Echoes:
    """Cumulated round trips and losses of one target."""

    counts: array[int] = field(default_factory=lambda: array("Q", bytes(8 * (len(RTT_BUCKETS) + 1))))
    total: float = 0.0
    lost: int = 0


_Shape = dict[str, tuple[str, "itemgetter[Any]"]]
"""By family: the lines of whoever has these measurements, with OWN for its labels and a place for each number; and which
numbers go there."""
OWN = "\0"


@dataclass(slots=True)
class _Plan:
    """How the lines of one check are written."""

    own: str
    keys: tuple[str, ...]
    shape: _Shape
    seen: Observation
    numbers: tuple[float, ...] = ()
    """Success, duration, then the measurements in the order of `keys`."""
    texts: dict[str, str] = field(default_factory=dict)
    """By family: the lines with their numbers, until there are new ones."""


class Exposition:
    """Series of the checks of one inventory after the other."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._declared = {metric.name: metric for metric in metrics}
        self._labels: dict[str, str] = {}
        self._target_labels: dict[str, str] = {}
        self._plans: dict[str, _Plan] = {}
        self._families: dict[str, dict[str, _Plan]] = {}
        """By family: the checks that are in it."""
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        self._echoes: dict[str, _Echoes] = {}

    def adopt(self, inventory: Inventory) -> None:
        """Take over an inventory: what left it leaves no series, counts of what stays go on."""
        self._labels = {
            check.id: labels(site=target.site, target=target.id, kind=target.kind, check=check.name)
            for target in inventory.targets.values()
            for check in target.checks
        }
        self._target_labels = {each.id: labels(site=each.site, target=each.id) for each in inventory.targets.values()}
        self._plans, self._families, self._shapes = {}, {}, {}
        self._echoes = {target: echoes for target, echoes in self._echoes.items() if target in inventory.targets}

    def labels_of(self, check: str) -> str:
        """Label text of a check's series; "" when the inventory does not have it."""
        return self._labels.get(check, "")

    # -- echoes ------------------------------------------------------------------------------------------------------

    def echoed(self, target: str, seconds: float) -> None:
        """Count one round trip."""
        echoes = self._echoes_of(target)
        echoes.counts[bisect_left(RTT_BUCKETS, seconds)] += 1
        echoes.total += seconds

    def lost(self, target: str) -> None:
        """Count one echo that did not come back."""
        self._echoes_of(target).lost += 1

    def _echoes_of(self, target: str) -> _Echoes:
        echoes = self._echoes.get(target)
        if echoes is None:
            echoes = self._echoes[target] = _Echoes()
        return echoes

    # -- text --------------------------------------------------------------------------------------------------------

    def pieces(self, last: Mapping[str, Observation], *, openmetrics: bool) -> Iterator[str]:
        """The text in pieces, some of them empty; between two of them the caller may do other things."""
        yield from self._renew(last)
        for name in list(self._families):
            yield head(self._declared.get(name) or Metric(name=name, help="Undeclared."), openmetrics=openmetrics)
            yield from joined(_lines(name, plan) for plan in list(self._families.get(name, {}).values()))
        yield from self._histogram(openmetrics=openmetrics)

    def _renew(self, last: Mapping[str, Observation]) -> Iterator[str]:
        """Take the numbers of what was observed since."""
        work = 0
        for check, seen in list(last.items()):
            plan = self._plans.get(check)
            if (plan is not None and plan.seen is seen) or check not in self._labels:
                continue
            keys = tuple(seen.values)
            if plan is None or plan.keys != keys:
                plan = self._new_plan(check, keys, seen)
            plan.seen = seen
            success = 1 if seen.outcome is Outcome.OK else 0
            numbers = [each if type(each) is float else _number(each) for each in seen.values.values()]
            plan.numbers = (success, seen.duration_seconds, *numbers)
            plan.texts.clear()
            work += 1 + len(keys) // 8
            if work >= AT_ONCE:
                work = 0
                yield ""

    def _new_plan(self, check: str, keys: tuple[str, ...], seen: Observation) -> _Plan:
        for name in self._plans[check].shape if check in self._plans else ():
            del self._families[name][check]
        shape = self._shapes.get(keys)
        if shape is None:
            shape = self._shapes[keys] = _shape(keys)
        plan = self._plans[check] = _Plan(self._labels[check], keys, shape, seen)
        for name in shape:
            self._families.setdefault(name, {})[check] = plan
        return plan

    def _histogram(self, *, openmetrics: bool) -> Iterator[str]:
        yield head(Metric(name=RTT, help="Round trips of the echoes."), openmetrics=openmetrics, kind="histogram")
        echoes = [
            (self._target_labels[target], each)
            for target, each in self._echoes.items()
            if target in self._target_labels
        ]
        yield from joined(_buckets(own, each) for own, each in echoes)
        yield head(
            Metric(name=LOST, help="Echoes in turn that did not come back.", counter=True), openmetrics=openmetrics
        )
        yield from joined(f"{LOST}{{{own}}} {each.lost}\n" for own, each in echoes)


def _shape(keys: tuple[str, ...]) -> _Shape:
    places: dict[str, list[int]] = {}
    lines: dict[str, str] = {}
    for place, key in enumerate(("probe_success", "probe_duration_seconds", *keys)):
        name, _, more = key.replace("%", "%%").replace(OWN, "").partition("{")
        lines[name] = lines.get(name, "") + f"{name}{{{OWN}{f',{more[:-1]}' if more else ''}}} %r\n"
        places.setdefault(name, []).append(place)
    return {name: (template, itemgetter(*places[name])) for name, template in lines.items()}


def _lines(family: str, plan: _Plan) -> str:
    text = plan.texts.get(family)
    if text is None:
        template, pick = plan.shape[family]
        text = plan.texts[family] = (template % pick(plan.numbers)).replace(OWN, plan.own)
    return text


def _number(value: Any) -> float:
    """What a kind may have left that is no float: a whole number, a bool, or something that no sample can be."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def _buckets(own: str, echoes: _Echoes) -> str:
    seen, lines = 0, []
    for bound, count in zip(_BOUNDS, echoes.counts, strict=True):
        seen += count
        lines.append(f"{RTT}_bucket{{{own},{bound}}} {seen}\n")
    lines.append(f"{RTT}_sum{{{own}}} {echoes.total:.9g}\n{RTT}_count{{{own}}} {seen}\n")
    return "".join(lines)


def joined(texts: Iterable[str]) -> Iterator[str]:
    """Texts in pieces of about PIECE_CHARACTERS."""
    waiting, length = [], 0
    for text in texts:
        waiting.append(text)
        length += len(text)
        if length >= PIECE_CHARACTERS:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)
