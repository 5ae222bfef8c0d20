"""Values that the inventory names: what is asked, what is made of the answers, and what strangers may answer."""

from __future__ import annotations

import math
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.model import Outcome, Reason
from probes.engine.values import MEASURES, METRICS, MOST_ROWS, MetricName, ValueOptions, reckon
from probes.registry import Result
from probes.wire import mib
from tests.probes.agent import GET_BULK, NO_INSTANCE, Agent, Question, Value, number, oid, text
from tests.probes.peers import ask

PRIVATE = "1.3.6.1.4.1.99999.1"
UP: dict[str, Value] = {mib.SYS_UPTIME: number(99900, 0x43)}


def how(**options: Any) -> ValueOptions:
    return ValueOptions.model_validate({"object": f"{PRIVATE}.0"} | options)


async def asked(
    agent: Agent, values: dict[str, Any], memory: dict[str, Any] | None = None, told: list[str] | None = None
) -> Result:
    return await ask("snmp", community={"file": "c"}, port=agent.port, values=values, memory=memory, told=told)


def test_every_measurement_is_declared_and_can_be_chosen() -> None:
    assert [each.name for each in METRICS] == list(MEASURES) == list(MetricName.__args__)


@pytest.mark.parametrize(
    ("options", "numbers", "value"),
    [
        ({}, [-5.0], -5.0),
        ({"scale": 0.1}, [415.0], 41.5),
        ({"plus": [PRIVATE, PRIVATE]}, [1.0, 2.0, None], 3.0),
        ({"of": PRIVATE}, [25.0, 100.0], 0.25),
        ({"of": PRIVATE, "free": True}, [25.0, 100.0], 0.75),
        ({"rest": PRIVATE}, [25.0, 75.0], 0.25),
        ({"rest": PRIVATE, "plus": [PRIVATE]}, [-1.0, 26.0, 75.0], None),
        ({"rest": PRIVATE, "scale": 0.5}, [100.0, -1.0], None),
        ({"rest": PRIVATE, "free": True}, [25.0, 75.0], 0.75),
        ({"plus": [PRIVATE], "of": PRIVATE, "free": True}, [10.0, 20.0, 100.0], 0.7),
        ({"of": PRIVATE}, [25.0, 0.0], None),
        ({"of": PRIVATE}, [-3.0, 100.0], None),
        ({"of": PRIVATE}, [25.0, -2.0], None),
        ({"of": PRIVATE}, [25.0, None], None),
        ({"states": [2, 3]}, [3.0], 1.0),
        ({"states": [2, 3]}, [1.0], 0.0),
        ({"states": [2, 3]}, [None], None),
        ({"metric": "snmp_cpu_ratio", "scale": 0.01}, [101.0], None),
        ({"metric": "snmp_cpu_ratio", "scale": 0.01}, [-1.0], None),
        ({"metric": "snmp_temperature_celsius"}, [2147483647.0], None),
        ({"metric": "upsBatteryTemperature"}, [255.0], None),
    ],
)
def test_a_measurement_is_made_of_raw_numbers(options: dict[str, Any], numbers: list[float | None], value: Any) -> None:
    assert reckon(how(**options), numbers) == (None if value is None else pytest.approx(value))


@given(
    st.sampled_from(list(MEASURES)),
    st.lists(st.none() | st.integers(-(2**64), 2**64).map(float), min_size=2, max_size=2),
    st.sampled_from([{}, {"of": PRIVATE}, {"rest": PRIVATE}, {"of": PRIVATE, "free": True}, {"states": [1]}]),
)
def test_whatever_an_agent_writes_a_measurement_is_within_its_bounds(
    metric: str, numbers: list[float | None], options: dict[str, Any]
) -> None:
    value = reckon(how(metric=metric, **options), numbers)
    assert value is None or options == {"states": [1]} or MEASURES[metric].least <= value <= MEASURES[metric].most
    assert value is None or math.isfinite(value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "exactly one of `object` and `column`"),
        ({"object": PRIVATE, "column": PRIVATE}, "exactly one of `object` and `column`"),
        ({"object": PRIVATE, "take": "max"}, "belong to a `column`"),
        ({"column": PRIVATE, "metric": "snmp_cpu_ratio"}, "of snmp_cpu_ratio there is one"),
        ({"column": PRIVATE, "take": "max", "names": PRIVATE}, "no `names`"),
        ({"object": PRIVATE, "of": PRIVATE, "rest": PRIVATE}, "`of` or `rest`"),
        ({"object": PRIVATE, "free": True}, "`free` needs"),
        ({"column": PRIVATE, "none": 0}, "write which to `take`"),
        ({"object": PRIVATE, "metric": "room_loss_ratio", "none": -1}, "room_loss_ratio is never -1"),
        ({"object": "enterprises.9"}, "is not an object id"),
        ({"object": PRIVATE, "metric": "cpu"}, "snmp_cpu_ratio"),
    ],
)
def test_what_makes_no_sense_together_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=said):
        ValueOptions.model_validate(options)


