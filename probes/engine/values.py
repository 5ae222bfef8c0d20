"""Values that the MIB of a vendor tells: the inventory says where they are and which measurement they are.

So equipment of a new make needs lines of YAML and no code. Where the rows of a table are is found by a walk and kept;
from then on exact GETs ask for them together.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from pydantic import Field, model_validator

from probes.engine.snmp import Session, text
from probes.registry import Metric, ObjectId, Options, Request, labelled
from probes.wire.text import one_line

MOST_ROWS = 16
"""Of a table whose rows make a series each."""
MOST_TAKEN_ROWS = 256
"""Of a table of which one number is taken."""
MOST_VALUES = 32
FIND_SECONDS = 3600.0
"""Where the rows are is looked for anew so often, and when one is gone: a disk may have come."""
_NUMBER = re.compile(rb"\s*-?\d{1,15}(\.\d{1,9})?\s*")
"""Some agents write numbers as text."""


class _Measure(NamedTuple):
    help: str
    label: str = ""
    least: float = 0.0
    most: float = 1.0
    """What lies outside of these is no measurement: agents write -1, -2147483648 or 2147483647 for what they do not know."""
    by_others: bool = False
    """Whether other options bring it too."""


_ANY = float(2**63)
MEASURES: Mapping[str, _Measure] = {
    "snmp_cpu_ratio": _Measure("How busy the processor is, 0 to 1."),
    "snmp_memory_ratio": _Measure("Part of the memory that is in use, 0 to 1."),
    "snmp_disk_ratio": _Measure("Part of the disk that is in use, 0 to 1.", "disk"),
    "snmp_temperature_celsius": _Measure("What a sensor of the device tells.", "sensor", -60, 200, by_others=True),
    "snmp_supply_ratio": _Measure("What is left of toner or ink, 0 to 1.", "supply"),
    "snmp_poe_ratio": _Measure("Part of the power over Ethernet that is in use, 0 to 1.", most=2),
    "snmp_wireless_clients": _Measure("Devices that hang on it by radio.", most=1e6),
    "snmp_alarms": _Measure("How many of its parts the device itself tells to be in trouble.", "part", most=1e6),
    "room_calls": _Measure("Calls that a room is in.", most=1e4),
    "room_loss_ratio": _Measure("Part of the packets that a room in a call misses, 0 to 1."),
    "room_call_loss_ratio": _Measure("Part of the packets that a room missed since its call began, 0 to 1."),
    "room_last_call_loss_ratio": _Measure("Part of the packets that a room missed in its last call, 0 to 1."),
    "room_jitter_seconds": _Measure("Jitter of what a room in a call receives.", most=60),
    "room_camera_faults": _Measure("Cameras that a room says it misses or that fail.", most=1e3),
    "room_microphone_faults": _Measure("Microphones that a room says it misses or that fail.", most=1e3),
    "room_muted": _Measure("1 when the microphones of a room are off."),
    "room_unregistered": _Measure("1 when a room says that its registration failed.", "at"),
    "snmp_bridge_ports_ratio": _Measure("Part of the ports of a bridge that are in use, 0 to 1."),
    "upsOnBattery": _Measure("1 when the output comes from the battery.", by_others=True),
    "upsBatteryLow": _Measure("1 when the battery is low or depleted.", by_others=True),
    "upsReplaceBattery": _Measure("1 when the battery must be replaced.", by_others=True),
    "upsBatteryTemperature": _Measure(
        "Temperature at the battery in degrees Celsius.", least=-60, most=200, by_others=True
    ),
    "upsEstimatedMinutesRemaining": _Measure("Minutes that the battery will last.", most=1e5, by_others=True),
    "upsEstimatedChargeRemaining": _Measure("Charge of the battery in percent.", most=100, by_others=True),
    "upsOutputPercentLoad": _Measure("Load of the output in percent of what the UPS can carry.", most=1000),
    "snmp_value": _Measure("A value that the inventory names.", "name", -_ANY, _ANY),
}
"""Which measurements a value can be."""
MetricName = Literal[
    "snmp_cpu_ratio", "snmp_memory_ratio", "snmp_disk_ratio", "snmp_temperature_celsius", "snmp_supply_ratio",
    "snmp_poe_ratio", "snmp_wireless_clients", "snmp_alarms", "room_calls", "room_loss_ratio", "room_call_loss_ratio",
    "room_last_call_loss_ratio", "room_jitter_seconds", "room_camera_faults", "room_microphone_faults", "room_muted",
    "room_unregistered", "snmp_bridge_ports_ratio", "upsOnBattery", "upsBatteryLow", "upsReplaceBattery",
    "upsBatteryTemperature", "upsEstimatedMinutesRemaining", "upsEstimatedChargeRemaining", "upsOutputPercentLoad",
    "snmp_value",
]  # fmt: skip


def metrics(names: Iterable[str]) -> tuple[Metric, ...]:
    """What a kind declares that makes these."""
    return tuple(
        Metric(name=name, help=each.help, labels=(each.label,) if each.label else (), asked_for=not each.by_others)
        for name, each in ((name, MEASURES[name]) for name in names)
    )


METRICS = metrics(MEASURES)


Take = Literal["max", "min", "mean", "sum", "count"]


_Place = TypeVar("_Place")
_State = TypeVar("_State", int, str)


class MadeOptions(Options, Generic[_Place, _State]):
    """How a measurement is made of what a device tells, wherever that stands."""

    metric: MetricName
    of: _Place | None = Field(None, description="where the whole is that it is a part of; makes it a ratio")
    rest: _Place | None = Field(None, description="where the other part of that whole is, when the whole is not told")
    scale: float = Field(1.0, description="it is multiplied by this: 0.01 makes a ratio of percent")
    states: list[_State] = Field([], max_length=32, description="the measurement is 1 when it is one of these, else 0")
    none: float | None = Field(
        None, description="the measurement while nothing is told of it, such as the loss of a room that is in no call"
    )

    @model_validator(mode="after")
    def _can_be(self) -> Self:
        if self.of and self.rest:
            raise ValueError("write `of` or `rest`, not both")
        if self.none is not None and within(self.metric, self.none) is None:
            raise ValueError(f"{self.metric} is never {self.none:g}")
        return self


class OnlyRows(Options):
    """Which rows of a table."""

    column: ObjectId = Field(description="OID of a column of the same table")
    values: list[int | str] = Field(min_length=1, max_length=16, description="what stands in it in the rows that count")


class ValueOptions(MadeOptions[ObjectId, int]):
    """Where a value is, and how a measurement is made of it."""

    metric: MetricName = Field("snmp_value", description="which measurement it is")
    object: ObjectId | None = Field(None, description="OID of one object with its instance; most end in .0")
    column: ObjectId | None = Field(None, description="OID of a column of a table, without an instance")
    plus: list[ObjectId] = Field([], max_length=4, description="OIDs of others that are added to it")
    free: bool = Field(False, description="it is the part that is free, so the rest of the ratio is in use")
    only: OnlyRows | None = Field(None, description="which rows of the table; default: all")
    take: Take | None = Field(None, description="one number of all rows; default: each row is a measurement of its own")
    names: ObjectId | None = Field(None, description="OID of the column with the names of the rows; default: by number")

    @model_validator(mode="after")
    def _fits_together(self) -> ValueOptions:
        if (self.object is None) == (self.column is None):
            raise ValueError("write exactly one of `object` and `column`")
        if self.object is not None and (self.only or self.take or self.names):
            raise ValueError("`only`, `take` and `names` belong to a `column`")
        if self.column is not None and not self.take and not MEASURES[self.metric].label:
            raise ValueError(f"of {self.metric} there is one: write which to `take` of the rows")
        if self.take and self.names:
            raise ValueError("where one number is taken of all rows, no `names` of rows are needed")
        if self.none is not None and self.column is not None and not self.take:
            raise ValueError("what is when there is no row needs one number of all rows: write which to `take`")
        if self.free and not (self.of or self.rest):
            raise ValueError("`free` needs `of` or `rest`: the whole that a part of is free")
        return self

    @property
    def come_and_go(self) -> bool:
        """Whether its rows do, as calls: then where they are is no use in the next run."""
        return self.none is not None and self.column is not None

    def oids(self, instance: str) -> tuple[str, ...]:
        """Of one row, or of the object when `instance` is ""; what it is made of comes in this order."""
        first = self.object or self.column or ""
        second = tuple(each for each in (self.of, self.rest) if each)
        return tuple(f"{each}{instance}" for each in (first, *self.plus, *second))


Values = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=32)], ValueOptions], Field(max_length=MOST_VALUES)
]


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where one number is: a row of a table, or an object."""

    value: str
    """Its name in the inventory."""
    row: str
    """Name of the row; "" of an object."""
    oids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What a poll brought: raw numbers by value and row, in the order of `ValueOptions.oids`."""

    numbers: Sequence[tuple[_Spot, Sequence[float | None]]]
    counts: Mapping[str, int]
    """Rows by value, where they are counted."""


NOTHING = Told((), {})


async def read(request: Request[Any], session: Session, wanted: Mapping[str, ValueOptions]) -> Told:
    """Ask for all of them."""
    clock = asyncio.get_running_loop().time
    known: tuple[float, Sequence[_Spot]] | None = request.memory.get("values")
    if known is None or clock() - known[0] > FIND_SECONDS:
        lasting = {name: how for name, how in wanted.items() if how.take != "count" and not how.come_and_go}
        spots = [each for name, how in lasting.items() for each in await _find(request, session, name, how)]
        known = request.memory["values"] = (clock(), spots)
        if lacking := lasting.keys() - {each.value for each in spots}:
            request.trace(f"the device has nothing for {', '.join(sorted(lacking))}")
    going = [(name, how) for name, how in wanted.items() if how.take != "count" and how.come_and_go]
    now = [each for name, how in going for each in await _find(request, session, name, how)]
    got = await session.rows([each.oids for each in (*known[1], *now)])
    if any(each.oids[0] not in got for each in known[1]):  # gone: looked for in the next run
        request.memory.pop("values", None)
    counts = {name: len(await _rows(session, how)) for name, how in wanted.items() if how.take == "count"}
    return Told([(each, [_number(got.get(oid)) for oid in each.oids]) for each in (*known[1], *now)], counts)


async def _find(request: Request[Any], session: Session, name: str, how: ValueOptions) -> Sequence[_Spot]:
    if how.object is not None:
        # One by one: some agents give up the whole answer for an object that they lack (RFC 1157 section 4.1.2).
        oids = how.oids("")
        return [_Spot(name, "", oids)] if await session.get([oids[0]]) else ()
    request.trace(f"walking {how.column} for {name}")
    found = list(await _rows(session, how))[: MOST_TAKEN_ROWS if how.take else MOST_ROWS]
    named = await session.rows([[f"{how.names}.{index}"] for index in found]) if how.names else {}
    rows: dict[str, str] = {}
    for index in found:
        told = one_line(text(named.get(f"{how.names}.{index}", b"")), 64) or index
        rows[f"{told} ({index})" if told in rows else told] = index
    return [_Spot(name, row, how.oids(f".{index}")) for row, index in rows.items()]


async def _rows(session: Session, how: ValueOptions) -> Mapping[str, str]:
    """By index, those that count."""
    assert how.column is not None
    if how.only is None:
        return await session.walk(how.column, certain=False)
    right = {str(each) for each in how.only.values}
    return {
        index: each for index, each in (await session.walk(how.only.column, certain=False)).items() if each in right
    }


# -- what it means -----------------------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """One measurement."""

    metric: str
    part: str
    """What its label says; "" where it has none."""
    value: float
    told: bool = True
    """False: it is what the inventory says holds while nothing is told."""

    @property
    def key(self) -> str:
        """Its name, label included."""
        return labelled(self.metric, **{MEASURES[self.metric].label: self.part}) if self.part else self.metric

    def __str__(self) -> str:
        name = self.metric.removeprefix("snmp_")
        for unit in ("_ratio", "_celsius", "_seconds"):
            name = name.removesuffix(unit)
        number = f"{self.value * 100:.0f} %" if self.metric.endswith("_ratio") else f"{self.value:g}"
        number += " °C" if self.metric.endswith("_celsius") else " s" if self.metric.endswith("_seconds") else ""
        return f"{' '.join(filter(None, (name.replace('_', ' '), self.part)))} {number}"


def measure(wanted: Mapping[str, ValueOptions], told: Told) -> list[Measured]:
    """All that are told; of several values that are the same measurement the first one counts."""
    rows: dict[str, dict[str, float]] = {}
    for spot, numbers in told.numbers:
        how = wanted.get(spot.value)
        if how is not None and (value := reckon(how, numbers)) is not None:
            rows.setdefault(spot.value, {})[spot.row] = value
    return gather(wanted, rows, told.counts)


class How(Protocol):
    """How a measurement is made of the rows of a value, whatever they were read from."""

    @property
    def metric(self) -> MetricName:
        """Which one it is."""

    @property
    def take(self) -> Take | None:
        """One number of all rows."""

    @property
    def none(self) -> float | None:
        """What it is while nothing is told of it."""


def gather(
    wanted: Mapping[str, How], rows: Mapping[str, Mapping[str, float]], counts: Mapping[str, int]
) -> list[Measured]:
    """The measurements that these make: rows by value, and how many there are of those that are counted."""
    found: dict[tuple[str, str], tuple[float, bool]] = {}
    for name, how in wanted.items():
        for row, value in _taken(how.take, rows.get(name, {}), counts.get(name)).items():
            if within(how.metric, value) is None:  # a sum may be none where each of its rows is one
                continue
            found.setdefault((how.metric, (row or name) if MEASURES[how.metric].label else ""), (value, True))
    if found:  # a device that tells none at all is no room in no call
        for name, how in wanted.items():
            if how.none is not None:
                found.setdefault((how.metric, name if MEASURES[how.metric].label else ""), (how.none, False))
    return [Measured(metric, part, *value) for (metric, part), value in found.items()]


def sayings(measured: Iterable[Measured]) -> list[str]:
    """What evidence tells of them: of parts in trouble only that there are some."""
    return [str(each) for each in measured if each.metric != "snmp_alarms" or each.value]


def counters(wanted: Mapping[str, ValueOptions], told: Told, metric: str) -> dict[tuple[str, str], tuple[float, float]]:
    """By value and row: the part and the whole of each ratio that is this measurement."""
    found = {}
    for spot, numbers in told.numbers:
        how = wanted.get(spot.value)
        if how is None or how.metric != metric or not (how.of or how.rest):
            continue
        pair = _part_and_whole(how, numbers)
        if pair is not None and pair[0] >= 0:  # more may be free than there is
            found[spot.value, spot.row] = pair
    return found


def _taken(take: Take | None, rows: Mapping[str, float], count: int | None) -> Mapping[str, float]:
    if take == "count":
        return {} if count is None else {"": float(count)}
    if take is None or not rows:
        return rows
    numbers = list(rows.values())
    match take:
        case "max":
            return {"": max(numbers)}
        case "min":
            return {"": min(numbers)}
        case "sum":
            return {"": sum(numbers)}
    return {"": sum(numbers) / len(numbers)}


def reckon(how: ValueOptions, numbers: Sequence[float | None]) -> float | None:
    """The measurement that raw numbers in the order of `ValueOptions.oids` make; None when the device does not know it."""
    if numbers[0] is not None and how.states:
        return float(numbers[0] in how.states)
    if (pair := _part_and_whole(how, numbers)) is None:
        return None
    return within(how.metric, pair[0] / pair[1] * how.scale)


def within(metric: MetricName, value: float) -> float | None:
    """The value, when it can be this measurement; else None."""
    return value if MEASURES[metric].least <= value <= MEASURES[metric].most else None


def _part_and_whole(how: ValueOptions, numbers: Sequence[float | None]) -> tuple[float, float] | None:
    """The two that make a ratio; of a value that is none, the value and 1. None: the device does not know it."""
    is_ratio = bool(how.of or how.rest)
    first, *others = numbers[:-1] if is_ratio else numbers
    if first is None:
        return None
    parts = [first, *(each for each in others if each is not None)]
    if not is_ratio:
        return sum(parts), 1.0
    pair = part_and_whole(parts, numbers[-1], is_rest=how.rest is not None)
    return (pair[1] - pair[0], pair[1]) if pair and how.free else pair


def part_and_whole(parts: Iterable[float], other: float | None, *, is_rest: bool) -> tuple[float, float] | None:
    """The sum of the parts and the whole, which is `other`, or has it as its rest; None where they make no ratio.

    None of them is below zero: devices write -1 for what they do not know, and a counter past 2³¹ so, where they take it for
    signed. One such number makes the others worth nothing, even where the ratio looks right. Of nothing there is no part.
    """
    counts = [*parts, math.nan if other is None else other]
    if not all(each >= 0 for each in counts):
        return None
    whole = sum(counts) if is_rest else counts[-1]
    return (sum(counts[:-1]), whole) if whole else None


def _number(value: object) -> float | None:
    if isinstance(value, bytes) and _NUMBER.fullmatch(value):
        return float(value)
    return float(value) if isinstance(value, int) else None
