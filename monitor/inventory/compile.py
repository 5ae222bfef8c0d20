"""Pure: documents → Inventory. Templates are merged in, names are resolved, and what does not fit together is told."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from monitor.core.graph import find_loop
from monitor.core.judge import LOSS
from monitor.core.model import (
    Cause,
    Check,
    Inventory,
    Limit,
    Maintenance,
    Profile,
    Provider,
    Role,
    Severity,
    Site,
    State,
    Target,
    Tell,
)
from monitor.core.severity import usual_severity
from monitor.inventory.addresses import Network, check_address, is_name, read_networks
from monitor.inventory.former import Former
from monitor.inventory.ical import Event
from monitor.inventory.meetings import MeetingReader
from monitor.inventory.profiles import Raw, Written, read_profiles
from monitor.inventory.recurrence import recur
from monitor.inventory.schema import (
    CalendarModel,
    CheckModel,
    DeviceModel,
    LimitModel,
    LinkModel,
    MaintenanceModel,
    MeetingModel,
    ProfileModel,
    ProviderModel,
    ServiceModel,
    SiteBody,
    SiteModel,
    TargetModel,
    TellModel,
)
from monitor.inventory.templates import BRACES, merge
from monitor.trust import check_ca
from monitor.yamlfile import Layers, Problem, Source, Where, fit, near, place
from probes import registry

CLEAR_MARGIN = 0.2
"""Where no `clear` is written, a measurement must be this part on the good side of its bound."""

ROLES: tuple[tuple[str, Role, type[TargetModel]], ...] = (
    ("links", Role.LINK, LinkModel),
    ("devices", Role.DEVICE, DeviceModel),
    ("services", Role.SERVICE, ServiceModel),
)

V = TypeVar("V")
Entry = tuple[Source, Where, SiteModel]
"""A site, and where it is written."""


Name = tuple[str, str]
"""What it names (`site`, `profile`, …), and the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one file adds: its entries that are in form, and the names of those that are not."""

    source: Source
    providers: Mapping[str, ProviderModel]
    profiles: Mapping[str, Mapping[str, object]]
    """As they are written: in what form they are shows with what they are like."""
    templates: Mapping[str, SiteBody]
    sites: Mapping[int, SiteModel]
    """By position in the file."""
    maintenance: Mapping[int, MaintenanceModel] = field(default_factory=dict)
    meetings: Mapping[int, MeetingModel] = field(default_factory=dict)
    calendars: Mapping[int, tuple[CalendarModel, Path, Sequence[Event]]] = field(default_factory=dict)
    lost: frozenset[Name] = frozenset()
    complete: bool = True
    """Whether every entry is at least in `lost`."""


def compile_inventory(
    parts: Sequence[Part],
    read_secret: Callable[[str, str], str] | None,
    *,
    complete: bool = True,
) -> tuple[Inventory, list[Problem]]:
    """The inventory and every problem found; it is only good when all of them are warnings.

    A name of something that is written, but not in form, is no problem of its own; `complete` is False when some
    file could not be read at all: then no name that is not found is one.
    """
    compiler = _Compiler(parts, read_secret, complete=complete)
    inventory = compiler.run()
    return inventory, compiler.problems


class _Compiler:
    """One pass over the documents."""

    def __init__(
        self,
        parts: Sequence[Part],
        read_secret: Callable[[str, str], str] | None,
        *,
        complete: bool,
    ) -> None:
        self.problems: list[Problem] = []
        self._complete = complete and all(part.complete for part in parts)
        self._context = {"read_secret": read_secret}
        self._kinds = registry.load()
        self._measures = {
            name: {LOSS, *(metric.name for metric in (*registry.COMMON_METRICS, *kind.metrics))}
            for name, kind in self._kinds.items()
        }
        self._parts = parts
        self._lost = {name for part in parts for name in part.lost}
        self._providers = self._collect("providers")
        self._templates: dict[str, tuple[Source, SiteBody]] = self._collect("templates")
        self._limits: dict[tuple[str, str], tuple[Limit, ...]] = {}
        self._targets: dict[str, Target] = {}
        self._unfilled = 0
        self._cas: set[SecretStr] = set()
        """Looked at: one file is a `ca` of many checks."""
        self._told: set[tuple[str, int, int]] = set()
        self._words: set[tuple[str, int, int]] = set()
        """Where sites write what fills templates."""
        self._of_site: dict[str, list[Target]] = {}
        self._places: dict[str, Layers] = {}
        self._former = Former()
        self._as_profile: dict[tuple[str, str], object] = {}
        """By profile and check: options that are the same for all targets, for nothing is filled in."""
        self._used_templates: set[str] = set()
        self._networks: list[Network] = []
        """Of the site that is read."""
        self._used_profiles: set[str] = set()
        self._profiles = self._read_profiles()

    def _collect(self, table: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for part in self._parts:
            source = part.source
            for name, value in getattr(part, table).items():
                if name in found:
                    first = found[name][0].problem((table, name), "", at_key=True)
                    text = f"`{name}` is already written in {first.file}:{first.line}"
                    self.problems.append(source.problem((table, name), text, "remove one of the two", at_key=True))
                else:
                    found[name] = (source, value)
        return found

    def run(self) -> Inventory:
        for name, written in self._profiles.items():
            for check_name, check in written.model.checks.items():
                self._limits[name, check_name] = self._check_limits(written.at("checks", check_name), check)
        sites: dict[str, Site] = {}
        for source, index, model in self._site_models():
            if model.id in sites:
                self.problems.append(
                    source.problem(
                        ("sites", index, "id"), f"site `{model.id}` is already written", "give it another id"
                    )
                )
                continue
            self._former.name_site(source, index, model)
            self._take_site(source, index, model)
            sites[model.id] = _site(model, self._site_kind(model), self._networks)
        self._check_unused()
        self._resolve()
        if self._complete and not self._lost:
            self._warn(sites)
        self._targets = self._former.resolve(sites, self._targets)
        self.problems += self._former.problems
        self._sum_up_words()
        providers = {
            name: Provider(
                id=name,
                name=each.name,
                hotline=each.hotline,
                email=each.email,
                tell=_told(each.tell),
                promised_percent=each.promised,
            )
            for name, (_, each) in self._providers.items()
        }
        maintenance = tuple(
            entry
            for part in self._parts
            for index, model in part.maintenance.items()
            if (entry := self._maintenance(part.source, index, model, sites)) is not None
        )
        meetings = MeetingReader(sites, self._targets, complete=self._complete and not self._lost)
        for part in self._parts:
            for index, meeting in part.meetings.items():
                meetings.take(part.source, index, meeting)
            for index, (calendar, file, events) in part.calendars.items():
                meetings.take_calendar(part.source, index, calendar, events, str(file))
        self.problems += meetings.problems
        return Inventory(
            sites=sites, targets=self._targets, providers=providers, maintenance=maintenance, meetings=meetings.meetings,
            profiles={name: _profile(name, each.model) for name, each in self._profiles.items()},
        )  # fmt: skip

    def _site_models(self) -> Iterator[tuple[Source, int, SiteModel]]:
        for part in self._parts:
            for index, model in part.sites.items():
                yield part.source, index, model

    def _site_kind(self, model: SiteModel) -> str:
        inherited = self._templates.get(model.like or "") if "kind" not in model.model_fields_set else None
        return inherited[1].kind if inherited else model.kind

    # -- profiles ------------------------------------------------------------------------------------------------

    def _read_profiles(self) -> dict[str, Written]:
        raw: Raw = self._collect("profiles")
        for name, (source, each) in raw.items():
            if isinstance(like := each.get("like"), str):
                self._used_profiles.add(like)
                if like not in raw:
                    self._unknown("profile", like, raw.keys() - {name}, [(source, ("profiles", name))], ("like",))
        good, problems = read_profiles(raw)
        self.problems += problems
        self._lost |= {("profile", name) for name in raw if name not in good}
        return good

    def _check_limits(self, layers: Layers, check: CheckModel) -> tuple[Limit, ...]:
        kind = self._kinds.get(check.probe)
        if kind is None:
            text = f"there is no probe kind `{check.probe}`"
            self._once(place(layers, ("probe",), text, near(check.probe, self._kinds)))
            return ()
        limits: list[Limit] = []
        for name, limit in check.limits.items():
            here = ("limits", name)
            if name not in self._measures[check.probe]:
                text = f"the probe `{check.probe}` does not measure `{name}`"
                self._once(place(layers, here, text, near(name, self._measures[check.probe]), at_key=True))
            elif name == LOSS and not check.window:
                text = "loss_ratio needs a window"
                self._once(place(layers, here, text, "add `window: 60` (runs) to the check", at_key=True))
            elif name == LOSS and limit.above is not None and limit.above >= 1:
                text = f"loss_ratio is a part of 1, so it is never above {limit.above:g}"
                self._once(place(layers, (*here, "above"), text, "write such as 0.05 for 5 %"))
            elif name == LOSS and limit.above_usual is not None:
                text = "loss_ratio is not held against what is usual"
                self._once(place(layers, (*here, "above_usual"), text, "write `above`", at_key=True))
            limits += _limits(name, limit)
        return tuple(limits)

    # -- sites ---------------------------------------------------------------------------------------------------

    def _take_site(self, source: Source, index: int, model: SiteModel) -> None:
        base = ("sites", index)
        commune = self._site_kind(model) == "commune"
        template: tuple[Source, SiteBody] | None = None
        if model.like is not None:
            self._used_templates.add(model.like)
            template = self._named(self._templates, model.like, "template", [(source, base)], ("like",))
            if template is None:
                self._lost.add(("site", model.id))
        words = {"id": model.id, "name": model.name, "code": model.code, "area": model.area}
        words |= {key: str(value) for key, value in model.vars.items()}
        self._networks = self._networks_of((source, base, model), template, words)
        for table, role, kind in ROLES:
            inherited = getattr(template[1], table) if template else {}
            own = getattr(model, table)
            for name in dict.fromkeys((*inherited, *own)):
                layers: Layers = [(source, (*base, table, name))]
                if template is not None and model.like is not None and name in inherited:
                    layers = [*layers, (template[0], ("templates", model.like, table, name))]
                if name in own and own[name] is None:
                    continue
                value = merge(inherited.get(name) or {}, own.get(name) or {})
                before = self._unfilled
                filled, layers = self._fill_in(value, words, layers, (source, base, model))
                if self._unfilled > before:
                    self._lost.add(("target", f"{model.id}/{name}"))
                    continue
                self._take_target(model, name, role, kind, filled, layers, words, commune=commune)

    def _networks_of(
        self, site: Entry, template: tuple[Source, SiteBody] | None, words: Mapping[str, str]
    ) -> list[Network]:
        source, base, model = site
        layers: Layers = [(source, base)]
        written = model.networks
        if template is not None and "networks" not in model.model_fields_set:
            layers = [(template[0], ("templates", str(model.like)))]
            written = template[1].networks
        filled, layers = self._fill_in({"networks": written}, words, layers, site)
        found, problems = read_networks(filled["networks"], layers, ("networks",))
        for each in problems:
            self._once(each)
        return found

    def _fill_in(self, value: object, words: Mapping[str, str], layers: Layers, site: Entry) -> tuple[Any, Layers]:
        """`value` with the words filled in, and the layers with the site's own words: there a mistake is mended."""
        source, base, model = site
        used: dict[Where, str] = {}
        filled = self._fill(value, words, layers, (), used)
        marks = {where: source.marks[*base, "vars", word] for where, word in used.items() if word in model.vars}
        if not marks:
            return filled, layers
        self._words |= {(source.file, *mark) for mark in marks.values()}
        own, inherited = ([each for each in layers if (each[1][0] == "sites") is mine] for mine in (True, False))
        return filled, [*own, (Source(source.file, None, marks, {}, {}), ()), *inherited]

    def _fill(
        self,
        value: object,
        words: Mapping[str, str],
        layers: Layers,
        where: Where,
        used: dict[Where, str] | None = None,
    ) -> Any:
        """`value` with the words filled in; `used` is told of a word of each text."""
        if isinstance(value, dict):
            return {key: self._fill(each, words, layers, (*where, key), used) for key, each in value.items()}
        if isinstance(value, list):
            return [self._fill(each, words, layers, (*where, index), used) for index, each in enumerate(value)]
        if not isinstance(value, str) or "{" not in value:
            return value

        def word(match: re.Match[str]) -> str:
            name = match[1]
            if name is None:
                return match[0][0]
            if name not in words:
                text = f"nothing fills {{{name}}} of site `{words['id']}`"
                hint = f"write `vars: {{{name}: …}}` at the site; it knows {', '.join(sorted(words))}"
                self._unfilled += 1
                self._once(place(layers, where, text, hint))
            if used is not None:
                used[where] = name
            return words.get(name, "")

        return BRACES.sub(word, value)

    def _take_target(
        self, site: SiteModel, name: str, role: Role, kind: type[TargetModel], value: object, layers: Layers,
        words: Mapping[str, str], *, commune: bool,
    ) -> None:  # fmt: skip
        model, problems = fit(layers, kind, value)
        self.problems += problems
        id_ = f"{site.id}/{name}"
        if model is None:
            self._lost.add(("target", id_))
            return
        if id_ in self._targets:
            self.problems.append(
                place(layers, (), f"`{name}` is already a target of this site", "give it another name", at_key=True)
            )
            return
        found = self._named(self._profiles, model.profile, "profile", layers, ("profile",))
        self._used_profiles.add(model.profile)
        self.problems += check_address(model.address, role, self._networks, layers)
        link = model if isinstance(model, LinkModel) else None
        if link and link.provider not in self._providers:
            self._unknown("provider", link.provider, self._providers, layers, ("provider",))
        profile = found.model if found else None
        what, vantage = profile.kind if profile else "", isinstance(model, DeviceModel) and model.vantage
        written = model.severity or (profile.severity if profile else None)
        usual = usual_severity(role, what, vantage=vantage, commune=commune)
        self._places[id_] = layers
        self._former.name_target(id_, site, model, layers)
        self._targets[id_] = Target(
            id=id_, site=site.id, name=name, role=role, kind=what,
            label=_labels(profile.label if profile else {}, model.label),
            address=model.address,
            behind=tuple(model.behind) if model.behind is not None else ("",),
            checks=tuple(self._checks(id_, role, model, found, layers, words)) if found else (),
            vantage=vantage,
            provider=link.provider if link else "",
            circuit=link.circuit if link else "",
            bandwidth_bits=link.bandwidth if link else 0.0,
            promised_percent=link.promised if link else None,
            model=profile.model if profile else "",
            contact=model.contact,
            severity=Severity(written) if written else usual,
        )  # fmt: skip

    def _named(self, table: Mapping[str, V], name: str, what: str, layers: Layers, where: Where) -> V | None:
        found = table.get(name)
        if found is None:
            self._unknown(what, name, table, layers, where)
        return found

    def _unknown(self, what: str, name: str, known: Iterable[str], layers: Layers, where: Where) -> None:
        if self._complete and (what, name) not in self._lost:
            self._once(place(layers, where, f"there is no {what} `{name}`", near(name, known)))

    def _once(self, problem: Problem) -> None:
        """A problem of a template is told for one of its sites, not once for each."""
        at = (problem.file, problem.line, problem.column)
        if at not in self._told:
            self._told.add(at)
            self.problems.append(problem)

    def _sum_up_words(self) -> None:
        """One mistake in a word of a site makes many in what it fills: the first is told, the others counted."""
        repeated = Counter(at for each in self.problems if (at := (each.file, each.line, each.column)) in self._words)
        kept: list[Problem] = []
        for each in self.problems:
            count = repeated.get((each.file, each.line, each.column))
            if count is None:
                kept.append(each)
            elif count:
                repeated[each.file, each.line, each.column] = 0
                more = f" (and {count - 1} more that come of it)" if count > 1 else ""
                kept.append(replace(each, message=each.message + more))
        self.problems[:] = kept

    def _checks(
        self,
        target: str,
        role: Role,
        model: TargetModel,
        found: Written,
        layers: Layers,
        words: Mapping[str, str],
    ) -> Iterator[Check]:
        profile = found.model
        for name in model.options:
            if name not in profile.checks:
                text = f"profile `{model.profile}` has no check `{name}`"
                self.problems.append(place(layers, ("options", name), text, near(name, profile.checks), at_key=True))
        for name, check in profile.checks.items():
            kind = self._kinds.get(check.probe)
            if kind is None:
                continue
            if kind.needs_address and not model.address:
                text = f"the check `{name}` of profile `{model.profile}` needs an address"
                self.problems.append(place(layers, (), text, "write `address: …`"))
            elif kind.by_number and role is Role.SERVICE and is_name(model.address):
                text = f"the check `{name}` of profile `{model.profile}` asks by number, so a name can never succeed"
                self.problems.append(place(layers, ("address",), text, "write the IP address"))
            options = None if name in model.options else self._as_profile.get((model.profile, name))
            if options is None:
                below = found.at("checks", name, "options")
                filled = self._fill(check.options, words, below, ())
                merged = merge(filled, model.options.get(name, {}))
                both = [*((each, (*base, "options", name)) for each, base in layers), *below]
                options, problems = fit(both, kind.options, merged, self._context)
                self.problems += problems
                self._check_ca(options, both)
                self._check_time(options, check, found.at("checks", name))
                if name not in model.options and options is not None and filled == check.options:
                    self._as_profile[model.profile, name] = options
            yield Check(
                id=f"{target}#{name}", target=target, name=name, probe=check.probe, address=model.address,
                options=options, interval_seconds=check.interval, timeout_seconds=check.timeout,
                confirm=check.confirm, when_failed=State(check.when_failed),
                limits=self._limits[model.profile, name], window=check.window,
            )  # fmt: skip

    def _check_time(self, options: registry.Options | None, check: CheckModel, layers: Layers) -> None:
        if options is not None and options.takes_seconds >= check.timeout:
            text = (
                f"a run takes {options.takes_seconds:g} s when all is well, so it never ends within {check.timeout:g} s"
            )
            remedy = f"write `timeout: {options.takes_seconds + 1:g}s` or more"
            self._once(place(layers, ("timeout",), text, remedy))

    def _check_ca(self, options: object, layers: Layers) -> None:
        ca = getattr(options, "ca", None)
        if isinstance(ca, SecretStr) and ca not in self._cas:
            self._cas.add(ca)
            try:
                check_ca(ca.get_secret_value())
            except ValueError as error:
                self.problems.append(place(layers, ("ca",), str(error)))

    def _check_unused(self) -> None:
        """What waits for equipment that it `fits` is in form all the same, as far as nothing must be filled in."""
        for name, written in self._profiles.items():
            if name in self._used_profiles or written.model.fits is None:
                continue
            for check_name, check in written.model.checks.items():
                kind = self._kinds.get(check.probe)
                if kind is not None and not _has_braces(check.options):
                    below = written.at("checks", check_name, "options")
                    for each in fit(below, kind.options, check.options, {"read_secret": _no_secret})[1]:
                        self._once(each)

    # -- maintenance ---------------------------------------------------------------------------------------------

    def _maintenance(
        self, source: Source, index: int, model: MaintenanceModel, sites: Mapping[str, Site]
    ) -> Maintenance | None:
        where: Where = ("maintenance", index)
        targets = self._chosen(source, where, model, sites)
        end = model.end or model.start + timedelta(seconds=model.for_ or 0)
        if end <= model.start:
            self.problems.append(
                source.problem((*where, "end"), "ends before it starts", "a window ends after its start")
            )
            return None
        try:
            starts = recur(model.repeat, model.start, end - model.start) if model.repeat else (model.start,)
        except ValueError as error:
            self.problems.append(source.problem((*where, "repeat"), str(error)))
            return None
        return Maintenance(targets=targets, starts=starts, lasts=end - model.start, reason=model.reason)

    def _chosen(
        self, source: Source, where: Where, model: MaintenanceModel, sites: Mapping[str, Site]
    ) -> frozenset[str]:
        """The targets that fit everything that is written."""
        targets = self._targets.values()
        known: dict[str, tuple[str | None, Mapping[str, object]]] = {
            "target": (model.target, self._targets),
            "site": (model.site, sites),
            "area": (model.area, dict.fromkeys(each.area for each in sites.values())),
            "provider": (model.provider, self._providers),
            "kind": (model.kind, dict.fromkeys(each.kind for each in targets)),
        }
        before = len(self.problems)
        for name, (given, table) in known.items():
            hidden = (name in ("area", "kind") and self._lost) or ("site", str(given).partition("/")[0]) in self._lost
            if given is not None and given not in table and not hidden:
                self._unknown(name, given, table, [(source, where)], (name,))
        found = frozenset(
            each.id
            for each in targets
            if model.target in (None, each.id)
            and model.site in (None, each.site)
            and model.area in (None, sites[each.site].area)
            and model.provider in (None, each.provider)
            and model.kind in (None, each.kind)
        )
        if not found and len(self.problems) == before and self._complete and not self._lost:
            text, hint = (
                "no target fits all that is written here",
                "each key narrows down: write two entries for two things",
            )
            self.problems.append(source.problem(where, text, hint))
        return found

    # -- the whole -----------------------------------------------------------------------------------------------

    def _resolve(self) -> None:
        """Parents, and what only shows when all sites are known."""
        for target in self._targets.values():
            self._of_site.setdefault(target.site, []).append(target)
        for id_, target in self._targets.items():
            behind = self._default_behind(target) if target.behind == ("",) else self._parents(target)
            self._targets[id_] = replace(target, behind=behind)
        loop = find_loop({id_: target.behind for id_, target in self._targets.items()})
        if loop:
            text = f"goes round in a ring: {' → '.join(loop)}"
            self.problems.append(place(self._places[loop[0]], ("behind",), text, "take one of these out of `behind`"))
        seen: dict[str, str] = {}
        for id_, target in self._targets.items():
            if not target.address or target.role is Role.SERVICE:
                continue
            first = seen.setdefault(target.address, id_)
            if first != id_:
                text = f"address {target.address} already belongs to {first}"
                self.problems.append(place(self._places[id_], ("address",), text, "give one of the two its own"))
        if (
            self._targets
            and self._complete
            and not self._lost
            and not any(target.vantage for target in self._targets.values())
        ):
            first_source = self._parts[0].source
            text = "no device is our own gateway, so trouble of our own would be blamed on the sites"
            self.problems.append(
                Problem(first_source.file, 0, 0, text, "add `vantage: true` to the device next to the monitor")
            )

    def _warn(self, sites: Mapping[str, Site]) -> None:
        """What may be meant, but seldom is."""
        for name, written in self._profiles.items():
            if name not in self._used_profiles and written.model.fits is None:
                ((source, where), *_) = written.layers
                self._warning(source, where, f"nothing has the profile `{name}`, so its options were not checked")
        for name, (source, _) in self._templates.items():
            if name not in self._used_templates:
                self._warning(source, ("templates", name), f"no site is like `{name}`")
        providers = {each.provider for each in self._targets.values()}
        for name, (source, _) in self._providers.items():
            if name not in providers:
                self._warning(source, ("providers", name), f"no line is of `{name}`")
        for source, index, model in self._site_models():
            if model.id in sites and model.id not in self._of_site:
                self._warning(source, ("sites", index, "id"), f"nothing is watched at `{model.id}`")
        self._warn_of_roles()

    def _warn_of_roles(self) -> None:
        """A kind that is a device at most places and a line at one: its profile hardly fits there."""
        roles: dict[str, Counter[Role]] = defaultdict(Counter)
        for each in self._targets.values():
            roles[each.kind][each.role] += 1
        for id_, each in self._targets.items():
            ((usual, _), *others) = roles[each.kind].most_common()
            if others and each.role is not usual:
                text = f"a {each.role} with a profile of kind `{each.kind}`, which is a {usual} elsewhere"
                self.problems.append(replace(place(self._places[id_], ("profile",), text), warning=True))

    def _warning(self, source: Source, where: Where, text: str) -> None:
        self.problems.append(replace(source.problem(where, text, at_key=True), warning=True))

    def _default_behind(self, target: Target) -> tuple[str, ...]:
        """Where nothing is written: equipment and services are behind the site's router, a router behind its lines."""
        if target.vantage:
            return ()
        site = [each for each in self._of_site[target.site] if each.id != target.id]
        routers = tuple(each.id for each in site if each.kind == "router")
        if target.role is Role.LINK:
            return ()
        if target.kind == "router":
            return tuple(each.id for each in site if each.role is Role.LINK)
        return routers[:1]

    def _parents(self, target: Target) -> tuple[str, ...]:
        parents = []
        for index, name in enumerate(target.behind):
            parent = name if "/" in name else f"{target.site}/{name}"
            if parent in self._targets:
                parents.append(parent)
            elif ("site", parent.partition("/")[0]) not in self._lost:
                self._unknown("target", parent, self._targets, self._places[target.id], ("behind", index))
        return tuple(parents)