TABLE = {
    **UP,
    # Indexed by two numbers, as the supplies of a printer are.
    **{f"{PRIVATE}.1.1.{row}": text(name) for row, name in ((1, "Black"), (2, "Waste"), (10, "Cyan"))},
    **{f"{PRIVATE}.2.1.{row}": number(left) for row, left in ((1, 40), (2, 5), (10, 90))},
    **{f"{PRIVATE}.3.1.{row}": number(all_) for row, all_ in ((1, 80), (2, 10), (10, 100))},
    **{f"{PRIVATE}.4.1.{row}": number(kind) for row, kind in ((1, 3), (2, 4), (10, 3))},
    f"{PRIVATE}.9.0": text(" 21.5 "),
}
SUPPLIES = {
    "metric": "snmp_supply_ratio", "column": f"{PRIVATE}.2", "of": f"{PRIVATE}.3", "names": f"{PRIVATE}.1",
    "only": {"column": f"{PRIVATE}.4", "values": [3]},
}  # fmt: skip


async def test_rows_are_named_chosen_and_each_a_measurement() -> None:
    async with Agent(TABLE) as agent:
        result = await asked(agent, {"toner": SUPPLIES})
    assert result.outcome is Outcome.OK
    assert {key: each for key, each in result.values.items() if "supply" in key} == {
        'snmp_supply_ratio{supply="Black"}': 0.5,
        'snmp_supply_ratio{supply="Cyan"}': 0.9,
    }
    assert "supply Black 50 %" in result.evidence


@pytest.mark.parametrize(
    ("take", "value"), [("max", 90), ("min", 5), ("sum", 135), ("mean", 45), ("count", 3)]
)  # fmt: skip
async def test_one_number_is_taken_of_all_rows(take: str, value: float) -> None:
    async with Agent(TABLE) as agent:
        result = await asked(agent, {"left": {"column": f"{PRIVATE}.2", "take": take}})
    assert result.values['snmp_value{name="left"}'] == value


async def test_where_the_rows_are_is_known_from_the_first_run_and_looked_for_when_one_is_gone() -> None:
    memory: dict[str, Any] = {}
    async with Agent(TABLE) as agent:
        await asked(agent, {"toner": SUPPLIES}, memory)
        agent.asked.clear()
        await asked(agent, {"toner": SUPPLIES}, memory)
        assert [each.kind for each in agent.asked if each.kind == GET_BULK] == []
        agent.put({name: each for name, each in TABLE.items() if not name.endswith(".1.1")})
        gone = await asked(agent, {"toner": SUPPLIES}, memory)
        assert 'snmp_supply_ratio{supply="Black"}' not in gone.values
        agent.put({**TABLE, f"{PRIVATE}.1.1.1": text("Magenta")})
        new = await asked(agent, {"toner": SUPPLIES}, memory)
    assert {key for key in new.values if "supply" in key} == {
        'snmp_supply_ratio{supply="Magenta"}',
        'snmp_supply_ratio{supply="Cyan"}',
    }


async def test_of_several_that_are_the_same_measurement_the_first_that_is_told_counts() -> None:
    values = {
        "new": {"metric": "snmp_cpu_ratio", "object": f"{PRIVATE}.7.0", "scale": 0.01},
        "old": {"metric": "snmp_cpu_ratio", "object": f"{PRIVATE}.8.0", "scale": 0.01},
    }
    told: list[str] = []
    async with Agent({**UP, f"{PRIVATE}.8.0": number(30)}) as agent:
        assert (await asked(agent, values, told=told)).values["snmp_cpu_ratio"] == pytest.approx(0.3)
        assert "the device has nothing for new" in told
        agent.put({**UP, f"{PRIVATE}.8.0": number(30), f"{PRIVATE}.7.0": number(40)})
        assert (await asked(agent, values)).values["snmp_cpu_ratio"] == pytest.approx(0.4)


async def test_a_number_may_be_written_as_text() -> None:
    async with Agent(TABLE) as agent:
        result = await asked(agent, {"room": {"metric": "snmp_temperature_celsius", "object": f"{PRIVATE}.9.0"}})
    assert result.values['snmp_temperature_celsius{sensor="room"}'] == 21.5
    assert "temperature room 21.5 °C" in result.evidence


CALLS = {"metric": "room_loss_ratio", "column": f"{PRIVATE}.6", "scale": 0.01, "take": "max", "none": 0}
MUTED = {"metric": "room_muted", "object": f"{PRIVATE}.8.0", "states": [1]}


