"""Pure: planned work as it is written → the targets that it is about, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from monitor.core.model import Maintenance, Site, Target
from monitor.inventory.findings import Findings
from monitor.inventory.recurrence import recur
from monitor.inventory.schema import MaintenanceModel
from monitor.yamlfile import Source, Where


class MaintenanceReader:
    """Reads the entries of all files, when sites, targets and providers are known."""

    def __init__(
        self,
        sites: Mapping[str, Site],
        targets: Mapping[str, Target],
        providers: Mapping[str, object],
        findings: Findings,
    ) -> None:
        self.maintenance: list[Maintenance] = []
        self._sites, self._targets, self._providers, self._findings = sites, targets, providers, findings

    def take(self, source: Source, index: int, model: MaintenanceModel) -> None:
        """One entry of `maintenance`."""
        where: Where = ("maintenance", index)
        targets = self._chosen(source, where, model)
        end = model.end or model.start + timedelta(seconds=model.for_ or 0)
        if end <= model.start:
            problem = source.problem((*where, "end"), "ends before it starts", "a window ends after its start")
            self._findings.problems.append(problem)
            return
        try:
            starts = recur(model.repeat, model.start, end - model.start) if model.repeat else (model.start,)
        except ValueError as error:
            self._findings.problems.append(source.problem((*where, "repeat"), str(error)))
            return
        self.maintenance.append(
            Maintenance(targets=targets, starts=starts, lasts=end - model.start, reason=model.reason)
        )

    def _chosen(self, source: Source, where: Where, model: MaintenanceModel) -> frozenset[str]:
        """The targets that fit everything that is written."""
        targets, sites, findings = self._targets.values(), self._sites, self._findings
        known: dict[str, tuple[str | None, Mapping[str, object]]] = {
            "target": (model.target, self._targets),
            "site": (model.site, sites),
            "area": (model.area, dict.fromkeys(each.area for each in sites.values())),
            "provider": (model.provider, self._providers),
            "kind": (model.kind, dict.fromkeys(each.kind for each in targets)),
        }
        before = len(findings.problems)
        for name, (given, table) in known.items():
            hidden = (name in ("area", "kind") and findings.lost) or (
                ("site", str(given).partition("/")[0]) in findings.lost
            )
            if given is not None and given not in table and not hidden:
                findings.unknown(name, given, table, [(source, where)], (name,))
        found = frozenset(
            each.id
            for each in targets
            if model.target in (None, each.id)
            and model.site in (None, each.site)
            and model.area in (None, sites[each.site].area)
            and model.provider in (None, each.provider)
            and model.kind in (None, each.kind)
        )
        if not found and len(findings.problems) == before and findings.whole:
            text, hint = (
                "no target fits all that is written here",
                "each key narrows down: write two entries for two things",
            )
            findings.problems.append(source.problem(where, text, hint))
        return found
