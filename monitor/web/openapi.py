"""The API's own description (OpenAPI 3.1); the enumerations come from the core, so they cannot drift from it."""

from __future__ import annotations

from enum import StrEnum
from typing import cast

from monitor.core.ledger import LONGEST, By
from monitor.core.model import Cause, Importance, Outcome, Reason, Role, Severity, State
from monitor.core.quality import Quality
from monitor.core.readiness import Readiness
from monitor.core.words import WORDS
from monitor.web.api import MAX_ITEMS, MAX_OFFSET, SECONDS, Json

TEXT: Json = {"type": "string"}
TEXT_OR_NONE: Json = {"type": ["string", "null"]}
TIME: Json = {"type": "string", "format": "date-time", "description": "ISO 8601, UTC"}
TIME_OR_NONE: Json = {"type": ["string", "null"], "format": "date-time"}
TEXTS: Json = {"type": "array", "items": TEXT}
COUNT: Json = {"type": "integer", "minimum": 0}


def description() -> Json:
    """The document behind /api/v1/openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "commune-monitor",
            "version": "1",
            "description": "Read-only. What changes state goes over the control socket of the daemon.",
        },
        "paths": {
            "/api/v1/targets": {"get": _list("targets", "Target", _target_parameters())},
            "/api/v1/incidents": {"get": _list("incidents", "Incident", [_parameter("open", {"type": "boolean"})])},
            "/api/v1/incidents/{id}": {"get": _one_incident()},
            "/api/v1/meetings": {"get": _meetings()},
            "/api/v1/meetings/{id}": {"get": _one_meeting()},
            "/api/v1/meetings/{id}/{begins}": {"get": _one_session()},
            "/api/v1/silences": {"get": _list("silences", "Silence", [])},
            "/api/v1/maintenance": {"get": _list("maintenance", "Work", [])},
            "/api/v1/monitor": {"get": _monitor()},
            "/api/v1/availability": {"get": _availability()},
        },
        "components": {
            "schemas": {
                "Target": _target(),
                "Check": _check(),
                "Incident": _incident(),
                "Threat": _threat(),
                "Meeting": _meeting(),
                "Room": _room(),
                "PastMeeting": _past_meeting(),
                "RoomQuality": _room_quality(),
                "Silence": _silence_in_force(),
                "Work": _work(),
                "Monitor": _workings(),
                "Availability": _totals(),
                "Error": _error(),
            }
        },
    }


def _one_of(values: type[StrEnum]) -> Json:
    return {"type": "string", "enum": [value.value for value in values]}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _target_parameters() -> list[Json]:
    return [_parameter("site", TEXT), _parameter("state", _one_of(State)), _parameter("kind", TEXT)]


def _parameter(name: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "description": "may be repeated: or", "schema": schema}


def _page_parameters() -> list[Json]:
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": MAX_ITEMS}
    offset = {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0}
    return [
        {"name": "limit", "in": "query", "schema": limit},
        {"name": "offset", "in": "query", "schema": offset},
    ]


def _answer(says: str, schema: Json) -> Json:
    return {"description": says, "content": {"application/json": {"schema": schema}}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(key: str, item: str, parameters: list[Json]) -> Json:
    items: Json = {"type": "array", "maxItems": MAX_ITEMS, "items": _reference(item)}
    return {
        "summary": f"All {key}, filtered",
        "parameters": [*parameters, *_page_parameters()],
        "responses": {
            "200": _answer(
                f"`total` is the number before `limit`: {key}", _object(**{key: items}, total=COUNT, offset=COUNT)
            ),
            "400": _answer("A parameter that is not understood", _reference("Error")),
        },
    }


def _one_incident() -> Json:
    return {
        "summary": "One incident",
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": TEXT}],
        "responses": {
            "200": _answer("The incident", _reference("Incident")),
            "404": _answer("None has this id", _reference("Error")),
        },
    }


def _availability() -> Json:
    once: Json = {"in": "query"}
    local = "Viet Nam's time without a zone"
    items: Json = {"type": "array", "maxItems": MAX_ITEMS, "items": _reference("Availability")}
    return {
        "summary": "Availability from exact state intervals, worst first",
        "parameters": [
            {**once, "name": "by", "schema": {**_one_of(By), "default": By.TARGET.value}},
            {**once, "name": "month", "description": "goes alone; default the present one", "schema": TEXT},
            {**once, "name": "from", "description": f"date or time; {local}", "schema": TEXT},
            {**once, "name": "until", "description": f"at most {LONGEST.days} days later; default now", "schema": TEXT},
            *_page_parameters(),
        ],
        "responses": {
            "200": _answer(
                "What is still to come is not counted: `until` is at most now",
                _object(by=_one_of(By), **{"from": TIME}, until=TIME, items=items, total=COUNT, offset=COUNT),
            ),
            "400": _answer("A parameter that is not understood", _reference("Error")),
            "503": _answer("The database cannot be read now", _reference("Error")),
        },
    }


def _totals() -> Json:
    ratio: Json = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    return _object(
        key={"type": "string", "description": "id of what `by` names"},
        availability={**ratio, "description": "(up + degraded) / (up + degraded + down + unreachable)"},
        availability_net={**ratio, "description": "the same without power and maintenance"},
        **{f"{name}_seconds": {"type": "number", "minimum": 0} for name in SECONDS},
    )


def _error() -> Json:
    return _object(error=TEXT)


def _target() -> Json:
    return _object(
        id={"type": "string", "description": "`site/name`"},
        site=TEXT,
        name=TEXT,
        role=_one_of(Role),
        kind=TEXT,
        label={"type": "object", "additionalProperties": TEXT, "description": "human name by language"},
        address=TEXT,
        behind=TEXTS,
        provider=TEXT_OR_NONE,
        provider_name=TEXT_OR_NONE,
        hotline=TEXT_OR_NONE,
        circuit=TEXT_OR_NONE,
        state=_one_of(State),
        since=TIME_OR_NONE,
        reason=_one_of(Reason),
        says={"type": "string", "description": "which limit is broken, when reason is `limit`"},
        evidence=TEXT,
        maintenance={
            **_object(begins=TIME, ends=TIME, reason=TEXT),
            "type": ["object", "null"],
            "description": "the window of planned work that it is in",
        },
        silence=_silence(),
        checks={"type": "array", "items": _reference("Check")},
    )


def _silence() -> Json:
    return {
        **_object(id={"type": "integer"}, ends=TIME, reason=TEXT, by=TEXT),
        "type": ["object", "null"],
        "description": "why nobody is mailed of an incident with this root",
    }


def _silence_in_force() -> Json:
    return _object(
        id={"type": "integer"},
        target={**TEXT_OR_NONE, "description": "exactly one of this and the next three is not null"},
        site=TEXT_OR_NONE,
        area=TEXT_OR_NONE,
        provider=TEXT_OR_NONE,
        begins=TIME,
        ends=TIME,
        reason=TEXT,
        by=TEXT,
    )


def _work() -> Json:
    return _object(
        targets=TEXTS,
        begins={**TIME, "description": "of the window that is now, or the next one of its entry"},
        ends=TIME,
        reason=TEXT,
    )


def _monitor() -> Json:
    return {
        "summary": "What the monitor itself is doing",
        "responses": {"200": _answer("Counts are since its start", _reference("Monitor"))},
    }


def _workings() -> Json:
    counts: Json = {"type": "object", "additionalProperties": COUNT}
    seconds: Json = {"type": "number", "minimum": 0}
    kind = _object(checks=COUNT, due_per_second=seconds, per_second=seconds, happenings=counts)
    return _object(
        version=TEXT,
        started=TIME,
        kinds={"type": "object", "additionalProperties": kind, "description": "by probe kind; pace of the last minute"},
        late={**COUNT, "description": "runs that began late"},
        missed={**COUNT, "description": "runs left out, for the one before was still under way"},
        errors={**COUNT, "description": "observations lost by a mistake of ours"},
        lag_seconds={**seconds, "description": "how late the event loop woke at worst in the last minute"},
        mails={**counts, "description": "by status"},
        oldest_mail_seconds={**seconds, "description": "how long the oldest unsent one has waited"},
        mail_waits={"type": "string", "description": "why"},
        mails_failed={**TEXTS, "description": "given up lately: to whom, and why"},
        relays={"type": "object", "additionalProperties": {"type": "boolean"}, "description": "true: failed last time"},
        signs={
            "type": "array",
            "items": _object(way=TEXT, result=TEXT, at=TIME),
            "description": "the last sign of life to others by each way",
        },
        reloaded={**TIME, "description": "when settings were last read"},
        reload_wrong={
            "type": "string",
            "description": "where they were wrong, a `file:line:column` a line; empty: they are in force",
        },
        database_trouble={"type": "string", "description": "empty: none"},
        database_errors={**COUNT, "description": "failed writes"},
        unwritten_seconds={**seconds, "description": "how long something has waited to be written"},
        traps={
            "type": ["object", "null"],
            "additionalProperties": COUNT,
            "description": "SNMP traps by what became of them; null: nobody listens",
        },
    )


def _check() -> Json:
    return _object(
        name=TEXT,
        at=TIME_OR_NONE,
        outcome={"enum": [*(outcome.value for outcome in Outcome), None]},
        reason={"enum": [*(reason.value for reason in Reason), None]},
        evidence=TEXT,
        duration_seconds={"type": ["number", "null"]},
    )


def _session() -> dict[str, Json]:
    """What is told of each session of a meeting."""
    return {"title": TEXT, "importance": _one_of(Importance), "begins": TIME, "ends": TIME}


def _meetings() -> Json:
    past: Json = {"type": "boolean", "default": False}
    told = _list("meetings", "Meeting", [_parameter("id", TEXT), {"name": "past", "in": "query", "schema": past}])
    either: Json = {"anyOf": [_reference("Meeting"), _reference("PastMeeting")]}
    answer = _answer(
        "The sessions of the next days, or with `past=true` those of the last, the last first",
        _object(meetings={"type": "array", "maxItems": MAX_ITEMS, "items": either}, total=COUNT, offset=COUNT),
    )
    unread = _answer("The database cannot be read now", _reference("Error"))
    return {**told, "responses": {**cast("Json", told["responses"]), "200": answer, "503": unread}}


def _one_session() -> Json:
    name: Json = {"in": "path", "required": True}
    told = _object(
        so_far={**TIME_OR_NONE, "description": "up to when it is reckoned; null: it is over, and this does not change"},
        measured_seconds={"type": "number", "minimum": 0, "description": "for how much of it figures are known"},
        rooms={"type": "array", "items": _reference("RoomQuality")},
    )
    return {
        "summary": "How one session of a meeting went in its rooms, or has gone so far",
        "parameters": [
            {**name, "name": "id", "schema": TEXT},
            {**name, "name": "begins", "schema": {**TIME, "description": "as listed; without a zone of Viet Nam"}},
            _language(),
        ],
        "responses": {
            "200": _answer("The session, its rooms the worst first", {"allOf": [_reference("PastMeeting"), told]}),
            "400": _answer("A parameter that is not understood", _reference("Error")),
            "404": _answer("None began then, or the database cannot be read now", _reference("Error")),
        },
    }


def _language() -> Json:
    return {"name": "lang", "in": "query", "schema": {"type": "string", "enum": list(WORDS), "default": "vi"}}


def _past_meeting() -> Json:
    return _object(
        id=TEXT,
        **_session(),
        quality={
            **_object(**{each.value: COUNT for each in Quality}),
            "type": ["object", "null"],
            "description": "how many of its rooms; null: it is reckoned soon",
        },
        page={"type": "string", "description": "its path on the board"},
    )


def _room_quality() -> Json:
    figure: Json = {"type": ["number", "null"]}
    line = {**figure, "description": "of the line"}
    own = {**figure, "description": "of the calls that it was in, as it says itself"}
    return _object(
        target=TEXT,
        name=TEXT,
        serves={"type": "boolean", "description": "it is no room, and not counted as one, but what all rooms need"},
        quality=_one_of(Quality),
        seconds={"type": "number", "minimum": 0, "description": "for how long it was so"},
        times={"type": "array", "items": _object(begins=TIME, ends=TIME)},
        because_of={**TEXT_OR_NONE, "description": "id of the target that was the reason"},
        why={"type": "string", "description": "the same in the language asked for; empty: nothing"},
        cause={"enum": [*(each.value for each in Cause), None]},
        incident={**TEXT_OR_NONE, "description": "id of the incident that hurt it"},
        line={**TEXT_OR_NONE, "description": "id of the line whose figures stand for it"},
        loss_ratio_mean=line,
        loss_ratio_worst=line,
        delay_seconds_mean=line,
        delay_seconds_worst=line,
        jitter_seconds_mean=line,
        mos_least={**figure, "description": "of calls to the room"},
        call_loss_ratio_mean=own,
        call_loss_ratio_worst=own,
    )


def _one_meeting() -> Json:
    return {
        "summary": "The session of a meeting that runs or comes next, with its rooms",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": TEXT},
            _language(),
        ],
        "responses": {
            "200": _answer("The meeting, its rooms the worst first", _with_rooms()),
            "400": _answer("A parameter that is not understood", _reference("Error")),
            "404": _answer("None of this id comes soon", _reference("Error")),
        },
    }


def _with_rooms() -> Json:
    several: Json = {"type": "array", "items": _reference("Room")}
    rooms = _object(servers={**several, "description": "what serves all of its rooms"}, rooms=several)
    return {"allOf": [_reference("Meeting"), rooms]}


def _meeting() -> Json:
    counts = _object(**{each.value: COUNT for each in Readiness})
    return _object(
        id=TEXT,
        **_session(),
        readiness={**counts, "description": "how many of its rooms"},
        servers_readiness={**counts, "description": "how many of what serves all of them"},
    )


def _room() -> Json:
    return _object(
        target=TEXT,
        name=TEXT,
        readiness=_one_of(Readiness),
        why={"type": "string", "description": "in the language asked for, as what follows"},
        todo={"type": "string", "description": "empty: nothing"},
        call={"type": "string", "description": "whom to call; empty: nobody is known"},
        circuit=TEXT_OR_NONE,
        incident={**TEXT_OR_NONE, "description": "id of the open incident that hurts it"},
    )


def _threat() -> Json:
    return _object(
        meeting={"type": "string", "description": "id of the meeting"},
        **_session(),
        rooms={**TEXTS, "description": "ids of its rooms that the incident hurts"},
    )


def _incident() -> Json:
    return _object(
        id=TEXT,
        root={"type": "string", "description": "target id of what broke"},
        cause=_one_of(Cause),
        severity={**_one_of(Severity), "description": "the highest since its root was recognised"},
        state=_one_of(State),
        began=TIME,
        opened=TIME,
        closed=TIME_OR_NONE,
        reason=_one_of(Reason),
        says=TEXT,
        evidence=TEXTS,
        impact={**TEXTS, "description": "ids of the targets that it hurts"},
        why={"type": "string", "description": "key of the rule that recognised the cause"},
        times={
            "type": "integer",
            "description": "how often it has happened: more than once is a root that comes and goes",
        },
        meetings={"type": "array", "items": _reference("Threat"), "description": "that it threatens, or disturbed"},
        shared={
            **_object(
                kind=TEXT,
                by={
                    "type": "object",
                    "additionalProperties": TEXT,
                    "description": "`provider`, `area`, `model`, `behind`",
                },
                hurt={"type": "integer"},
                of={"type": "integer"},
                elsewhere={"type": "integer"},
                others={"type": "integer"},
            ),
            "type": ["object", "null"],
            "description": "what the targets have in common, where that is no target itself",
        },
        acknowledged={
            **_object(by=TEXT, at=TIME, note=TEXT),
            "type": ["object", "null"],
            "description": "who has it",
        },
        silence=_silence(),
        site={"type": "string", "description": "site id of the root"},
        site_name=TEXT_OR_NONE,
        provider=TEXT_OR_NONE,
        provider_name=TEXT_OR_NONE,
        hotline=TEXT_OR_NONE,
        circuit=TEXT_OR_NONE,
    )
