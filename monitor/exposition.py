"""The many series of checks and targets as text, in the Prometheus text format and in OpenMetrics 1.0.

Checks measure the same things as others do, so their lines are templates that only want labels and numbers: prometheus-client
needs half a second for 50,000 series, this a few hundredths. Nothing is kept from one scrape to the next but labels and
templates: most numbers are new at each, and a million texts would have to be held, and gone through by Python's collector of
cycles. The text comes in pieces, so that no scrape holds up the loop.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Any

from monitor.core.model import Check, Inventory, Observation, Outcome, Role, Target
from probes.registry import Metric

ECHO = "icmp"
RTT = "monitor_echo_rtt_seconds"
RTT_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
JITTER = "monitor_echo_jitter_seconds"
JITTER_BUCKETS = (0.001, 0.005, 0.01, 0.03, 0.1)
JITTER_HELP = "Differences between one round trip and the next (RFC 3550, not smoothed)."
LOST = "monitor_echo_lost_total"
AT_ONCE = 500
"""Checks or targets that are gone through without a pause: about a millisecond."""
PIECE_CHARACTERS = 1 << 18
"""About a millisecond."""
JOINED_AT_ONCE = 50
"""Texts of one family and shape that are put together before their length is looked at: as many as 48 ports each make a piece."""


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


class _Histogram:
    """Durations of one target, counted by size."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = array("Q", bytes(8 * (len(bounds) + 1)))
        self._total = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def text(self, name: str, own: str) -> str:
        """Its series."""
        seen, lines = 0, []
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            seen += count
            lines.append(f'{name}_bucket{{{own},le="{bound}"}} {seen}\n')
        lines.append(f"{name}_sum{{{own}}} {self._total:.9g}\n{name}_count{{{own}}} {seen}\n")
        return "".join(lines)


@dataclass(slots=True)
class _Echoes:
    """The echoes of one check; the histograms are those of its target."""

    rtt: _Histogram
    jitter: _Histogram
    last: float | None = None


_Run = tuple[Any, ...]
"""One run of a check: its label text, success, duration, then the measurements in the order of its shape."""
_Form = tuple[str, "itemgetter[Any]"]
"""Lines of one family with places for label text and number in turn, and what of a run goes there."""
_Shape = dict[str, _Form]
"""By family, what is written for a run with these measurements."""


