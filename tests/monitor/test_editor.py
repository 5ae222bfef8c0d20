"""The schemas for editors: made from the models, true of the examples, and of use against mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from monitor import editor, yamlfile
from monitor.yamlfile import ConfigError
from tests.test_docs import blocks

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "config"
BAD = sorted((ROOT / "tests" / "inventory" / "bad").glob("*.yaml"))
SCHEMAS = editor.schemas()
EXAMPLES = {
    **dict.fromkeys(sorted((CONFIG / "inventory").glob("*.yaml")), "inventory.json"),
    ROOT / "tests" / "inventory" / "good" / "base.yaml": "inventory.json",
    CONFIG / "contacts.yaml": "contacts.json",
    CONFIG / "settings.yaml": "settings.json",
}  # fmt: skip


def wrong(value: object, schema: str) -> list[str]:
    found = jsonschema.Draft7Validator(SCHEMAS[schema]).iter_errors({} if value is None else value)
    return [f"{'.'.join(map(str, each.absolute_path))}: {each.message}" for each in found]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_that_of_the_models(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMAS[name])
    assert (CONFIG / "schema" / name).read_text(encoding="utf-8") == editor.text(SCHEMAS[name]), (
        "make it anew: .venv/bin/commune-monitor schema"
    )


def keys(node: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every key that may be written, with its schema."""
    if isinstance(node, dict):
        for name, each in node.get("properties", {}).items():
            yield f"{at}.{name}", each
        for name, each in node.items():
            yield from keys(each, f"{at}.{name}" if name not in ("properties", "$defs") else at)


@pytest.mark.parametrize("name", ["inventory.json", "contacts.json", "settings.json"])
def test_every_key_says_what_it_is_and_its_default_is_a_good_value(name: str) -> None:
    found = [(at, each) for at, each in keys(SCHEMAS[name]) if ".if." not in at and ".then." not in at]
    assert len(found) > 20
    assert [at for at, each in found if not each.get("description")] == []
    for at, each in found:
        for value in (*([each["default"]] if "default" in each else ()), *each.get("examples", ())):
            whole = {**each, "$defs": SCHEMAS[name].get("$defs", {})}
            assert list(jsonschema.Draft7Validator(whole).iter_errors(value)) == [], at


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_good_and_name_their_schema(path: Path) -> None:
    assert wrong(yamlfile.read(path).value, EXAMPLES[path]) == []
    if path.is_relative_to(CONFIG):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        named = path.parent / first.removeprefix("# yaml-language-server: $schema=")
        assert named.resolve() == CONFIG / "schema" / EXAMPLES[path]


def test_what_the_manual_shows_is_good() -> None:
    pages = {"docs/inventory.md": "inventory.json", "docs/settings.md": "settings.json"}
    for page, schema in pages.items():
        for name, body in blocks(page):
            value = yamlfile.parse(body.encode(), name).value
            assert wrong(value, "contacts.json" if name == "contacts.yaml" else schema) == [], name


BEYOND = """
address-twice bandwidth-of-no-port bool-on broadcast-address dns-answer-odd head-with-text icmp-to-name interval-too-long
loss-above-one missing-provider network-odd outside-network snmp-without-community text-and-absent underscore-number ca-without-certificate duplicate-profile duplicate-site duplicate-target
former-odd former-site-claimed-twice former-site-exists former-target-claimed-twice former-target-exists
limit-clear-on-wrong-side limit-two-bounds limit-usual-with-clear limit-usual-without-least location-swapped loop loop-of-one
loss-against-usual loss-without-window maintenance-ends-before-it-starts maintenance-fits-nothing maintenance-for-and-end
maintenance-longer-than-its-period maintenance-no-recurrence maintenance-of-nothing maintenance-on-another-day
maintenance-too-often maintenance-unknown-site maintenance-until-before-start missing-circuit name-for-a-device no-address
word-in-a-network word-of-a-template not-an-address timeout-longer-than-interval timeout-shorter-than-the-run unfilled-variable unknown-check-in-options unknown-measurement unknown-parent
profile-like-itself profile-like-nothing unknown-profile unknown-provider unknown-template unreadable-secret
duplicate-code no-code-to-fill-in calendar-missing meeting-ends-before-it-starts meeting-except-without-repeat meeting-for-and-end meeting-no-recurrence
meeting-not-held-then meeting-on-another-day meeting-owner-without-address meeting-report-too-early meeting-room-of-nothing
meeting-too-long meeting-twice meeting-unknown-room server-name-of-no-host
"""
"""Mistakes that only the whole inventory, the profile of a target or reckoning can tell: `check` does."""


def by_schema(bad: Path) -> list[str]:
    try:
        return wrong(yamlfile.read(bad).value, "inventory.json")
    except ConfigError:
        return ["no YAML, or none of ours: the editor's parser tells"]


def test_the_schema_finds_every_mistake_of_form() -> None:
    assert {bad.stem for bad in BAD if not by_schema(bad)} == set(BEYOND.split())
