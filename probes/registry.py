"""The registry of probe kinds: what a probe is given, what it answers, and what is the same for all of them.

Deadline, mapping of errors to reason codes and isolation from each other happen here, once, so that a probe file holds
only its protocol.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import pkgutil
import re
import socket
import ssl
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import entry_points
from types import ModuleType
from typing import Annotated, Any, Generic, NamedTuple, Protocol, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
)

import probes
from monitor.core.model import NOTHING, Check, Observation, Outcome, Reason
from probes.engine.lag import lag
from probes.wire.text import one_line

ENTRY_POINT_GROUP = "commune_monitor.probes"


class Options(BaseModel):
    """Base of every options model: unknown keys are refused, values are not changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @property
    def takes_seconds(self) -> float:
        """How long a run takes even when all is well; the check's `timeout` must be longer."""
        return 0.0


def _resolve_secret(value: object, info: ValidationInfo) -> object:
    if isinstance(value, SecretStr):
        return value
    read = (info.context or {}).get("read_secret")
    if not (isinstance(value, dict) and len(value) == 1 and set(value) <= {"file", "env"}):
        raise ValueError("write where the secret is, never the secret itself: {file: NAME} or {env: NAME}")
    if read is None:
        return SecretStr("")
    ((where, name),) = value.items()
    return SecretStr(read(where, str(name)))


_PLACE_OF_SECRET = {
    "type": "object",
    "properties": {
        "file": {
            "type": "string",
            "description": "name of a file in the folder of secrets, or of systemd's credentials",
        },
        "env": {"type": "string", "description": "name of a variable of the environment"},
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}

Secret = Annotated[SecretStr, BeforeValidator(_resolve_secret), WithJsonSchema(_PLACE_OF_SECRET)]
"""An option that is a password: YAML holds `{file: NAME}` or `{env: NAME}`. The validation context's `read_secret`
(where, name) returns the text or raises ValueError; without one the secret is left empty."""

_BITS = re.compile(r"^(\d+(?:\.\d+)?)([kMG])$")
_BITS_SCHEMA = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": _BITS.pattern}],
    "examples": ["20M", "1G"],
}


def _bits(value: object) -> object:
    if isinstance(value, str):
        found = _BITS.match(value)
        if not found:
            raise ValueError("expected a bandwidth such as 512k, 50M or 1G (bits per second)")
        return float(found[1]) * {"k": 1e3, "M": 1e6, "G": 1e9}[found[2]]
    return value


Bandwidth = Annotated[float, BeforeValidator(_bits), WithJsonSchema(_BITS_SCHEMA)]
"""Bits per second, as a number or as people write it."""

_OBJECT_ID = re.compile(r"[0-2](\.(0|[1-9]\d{0,9}))+")


def _object_id(value: str) -> str:
    if not _OBJECT_ID.fullmatch(value):
        raise ValueError(
            f"`{value}` is not an object id: write numbers with dots between them, such as 1.3.6.1.4.1.14988"
        )
    return value


ObjectId = Annotated[
    str, AfterValidator(_object_id), Field(max_length=128, json_schema_extra={"pattern": f"^{_OBJECT_ID.pattern}$"})
]
"""Dotted OBJECT IDENTIFIER (RFC 2578 section 3.5)."""

O = TypeVar("O", bound=Options)  # noqa: E741


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A measurement that a kind may emit; `labels` are those beyond the ones that every series has."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False
    asked_for: bool = False
    """Only an option that names it makes it: what a run is expected to bring leaves it out."""


class Memory(dict[str, Any]):
    """What a probe keeps; a class of its own, because a plain dict cannot be referred to weakly."""


@dataclass(slots=True, kw_only=True)
class Request(Generic[O]):
    """What a probe is asked: where, how, and how long it may take."""

    address: str
    options: O
    timeout_seconds: float
    trace: Callable[[str], None] = field(default=lambda _: None)
    """Told each step in plain words; the command `probe` prints them."""
    doing: str = ""
    """What is waited for just now; part of the evidence when the deadline comes."""
    memory: dict[str, Any] = field(default_factory=dict)
    """Kept between runs of one check: last counters, an open session. Cleared when the check changes."""
    shared: Memory = field(default_factory=Memory)
    """Kept for all checks of this kind at this address together, as long as one of them is watched."""


class Result(NamedTuple):
    """What a probe found out. A tuple, for thousands are made a second; name its fields when you make one."""

    outcome: Outcome
    reason: Reason = Reason.OK
    values: Mapping[str, float] = NOTHING
    evidence: str = ""
    out_of_turn: bool = False
    """Asked only to be sure sooner: it counts for up or down, but would falsify a ratio of losses."""


