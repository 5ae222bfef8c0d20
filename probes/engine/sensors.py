"""Temperatures that the sensors of a device tell (ENTITY-SENSOR-MIB, RFC 3433)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probes.engine.snmp import Session, text
from probes.registry import Request
from probes.wire import mib
from probes.wire.text import one_line

MOST_SENSORS = 16
"""Of a device, by their numbers: each makes a series."""


async def read(request: Request[Any], session: Session) -> Mapping[str, float | None]:
    """Degrees Celsius by sensor; where the sensors are is known from the first run on."""
    sensors: Mapping[str, str] = request.memory.get("sensors") or await _find(request, session)
    reads = {name: [f"{column}.{index}" for column in mib.SENSOR_COLUMNS] for name, index in sensors.items()}
    got = await session.rows(list(reads.values()))
    is_there = all(got.get(oids[0]) == mib.CELSIUS for oids in reads.values())
    request.memory["sensors"] = sensors if is_there else None  # else they are looked for in the next run
    return {name: mib.celsius([got.get(oid) for oid in oids]) for name, oids in reads.items()}


async def _find(request: Request[Any], session: Session) -> Mapping[str, str]:
    """Index by name of those that measure a temperature."""
    request.trace("walking entPhySensorType for the temperatures")
    kinds = await session.walk(mib.SENSOR_TYPE, certain=False)
    found = [index for index, kind in kinds.items() if kind == str(mib.CELSIUS)][:MOST_SENSORS]
    named = (mib.ENT_PHYSICAL_NAME, mib.ENT_PHYSICAL_DESCR)
    got = await session.rows([[f"{column}.{index}" for column in (mib.SENSOR_TYPE, *named)] for index in found])
    sensors: dict[str, str] = {}
    for index in found:
        told = (one_line(text(got.get(f"{column}.{index}", b"")), 64) for column in named)
        name = next(filter(None, told), index)
        sensors[f"{name} ({index})" if name in sensors else name] = index
    return sensors
