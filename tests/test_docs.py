"""The manual against the code: what the code has, the right page names, with its default; what the manual shows, works."""

from __future__ import annotations

import ast
import asyncio
import importlib
import importlib.util
import inspect
import pkgutil
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Union, get_args, get_origin

import click
import promql_parser
import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

import alerts
import lab
import monitor
import probes
from alerts.compose import OURS
from alerts.letter_samples import LETTERS, a_month, letters
from alerts.plain import table_csv
from alerts.report import TABLES, paper
from alerts.samples import province
from lab.certificates import Authority
from lab.scenarios import SCENARIOS
from monitor import yamlfile
from monitor.cli import MODULES, main
from monitor.core.judge import NEXT, ONCE, wilson_lower
from monitor.core.ledger import By, Totals
from monitor.core.model import Cause, Happening, Inventory, Outcome, Reason, Role, Severity, State
from monitor.core.seen import BATTERY_SAYS, PATH_SAYS
from monitor.core.words import EN, VI
from monitor.exchange import filesd
from monitor.inventory import forms, people, schema
from monitor.inventory.contacts import load_contacts
from monitor.inventory.load import load_inventory
from monitor.inventory.profiles import read_profiles
from monitor.settings import Settings, load_settings
from probes import registry
from probes.engine.reflector import PORT
from probes.engine.told import ToldOptions
from probes.engine.values import MEASURES, ValueOptions
from probes.registry import Request, run_once
from probes.room_api import APIS
from probes.wire.emodel import mean_opinion

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
KINDS = {name: kind for name, kind in registry.load().items() if kind.module.startswith("probes.")}
_FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def headings(page: str) -> list[tuple[int, str, int, int]]:
    """Level, title, begin and end of the section with all that is below it."""
    body = _FENCE.sub(lambda found: " " * len(found[0]), text(page))
    found = [(len(each[1]), each[2], each.start()) for each in re.finditer(r"^(#+) (.+)$", body, re.MULTILINE)]
    return [
        (level, title, begin, next((other[2] for other in found[index + 1 :] if other[0] <= level), len(body)))
        for index, (level, title, begin) in enumerate(found)
    ]


def section(page: str, title: str) -> str:
    """A section without its heading."""
    for _, name, begin, end in headings(page):
        if name == title:
            return text(page)[begin:end].partition("\n")[2]
    raise AssertionError(f"{page} has no heading {title!r}")


def anchors(page: str) -> set[str]:
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title, _, _ in headings(page)}


def words(body: str) -> set[str]:
    """Everything between backticks."""
    return {each.strip() for each in re.findall(r"`([^`\n]+)`", body)}


def rows(body: str) -> dict[str, str]:
    """Tables as first cell → second cell, with one entry for each word in backticks of the first."""
    cells = [line.strip().strip("|").split("|") for line in body.splitlines() if line.startswith("|")]
    return {name: row[1].strip() for row in cells if len(row) > 1 for name in re.findall(r"`([^`]+)`", row[0])}


# -- links and constants -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        to = (page.parent / name).resolve() if name else page
        if not to.is_file() or (anchor and anchor not in anchors(str(to.relative_to(ROOT)))):
            broken.append(link)
    assert broken == []


def test_every_page_of_the_manual_can_be_reached_from_the_readme() -> None:
    linked = {each.partition("#")[0] for each in re.findall(r"\]\(([^)\s]+)\)", text("README.md"))}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked


def modules() -> Iterator[ModuleType]:
    for package in (monitor, probes, alerts, lab):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith("probes.wire") and not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def constants() -> dict[str, object]:
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if re.fullmatch(r"[A-Z][A-Z0-9_]+", name) and isinstance(value, (int, float, timedelta))
    }


def shown(value: object) -> str:
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return f"{seconds / 60:g} min" if seconds >= 120 else f"{seconds:g} s"
    return str(value) if isinstance(value, int) else f"{value:g}"


def test_every_constant_that_the_manual_quotes_has_the_value_of_the_code() -> None:
    known, wrong, seen = constants(), [], 0
    for page in PAGES:
        for name, after in re.findall(r"`([a-z_]+\.[A-Z][A-Z0-9_]+)`(.{0,40})", page.read_text(encoding="utf-8")):
            seen += 1
            value = shown(known[name]) if name in known else "no such constant"
            if not after.startswith((f" ({value})", f" | {value} |")):
                wrong.append(f"{page.name}: {name} is {value}")
    assert wrong == []
    assert seen > 30


