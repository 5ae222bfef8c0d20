"""What a NOC would take otherwise: Prometheus, blackbox_exporter and Alertmanager, set as one sets them for lines of communes.

Alertmanager says in headers of its mails of what they are, because its own subject names at most the labels of the group.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from bench.echo import BLACKBOX, blackbox_exporter, ready_server
from bench.setup import program
from lab.sink import Taken
from monitor.core.model import Inventory, Role, Target

COMMANDS = ("prometheus", "prometheus-alertmanager", "prometheus-blackbox-exporter")
RECIPIENT = "truc@noc.ninhbinh.example"
SHARED = {"center/core": "CoreDown", "center/internet-edge": "EdgeDown"}
"""What many lines lead over, beside the points of presence; and the alert of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How a stack is set; all times as Prometheus writes them."""

    name: str
    scrape: str
    evaluation: str
    hold: str
    """`for` of a line."""
    shared_hold: str
    """`for` of what many lines lead over: shorter, and it is there before the lines that it should inhibit."""
    group_wait: str
    group_interval: str
    inhibits: bool
    ports: tuple[int, int]
    """Of Prometheus and of Alertmanager, on loopback."""


TUNED = Setting(
    name="tuned", scrape="1s", evaluation="1s", hold="5s", shared_hold="3s", group_wait="1s", group_interval="5s",
    inhibits=True, ports=(9191, 9193),
)  # fmt: skip
USUAL = Setting(
    name="usual", scrape="15s", evaluation="15s", hold="1m", shared_hold="1m", group_wait="30s", group_interval="1m",
    inhibits=False, ports=(9192, 9194),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """The mail server of a stack."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    ca: Path | None = None
    """None: without TLS and log-in."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a mail of Alertmanager is about."""

    firing: frozenset[str]
    resolved: frozenset[str]


def told(taken: Taken) -> Told:
    """Targets, or whatever `target` is a label of, that a mail says are down and well again."""
    return Told(_listed(taken.message, "X-Firing"), _listed(taken.message, "X-Resolved"))


def _listed(message: EmailMessage, header: str) -> frozenset[str]:
    return frozenset(str(message.get(header, "")).split())


# -- settings ----------------------------------------------------------------------------------------------------------


def watched(inventory: Inventory) -> list[Target]:
    """All lines, and what they lead over up to our gateway."""
    return [
        each
        for each in inventory.targets.values()
        if each.role is Role.LINK or each.id in SHARED or inventory.sites[each.site].kind == "pop"
    ]


def _alert(target: Target) -> str:
    return SHARED.get(target.id) or ("LineDown" if target.role is Role.LINK else "PopDown")


def targets_file(targets: Sequence[Target]) -> list[dict[str, Any]]:
    """Targets with their labels, for `file_sd_configs`; `pop` is the point of presence that it leads over or is."""
    return [
        {
            "targets": [each.address],
            "labels": {
                "site": each.site, "target": each.id, "kind": each.kind, "alert": _alert(each),
                "pop": each.site if _alert(each) == "PopDown" else each.behind[0].partition("/")[0],
            },
        }
        for each in targets
    ]  # fmt: skip


def prometheus_settings(setting: Setting, targets: Path, rules: Path) -> dict[str, Any]:
    """The scrape settings; YAML reads JSON too."""
    return {
        "global": {
            "scrape_interval": setting.scrape, "evaluation_interval": setting.evaluation,
            "scrape_timeout": min(setting.scrape, "5s", key=lambda each: int(each[:-1])),
        },
        "rule_files": [str(rules)],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{setting.ports[1]}"]}]}]},
        "scrape_configs": [{
            "job_name": "icmp", "metrics_path": "/probe", "params": {"module": ["icmp"]},
            "file_sd_configs": [{"files": [str(targets)]}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": BLACKBOX},
            ],
        }],
    }  # fmt: skip


def rules(setting: Setting) -> dict[str, Any]:
    """An alert for each kind of thing."""
    return {
        "groups": [{
            "name": "lines",
            "rules": [
                {
                    "alert": alert, "expr": f'probe_success{{alert="{alert}"}} == 0',
                    "for": setting.hold if alert == "LineDown" else setting.shared_hold,
                    "annotations": {"summary": "{{ $labels.target }} does not answer"},
                }
                for alert in (*SHARED.values(), "PopDown", "LineDown")
            ],
        }],
    }  # fmt: skip


