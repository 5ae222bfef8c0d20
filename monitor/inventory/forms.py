"""Forms of single values that people write: ids, names, durations, times, addresses of mail; shared by all files."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from email.errors import MessageError
from email.headerregistry import Address
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from alerts.routing import Hours
from monitor.core.words import LOCAL
from monitor.inventory.hours import parse_hours

_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def _slug(value: str) -> str:
    if not _SLUG.fullmatch(value):
        raise ValueError(f"`{value}` is not a valid id: use small letters, digits and hyphens, such as xa-tan-thanh")
    return value


Slug = Annotated[str, AfterValidator(_slug), Field(max_length=63, json_schema_extra={"pattern": f"^{_SLUG.pattern}$"})]


def _one_line(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise ValueError("must be one line")
    return value


Line = Annotated[str, AfterValidator(_one_line)]
"""A name that stands in subjects and headings."""

TargetRef = Annotated[
    str, Field(description="`name` of a target of the same site, or `site/name`", max_length=160, min_length=1)
]


def _former(value: str) -> str:
    for each in value.split("/", 1):
        _slug(each)
    return value


FormerRef = Annotated[TargetRef, AfterValidator(_former)]

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _seconds(value: object) -> object:
    if isinstance(value, str):
        found = _DURATION.match(value)
        if not found:
            raise ValueError("expected a duration with its unit, such as 500ms, 30s, 5m or 1h")
        return float(found[1]) * _SECONDS[found[2]]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError(f"a duration needs its unit: write {value}s")
    return value


LONGEST_SECONDS = 86_400.0
"""A check that is asked less than daily tells nobody anything, and beyond some length no clock can reckon its turns."""


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError("must be more than zero")
    return value


def _short(value: float) -> float:
    if value > LONGEST_SECONDS:
        raise ValueError("must not be more than 24h")
    return value


Span = Annotated[
    float,
    BeforeValidator(_seconds),
    AfterValidator(_positive),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["500ms", "30s", "5m", "1h"]}),
]

Duration = Annotated[Span, AfterValidator(_short)]

_MOMENT = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?")


def _moment(value: object) -> object:
    if isinstance(value, str):
        if not _MOMENT.fullmatch(value):
            raise ValueError("expected a time such as 2026-11-29T22:00, or 2026-11-29T22:00+07:00 with its zone")
        found = datetime.fromisoformat(value)
        return found if found.tzinfo else found.replace(tzinfo=LOCAL)
    return value


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "pattern": f"^{_MOMENT.pattern}$", "examples": ["2026-11-28T22:00"]}),
]
"""ISO 8601; without a zone it is Viet Nam's."""


class Model(BaseModel):
    """Base: unknown keys are refused, types are not guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


SeverityName = Literal["minor", "major", "critical"]

_DAY = re.compile(r"20\d\d-\d\d-\d\d")


def _day(value: object) -> object:
    if isinstance(value, str):
        if not _DAY.fullmatch(value):
            raise ValueError("expected a day such as 2026-12-28")
        return date.fromisoformat(value)
    return value


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "pattern": f"^{_DAY.pattern}$", "examples": ["2026-12-28"]}),
]
"""ISO 8601, in Viet Nam."""


def mail_address(value: str) -> str:
    try:
        address = Address(addr_spec=value)
    except (ValueError, MessageError, AttributeError, IndexError) as error:  # cpython raises all of these for odd text
        raise ValueError(f"`{value}` is not a mail address, such as noc@example.org") from error
    if not (value.isascii() and address.username and address.domain):
        raise ValueError(f"`{value}` is not a mail address, such as noc@example.org")
    return value


MailAddress = Annotated[str, AfterValidator(mail_address), Field(max_length=254)]


def _hours(value: object) -> object:
    return parse_hours(value) if isinstance(value, str) else value


HoursText = Annotated[
    Hours, BeforeValidator(_hours), WithJsonSchema({"type": "string", "examples": ["Mo-Fr 07:30-17:00", "22:00-06:30"]})
]
"""Days and times, such as `Mo-Fr 07:30-17:00`."""

SHORTEST_INTERVAL, LONGEST_INTERVAL = 60.0, 31 * 86_400.0
"""Seconds between mails of one incident that time alone brings."""


def _interval(value: float) -> float:
    if not SHORTEST_INTERVAL <= value <= LONGEST_INTERVAL:
        raise ValueError("must be between 1m and 31d")
    return value


Interval = Annotated[Span, AfterValidator(_interval)]


def _time_of_day(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError(f"`{value}` is no time of day, such as 07:30")
    return time.fromisoformat(value)


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    WithJsonSchema({"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["07:30"]}),
]
"""Of Viet Nam, such as `07:30`."""
