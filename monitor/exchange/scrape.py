"""Pure: targets for Prometheus' file-based service discovery (docs/configuration/configuration.md of Prometheus, `<file_sd_config>`)."""

from __future__ import annotations

import json

from monitor.core.model import Inventory, Target


def as_file_sd(inventory: Inventory, kinds: frozenset[str], port: int | None) -> bytes:
    """What has an address, each with labels that tell what it is; no `kinds`: of all kinds."""
    groups = [
        {"targets": [_with_port(each.address, port)], "labels": _labels(inventory, each)}
        for each in inventory.targets.values()
        if each.address and (not kinds or each.kind in kinds)
    ]
    return f"{json.dumps(groups, ensure_ascii=False, indent=1)}\n".encode()


def _with_port(address: str, port: int | None) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{port}" if port else host


def _labels(inventory: Inventory, target: Target) -> dict[str, str]:
    site = inventory.sites[target.site]
    labels = {
        "site": site.id, "target": target.id, "kind": target.kind, "name": site.name,
        "area": site.area, "provider": target.provider, "role": str(target.role),
    }  # fmt: skip
    return {name: value for name, value in labels.items() if value}