def ok(evidence: str = "", **values: float) -> Result:
    """A run that got what it asked for."""
    return Result(outcome=Outcome.OK, values=values, evidence=evidence)


def failed(
    reason: Reason, evidence: str, values: Mapping[str, float] | None = None, *, out_of_turn: bool = False
) -> Result:
    """A run that shows trouble at the target or on the way."""
    return Result(
        outcome=Outcome.FAILED, reason=reason, values=values or NOTHING, evidence=evidence, out_of_turn=out_of_turn
    )


def inconclusive(reason: Reason, evidence: str) -> Result:
    """A run that says nothing about the target, because we ourselves could not ask."""
    return Result(outcome=Outcome.INCONCLUSIVE, reason=reason, evidence=evidence)


def labelled(name: str, /, **labels: str) -> str:
    """Key of a measurement with further labels, escaped as the Prometheus text format wants it.

    >>> labelled("ifOperStatus", ifName="wan1")
    'ifOperStatus{ifName="wan1"}'
    """
    escaped = (
        f'{key}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34)).replace(chr(10), " ")}"'
        for key, value in labels.items()
    )
    return f"{name}{{{','.join(escaped)}}}"


Run = Callable[[Request[Any]], Awaitable[Result]]
Emit = Callable[[str, Result, float], None]
"""Called by a stream: check id, result, duration in seconds."""


class Stream(Protocol):
    """A kind that watches many targets at once and better than run by run."""

    def update(self, requests: Mapping[str, tuple[Request[Any], float]]) -> None:
        """Replace the set of watched checks: id → (request, interval in seconds). Known ids keep their state."""

    def recheck(self, check_id: str) -> None:
        """Ask again at once."""

    async def run(self) -> None:
        """Watch until cancelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One registered probe kind."""

    name: str
    options: type[Options]
    run: Run
    metrics: tuple[Metric, ...]
    module: str
    doc: str
    needs_address: bool = True
    """Whether the target must have an address; False: the options say where to ask."""
    by_number: bool = False
    """Whether that address must be an IP address, and no name."""
    stream: Callable[[Emit], Stream] | None = None
    loads_the_line: bool = False
    """Whether a run sends so much that people in a meeting at the site would feel it: it waits until that is over,
    and few of them run at once, over all such kinds and per site."""


COMMON_METRICS = (
    Metric(name="probe_success", help="1 when the last run of the check was good, else 0."),
    Metric(name="probe_duration_seconds", help="How long the last run of the check took."),
)

HELD_UP_SECONDS = 0.5
"""A deadline that our own loop notices later than this says nothing about the peer."""
HELD_UP_RATIO = 0.25
"""Nor does one of which our own loop was late for this part, a little at a time."""

_KINDS: dict[str, Kind] = {}
_loaded: list[ModuleType] = []


def probe(
    name: str,
    options: type[O],
    *,
    metrics: Sequence[Metric] = (),
    needs_address: bool = True,
    by_number: bool = False,
    stream: Callable[[Emit], Stream] | None = None,
    loads_the_line: bool = False,
) -> Callable[[Callable[[Request[O]], Awaitable[Result]]], Callable[[Request[O]], Awaitable[Result]]]:
    """Register the decorated function as the probe kind `name`."""

    def register(run: Callable[[Request[O]], Awaitable[Result]]) -> Callable[[Request[O]], Awaitable[Result]]:
        known = _KINDS.get(name)
        if known and known.module != run.__module__:
            raise ValueError(f"probe kind {name!r} is registered twice: by {known.module} and by {run.__module__}")
        doc = (sys.modules[run.__module__].__doc__ or "").strip()
        _KINDS[name] = Kind(
            name=name, options=options, run=run, metrics=tuple(metrics), module=run.__module__, doc=doc,
            needs_address=needs_address, by_number=by_number, stream=stream,
            loads_the_line=loads_the_line,
        )  # fmt: skip
        return run

    return register


def load() -> Mapping[str, Kind]:
    """Import every module of this folder, then those of other packages, and return the kinds by name."""
    if not _loaded:
        names = (module.name for module in pkgutil.iter_modules(probes.__path__) if not module.ispkg)
        _loaded.extend(importlib.import_module(f"probes.{name}") for name in names if name != "registry")
        _loaded.extend(entry.load() for entry in entry_points(group=ENTRY_POINT_GROUP))
    return dict(sorted(_KINDS.items()))


_ERRNO_REASONS = {
    errno.ECONNREFUSED: Reason.REFUSED,
    errno.ECONNRESET: Reason.RESET,
    errno.EPIPE: Reason.RESET,
    errno.ECONNABORTED: Reason.RESET,
    errno.EHOSTUNREACH: Reason.UNREACHABLE,
    errno.ENETUNREACH: Reason.UNREACHABLE,
    errno.ENETDOWN: Reason.UNREACHABLE,
    errno.EHOSTDOWN: Reason.UNREACHABLE,
    errno.ETIMEDOUT: Reason.TIMEOUT,
    errno.EACCES: Reason.PERMISSION,
    errno.EPERM: Reason.PERMISSION,
}