def _labels(*tables: Mapping[Any, str]) -> dict[str, str]:
    return {str(language): text for table in tables for language, text in table.items()}


def _has_braces(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_braces, value.values()))
    return any(map(_has_braces, value)) if isinstance(value, list) else isinstance(value, str) and "{" in value


def _no_secret(_where: str, _name: str) -> str:
    """Of a profile that nothing has: there need be none."""
    return "none"


def _profile(name: str, model: ProfileModel) -> Profile:
    object_ids, descriptions = (model.fits.object_ids, model.fits.descriptions) if model.fits else ((), ())
    return Profile(
        id=name, kind=model.kind, model=model.model, object_ids=tuple(object_ids), descriptions=tuple(descriptions)
    )


def _told(model: TellModel | None) -> Tell | None:
    if model is None:
        return None
    return Tell(
        language=model.language, causes=tuple(Cause(each) for each in model.causes), severity=Severity(model.severity),
        hours=model.hours.text if model.hours else "",
    )  # fmt: skip


def _site(model: SiteModel, kind: str, networks: Iterable[Network]) -> Site:
    return Site(
        id=model.id,
        name=model.name,
        code=model.code,
        area=model.area,
        kind=kind,
        latitude=model.location[0] if model.location else None,
        longitude=model.location[1] if model.location else None,
        contact=model.contact,
        networks=tuple(map(str, networks)),
        formerly=tuple(model.formerly),
    )


def _limits(name: str, model: LimitModel) -> Iterator[Limit]:
    """The fixed bound, the one that follows what is usual, or both."""
    bound = model.above if model.above is not None else model.below
    if bound is not None:
        margin = CLEAR_MARGIN * abs(bound) * (-1 if model.above is not None else 1)
        clear = model.clear if model.clear is not None else bound + margin
        yield Limit(
            value=name, above=model.above, below=model.below, clear=clear, says=model.says, confirm=model.confirm
        )
    if model.above_usual is not None and model.at_least is not None:
        yield Limit(
            value=name, above_usual=model.above_usual, at_least=model.at_least,
            clear=(1 - CLEAR_MARGIN) * model.above_usual, says=model.says, confirm=model.confirm,
        )  # fmt: skip
