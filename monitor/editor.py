"""JSON Schema (draft 7, which every editor knows) of the files that people write, made from the models, so that editors complete and check them.

A file names its schema in its first line: `# yaml-language-server: $schema=../schema/inventory.json`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from monitor.inventory.people import ContactsFile
from monitor.inventory.schema import CheckModel, DeviceModel, Document, LinkModel, ProfileModel, ServiceModel
from monitor.settings import Settings
from probes import registry

DRAFT = "http://json-schema.org/draft-07/schema#"
Schema = dict[str, Any]

_PARTS: Mapping[str, type[BaseModel]] = {"links": LinkModel, "devices": DeviceModel, "services": ServiceModel}


def schemas() -> dict[str, Schema]:
    """The schema of each file, by name: inventory (with the options of all probe kinds that are installed), contacts, settings."""
    return {"inventory.json": _inventory(), "contacts.json": _of(ContactsFile), "settings.json": _of(Settings)}


def write(folder: Path) -> list[Path]:
    """Write them into a folder, which is made when it is not there; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        (path := folder / name).write_text(text(schema), encoding="utf-8")
        written.append(path)
    return written


def text(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def _of(model: type[BaseModel], *more: type[BaseModel]) -> Schema:
    refs, whole = models_json_schema([(each, "validation") for each in (model, *more)], by_alias=True)
    definitions = whole["$defs"]
    name = refs[model, "validation"]["$ref"].rpartition("/")[2]
    top = definitions.pop(name)
    return {"$schema": DRAFT, **_plain(top), "$defs": {key: _plain(each) for key, each in definitions.items()}}


def _inventory() -> Schema:
    kinds = registry.load()
    schema = _of(Document, ProfileModel, *_PARTS.values(), *(kind.options for kind in kinds.values()))
    definitions = schema["$defs"]
    for model in _PARTS.values():  # what is missing at the site stands in its template, or the other way round
        del definitions[model.__name__]["required"]
        _fillable(definitions[model.__name__])
    for body in ("SiteBody", "SiteModel"):
        for key, model in _PARTS.items():
            value = {"anyOf": [{"$ref": f"#/$defs/{model.__name__}"}, {"type": "null"}]}
            definitions[body]["properties"][key]["additionalProperties"] = value
    check = definitions[CheckModel.__name__]
    check["properties"]["probe"]["enum"] = list(kinds)
    check["allOf"] = []
    for name, kind in kinds.items():
        options = kind.options.__name__
        definitions[options].pop("required", None)  # a target's own options are laid over these
        _fillable(definitions[options])
        then = {"properties": {"options": {"$ref": f"#/$defs/{options}"}}}
        check["allOf"].append({"if": {"properties": {"probe": {"const": name}}, "required": ["probe"]}, "then": then})
    schema["properties"]["profiles"]["additionalProperties"] = {"$ref": f"#/$defs/{ProfileModel.__name__}"}
    _inherit(definitions)
    return schema


def _inherit(definitions: Schema) -> None:
    """What a profile that is `like` another one does not write stands there."""
    check = f"{CheckModel.__name__}Over"
    definitions[check] = over = copy.deepcopy(definitions[CheckModel.__name__])
    del over["required"]
    limits = over["properties"]["limits"]
    limits["additionalProperties"] = {"anyOf": [limits["additionalProperties"], {"type": "null"}]}
    profile = definitions[ProfileModel.__name__]
    whole = {"required": profile.pop("required"), "properties": {"checks": profile["properties"].pop("checks")}}
    checks = whole["properties"]["checks"]
    some = {"anyOf": [{"$ref": f"#/$defs/{check}"}, {"type": "null"}]}
    profile["properties"]["checks"] = {"type": "object", "description": checks["description"]}
    profile["if"] = {"required": ["like"]}
    profile["then"] = {"properties": {"checks": {**checks, "additionalProperties": some}}}
    profile["else"] = whole


def _fillable(node: Any) -> None:
    """Let texts hold `{…}`: in what form they are shows when it is filled."""
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _fillable(each)
    if isinstance(node, dict) and node.get("type") == "string" and isinstance(node.get("pattern"), str):
        node["pattern"] += r"|\{"


def _plain(node: Any) -> Any:
    """Without what only Python knows: titles, defaults that are objects, and `null` where a key may as well be left out."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {
        key: {name: _plain(each) for name, each in value.items()} if key in ("properties", "$defs") else _plain(value)
        for key, value in node.items()
        if key != "title" and (key != "default" or not (value is None or value == "" or isinstance(value, dict)))
    }
    choices = found.get("anyOf", [])
    if {"type": "null"} in choices:
        rest = [each for each in choices if each != {"type": "null"}]
        del found["anyOf"]
        found |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    if "patternProperties" in found:  # names: one pattern for all
        ((pattern, value),) = found.pop("patternProperties").items()
        found |= {
            "propertyNames": {"pattern": pattern, **found.get("propertyNames", {})},
            "additionalProperties": value,
        }
    if isinstance(found.get("default"), float) and found.get("type") == "string":
        found["default"] = f"{found['default']:g}s"
    if "description" in found:
        found["description"] = " ".join(str(found["description"]).split())
    return found
