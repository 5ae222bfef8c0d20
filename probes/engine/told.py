"""Measurements of what a device tells of itself in a document: by a path, and so lines of YAML, as those of a MIB (`probes.engine.values`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from probes.engine.values import (
    MOST_TAKEN_ROWS,
    MOST_VALUES,
    MadeOptions,
    Measured,
    Take,
    gather,
    metrics,
    part_and_whole,
    within,
)
from probes.registry import Options
from probes.wire.branch import Branch, Chain, Known, beside, find

RoomMetric = Literal[
    "snmp_alarms", "room_calls", "room_loss_ratio", "room_last_call_loss_ratio", "room_jitter_seconds",
    "room_camera_faults", "room_microphone_faults", "room_muted", "room_unregistered",
]  # fmt: skip
METRICS = metrics(get_args(RoomMetric))
_PATH = re.compile(r"[A-Za-z_][\w.-]*(/([A-Za-z_][\w.-]*|\*))*")
_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,17})?", re.ASCII)


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError(f"`{value}` is no path: write names with / between them, such as Status/Audio/Volume")
    return value


Path = Annotated[str, AfterValidator(_path), Field(max_length=160, json_schema_extra={"pattern": f"^{_PATH.pattern}$"})]


class OnlyWhere(Options):
    """Which rows of a list."""

    at: Path = Field(description="path of a value in the same row")
    values: list[str] = Field(min_length=1, max_length=32, description="what stands there in the rows that count")


class ToldOptions(MadeOptions[Path, str]):
    """Where a value is, and how a measurement is made of it."""

    metric: RoomMetric = Field(description="which measurement it is")
    at: Path = Field(description="path to it, from the name of its document on; * is any name")
    only: OnlyWhere | None = Field(None, description="which rows of a list; default: all")
    take: Take | None = Field(None, description="one number of all rows; default: the first one")

    @model_validator(mode="after")
    def _fits_together(self) -> ToldOptions:
        if self.states and (self.of or self.rest or self.scale != 1.0):
            raise ValueError("of `states` there is no ratio and no scale: the measurement is 0 or 1")
        if len({each.partition("/")[0] for each in self.paths}) > 1:
            raise ValueError("all paths of a value lead into the same document")
        return self

    @property
    def document(self) -> str:
        """In which it stands."""
        return self.at.partition("/")[0]

    @property
    def paths(self) -> list[str]:
        """All that it reads."""
        return [each for each in (self.at, self.of, self.rest, self.only.at if self.only else None) if each]


Values = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=32)], ToldOptions],
    Field(min_length=1, max_length=MOST_VALUES),
]


def measure(wanted: Mapping[str, ToldOptions], documents: Mapping[str, Branch]) -> list[Measured]:
    """All that these documents tell; of several values that are the same measurement the first one counts."""
    read = {name: how for name, how in wanted.items() if how.document in documents}
    rows: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    known: Known = {}
    for name, how in read.items():
        chains = _chains(how, documents[how.document], known)
        counts[name] = len(chains)
        numbers = [value for each in chains if (value := _reckon(how, each, known)) is not None]
        taken = numbers if how.take else numbers[:1]
        rows[name] = {str(row) if how.take else "": value for row, value in enumerate(taken)}
    return gather(read, rows, counts)


def _chains(how: ToldOptions, document: Branch, known: Known) -> list[Chain]:
    path = how.at.split("/")
    found = islice(find(document, path), MOST_TAKEN_ROWS)
    if how.only is None:
        return list(found)
    only = how.only.at.split("/")
    return [each for each in found if beside(each, path, only, known) in how.only.values]


def _reckon(how: ToldOptions, chain: Chain, known: Known) -> float | None:
    """The measurement that one row makes; None when the device does not know it."""
    text = chain[-1].text
    if how.states:
        return float(text in how.states) if text else None
    value = _number(text)
    if value is None:
        return None
    if other := how.of or how.rest:
        second = _number(beside(chain, how.at.split("/"), other.split("/"), known) or "")
        pair = part_and_whole([value], second, is_rest=how.rest is not None)
        if pair is None:
            return None
        value = pair[0] / pair[1]
    return within(how.metric, value * how.scale)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None
