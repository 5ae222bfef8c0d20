"""That the measurement from the cut to the mail sees what it should; never how fast."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bench import mail, stack
from bench.setup import program
from monitor.core import shared
from monitor.core.model import Happening, Held, Inventory, Reason, State
from monitor.core.root import TOGETHER
from monitor.inventory.load import load_inventory
from monitor.store import Store
from tests.alerts.sample import INCIDENT, NOW, event, notification
from tests.bench.letters import letter

CONFIG = Path(__file__).parent.parent.parent / "config"


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return load_inventory(CONFIG / "inventory", None)


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_each_line_is_of_another_commune_and_half_are_of_each_kind(inventory: Inventory) -> None:
    found = mail.plan(inventory, mail.CUTS, mail.SEED)
    assert len({each.partition("/")[0] for each in found}) == mail.CUTS
    assert sum(each.endswith("/internet") for each in found) == mail.CUTS // 2
    assert set(found) <= inventory.targets.keys()
    assert found == mail.plan(inventory, mail.CUTS, mail.SEED)
    assert found != mail.plan(inventory, mail.CUTS, mail.SEED + 1)


@pytest.mark.parametrize("seed", range(5))
def test_no_cuts_near_in_time_have_anything_in_common(inventory: Inventory, seed: int) -> None:
    found = mail.plan(inventory, mail.CUTS, seed)
    near = 2 * int(TOGETHER / timedelta(seconds=mail.GAP_SECONDS[0])) + 1
    for begin in range(len(found) - near + 1):
        window = set(found[begin : begin + near])
        for each in window:
            target = inventory.targets[each]
            alike = [other for other in inventory.targets.values() if other.kind == target.kind]
            commons = shared.compare(target, inventory, alike, lambda other, cut=window: other.id in cut)  # type: ignore[misc]
            assert shared.most_likely(commons) is None


def test_more_cuts_than_areas_and_communes_end(inventory: Inventory) -> None:
    assert len(mail.plan(inventory, 1000, 1)) == 129


# -- what the mails say ------------------------------------------------------------------------------------------------


def test_our_mails_say_what_began_and_what_is_over() -> None:
    letters = mail.Letters()
    letters.of = {mail.OURS: []}
    for what in ("opened", "recovered"):
        letters.ours(letter(
            X_Commune_Monitor_Incident="20261124-050000-xa-tan-thanh.tslcd",
            Message_ID=f"<20261124-050000-xa-tan-thanh.tslcd.{what}.on-call@noc.example>",
        ))  # fmt: skip
    assert letters.first(mail.OURS, "xa-tan-thanh/tslcd", 0) is not None
    assert letters.first(mail.OURS, "xa-tan-thanh/internet", 0) is None
    begun, over = letters.of[mail.OURS]
    assert (begun.firing, over.resolved) == ({"xa-tan-thanh/tslcd"}, {"xa-tan-thanh/tslcd"})
    assert mail._still_down([begun]) == {"xa-tan-thanh/tslcd"}
    assert not mail._still_down([begun, over])


def test_a_mail_of_no_incident_says_nothing_of_a_line() -> None:
    letters = mail.Letters()
    letters.of = {mail.OURS: []}
    letters.ours(letter(Message_ID="<digest.on-call@noc.example>"))
    (found,) = letters.of[mail.OURS]
    assert not found.firing | found.resolved


def test_their_mails_say_it_in_headers() -> None:
    found = stack.told(letter(X_Firing="a/tslcd b/tslcd ", X_Resolved=""))
    assert found == stack.Told(frozenset({"a/tslcd", "b/tslcd"}), frozenset())


def test_mails_of_the_core_cut_are_counted_for_each_recipient() -> None:
    core, line, none = frozenset({mail.CORE}), frozenset({"a/tslcd"}), frozenset[str]()
    found = mail._core_row(
        [
            mail.Mail(15.0, ("x", "y"), core, none),
            mail.Mail(16.0, ("x",), line, none),
            mail.Mail(31.0, ("x",), line, none),
            mail.Mail(40.0, ("x", "y"), none, core),
        ],
        began=10.0, mended=30.0,
    )  # fmt: skip
    assert list(found.values()) == [2, 3, 1, 1, 4, 1, 5.0, 10.0]


def test_a_contender_that_told_nothing_has_no_figures() -> None:
    mails: dict[str, list[mail.Mail]] = {mail.OURS: [], "tuned": []}
    rows = mail._delays([mail.Cut("a/tslcd", told={mail.OURS: 5.0})], mails)
    assert (rows[mail.OURS]["told"], rows[mail.OURS]["p99 s"], rows[mail.OURS]["p50 × ours"]) == (1, 5.0, 1.0)
    assert (rows["tuned"]["told"], rows["tuned"]["p99 s"], rows["tuned"]["p50 × ours"]) == (0, None, None)


async def test_the_seconds_of_a_mail_are_told_apart_by_what_the_daemon_wrote(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "state.db"))
    second = timedelta(seconds=1)
    held = Held(target=INCIDENT.root, state=State.DOWN, since=NOW, at=NOW + second, reason=Reason.TIMEOUT)
    opened = notification(Happening.OPENED)
    told = replace(event(), incident=replace(INCIDENT, opened=NOW + 4 * second))
    await store.record([held], [told], [opened], NOW + 5 * second)
    store.close()
    cut = mail.Cut(INCIDENT.root, wall=NOW - 2 * second, told={mail.OURS: 7.5})
    other = mail.Cut("nobody/tslcd", wall=NOW, told={mail.OURS: 7.5})
    table, right = mail.stages([cut, other], tmp_path / "state.db")
    assert [row["p50 s"] for row in table.values()] == [2, 1, 3, 1, 0.5]
    assert right == (INCIDENT.cause == "link")


# -- the peers ---------------------------------------------------------------------------------------------------------


def promises(*command: str) -> None:
    subprocess.run([str(program(command[0])), *command[1:]], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("setting", [stack.TUNED, stack.USUAL], ids=lambda each: each.name)
def test_prometheus_and_alertmanager_take_their_settings(
    setting: stack.Setting, inventory: Inventory, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").touch()
    relay = stack.Relay(host="10.69.0.2", port=2526, username="u", password="p", ca=tmp_path / "ca.pem")
    prometheus, alertmanager = stack.write_settings(setting, inventory, relay, tmp_path / setting.name)
    promises("promtool", "check", "config", str(prometheus))
    promises("amtool", "check-config", str(alertmanager))


def test_all_lines_and_what_they_lead_over_are_watched(inventory: Inventory) -> None:
    found = stack.targets_file(stack.watched(inventory))
    kinds = [each["labels"]["alert"] for each in found]
    assert {each: kinds.count(each) for each in set(kinds)} == {
        "LineDown": 258, "PopDown": 22, "CoreDown": 1, "EdgeDown": 1,
    }  # fmt: skip
    by_target = {each["labels"]["target"]: each["labels"] for each in found}
    assert by_target["xa-tan-thanh/tslcd"]["pop"] in {
        each["pop"] for each in by_target.values() if each["alert"] == "PopDown"
    }
