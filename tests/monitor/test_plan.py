"""What `plan` says of a running daemon, and that `reload` does just that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.monitor.daemon import MORE, Daemon, daemon


def planned(files: Daemon, *more: str) -> Any:
    code, said, errors = files.run("plan", "--json", *more)
    assert (code, errors) == (0, "")
    return json.loads(said)


def series(files: Daemon) -> float:
    return files.metrics()["monitor_series"]


def rewrite(files: Daemon, *changes: tuple[str, str], more: str = "") -> None:
    files.write_inventory(more)
    text = files.inventory.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    files.inventory.write_text(text, encoding="utf-8")


def test_a_plan_is_what_the_reload_does(files: Daemon) -> None:
    files.open_portal()
    files.start()
    files.wait(lambda: files.get("/-/ready")[0] == 200 and set(files.states().values()) == {"up"})
    assert files.run("plan") == (0, "Không có gì thay đổi.\n", "")

    before = series(files)
    rewrite(
        files, ("interval: 200ms, timeout: 1s, confirm: 1,", "interval: 400ms, timeout: 1s, confirm: 1,"), more=MORE
    )
    plan = planned(files)
    assert plan["sites"]["added"] == ["xa-moi"]
    assert plan["targets"]["added"] == ["xa-moi/portal"]
    assert plan["targets"]["changed"] == {"center/portal": {"checks.port.interval": ["0.2s", "0.4s"]}}
    assert plan["anew"] == ["center/portal#port"]
    assert (plan["before"]["checks"], plan["after"]["checks"]) == (2, 3)
    assert (plan["before"]["per_second"], plan["after"]["per_second"]) == (10, 10)
    assert set(files.states()) == {"center/gateway", "center/portal"}, "nothing was changed by asking"

    assert files.run("reload")[0] == 0
    files.wait(lambda: files.states().get("xa-moi/portal") == "up")
    assert series(files) - before == plan["after"]["series"] - plan["before"]["series"]
    assert files.run("plan", "--lang", "en") == (0, "Nothing changes.\n", "")


def test_the_open_incident_of_a_target_that_goes_is_withdrawn_as_planned(files: Daemon) -> None:
    files.start()  # nothing listens on the port of the portal
    incident = files.wait(files.open_incidents)["center/portal"]["id"]
    rewrite(files, ("portal: {profile: portal, address: 127.0.0.1}", "web: {profile: portal, address: 127.0.0.1}"))
    assert planned(files)["withdrawn"] == [{"id": incident, "root": "center/portal"}]
    assert f"Sự cố đang mở sẽ được rút lại: {incident} (center/portal)" in files.run("plan")[1]
    assert incident in {each["id"] for each in files.open_incidents().values()}
    assert files.run("reload")[0] == 0
    files.wait(lambda: incident not in {each["id"] for each in files.open_incidents().values()})


def test_what_a_reload_does_not_touch_keeps_its_state_its_counts_and_its_incident(files: Daemon) -> None:
    files.start()
    incident = files.wait(files.open_incidents)["center/portal"]
    state = next(each for each in files.api("targets")["targets"] if each["id"] == "center/portal")
    for more in (MORE, ""):
        files.write_inventory(more)
        assert incident["id"] not in {each["id"] for each in planned(files)["withdrawn"]}  # that of xa-moi may be
        assert files.run("reload")[0] == 0
        now = next(each for each in files.api("targets")["targets"] if each["id"] == "center/portal")
        assert (now["state"], now["since"]) == (state["state"], state["since"])
        assert files.open_incidents()["center/portal"]["id"] == incident["id"]
    assert files.metrics()['monitor_incident_events_total{cause="service",what="opened"}'] <= 2, "its own, and xa-moi's"


def test_a_broken_file_is_told_as_check_tells_it_and_changes_nothing(files: Daemon) -> None:
    files.start()
    files.write_inventory(MORE.replace("profile: portal", "profile: portall"))
    said, checked = files.run("plan"), files.run("check")
    assert (said[0], said[1]) == (checked[0], checked[1]) == (1, "")
    assert set(said[2].splitlines()) < set(checked[2].splitlines()), "which shows the lines themselves too"
    assert "there is no profile `portall`; did you mean `portal`?" in said[2]
    assert files.metrics()["monitor_config_last_reload_successful"] == 1, "looking is no reload"


def test_contacts_and_settings_are_part_of_it(files: Daemon) -> None:
    files.start()
    contacts = files.folder / "contacts.yaml"
    contacts.write_text(contacts.read_text(encoding="utf-8").replace("causes: [service]", "causes: [link]"), "utf-8")
    files.settings.write_text(
        files.settings.read_text(encoding="utf-8").replace("port:", "timeout_seconds: 3\n      port:")
    )
    plan = planned(files)
    assert plan["contacts"]["changed"] == {"support": {"causes": ["service", "link"]}}
    assert plan["audience"]["support"] == {
        "more": ["center/gateway", "center/portal"],
        "fewer": ["center/gateway", "center/portal"],
    }
    assert plan["restart"] == ["mail"]
    assert "Chỉ có hiệu lực sau khi khởi động lại dịch vụ, trong settings.yaml: mail" in files.run("plan")[1]


def test_without_a_daemon_it_says_so_and_compares_two_folders(
    files: Daemon, tmp_path_factory: pytest.TempPathFactory
) -> None:
    code, _, errors = files.run("plan")
    assert (code, errors.startswith("no daemon answers: ")) == (1, True)
    with daemon(tmp_path_factory.mktemp("other")) as other:
        other.settings.write_text(files.settings.read_text())
        other.inventory.write_text(files.inventory.read_text() + MORE)
        (other.folder / "secrets" / "smtp-password").unlink()
        assert planned(other, "--against", str(files.folder))["targets"]["added"] == ["xa-moi/portal"]
        assert planned(files, "--against", str(other.folder))["targets"]["removed"] == ["xa-moi/portal"]
    code, _, errors = files.run("plan", "--against", str(files.folder / "inventory"))
    assert (code, "settings.yaml: cannot be read: No such file" in errors) == (1, True)