_ERROR_REASONS: tuple[tuple[type[BaseException], Reason], ...] = (  # the first that fits
    (ssl.SSLCertVerificationError, Reason.CERTIFICATE),
    (ssl.SSLError, Reason.TLS),
    (TimeoutError, Reason.TIMEOUT),
    (socket.gaierror, Reason.NAME),
    (ConnectionRefusedError, Reason.REFUSED),
    (ConnectionError, Reason.RESET),  # asyncio raises it without an errno
    (EOFError, Reason.RESET),  # asyncio.IncompleteReadError: the peer closed in the middle
)


def reason_of(error: BaseException) -> Reason:
    """The reason code of an error that a socket, the resolver or TLS raised; LOCAL for what is our own trouble."""
    for kind, reason in _ERROR_REASONS:
        if isinstance(error, kind):
            return reason
    if isinstance(error, OSError):
        return _ERRNO_REASONS.get(error.errno or 0, Reason.LOCAL)
    return Reason.LOCAL


def said_of(error: BaseException) -> str:
    """The evidence of such an error."""
    reason = reason_of(error)
    said = str(error) or ("the connection was broken off" if reason is Reason.RESET else type(error).__name__)
    if isinstance(error, OSError):
        place = re.search(r"\('([^']+)', (\d+)", said)  # asyncio names the place of a connection, and not the trouble
        said = f"{os.strerror(error.errno or 0)} at {place[1]} port {place[2]}" if place else error.strerror or said
    return f"{said}: nobody listens there, or a firewall says so" if reason is Reason.REFUSED else said


def result_of(error: BaseException) -> Result:
    """An error as a result: trouble of our own is inconclusive, everything else is a failure of the target."""
    reason, evidence = reason_of(error), said_of(error)
    if reason in (Reason.LOCAL, Reason.PERMISSION):
        return inconclusive(reason, evidence)
    return failed(reason, evidence)


async def run_once(kind: Kind, request: Request[Any]) -> tuple[Result, float]:
    """Run a probe once, never longer than its time-out; returns the result and the duration in seconds.

    Whatever the peer does comes back as a result. An exception that is neither the network's nor the deadline's is
    a bug of ours: inconclusive, with its traceback in the trace. So is a failure when we were stopped, or busy, as its
    deadline passed, and a time-out of which we were held up for a good part: the answer may wait in our own socket.
    The duration is without the time that our own loop was late, or a page would be slow because we are.
    """
    loop = asyncio.get_running_loop()
    clock, own = loop.time, lag()
    start, held_up = clock(), own.seconds()
    deadline = start + request.timeout_seconds
    late: list[float] = []
    watch = loop.call_at(deadline, lambda: late.append(clock() - deadline))
    request.doing = ""
    try:
        async with asyncio.timeout(request.timeout_seconds):
            result = await kind.run(request)
    except TimeoutError:
        waited_for = f", still waited for: {request.doing}" if request.doing else ""
        result = failed(Reason.TIMEOUT, f"no answer within {request.timeout_seconds:g} s{waited_for}")
    except (OSError, EOFError) as error:  # ssl.SSLError and socket.gaierror are OSErrors
        result = result_of(error)
    except Exception as error:  # noqa: BLE001  the one place where our own bugs are caught
        for line in traceback.format_exc().splitlines():
            request.trace(line)
        result = inconclusive(Reason.LOCAL, one_line(f"{type(error).__name__}: {error}"))
    finally:
        watch.cancel()
    took, held_up = clock() - start, max(own.seconds() - held_up, *late, 0.0)
    if result.outcome is Outcome.FAILED and (
        (late and late[0] > HELD_UP_SECONDS)
        or (result.reason is Reason.TIMEOUT and held_up > max(HELD_UP_SECONDS, HELD_UP_RATIO * took))
    ):
        result = inconclusive(Reason.LOCAL, f"we were held up for {held_up:.1f} s ourselves: {result.evidence}")
    return result, max(0.0, took - held_up)


def observe(check: Check, result: Result, duration_seconds: float) -> Observation:
    """The result of a run as the observation that the core reads."""
    return Observation(
        check=check.id,
        target=check.target,
        at=datetime.now(UTC),
        outcome=result.outcome,
        reason=result.reason,
        values=result.values,
        evidence=result.evidence,
        duration_seconds=duration_seconds,
        out_of_turn=result.out_of_turn,
    )
