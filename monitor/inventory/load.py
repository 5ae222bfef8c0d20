"""Files → documents → Inventory: reads the folder, the contacts and the secrets; raises ConfigError with every mistake."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from monitor.core.model import Cause, Contact, Inventory
from monitor.inventory.compile import compile_inventory
from monitor.inventory.schema import ContactsFile, Document
from monitor.yamlfile import ConfigError, Problem, Source, read, validate

ReadSecret = Callable[[str, str], str]
MAX_SECRET_BYTES = 65536


class SecretReader:
    """Secrets by name, from systemd's credentials, a folder, or the environment; each is read once."""

    def __init__(self, folder: Path) -> None:
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        self._folder = Path(credentials) if credentials else folder
        self._known: dict[tuple[str, str], str] = {}

    def __call__(self, where: str, name: str) -> str:
        """The secret; raises ValueError with what to do when it is not to be had."""
        known = self._known.get((where, name))
        if known is None:
            known = self._known[where, name] = self._from_env(name) if where == "env" else self._from_file(name)
        return known

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
                f"the secret {name} cannot be read: {error.strerror} ({path}); "
                "create the file, readable by the daemon's user alone"
            ) from error
        except UnicodeDecodeError as error:
            raise ValueError(f"the secret {name} is not UTF-8 text ({path})") from error
        if not text.strip() or len(text) > MAX_SECRET_BYTES:
            raise ValueError(f"the secret {name} is {'empty' if not text.strip() else 'too large'} ({path})")
        return text.rstrip("\r\n")


def load_inventory(folder: Path, read_secret: ReadSecret | None) -> Inventory:
    """All `*.yaml` files of a folder as one inventory."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise ConfigError(
            [Problem(str(folder), 0, 0, "no *.yaml file here", "point `inventory` at the folder of YAML files")]
        )
    documents: list[tuple[Source, Document]] = []
    problems: list[Problem] = []
    for file in files:
        try:
            source = read(file)
            documents.append((source, validate(source, Document)))
        except ConfigError as error:
            problems += error.problems
    inventory, more = compile_inventory(documents, read_secret, complete=not problems)
    if problems or more:
        raise ConfigError([*problems, *more])
    return inventory


def load_contacts(path: Path) -> tuple[Contact, ...]:
    """Who gets mail."""
    found = validate(read(path), ContactsFile)
    return tuple(
        Contact(
            id=id_,
            name=each.name,
            email=each.email,
            language=each.language,
            areas=tuple(each.areas),
            causes=tuple(Cause(cause) for cause in each.causes),
        )
        for id_, each in found.contacts.items()
    )
