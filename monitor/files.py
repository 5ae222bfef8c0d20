"""The files that people write, taken together: settings, inventory and contacts."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from alerts.routing import Routing
from monitor.core.model import Inventory
from monitor.inventory.contacts import load_contacts
from monitor.inventory.diff import Plan, compare
from monitor.inventory.load import NO_CHANGE, ReadSecret, SecretReader, load_inventory
from monitor.settings import Settings, load_settings, named_files
from monitor.watch import Stamp, stamp
from monitor.yamlfile import ConfigError, Problem
from probes import registry
from probes.registry import Kind

T = TypeVar("T")


def load_all(
    path: Path,
    *,
    with_secrets: bool = True,
    of_inventory: ReadSecret | None = None,
    warnings: list[Problem] | None = None,
    changed: Mapping[Path, bytes] = NO_CHANGE,
) -> tuple[Settings, Inventory, Routing]:
    """Read settings, inventory and contacts; raises ConfigError with every mistake of all of them.

    `of_inventory` reads the secrets of the inventory where others are not read. What may be meant is added to `warnings`. It is as if `changed` files of the inventory were written already.
    """
    with without_collector():
        read_secret = SecretReader(path.parent / "secrets") if with_secrets else None
        return _load_all(path, warnings, changed, read_secret, of_inventory or read_secret)


@contextmanager
def without_collector() -> Iterator[None]:
    """Hundreds of thousands of objects are made that all stay: Python's collector of cycles would go through them again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _load_all(
    path: Path, warnings: list[Problem] | None, changed: Mapping[Path, bytes],
    read_secret: ReadSecret | None, of_inventory: ReadSecret | None,
) -> tuple[Settings, Inventory, Routing]:  # fmt: skip
    problems: list[Problem] = []
    settings = _take(problems, lambda: load_settings(path, read_secret))
    inventory_folder, contacts_file = named_files(path)
    inventory = _take(problems, lambda: load_inventory(inventory_folder, of_inventory, warnings, changed))
    routing = _take(problems, lambda: load_contacts(contacts_file, inventory))
    if inventory is not None and not inventory.targets:  # as a file is that was cut off while it was saved
        remedy = "describe what shall be watched, or save the file again"
        problems.append(Problem(str(inventory_folder), 0, 0, "not one target in any *.yaml file here", remedy))
        inventory = None
    if settings is None or inventory is None or routing is None:
        raise ConfigError(problems)
    return settings, inventory, routing


def plan_between(before: Path, after: Path, at: datetime) -> Plan:
    """What it would change to go from one settings.yaml to another; raises ConfigError. Secrets are not read.

    `at` is for what depends on the time: who is on duty.
    """
    old, inventory, routing = load_all(before, with_secrets=False)
    new, new_inventory, new_routing = load_all(after, with_secrets=False)
    with without_collector():
        return compare(
            (inventory, routing), (new_inventory, new_routing), at=at, declared=declared(registry.load()), restart=differing(old, new),
        )  # fmt: skip


def declared(kinds: Mapping[str, Kind]) -> dict[str, int]:
    """How many measurements each kind of probe knows that need not be asked for one by one."""
    return {name: sum(not metric.asked_for for metric in kind.metrics) for name, kind in kinds.items()}


def differing(old: Settings, new: Settings) -> list[str]:
    """Keys of the settings that differ and only a restart takes over."""
    taken_over = {"folder", "inventory", "contacts"}
    return [
        name for name in Settings.model_fields if name not in taken_over and getattr(old, name) != getattr(new, name)
    ]


def files_of(path: Path) -> Stamp:
    """How settings, inventory and contacts are on disk now."""
    try:
        folder, contacts = named_files(path)
        return stamp([path, contacts, *sorted((*folder.glob("*.yaml"), *folder.glob("*.ics")))])
    except (ConfigError, OSError):  # who reads them tells it
        return stamp([path])


def _take(problems: list[Problem], read: Callable[[], T]) -> T | None:
    """What was read, or None and its mistakes among the others."""
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
        return None
