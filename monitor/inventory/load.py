"""Files → documents → Inventory: reads the folder and the secrets; raises ConfigError with every mistake."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel

from monitor.core.model import Inventory
from monitor.inventory.compile import Part, compile_inventory
from monitor.inventory.findings import Name
from monitor.inventory.ical import Event, read_calendar
from monitor.inventory.schema import (
    CalendarModel,
    Document,
    MaintenanceModel,
    MeetingModel,
    ProviderModel,
    SiteBody,
    SiteModel,
)
from monitor.yamlfile import ConfigError, Problem, Source, fit, near, parse, read

ReadSecret = Callable[[str, str], str]
MAX_SECRET_BYTES = 65536
NO_CHANGE: Mapping[Path, bytes] = MappingProxyType({})

M = TypeVar("M", bound=BaseModel)


class SecretReader:
    """Secrets by name, from systemd's credentials, a folder, or the environment; each is read, or missed, once."""

    def __init__(self, folder: Path) -> None:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        self._folder = Path(credentials) if credentials else folder
        self._known: dict[tuple[str, str], str] = {}

    def __call__(self, where: str, name: str) -> str:
        """The secret; raises ValueError with what to do when it is not to be had.

        Asked again for what it has not, it gives "": one mistake of the admin, however many checks use the secret.
        """
        known = self._known.get((where, name))
        if known is None:
            self._known[where, name] = ""
            known = self._known[where, name] = self._from_env(name) if where == "env" else self._from_file(name)
        return known

    def place(self, text: str) -> str:
        """Where a secret was read that reads so, to tell people of it without telling it."""
        return next((f"{where} {name}" for (where, name), known in self._known.items() if known == text), "nowhere")

    @staticmethod
    def _from_env(name: str) -> str:
        value = os.environ.get(name)
        if value is None:
            raise ValueError(f"the environment has no {name}; set it, or use {{file: NAME}}")
        return value

    def _from_file(self, name: str) -> str:
        if not name or Path(name).name != name or name in (".", ".."):
            raise ValueError(f"{name!r} is not the plain name of a file in the folder of secrets")
        path = self._folder / name
        try:
            with path.open(encoding="utf-8") as stream:
                text = stream.read(MAX_SECRET_BYTES + 1)
        except OSError as error:
            raise ValueError(
                f"the secret {name} cannot be read: {error.strerror} ({path}); write it into a file that nobody else "
                "can read; under systemd name that file in a LoadCredential line of the unit (docs/install.md)"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(f"the secret {name} is not UTF-8 text ({path})") from error
        if not text.strip() or len(text) > MAX_SECRET_BYTES:
            raise ValueError(f"the secret {name} is {'empty' if not text.strip() else 'too large'} ({path})")
        return text.rstrip("\r\n")


def load_inventory(
    folder: Path,
    read_secret: ReadSecret | None,
    warnings: list[Problem] | None = None,
    changed: Mapping[Path, bytes] = NO_CHANGE,
) -> Inventory:
    """All `*.yaml` files of a folder as one inventory; what may be meant is added to `warnings`.

    It is as if `changed` were written already, of old files and new ones of that folder.
    """
    files = sorted({*folder.glob("*.yaml"), *changed})
    if not files:
        raise ConfigError(
            [Problem(str(folder), 0, 0, "no *.yaml file here", "point `inventory` at the folder of YAML files")]
        )
    parts: list[Part] = []
    problems: list[Problem] = []
    complete = True
    for file in files:
        try:
            source = parse(changed[file], str(file)) if file in changed else read(file)
        except ConfigError as error:
            problems += error.problems
            complete = False
        else:
            part, more = _part(source, folder)
            parts.append(part)
            problems += more
    inventory, more = compile_inventory(parts, read_secret, complete=complete)
    problems += more
    if warnings is not None:
        warnings += [each for each in problems if each.warning]
    if errors := [each for each in problems if not each.warning]:
        raise ConfigError(errors)
    return inventory


def _part(source: Source, folder: Path) -> tuple[Part, list[Problem]]:
    """What of a file is in form, so that a mistake in one entry hides none in others, and what is wrong with the rest."""
    value = {} if source.value is None else source.value
    whole, problems = fit([(source, ())], Document, value)
    if whole is not None:
        calendars, problems = _calendars(source, folder, dict(enumerate(whole.calendars)))
        return Part(
            source=source, providers=whole.providers, profiles=whole.profiles, templates=whole.templates,
            sites=dict(enumerate(whole.sites)), maintenance=dict(enumerate(whole.maintenance)),
            meetings=dict(enumerate(whole.meetings)), calendars=calendars,
        ), problems  # fmt: skip
    tables = _tables(value)
    lost: set[Name] = set()

    def good(table: str, model: type[M]) -> dict[Any, M]:
        entries, found = tables.get(table, {}), {}
        for key, each in entries.items() if isinstance(entries, dict) else enumerate(entries):
            entry, _ = fit([(source, (table, key))], model, each)
            if entry is not None:
                found[key] = entry
            else:
                name = key if isinstance(key, str) else each.get("id") if isinstance(each, dict) else None
                lost.add((table.removesuffix("s"), str(name)))
        return found

    profiles = {key: each for key, each in tables.get("profiles", {}).items() if isinstance(each, dict)}
    lost.update(("profile", str(key)) for key in tables.get("profiles", {}) if key not in profiles)
    calendars, more = _calendars(source, folder, good("calendars", CalendarModel))
    return Part(
        source=source, providers=good("providers", ProviderModel), profiles=profiles,
        templates=good("templates", SiteBody), sites=good("sites", SiteModel),
        maintenance=good("maintenance", MaintenanceModel), meetings=good("meetings", MeetingModel), calendars=calendars,
        lost=frozenset(lost), complete=tables == value,
    ), [*problems, *more]  # fmt: skip


def _calendars(
    source: Source, folder: Path, models: dict[int, CalendarModel]
) -> tuple[dict[int, tuple[CalendarModel, Path, list[Event]]], list[Problem]]:
    """The events of the calendars that a file names, and what is wrong with the others."""
    found: dict[int, tuple[CalendarModel, Path, list[Event]]] = {}
    problems: list[Problem] = []
    for index, model in models.items():
        file = folder / model.file
        try:
            if not file.is_file():
                here = sorted(each.name for each in folder.glob("*.ics"))
                text = f"there is no calendar `{model.file}` in the folder of the inventory"
                hint = near(model.file, here) or "put it there, or leave the entry out"
                problems.append(source.problem(("calendars", index, "file"), text, hint))
                continue
            found[index] = (model, file, read_calendar(file))
        except ConfigError as error:
            problems += error.problems
    return found, problems


_LISTS = ("sites", "maintenance", "meetings", "calendars")


def _tables(value: object) -> dict[str, Any]:
    """The tables of a file that are at least tables."""
    kinds = {name: list if name in _LISTS else dict for name in Document.model_fields}
    if not isinstance(value, dict):
        return {}
    return {name: value[name] for name, kind in kinds.items() if isinstance(value.get(name), kind)}