class Exposition:
    """Series of the checks of one inventory after the other."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._declared = {metric.name: metric for metric in metrics}
        self._labels: dict[str, str] = {}
        self._target_labels: dict[str, str] = {}
        self._shapes: dict[tuple[str, ...], _Shape] = {}
        """By measurements; those that the last scrape had."""
        self._lost: dict[str, int] = {}
        """Of every target with an echo."""
        self._histograms: dict[str, tuple[_Histogram, _Histogram]] = {}
        """Round trip and jitter of the targets that have them."""
        self._echoes: dict[str, _Echoes] = {}
        """The checks that fill them."""

    def adopt(self, inventory: Inventory) -> None:
        """Take over an inventory: what left it leaves no series, counts of what stays go on."""
        targets = inventory.targets.values()
        self._labels = {
            check.id: labels(site=target.site, target=target.id, kind=target.kind, check=check.name)
            for target in targets
            for check in target.checks
        }
        self._target_labels = {each.id: labels(site=each.site, target=each.id) for each in targets}
        echoes = [(target, check) for target in targets for check in target.checks if check.probe == ECHO]
        self._lost = {target.id: self._lost.get(target.id, 0) for target, _ in echoes}
        kept = {check.id: target.id for target, check in echoes if _keeps_histograms(target, check)}
        self._histograms = {
            target: self._histograms.get(target) or (_Histogram(RTT_BUCKETS), _Histogram(JITTER_BUCKETS))
            for target in kept.values()
        }
        self._echoes = {check: _Echoes(*self._histograms[target]) for check, target in kept.items()}

    def labels_of(self, check: str) -> str:
        """Label text of a check's series; "" when the inventory does not have it."""
        return self._labels.get(check, "")

    # -- echoes ------------------------------------------------------------------------------------------------------

    def echoed(self, check: str, seconds: float) -> None:
        """Count one round trip, and how far it is from the last one: D of RFC 3550 section 6.4.1, not smoothed."""
        echoes = self._echoes.get(check)
        if echoes is None:
            return
        echoes.rtt.add(seconds)
        if echoes.last is not None:
            echoes.jitter.add(abs(seconds - echoes.last))
        echoes.last = seconds

    def lost(self, target: str) -> None:
        """Count one echo that did not come back."""
        if target in self._lost:
            self._lost[target] += 1

    # -- text --------------------------------------------------------------------------------------------------------

    def pieces(self, last: Mapping[str, Observation], *, openmetrics: bool) -> Iterator[str]:
        """The text in pieces, some of them empty; between two of them the caller may do other things."""
        families: dict[str, list[tuple[_Form, list[_Run]]]] = {}
        yield from self._gather(last, families)
        for name, parts in families.items():
            yield head(self._declared.get(name) or Metric(name=name, help="Undeclared."), openmetrics=openmetrics)
            yield from joined(_texts(parts))
        for name, text, place in ((RTT, "Round trips of the echoes.", 0), (JITTER, JITTER_HELP, 1)):
            yield head(Metric(name=name, help=text), openmetrics=openmetrics, kind="histogram")
            yield from joined(
                each[place].text(name, own)
                for target, each in self._histograms.items()
                if (own := self._target_labels.get(target))
            )
        metric = Metric(name=LOST, help="Echoes in turn that did not come back.", counter=True)
        yield head(metric, openmetrics=openmetrics)
        yield from joined(
            f"{LOST}{{{own}}} {count}\n"
            for target, count in self._lost.items()
            if (own := self._target_labels.get(target))
        )

    def _gather(
        self, last: Mapping[str, Observation], families: dict[str, list[tuple[_Form, list[_Run]]]]
    ) -> Iterator[str]:
        """Fill `families` with all last runs as they are now: each is told whole, though its families are far apart."""
        shapes: dict[tuple[str, ...], _Shape] = {}
        runs: dict[tuple[str, ...], list[_Run]] = {}
        work = 0
        for check in list(last):  # others come while we pause
            seen, own = last.get(check), self._labels.get(check)
            if seen is None or own is None:
                continue
            keys = tuple(seen.values)
            if keys not in shapes:
                shape = shapes[keys] = self._shapes.get(keys) or _shape(keys)
                runs[keys] = []
                for name, form in shape.items():
                    families.setdefault(name, []).append((form, runs[keys]))
            numbers = [each if type(each) is float else _number(each) for each in seen.values.values()]
            runs[keys].append((own, 1 if seen.outcome is Outcome.OK else 0, seen.duration_seconds, *numbers))
            work += 1 + len(keys) // 8
            if work >= AT_ONCE:
                work = 0
                yield ""
        self._shapes = shapes


def _keeps_histograms(target: Target, check: Check) -> bool:
    wanted: bool | None = getattr(check.options, "histogram", None)
    return target.role is Role.LINK if wanted is None else wanted


def _shape(keys: tuple[str, ...]) -> _Shape:
    places: dict[str, list[int]] = {}
    lines: dict[str, str] = {}
    for place, key in enumerate(("probe_success", "probe_duration_seconds", *keys), 1):
        name, _, more = key.replace("%", "%%").partition("{")
        lines[name] = lines.get(name, "") + f"{name}{{%s{f',{more[:-1]}' if more else ''}}} %r\n"
        places.setdefault(name, []).extend((0, place))
    return {name: (template, itemgetter(*places[name])) for name, template in lines.items()}


def _texts(parts: Iterable[tuple[_Form, list[_Run]]]) -> Iterator[str]:
    for (template, pick), runs in parts:
        texts = map(template.__mod__, map(pick, runs))
        while text := "".join(islice(texts, JOINED_AT_ONCE)):
            yield text


def _number(value: Any) -> float:
    """What a kind may have left that is no float: a whole number, a bool, or something that no sample can be."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


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


# -- reckoning ---------------------------------------------------------------------------------------------------------

_OF_ECHO = len(RTT_BUCKETS) + len(JITTER_BUCKETS) + 2 * len(("+Inf", "sum", "count"))


def series_of(inventory: Inventory, values: Callable[[Target, Check], float]) -> float:
    """Series of a scrape that an inventory causes when everything was seen, where a run of a check has so many measurements."""
    count = float(len(inventory.sites) + len(inventory.targets) + len({check.probe for check in _checks(inventory)}))
    for target in inventory.targets.values():
        echoes = [check for check in target.checks if check.probe == ECHO]
        count += bool(target.provider) + bool(echoes)
        count += _OF_ECHO * any(_keeps_histograms(target, check) for check in echoes)
        count += sum(2 + bool(check.window) + values(target, check) for check in target.checks)
    return count


def _checks(inventory: Inventory) -> Iterator[Check]:
    for target in inventory.targets.values():
        yield from target.checks