@pytest.mark.parametrize(
    "module",
    [
        "monitor.core.correlate", "monitor.core.impact", "monitor.core.judge", "monitor.core.ongoing", "monitor.core.root", "monitor.core.seen", "monitor.core.severity", "monitor.core.shared", "monitor.core.usual",
        "alerts.compose", "alerts.holding", "alerts.outbox",
    ],
)  # fmt: skip
def test_every_time_and_bound_of_the_deciding_modules_is_quoted(module: str) -> None:
    short = module.rpartition(".")[2]
    loaded = importlib.import_module(module)
    made_here = re.findall(r"^([A-Z][A-Z0-9_]*)\b.* = ", inspect.getsource(loaded), re.MULTILINE)
    own = {
        f"{short}.{name}"
        for name, value in vars(loaded).items()
        if name in made_here and isinstance(value, (int, float, timedelta)) and name not in ("ONCE", "CONFIRMED")
    }
    assert own <= words(text("docs/deciding.md") + text("docs/mail.md"))


# -- models: every key with its default ------------------------------------------------------------------------------


def written(name: str, field: FieldInfo) -> str:
    """A default as the manual writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, SecretStr) or value in ("", [], {}):
        return "empty"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float) and name in ("interval", "timeout"):
        return f"`{value:g}s`"
    return f"`{value}`" if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)


def keys(model: type[BaseModel]) -> dict[str, str]:
    return {
        field.alias or name: written(name, field) for name, field in model.model_fields.items() if not field.exclude
    }


def inner(annotation: Any) -> tuple[Any, str]:
    """A model inside `list[…]` or `… | None`, with the brackets that lists get."""
    if get_origin(annotation) is list:
        return get_args(annotation)[0], "[]"
    if get_origin(annotation) in (Union, UnionType):
        return next(each for each in get_args(annotation) if each is not type(None)), ""
    return annotation, ""


def nested(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    found = {}
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        key = prefix + (field.alias or name)
        found[key] = written(name, field)
        below, brackets = inner(field.annotation)
        if isinstance(below, type) and issubclass(below, BaseModel):
            found |= nested(below, f"{key}{brackets}.")
    return found


def test_the_settings_page_names_every_key_with_its_default_and_no_other() -> None:
    assert rows(section("docs/settings.md", "Keys")) == nested(Settings)


SCHEMA: Mapping[str, tuple[type[BaseModel], ...]] = {
    "File": (schema.Document,),
    "Site": (schema.SiteModel,),
    "Service": (schema.ServiceModel,),
    "Device": (schema.DeviceModel,),
    "Link": (schema.LinkModel,),
    "Profile": (schema.ProfileModel,),
    "Fits": (schema.FitsModel,),
    "Check": (schema.CheckModel,),
    "Limit": (schema.LimitModel,),
    "Provider": (schema.ProviderModel,),
    "Tell": (schema.TellModel,),
    "Maintenance": (schema.MaintenanceModel,),
    "Meeting": (schema.MeetingModel,),
    "Calendar": (schema.CalendarModel,),
    "Owner": (schema.OwnerModel,),
    "Contacts": (people.ContactsFile,),
    "Contact": (people.PersonModel, people.RemindedModel, people.ContactModel),
    "Step": (people.StepModel,),
    "Quiet": (people.QuietModel,),
    "Digest": (people.DigestModel,),
    "Storm": (people.StormModel,),
    "Summaries": (people.SummariesModel,),
    "Rota": (people.RotaModel,),
    "Override": (people.OverrideModel,),
}


@pytest.mark.parametrize("title", SCHEMA)
def test_the_inventory_page_names_every_key_with_its_default_and_no_other(title: str) -> None:
    expected = {key: default for model in SCHEMA[title] for key, default in keys(model).items()}
    shares = (
        (schema.TargetModel, ("Device", "Link")), (people.RemindedModel, ("Rota", "Step")), (schema.MeetingBody, ("Calendar",)),
    )  # fmt: skip
    for shared, titles in shares:
        if title in titles:  # the page writes what they share once
            expected = {key: default for key, default in expected.items() if key not in keys(shared)}
    assert rows(section("docs/inventory.md", title)) == expected


def test_every_model_of_the_inventory_has_its_heading() -> None:
    models = {
        each
        for module in (schema, people)
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, forms.Model) and each.__module__ == module.__name__
    }
    bases = {forms.Model, schema.TargetModel, schema.SiteBody, people.ScopeModel, schema.MeetingBody}
    assert models - bases == {model for group in SCHEMA.values() for model in group}


def test_every_sentence_of_a_limit_is_named_and_those_that_decide_exist() -> None:
    # A word that only the correlator knew would silently never match: `battery-low` was one.
    assert set(VI.says) == set(EN.says)
    assert set(VI.says) <= words(section("docs/inventory.md", "Limits and hysteresis"))
    assert set(VI.says) >= (PATH_SAYS | BATTERY_SAYS)


# -- equipment -------------------------------------------------------------------------------------------------------


def _amount(value: float) -> str:
    return f"{value:g}"


def _bounds(check: schema.CheckModel) -> Iterator[str]:
    for name, limit in check.limits.items():
        bound = f"> {_amount(limit.above)}" if limit.above is not None else f"< {_amount(limit.below or 0)}"
        yield f"`{name}` {bound}" + (" for meetings" if limit.counts == "meetings" else "")


def _equipment(name: str, profile: schema.ProfileModel) -> str:
    """A row of the table of docs/equipment.md."""
    fits = profile.fits or schema.FitsModel(descriptions=["x"])
    numbers = ", ".join(f"`{each}`" for each in fits.object_ids)
    parts = ", ".join(each.strip() for each in fits.descriptions)
    read, bounds = [], []
    for check, model in profile.checks.items():
        values = model.options.get("values", {})
        assert isinstance(values, dict)
        metrics = dict.fromkeys(f"`{each.get('metric', 'snmp_value')}`" for each in values.values())
        ups = ["UPS-MIB"] if model.options.get("ups") else []
        told = ", ".join([*ups, *metrics])
        read.append(f"`{check}`" + (f": {told}" if told else ""))
        if model.probe == "snmp":
            bounds += [each for each in _bounds(model) if "`snmp_if_" not in each]
    known = {metric for each in read for metric in words(each)}
    ups_metrics = {each for each in MEASURES if each.startswith("ups")} if "UPS-MIB" in "".join(read) else set()
    bounds = [each for each in bounds if words(each) & (known | ups_metrics)]
    cells = (f"`{name}`", profile.model, profile.kind, numbers, parts, "; ".join(read), ", ".join(bounds))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def equipment() -> list[str]:
    """The rows of all profiles that fit something."""
    raw = {
        name: (source, profile)
        for path in sorted((ROOT / "config" / "inventory").glob("*.yaml"))
        for source in [yamlfile.read(path)]
        for name, profile in (source.value or {}).get("profiles", {}).items()  # type: ignore[attr-defined]
    }
    good, problems = read_profiles(raw)
    assert problems == []
    return [_equipment(name, each.model) for name, each in good.items() if each.model.fits]


def test_the_page_of_equipment_has_the_table_of_the_profiles() -> None:
    found = [line for line in section("docs/equipment.md", "Which there are").splitlines() if line.startswith("| `")]
    assert found == equipment(), "\n".join(equipment())


# -- probes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_probe_kind_has_a_heading_with_its_options_metrics_and_a_word_on_permission(kind: str) -> None:
    body = section("docs/probes.md", kind)
    tables = rows(body)
    options = keys(KINDS[kind].options)
    assert {name: tables.get(name) for name in options} == options
    metrics = {metric.name for metric in KINDS[kind].metrics}
    assert metrics <= tables.keys()
    constant = re.compile(r"[a-z]+\.[A-Z_]+")
    extra = {name for name in tables if not constant.fullmatch(name)} - metrics - options.keys()
    assert extra <= {each.value for each in Reason}
    assert "#permission" in body


def test_the_page_of_probes_names_every_key_of_a_value_with_its_default_and_every_measurement() -> None:
    body = section("docs/probes.md", "Values")
    assert rows(body) == nested(ValueOptions)
    assert set(MEASURES) <= words(body)


def test_the_page_of_probes_names_every_key_of_a_value_of_a_document_and_every_document() -> None:
    body = section("docs/probes.md", "Values of a document")
    assert rows(body) == nested(ToldOptions)
    assert {document for api in APIS.values() for document in api.documents} <= words(body)


def test_the_page_of_probes_has_no_heading_for_a_kind_that_is_gone() -> None:
    kinds = {title for level, title, _, _ in headings("docs/probes.md") if level == 2 and title.islower()}
    assert kinds == set(KINDS)


def test_reasons_and_common_metrics_are_on_the_page_of_probes() -> None:
    assert {each.value for each in Reason} == set(rows(section("docs/probes.md", "Reasons")))
    assert {each.name for each in registry.COMMON_METRICS} <= words(text("docs/probes.md"))


# -- deciding ------------------------------------------------------------------------------------------------------


def test_the_diagram_is_the_table_of_the_judge() -> None:
    diagram = next(body for language, _, body in _FENCE.findall(text("docs/deciding.md")) if language == "mermaid")
    drawn = {line.strip() for line in diagram.splitlines()[2:]}
    assert drawn == {
        f"{at} --> {to}: {what} × {1 if times == ONCE else 'confirm'}" for (at, what), (to, times) in NEXT.items()
    }


def test_states_outcomes_causes_happenings_and_rules_are_on_the_page_of_deciding() -> None:
    named = words(text("docs/deciding.md"))
    assert {each.value for kind in (State, Outcome, Cause, Happening, Severity) for each in kind} <= named
    rules = set(rows(section("docs/deciding.md", "Whose fault")))
    assert set(VI.why) == set(EN.why) <= rules


def test_the_example_of_loss_is_true() -> None:
    assert wilson_lower(5, 60) <= 0.05 < wilson_lower(6, 60)


# -- commands, metrics, lab, mail --------------------------------------------------------------------------------------


COMMANDS = {
    f"{name} {below}" if isinstance(command, click.Group) else name: found
    for name, command in ((name, main.get_command(click.Context(main), name)) for name in MODULES)
    for below, found in (command.commands.items() if isinstance(command, click.Group) else [("", command)])
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_heading_with_its_arguments_and_options(command: str) -> None:
    body = section("docs/commands.md", command)
    named = {word.split()[0] for word in words(body)}
    for parameter in COMMANDS[command].params:
        wanted = parameter.opts if isinstance(parameter, click.Option) else [parameter.name.upper()]
        assert set(wanted) <= named, parameter.name


def test_no_command_or_option_is_described_that_does_not_exist() -> None:
    titles = {title for level, title, _, _ in headings("docs/commands.md") if level == 2}
    assert titles == set(COMMANDS)
    known = {opt for each in COMMANDS.values() for param in each.params for opt in param.opts}
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    shown_options = {
        option
        for line in re.findall(
            r"commune-monitor (?:run|check|plan|import|export|probe|who|status|availability|report|explain|replay|reload|mail|demo|reflect)\b[^`\n]*",
            pages,
        )
        for option in re.findall(r"(--[a-z-]+)", line)
    }
    assert shown_options <= known | {"--help"}


def test_every_label_that_an_import_understands_is_on_the_page_of_exchange() -> None:
    labels = {*filesd.SITE, *filesd.NAME, *filesd.KIND, *filesd.DESCRIBED}
    assert labels <= words(section("docs/exchange.md", "What is read"))


def test_every_metric_of_the_daemon_is_on_the_page_of_metrics_and_no_other() -> None:
    source = "".join((ROOT / "monitor" / each).read_text(encoding="utf-8") for each in ("metrics.py", "exposition.py"))
    names = {name.rstrip("_") for name in re.findall(r'"f?(monitor_[a-z_]+)', source)}
    names |= {f"{name}_total" for name in re.findall(r'Counter\(\s*"(monitor_[a-z_]+)"', source)}
    counters = {name.removesuffix("_total") for name in names if name.endswith("_total")}
    page = set(rows(text("docs/metrics.md"))) - {"probe_…"}
    assert {name for name in page if name.startswith("monitor_")} == names - counters
    assert {f"`{role.value}`" in text("docs/metrics.md") for role in Role} == {True}


def test_the_figures_of_the_ledger_are_on_the_page_of_availability() -> None:
    assert set(Totals.__slots__) == set(rows(section("docs/availability.md", "The figures")))
    assert {each.value for each in By} <= words(section("docs/commands.md", "availability"))


def test_every_column_of_the_report_is_on_the_page_of_reports_and_no_other() -> None:
    inventory = load_inventory(ROOT / "config" / "inventory", None)
    made = paper(a_month(inventory, datetime(2026, 11, 1, tzinfo=UTC)), inventory, EN)
    columns = {name for key in TABLES for name in table_csv(made.table(key)).partition("\r\n")[0].split(",")}
    cells = re.findall(
        r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", section("docs/report.md", "Tables for programs"), re.MULTILINE
    )
    assert {name for cell in cells for name in words(cell)} == columns


def test_the_questions_to_prometheus_are_promql() -> None:
    lines = re.findall(r"^    ([^#\n].+)$", section("docs/metrics.md", "Questions"), re.MULTILINE)
    assert len(lines) == 5
    for line in lines:
        promql_parser.parse(line)


def test_every_scenario_is_on_the_page_of_the_lab_and_no_other() -> None:
    table = {each for each in rows(section("docs/lab.md", "Scenarios")) if "." not in each}
    assert table == set(SCENARIOS)


def test_every_field_of_the_report_is_on_the_page_of_the_lab() -> None:
    tree = ast.parse((ROOT / "lab" / "demo.py").read_text(encoding="utf-8"))
    writers = ("_unattended", "_mail", "_incidents", "_note")
    functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name in writers]
    fields = {
        key.value
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert len(functions) == len(writers)
    assert len(fields) > 15
    assert fields <= words(section("docs/lab.md", "The report"))


def test_every_name_that_a_template_may_use_is_on_the_page_of_mail() -> None:
    tree = ast.parse((ROOT / "alerts" / "compose.py").read_text(encoding="utf-8"))
    given = next(each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == "_given")
    answer = next(each.value for each in ast.walk(given) if isinstance(each, ast.Return))
    assert isinstance(answer, ast.Dict)
    names = {key.value for key in answer.keys if isinstance(key, ast.Constant)}
    inventory, incidents = province()
    sent = letters(inventory, incidents[0].began, VI, "")
    assert set(sent) == set(LETTERS)
    names |= {name for letter in sent.values() for name in letter}
    assert set(rows(section("docs/mail.md", "What a template may use"))) - names == {
        "compose.SHOWN_SITES", "compose.SHOWN_TARGETS", "compose.SHOWN_EVIDENCE", "compose.SHOWN_ITEMS",
    }  # fmt: skip
    assert names <= set(rows(section("docs/mail.md", "What a template may use")))


def test_every_template_is_on_the_page_of_mail() -> None:
    named = words(section("docs/mail.md", "Templates"))
    assert {f.stem for f in OURS.rglob("*.*")} <= {word.removesuffix(".txt").removesuffix(".html") for word in named}


# -- examples ------------------------------------------------------------------------------------------------------


def blocks(page: str) -> list[tuple[str, str]]:
    """The YAML blocks as (file name, text); each must say which file it is."""
    found = [(name, body) for language, name, body in _FENCE.findall(text(page)) if language == "yaml"]
    assert found
    assert all(name for name, _ in found), "write ```yaml file=NAME, so that this test can load it"
    return found


def secret(_where: str, name: str) -> str:
    return f"https://{name}.example" if name.endswith("-url") else f"secret of {name}"


def test_the_worked_example_of_the_inventory_loads_after_every_step(tmp_path: Path) -> None:
    steps = [each for each in blocks("docs/inventory.md") if each[0] != "contacts.yaml"]
    sizes = []
    for count, (name, body) in enumerate(steps, 1):
        (tmp_path / name).write_text(body, encoding="utf-8")
        if count >= 4:  # the first four files make the first province
            sizes.append(len(load_inventory(tmp_path, secret).targets))
    assert sizes == [5, 9, 10, 10, 9, 9, 9, 15, 15]
    loaded = load_inventory(tmp_path, secret)
    assert [sorted(each.targets) for each in loaded.maintenance][1] == [
        f"{site}/tslcd" for site in ("xa-binh-luc", "xa-binh-my-moi", "xa-tan-thanh")
    ]
    last = loaded.targets
    assert [limit.above for limit in last["xa-binh-luc/tslcd"].checks[0].limits] == [0.15]
    assert [limit.above for limit in last["xa-tan-thanh/tslcd"].checks[0].limits] == [0.05]
    assert last["xa-binh-luc/switch-2"].behind == ("xa-binh-luc/switch",)
    assert last["xa-binh-luc/switch"].behind == ("xa-binh-luc/router",)
    assert last["xa-binh-luc/router"].behind == ("xa-binh-luc/tslcd",)
    assert last["xa-binh-my-moi/switch-hall"].formerly == (
        "xa-binh-my-moi/switch-2",
        "xa-binh-my/switch-hall",
        "xa-binh-my/switch-2",
    )


def test_the_example_of_contacts_loads(tmp_path: Path) -> None:
    (body,) = [body for name, body in blocks("docs/inventory.md") if name == "contacts.yaml"]
    (tmp_path / "contacts.yaml").write_text(body, encoding="utf-8")
    assert [each.to for each in load_contacts(tmp_path / "contacts.yaml").routes] == [
        "north",
        "head",
        "on-call",
        "head",
    ]


def test_the_example_of_signalling_loads_beside_the_province(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).ca.read_text(encoding="ascii")
    folder = Path(shutil.copytree(ROOT / "config" / "inventory", tmp_path / "inventory"))
    for name in ("rooms.yaml", "signalling.yaml"):
        shutil.copy(ROOT / "config" / "examples" / name, folder)
    warnings: list[Any] = []
    loaded = load_inventory(
        folder, lambda _, name: certificate if name.endswith(".pem") else f"secret of {name}", warnings
    )
    assert warnings == []
    kinds = {
        check.probe
        for name in ("xa-mau", "vc-center")
        for each in loaded.targets.values()
        if each.site == name
        for check in each.checks
    }
    assert kinds == {"icmp", "sip", "h323", "stun", "turn", "tcp"}


OWN_WORLD = ("inventory.md", "settings.md", "tutorial.md")
"""Pages whose examples are a world of their own; those of the others stand beside config/."""
BESIDE = [
    (page.name, name, body)
    for page in PAGES
    if page.name not in OWN_WORLD
    for language, name, body in _FENCE.findall(page.read_text(encoding="utf-8"))
    if language == "yaml" and name
]


@pytest.mark.parametrize(("page", "name", "body"), BESIDE, ids=[f"{page}-{name}" for page, name, _ in BESIDE])
def test_the_examples_of_other_pages_load_beside_the_example_inventory(
    page: str, name: str, body: str, tmp_path: Path
) -> None:
    folder = tmp_path / "inventory"
    shutil.copytree(ROOT / "config" / "inventory", folder)
    assert not (folder / name).exists() or name == "meetings.yaml"
    (folder / name).write_text(body, encoding="utf-8")
    (folder / "meetings.ics").write_bytes(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20261130T010000Z\r\n"
        b"DURATION:PT1H\r\nLOCATION:phong-hop@tanthanh.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    assert load_inventory(folder, None).targets


def test_the_commands_of_the_manual_name_what_the_example_inventory_has() -> None:
    known = load_inventory(ROOT / "config" / "inventory", None)
    ids = {*known.sites, *known.targets}
    gone, seen = [], 0
    for page in PAGES:
        for line in re.findall(r"commune-monitor [a-z].*", page.read_text(encoding="utf-8")):
            named = re.findall(r"(?<![\w.-])(?:xa|phuong|pop)-[a-z0-9-]+(?:/[a-z0-9-]+)?(?![\w.-])", line)
            gone += [f"{page.name}: {each}" for each in named if each not in ids]
            seen += len(named)
    assert gone == []
    assert seen > 10


def test_the_example_of_settings_loads(tmp_path: Path) -> None:
    ((name, body),) = blocks("docs/settings.md")
    (tmp_path / name).write_text(body, encoding="utf-8")
    assert len(load_settings(tmp_path / name, secret).mail.relays) == 2


def test_the_unit_hands_over_every_secret_of_the_example_and_the_right_to_echo(tmp_path: Path) -> None:
    certificate = Authority(tmp_path).ca.read_text(encoding="ascii")
    unit = next(body for language, _, body in _FENCE.findall(text("docs/install.md")) if language == "ini")
    asked: set[str] = set()

    def ask(_where: str, name: str) -> str:
        asked.add(name)
        return certificate if name.endswith(".pem") else "secret"

    load_settings(ROOT / "config" / "settings.yaml", ask)
    load_inventory(ROOT / "config" / "inventory", ask)
    handed = dict(re.findall(r"^LoadCredential=([^:]+):(.+)$", unit, re.MULTILINE))
    assert handed == {name: f"/etc/commune-monitor/secrets/{name}" for name in asked}
    assert "AmbientCapabilities=CAP_NET_RAW" in unit


def test_the_unit_of_the_reflector_starts_it_with_options_that_there_are_and_the_right_to_its_port() -> None:
    unit = next(body for language, _, body in _FENCE.findall(text("docs/rooms.md")) if language == "ini")
    (started,) = re.findall(r"^ExecStart=\S+/commune-monitor reflect (.+)$", unit, re.MULTILINE)
    with main.get_command(click.Context(main), "reflect").make_context("reflect", started.split()) as context:
        assert context.params["listen"] == [("0.0.0.0", PORT), ("::", PORT)]
        assert [str(each) for each in context.params["key_files"]] == ["%d/reflector-key"]
    assert "LoadCredential=reflector-key:" in unit
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in unit


EXAMPLES = ROOT / "config" / "examples"


def with_example(folder: Path, name: str) -> Inventory:
    """The province with one of the examples laid beside it."""
    for each in (*(ROOT / "config" / "inventory").glob("*.yaml"), EXAMPLES / name):
        (folder / each.name).write_bytes(each.read_bytes())
    certificate = Authority(folder).ca.read_text(encoding="ascii")
    return load_inventory(folder, lambda _, name: certificate if name.endswith(".pem") else f"secret of {name}")


@pytest.mark.parametrize("name", sorted(each.name for each in EXAMPLES.glob("*.yaml")))
def test_every_example_loads_beside_the_province_and_is_named_where_an_admin_looks(name: str, tmp_path: Path) -> None:
    assert len(with_example(tmp_path, name).targets) > len(load_inventory(ROOT / "config" / "inventory", None).targets)
    assert f"examples/{name}" in text("config/README.md")


def test_the_example_of_rooms_calls_each_room_and_asks_its_registrar(tmp_path: Path) -> None:
    loaded = with_example(tmp_path, "rooms.yaml")
    checks = {check.name: check for check in loaded.targets["xa-vi-du/vc-endpoint"].checks}
    assert set(checks) == {"echo", "sip", "registered", "snmp", "call", "video", "path"}
    assert checks["registered"].options.through == loaded.targets["center/registrar"].address  # type: ignore[attr-defined]
    for name in ("call", "video", "path"):
        assert checks[name].options.reflector == loaded.targets["xa-vi-du/reflector"].address  # type: ignore[attr-defined]
        assert checks[name].limits
    for name in ("call", "video"):
        options = checks[name].options
        assert checks[name].timeout_seconds >= options.duration + 2  # type: ignore[attr-defined]


def test_the_ratings_of_the_page_of_rooms_are_those_of_the_model() -> None:
    ratings = re.findall(r"^\| (\d+) \| ([\d.]+) \| [a-z]", section("docs/rooms.md", "The rating"), re.MULTILINE)
    assert len(ratings) == 5
    for r, mos in ratings:
        assert mean_opinion(float(r)) == pytest.approx(float(mos), abs=0.01)


async def test_the_probe_in_ten_lines_works(tmp_path: Path) -> None:
    body = next(body for language, _, body in _FENCE.findall(text("CONTRIBUTING.md")) if language == "python")
    file = tmp_path / "echo_of_the_manual.py"
    file.write_text(body, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[file.stem] = importlib.util.module_from_spec(spec)

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(5))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        spec.loader.exec_module(module)
        kind = registry.load()["echo-tcp"]
        options = kind.options(port=server.sockets[0].getsockname()[1])
        result, _ = await run_once(kind, Request(address="127.0.0.1", options=options, timeout_seconds=5))
    finally:
        registry._KINDS.pop("echo-tcp", None)
        del sys.modules[file.stem]
        server.close()
    assert (result.outcome, result.values) == (Outcome.OK, {"probe_echo_bytes": 5.0})


def test_what_pins_the_libraries_can_be_given_to_pip_as_a_constraint() -> None:
    pinned = [line for line in text("requirements-dev.txt").splitlines() if "==" in line and not line.startswith(" ")]
    assert pinned
    assert [line for line in pinned if "[" in line] == [], "docs/install.md gives it as one, which takes no extras"
