"""What the UPS of the lab say, asked by the probe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.peers import UPS_ON_BATTERY, UPS_ON_MAINS
from tests.probes.peers import UPS, Snmpd, ask


@pytest.mark.parametrize(
    ("says", "battery", "left", "degrees"), [(UPS_ON_MAINS, 0, 47, 24), (UPS_ON_BATTERY, 1, 12, 31)]
)
async def test_the_ups_of_the_lab_tell_battery_temperature_and_alarms(
    says: Mapping[str, tuple[str, str]], battery: int, left: int, degrees: int, tmp_path: Path
) -> None:
    objects = {f"{UPS}.{oid}": value if kind == "object_id" else int(value) for oid, (kind, value) in says.items()}
    agent = Snmpd(tmp_path, "ups", objects)
    agent.start()
    try:
        values = (await ask("snmp", **agent.v2c, ups=True)).values
    finally:
        agent.stop()
    told = [values[each] for each in ("upsOnBattery", "upsEstimatedMinutesRemaining", "upsBatteryTemperature")]
    assert told == [battery, left, degrees]
    assert (values["upsBatteryLow"], values["upsReplaceBattery"]) == (0, 0)