async def test_rows_that_come_and_go_are_seen_at_once_and_what_holds_without_them_is_said() -> None:
    memory: dict[str, Any] = {}
    idle = {**UP, f"{PRIVATE}.8.0": number(1)}
    async with Agent(idle) as agent:
        losses = []
        for calls in ({}, {"3": 2, "4": 7}, {"9": 1}, {}):
            agent.put({**idle, **{f"{PRIVATE}.6.{row}": number(lost) for row, lost in calls.items()}})
            result = await asked(agent, {"loss": CALLS, "muted": MUTED}, memory)
            losses.append(result.values["room_loss_ratio"])
    assert losses == pytest.approx([0, 0.07, 0.01, 0])
    assert result.values["room_muted"] == 1
    assert "room muted 1; room loss 0 %" in result.evidence


async def test_an_object_that_tells_no_number_now_is_what_the_inventory_says_it_then_is() -> None:
    values = {
        "loss": {"metric": "room_loss_ratio", "object": f"{PRIVATE}.7.0", "scale": 0.01, "none": 0},
        "muted": MUTED,
    }
    async with Agent({**UP, f"{PRIVATE}.7.0": text("n/a"), f"{PRIVATE}.8.0": number(2)}) as agent:
        result = await asked(agent, values)
    assert (result.values["room_loss_ratio"], result.values["room_muted"]) == (0, 0)


async def test_the_fullest_of_a_bridge_s_resources_is_what_is_told_of_its_ports() -> None:
    columns = "1.3.6.1.4.1.9.9.758.1.3.2.1"
    used = {f"{columns}.1.{row}": number(ports) for row, ports in ((1, 12), (2, 38))}
    free = {f"{columns}.2.{row}": number(ports) for row, ports in ((1, 36), (2, 2))}
    ports = {"metric": "snmp_bridge_ports_ratio", "column": f"{columns}.1", "rest": f"{columns}.2", "take": "max"}
    async with Agent({**UP, **used, **free}) as agent:
        result = await asked(agent, {"ports": ports})
    assert result.values["snmp_bridge_ports_ratio"] == pytest.approx(0.95)


async def test_a_device_that_tells_nothing_is_no_room_without_a_call() -> None:
    async with Agent(UP) as agent:
        result = await asked(agent, {"loss": CALLS, "muted": MUTED})
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)


async def test_a_device_that_tells_none_of_them_has_the_wrong_profile() -> None:
    async with Agent(UP) as agent:
        result = await asked(agent, {"cpu": {"object": f"{PRIVATE}.7.0"}, "toner": SUPPLIES})
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.CONTENT)
    assert "tells none of cpu, toner" in result.evidence


async def test_an_agent_that_gives_up_the_answer_for_what_it_lacks_tells_the_rest() -> None:
    table = {**UP, f"{PRIVATE}.8.0": number(30)}

    def odd(question: Question) -> list[bytes] | None:
        lacks = [each for each in question.oids if each not in agent.table]
        return [question.answer([], error=2)] if question.kind != GET_BULK and lacks else None

    async with Agent(table, odd) as agent:
        values = {"one": {"object": f"{PRIVATE}.7.0"}, "two": {"object": f"{PRIVATE}.8.0"}}
        result = await asked(agent, values)
    assert result.values['snmp_value{name="two"}'] == 30


async def test_a_long_table_makes_so_many_series_and_no_more_and_odd_names_do_no_harm() -> None:
    names = ['"quoted"', "two\nlines", "", "Same", "Same", *(f"disk {each}" for each in range(50))]
    table = {**UP, **{f"{PRIVATE}.1.{row}": text(name) for row, name in enumerate(names, 1)}}
    table |= {f"{PRIVATE}.2.{row}": number(row) for row in range(1, len(names) + 1)}
    async with Agent(table) as agent:
        result = await asked(agent, {"x": {"column": f"{PRIVATE}.2", "names": f"{PRIVATE}.1"}})
    found = [key for key in result.values if key.startswith("snmp_value")]
    assert len(found) == MOST_ROWS
    assert 'snmp_value{name="Same (5)"}' in found
    assert 'snmp_value{name="3"}' in found
    assert not any("\n" in key for key in found)


async def test_a_table_that_goes_round_in_circles_is_no_answer() -> None:
    def odd(question: Question) -> list[bytes] | None:
        if question.kind != GET_BULK:
            return None
        return [question.answer([(oid(f"{PRIVATE}.2.2.1"), number(1)), (oid(f"{PRIVATE}.2.1.9"), number(1))])]

    async with Agent({**UP, f"{PRIVATE}.2.1": NO_INSTANCE}, odd) as agent:
        result = await asked(agent, {"x": {"column": f"{PRIVATE}.2", "take": "max"}})
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.PROTOCOL)
