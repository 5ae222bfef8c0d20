"""The format of contacts.yaml as models: who is told of what, when, and who else when nobody has it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from alerts.routing import WEEK_MINUTES, Hours
from monitor.inventory.forms import (
    HoursText,
    Interval,
    Line,
    MailAddress,
    Model,
    Moment,
    SeverityName,
    Slug,
    TimeOfDay,
)

CauseName = Literal["link", "power", "lan", "device", "service", "shared", "vantage"]


class ScopeModel(Model):
    """Which incidents: those that fit all that is written."""

    causes: list[CauseName] = Field(default_factory=list, description="only these causes; empty: all")
    severity: SeverityName = Field("minor", description="only incidents that are at least so severe")
    areas: list[str] = Field(default_factory=list, description="only incidents of sites in these areas; empty: all")
    sites: list[Slug] = Field(default_factory=list, description="only incidents at these sites; empty: all")
    kinds: list[Slug] = Field(default_factory=list, description="only of these kinds of target; empty: all")
    providers: list[Slug] = Field(default_factory=list, description="only of lines of these providers; empty: all")
    hours: HoursText | None = Field(None, description="new incidents only then, such as Mo-Fr 07:30-17:00")


def _not_always(value: Hours) -> Hours:
    if value.spans == ((0, WEEK_MINUTES),):
        raise ValueError("all of the week is quiet: there would never be a digest")
    return value


class QuietModel(Model):
    """When only what is severe is mailed at once; the rest comes in one digest when it is over."""

    hours: Annotated[HoursText, AfterValidator(_not_always)] = Field(description="such as 22:00-06:30")
    at_once: SeverityName = Field("critical", description="mailed at once all the same: what is at least so severe")


class DigestModel(Model):
    """What does not have to be told at once, at any hour, comes in one digest a day."""

    at: TimeOfDay = Field(description="time of day of the digest, such as 07:00")
    at_once: SeverityName = Field("major", description="mailed at once all the same: what is at least so severe")
    at_once_causes: list[CauseName] = Field(
        ["lan", "power", "shared", "vantage"], description="these at once however severe"
    )
    ends: bool = Field(False, description="the end of what was mailed at once waits for it too, unless somebody has it")


LONGEST_STORM = 3600.0


def _an_hour(value: float) -> float:
    if value > LONGEST_STORM:
        raise ValueError("must not be more than 1h")
    return value


class StormModel(Model):
    """How many mails are too many; what is more comes in summaries."""

    mails: int = Field(ge=1, le=1000, description="so many come one by one")
    within: Annotated[Interval, AfterValidator(_an_hour)] = Field(description="in so long a time; at most 1h")


class SummariesModel(Model):
    """Mails about a time and not about one incident."""

    daily: TimeOfDay | None = Field(None, description="at this time each day: what happened since the day before")
    monthly: TimeOfDay | None = Field(None, description="at this time on the first: how available all was last month")

    @model_validator(mode="after")
    def _one_at_least(self) -> SummariesModel:
        if self.daily is None and self.monthly is None:
            raise ValueError("say when: `daily`, `monthly` or both, each with a time of day such as 07:30")
        return self


class PersonModel(Model):
    """Somebody who gets mail when something names them."""

    name: Line = Field(min_length=1, max_length=120, description="what people call them")
    email: MailAddress = Field(description="where mail goes")
    language: Literal["vi", "en"] = Field("vi", description="of the mails")
    quiet: QuietModel | None = Field(None, description="when only what is severe is mailed at once")
    digest: DigestModel | None = Field(None, description="what is mailed at once at any hour, the rest once a day")
    storm: StormModel | None = Field(None, description="how many mails are too many; default: none are")
    summaries: SummariesModel | None = Field(None, description="daily and monthly mails about the whole province")


class RemindedModel(ScopeModel):
    """What contacts and rotas have in common."""

    remind: Interval | None = Field(
        None, description="mail again so long after the last mail, while it is open and nobody has it"
    )
    remind_acknowledged: Interval | None = Field(None, description="the same while somebody has it")


class ContactModel(PersonModel, RemindedModel):
    """Somebody who gets mail of all that fits."""


class OverrideModel(Model):
    """Somebody else stands in for a while."""

    from_: Moment = Field(alias="from", description="when it begins; without a zone it is Viet Nam's time")
    until: Moment = Field(description="when it ends")
    to: Slug = Field(description="a person, a contact or another rota")

    @model_validator(mode="after")
    def _fits(self) -> OverrideModel:
        if self.until <= self.from_:
            raise ValueError("ends before it begins")
        return self


class RotaModel(RemindedModel):
    """People who take turns; whoever has the turn gets mail of all that fits."""

    name: Line = Field(min_length=1, max_length=120, description="what people call it")
    people: list[Slug] = Field(min_length=1, max_length=100, description="people or contacts, in the order of turns")
    starts: Moment = Field(description="a hand-over to the first; gives day and time of all the others")
    turn: Literal["daily", "weekly"] = Field("weekly", description="how long a turn is")
    overrides: list[OverrideModel] = Field(
        default_factory=list, description="leave, holidays: who stands in; of several in force the last one written"
    )


class StepModel(ScopeModel):
    """Who else is told of all that fits, when nobody has it."""

    after: Interval = Field(description="how long nobody has had it")
    to: list[Slug] = Field(min_length=1, max_length=100, description="people, contacts or rotas")


class ContactsFile(Model):
    """contacts.yaml: who is told."""

    contacts: dict[Slug, ContactModel] = Field(default_factory=dict, description="told of all that fits, by id")
    people: dict[Slug, PersonModel] = Field(default_factory=dict, description="told only where something names them")
    rotas: dict[Slug, RotaModel] = Field(default_factory=dict, description="people who take turns, by id")
    escalation: list[StepModel] = Field(default_factory=list, description="who else is told when nobody has it")

    @model_validator(mode="after")
    def _somebody(self) -> ContactsFile:
        if not self.contacts and not self.rotas:
            raise ValueError("nobody is told of anything: write `contacts` or `rotas`")
        return self
