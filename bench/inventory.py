"""What it costs to check the inventory of the nation, to plan a change of it, and where the time goes.

3,321 communes as the example has them (template, profiles, points of presence), with addresses in IPv6 for lack of room. Each
figure is of a process of its own. *check* is what `check` does once Python and the modules are loaded, *plan* what it takes
beyond loading to compare two inventories: one profile of all lines changed, a commune added, one renamed.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.harness import Row, Run
from bench.province import sites

EXAMPLE = Path(__file__).parent.parent / "config"
COMMUNES = (129, 3321)
ROUNDS = 5

_CHILD = """
import json, sys, time
from datetime import UTC, datetime
from pathlib import Path
from monitor import yamlfile
from monitor.files import declared, load_all, without_collector
from monitor.inventory import load
from monitor.inventory.diff import compare
from probes import registry

def timed(work):
    began = time.process_time()
    found = work()
    return found, time.process_time() - began

def mb():
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]  # getrusage's outlives exec
    return int(peak) / 1024

registry.load()
old, new = (Path(each) / "settings.yaml" for each in sys.argv[1:])
modules = mb()
with without_collector():  # as `check` reads it
    sources, reading = timed(lambda: [yamlfile.read(each) for each in sorted((old.parent / "inventory").glob("*.yaml"))])
    parts, forming = timed(lambda: [load._part(each, old.parent / "inventory")[0] for each in sources])
    _, compiling = timed(lambda: load.compile_inventory(parts, None))
del sources, parts, _
(_, *before), checking = timed(lambda: load_all(old, with_secrets=False))
peak = mb()
_, *after = load_all(new, with_secrets=False)
with without_collector():
    plan, planning = timed(lambda: compare(tuple(before), tuple(after), at=datetime.now(UTC), declared=declared(registry.load())))
assert len(plan.targets.added) and len(plan.targets.renamed) and len(plan.targets.changed) > 100, plan.targets
print(json.dumps({
    "targets": len(before[0].targets), "checks": len(before[0].checks()), "check s": checking, "of it YAML s": reading,
    "forms s": forming, "the whole s": compiling, "plan s": planning, "check MB": peak - modules, "both MB": mb() - modules,
}))
"""


def write(folder: Path, communes: int, *, changed: bool = False) -> Path:
    """Settings, contacts and inventory of so many communes; returns the folder."""
    shutil.copytree(EXAMPLE, folder)
    template = folder / "inventory" / "templates.yaml"
    text = template.read_text(encoding="utf-8")
    for prefix in ("64", "65", "66"):
        text = text.replace(f"10.{prefix}.{{n}}.0/24", f"fd{prefix}:0:{{n}}::/64")
        text = re.sub(rf"10\.{prefix}\.\{{n\}}\.", f"fd{prefix}:0:{{n}}::", text)
    template.write_text(text, encoding="utf-8")
    names = [name for name, _, _ in sites(communes)]
    lines = ["sites:"]
    for number, (id_, name, code) in enumerate(sites(communes), 1):
        new = f"{id_}-moi" if changed and number == 2 else id_
        lines += [
            f"  - id: {new}", "    like: commune", f"    name: {name}", f"    code: '{code}'", "    area: Huyện Thanh Liêm",
            f"    contact: Cán bộ CNTT {name}, ĐT 0229 000 018", *([f"    formerly: [{id_}]"] if new != id_ else ()),
            f"    vars: {{n: {number}, pop: pop-thanh-liem, tslcd: vnpt, internet: viettel}}",
        ]  # fmt: skip
    if changed:
        lines += [
            "  - id: xa-them-moi", "    like: commune", "    name: Xã Thêm", "    code: '99999'",
            f"    vars: {{n: {len(names) + 1}, pop: pop-thanh-liem, tslcd: vnpt, internet: viettel}}",
        ]  # fmt: skip
        profiles = folder / "inventory" / "profiles.yaml"
        text = profiles.read_text(encoding="utf-8")
        start = text.index("tslcd-line:")
        profiles.write_text(text[:start] + text[start:].replace("interval: 1s", "interval: 2s", 1), encoding="utf-8")
    (folder / "inventory" / "communes.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for each in ("maintenance", "meetings"):  # they name communes of the example
        (folder / "inventory" / f"{each}.yaml").unlink()
    return folder


def measure(run: Run) -> dict[str, Any]:
    """The province and the nation, in turn in each round."""
    folders = {
        f"{each:,} communes": (
            write(run.folder / f"{each}", each),
            write(run.folder / f"{each}-new", each, changed=True),
        )
        for each in COMMUNES
    }
    found: dict[str, list[Row]] = {name: [] for name in folders}
    for index in range(run.rounds or ROUNDS):
        for name, (old, new) in folders.items():
            found[name].append(once(old, new))
            print(f"    round {index + 1}  {name}: {found[name][-1]}", flush=True)
    return {
        "tables": {"inventory: check and plan, CPU seconds": {name: _medians(rows) for name, rows in found.items()}}
    }


def once(old: Path, new: Path) -> Row:
    """One process."""
    command = [sys.executable, "-c", _CHILD, str(old), str(new)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=EXAMPLE.parent).stdout
    return {key: round(value, 2) for key, value in json.loads(said).items()}


def _medians(rows: Sequence[Row]) -> Row:
    return {key: round(statistics.median(row[key] for row in rows), 2) for key in rows[0]}