def alertmanager_settings(
    relay: Relay, *, group_by: str, group_wait: str, group_interval: str, inhibits: bool = False
) -> dict[str, Any]:
    """The settings of Alertmanager: one recipient, told of the end too."""
    secured = {
        "auth_username": relay.username, "auth_password": relay.password, "tls_config": {"ca_file": str(relay.ca)},
    }  # fmt: skip
    mail = {
        "to": RECIPIENT, "from": "alertmanager@noc.ninhbinh.example", "smarthost": f"{relay.host}:{relay.port}",
        "send_resolved": True, "require_tls": relay.ca is not None, **(secured if relay.ca else {}),
        "headers": {
            "X-Firing": "{{ range .Alerts.Firing }}{{ .Labels.target }} {{ end }}",
            "X-Resolved": "{{ range .Alerts.Resolved }}{{ .Labels.target }} {{ end }}",
        },
    }  # fmt: skip
    inhibitions = [
        {"source_matchers": ['alertname="CoreDown"'], "target_matchers": ['alertname="PopDown"']},
        {"source_matchers": ['alertname="CoreDown"'], "target_matchers": ['alertname="LineDown"', 'kind="tslcd"']},
        {"source_matchers": ['alertname="EdgeDown"'], "target_matchers": ['alertname="LineDown"', 'kind="internet"']},
        {"source_matchers": ['alertname="PopDown"'], "target_matchers": ['alertname="LineDown"'], "equal": ["pop"]},
    ]
    return {
        "route": {
            "receiver": "on-call", "group_by": [group_by], "group_wait": group_wait, "group_interval": group_interval,
            "repeat_interval": "4h",
        },
        "receivers": [{"name": "on-call", "email_configs": [mail]}],
        "inhibit_rules": inhibitions if inhibits else [],
    }  # fmt: skip


# -- processes ---------------------------------------------------------------------------------------------------------


def alertmanager_command(settings: Path, storage: Path, port: int) -> list[str]:
    """One of its own, in no cluster."""
    return [
        str(program("prometheus-alertmanager")), f"--config.file={settings}", f"--storage.path={storage}",
        f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn",
    ]  # fmt: skip


def write_settings(setting: Setting, inventory: Inventory, relay: Relay, folder: Path) -> tuple[Path, Path]:
    """The files of a stack; returns the settings of Prometheus and of Alertmanager."""
    folder.mkdir()
    prometheus, alertmanager, asked, alerts = (
        folder / name for name in ("prometheus.yml", "alertmanager.yml", "targets.json", "rules.yml")
    )
    manager = alertmanager_settings(
        relay, group_by="site", group_wait=setting.group_wait, group_interval=setting.group_interval, inhibits=setting.inhibits
    )  # fmt: skip
    asked.write_text(json.dumps(targets_file(watched(inventory))))
    alerts.write_text(json.dumps(rules(setting)))
    prometheus.write_text(json.dumps(prometheus_settings(setting, asked, alerts)))
    alertmanager.write_text(json.dumps(manager))
    return prometheus, alertmanager


@contextlib.contextmanager
def running(setting: Setting, inventory: Inventory, relay: Relay, folder: Path) -> Iterator[None]:
    """Prometheus and Alertmanager of a setting; blackbox_exporter is shared."""
    prometheus, alertmanager = write_settings(setting, inventory, relay, folder)
    ask, tell = setting.ports
    command = [
        str(program("prometheus")), f"--config.file={prometheus}", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{ask}", "--log.level=warn",
    ]  # fmt: skip
    with (
        ready_server(alertmanager_command(alertmanager, folder / "state", tell), folder / "alertmanager.log", f"127.0.0.1:{tell}"),
        ready_server(command, folder / "prometheus.log", f"127.0.0.1:{ask}"),
    ):  # fmt: skip
        yield


def prober(folder: Path) -> Any:
    """The running blackbox_exporter that all stacks ask; Prometheus says how long it may take."""
    settings = folder / "blackbox-icmp.yml"
    settings.write_text(json.dumps({"modules": {"icmp": {"prober": "icmp", "icmp": {"preferred_ip_protocol": "ip4"}}}}))
    return blackbox_exporter(settings, folder)


def get(port: int, path: str) -> Any:
    """JSON that one of them answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def open_alerts(setting: Setting) -> int:
    """Alerts that its Alertmanager has."""
    return len(get(setting.ports[1], "/api/v2/alerts"))
