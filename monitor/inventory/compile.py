"""Pure: documents → Inventory. Templates are merged in, names are resolved, and what does not fit together is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from monitor.core.judge import LOSS
from monitor.core.model import (
    Cause,
    Check,
    Inventory,
    Limit,
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
from monitor.inventory.behind import DEFAULT, resolve
from monitor.inventory.filling import Entry, Filler, words_of
from monitor.inventory.findings import Findings, Name
from monitor.inventory.former import Former
from monitor.inventory.ical import Event
from monitor.inventory.limits import read_limits
from monitor.inventory.maintenance import MaintenanceReader
from monitor.inventory.meetings import MeetingReader
from monitor.inventory.profiles import Raw, Written, read_profiles
from monitor.inventory.schema import (
    CalendarModel,
    CheckModel,
    DeviceModel,
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
from monitor.inventory.templates import merge
from monitor.inventory.whole import (
    check_addresses,
    check_codes,
    check_vantage,
    doubt_circuits,
    doubt_roles,
    doubt_rooms,
    doubt_unused,
)
from monitor.trust import check_ca
from monitor.yamlfile import Layers, Problem, Source, Where, fit, near, place
from probes import registry

ROLES: tuple[tuple[str, Role, type[TargetModel]], ...] = (
    ("links", Role.LINK, LinkModel),
    ("devices", Role.DEVICE, DeviceModel),
    ("services", Role.SERVICE, ServiceModel),
)

V = TypeVar("V")


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
    return inventory, compiler.findings.problems


class _Compiler:
    """One pass over the documents."""

    def __init__(
        self,
        parts: Sequence[Part],
        read_secret: Callable[[str, str], str] | None,
        *,
        complete: bool,
    ) -> None:
        lost = (name for part in parts for name in part.lost)
        self.findings = Findings(lost, complete=complete and all(part.complete for part in parts))
        self._context = {"read_secret": read_secret}
        self._kinds = registry.load()
        self._measures = {
            name: {LOSS, *(metric.name for metric in (*registry.COMMON_METRICS, *kind.metrics))}
            for name, kind in self._kinds.items()
        }
        self._parts = parts
        self._providers = self._collect("providers")
        self._templates: dict[str, tuple[Source, SiteBody]] = self._collect("templates")
        self._limits: dict[tuple[str, str], tuple[Limit, ...]] = {}
        self._targets: dict[str, Target] = {}
        self._filler = Filler(self.findings)
        self._cas: set[SecretStr] = set()
        """Looked at: one file is a `ca` of many checks."""
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
                    self.findings.problems.append(
                        source.problem((table, name), text, "remove one of the two", at_key=True)
                    )
                else:
                    found[name] = (source, value)
        return found

    def run(self) -> Inventory:
        findings = self.findings
        for name, written in self._profiles.items():
            for check_name, check in written.model.checks.items():
                self._limits[name, check_name] = self._check_limits(written.at("checks", check_name), check)
        sites = self._take_sites()
        self._check_unused()
        self._targets = resolve(self._targets, self._places, findings)
        self._check_whole(sites)
        self._targets = self._former.resolve(sites, self._targets)
        findings.problems += self._former.problems
        self._filler.sum_up()
        maintenance = MaintenanceReader(sites, self._targets, self._providers, findings)
        meetings = MeetingReader(sites, self._targets, complete=findings.whole)
        for part in self._parts:
            for index, work in part.maintenance.items():
                maintenance.take(part.source, index, work)
            for index, meeting in part.meetings.items():
                meetings.take(part.source, index, meeting)
            for index, (calendar, file, events) in part.calendars.items():
                meetings.take_calendar(part.source, index, calendar, events, str(file))
        findings.problems += meetings.problems
        return Inventory(
            sites=sites, targets=self._targets, meetings=meetings.meetings, maintenance=tuple(maintenance.maintenance),
            providers={name: _provider(name, each) for name, (_, each) in self._providers.items()},
            profiles={name: _profile(name, each.model) for name, each in self._profiles.items()},
        )  # fmt: skip

    def _take_sites(self) -> dict[str, Site]:
        """All sites, with their targets in `_targets`."""
        sites: dict[str, Site] = {}
        for source, index, model in self._site_models():
            if model.id in sites:
                problem = source.problem(
                    ("sites", index, "id"), f"site `{model.id}` is already written", "give it another id"
                )
                self.findings.problems.append(problem)
                continue
            self._former.name_site(source, index, model)
            self._take_site(source, index, model)
            sites[model.id] = _site(model, self._site_kind(model), self._networks)
        return sites

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
                    self.findings.unknown(
                        "profile", like, raw.keys() - {name}, [(source, ("profiles", name))], ("like",)
                    )
        good, problems = read_profiles(raw)
        self.findings.problems += problems
        self.findings.lost |= {("profile", name) for name in raw if name not in good}
        return good

    def _check_limits(self, layers: Layers, check: CheckModel) -> tuple[Limit, ...]:
        if check.probe not in self._kinds:
            text = f"there is no probe kind `{check.probe}`"
            self.findings.once(place(layers, ("probe",), text, near(check.probe, self._kinds)))
            return ()
        return read_limits(layers, check, self._measures[check.probe], self.findings)

    # -- sites ---------------------------------------------------------------------------------------------------

    def _take_site(self, source: Source, index: int, model: SiteModel) -> None:
        base = ("sites", index)
        commune = self._site_kind(model) == "commune"
        template: tuple[Source, SiteBody] | None = None
        if model.like is not None:
            self._used_templates.add(model.like)
            template = self._named(self._templates, model.like, "template", [(source, base)], ("like",))
            if template is None:
                self.findings.lost.add(("site", model.id))
        words = words_of(model)
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
                before = self._filler.unfilled
                filled, layers = self._filler.of_site(value, words, layers, (source, base, model))
                if self._filler.unfilled > before:
                    self.findings.lost.add(("target", f"{model.id}/{name}"))
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
        filled, layers = self._filler.of_site({"networks": written}, words, layers, site)
        found, problems = read_networks(filled["networks"], layers, ("networks",))
        for each in problems:
            self.findings.once(each)
        return found

    def _take_target(
        self, site: SiteModel, name: str, role: Role, kind: type[TargetModel], value: object, layers: Layers,
        words: Mapping[str, str], *, commune: bool,
    ) -> None:  # fmt: skip
        model, problems = fit(layers, kind, value)
        self.findings.problems += problems
        id_ = f"{site.id}/{name}"
        if model is None:
            self.findings.lost.add(("target", id_))
            return
        if id_ in self._targets:
            self.findings.problems.append(
                place(layers, (), f"`{name}` is already a target of this site", "give it another name", at_key=True)
            )
            return
        found = self._named(self._profiles, model.profile, "profile", layers, ("profile",))
        self._used_profiles.add(model.profile)
        self.findings.problems += check_address(model.address, role, self._networks, layers)
        link = model if isinstance(model, LinkModel) else None
        if link and link.provider not in self._providers:
            self.findings.unknown("provider", link.provider, self._providers, layers, ("provider",))
        profile = found.model if found else None
        what, vantage = profile.kind if profile else "", isinstance(model, DeviceModel) and model.vantage
        written = model.severity or (profile.severity if profile else None)
        usual = usual_severity(role, what, vantage=vantage, commune=commune)
        self._places[id_] = layers
        self._former.name_target(id_, site, model, layers)
        self._targets[id_] = Target(
            id=id_, site=site.id, name=name, role=role, kind=what,
            label=_labels(profile.label if profile else {}, model.label),
            own_label=bool(model.label),
            address=model.address,
            behind=tuple(model.behind) if model.behind is not None else DEFAULT,
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
            self.findings.unknown(what, name, table, layers, where)
        return found

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
                self.findings.problems.append(
                    place(layers, ("options", name), text, near(name, profile.checks), at_key=True)
                )
        for name, check in profile.checks.items():
            kind = self._kinds.get(check.probe)
            if kind is None:
                continue
            if kind.needs_address and not model.address:
                text = f"the check `{name}` of profile `{model.profile}` needs an address"
                problem = place(layers, (), text, "write `address: …`")
                self.findings.problems.append(problem.known_as("no-address", profile=model.profile))
            elif kind.by_number and role is Role.SERVICE and is_name(model.address):
                text = f"the check `{name}` of profile `{model.profile}` asks by number, so a name can never succeed"
                self.findings.problems.append(place(layers, ("address",), text, "write the IP address"))
            options = None if name in model.options else self._as_profile.get((model.profile, name))
            if options is None:
                below = found.at("checks", name, "options")
                filled = self._filler.fill(check.options, words, below, ())
                merged = merge(filled, model.options.get(name, {}))
                both = [*((each, (*base, "options", name)) for each, base in layers), *below]
                options, problems = fit(both, kind.options, merged, self._context)
                self.findings.problems += problems
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
            self.findings.once(place(layers, ("timeout",), text, remedy))

    def _check_ca(self, options: object, layers: Layers) -> None:
        ca = getattr(options, "ca", None)
        if isinstance(ca, SecretStr) and ca not in self._cas:
            self._cas.add(ca)
            try:
                check_ca(ca.get_secret_value())
            except ValueError as error:
                self.findings.problems.append(place(layers, ("ca",), str(error)))

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
                        self.findings.once(each)

    # -- the whole -----------------------------------------------------------------------------------------------

    def _check_whole(self, sites: Mapping[str, Site]) -> None:
        findings, targets, places = self.findings, self._targets, self._places
        check_codes(self._site_models(), findings)
        check_addresses(targets, places, findings)
        check_vantage(targets, self._parts[0].source.file if self._parts else "", findings)
        if not findings.whole:
            return
        profiles = {name: each.layers[0] for name, each in self._profiles.items() if each.model.fits is None}
        templates = {name: (source, ("templates", name)) for name, (source, _) in self._templates.items()}
        providers = {name: (source, ("providers", name)) for name, (source, _) in self._providers.items()}
        watched = {
            model.id: (source, ("sites", index, "id"))
            for source, index, model in self._site_models()
            if model.id in sites
        }
        unchecked = "nothing has the profile `{}`, so its options were not checked"
        doubt_unused(unchecked, profiles, self._used_profiles, findings)
        doubt_unused("no site is like `{}`", templates, self._used_templates, findings)
        doubt_unused("no line is of `{}`", providers, {each.provider for each in targets.values()}, findings)
        doubt_unused("nothing is watched at `{}`", watched, {each.site for each in targets.values()}, findings)
        doubt_circuits(targets, places, findings)
        doubt_rooms(targets, places, findings)
        doubt_roles(targets, places, findings)


def _labels(*tables: Mapping[Any, str]) -> dict[str, str]:
    return {str(language): text for table in tables for language, text in table.items()}


def _has_braces(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_braces, value.values()))
    return any(map(_has_braces, value)) if isinstance(value, list) else isinstance(value, str) and "{" in value


def _no_secret(_where: str, _name: str) -> str:
    """Of a profile that nothing has: there need be none."""
    return "none"


def _provider(name: str, model: ProviderModel) -> Provider:
    return Provider(
        id=name, name=model.name, hotline=model.hotline, email=model.email, tell=_told(model.tell), promised_percent=model.promised
    )  # fmt: skip


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
