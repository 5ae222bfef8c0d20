"""The registry: kinds by name, errors as reasons, our own bugs, secrets."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
import sys
import time
import types
from collections.abc import Awaitable, Callable
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as some

from monitor.core.model import Outcome, Reason
from probes import registry
from probes.registry import (
    HELD_UP_SECONDS,
    Kind,
    Options,
    Request,
    Result,
    Secret,
    labelled,
    ok,
    probe,
    reason_of,
    result_of,
    run_once,
)
from tests.probes.peers import LOOPBACK, ask, free_port


class Nothing(Options):
    """No options."""


class Guarded(Options):
    """One secret."""

    password: Secret


@pytest.fixture(autouse=True)
def _same_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    registry.load()
    monkeypatch.setattr(registry, "_KINDS", dict(registry._KINDS))


def _kind(run: Callable[[Request[Any]], Awaitable[Result]]) -> Kind:
    return Kind(name="test", options=Nothing, run=run, metrics=(), module=__name__, doc="")


def _request(told: list[str] | None = None, timeout: float = 5.0) -> Request[Any]:
    return Request(address="192.0.2.1", options=Nothing(), timeout_seconds=timeout, trace=(told or []).append)


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_load_finds_the_kinds_of_the_folder_in_order_of_name() -> None:
    kinds = registry.load()
    assert {"dns", "h323", "http", "icmp", "sip", "smtp", "snmp", "stun", "tcp", "tls", "turn"} <= set(kinds)
    assert list(kinds) == sorted(kinds)
    assert all(kind.module == f"probes.{name.replace('-', '_')}" for name, kind in kinds.items())


def test_a_kind_registered_twice_names_both_modules() -> None:
    stranger = types.ModuleType("stranger")
    exec("async def run(request): ...", stranger.__dict__)
    with pytest.raises(ValueError, match=r"'tcp' is registered twice: by probes\.tcp and by stranger"):
        probe("tcp", Nothing)(stranger.run)


def test_a_module_that_is_imported_again_may_register_its_kind_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_: Request[Nothing]) -> Result:
        return ok()

    monkeypatch.setattr(sys.modules[__name__], "__doc__", "  What it answers. ")
    probe("again", Nothing)(run)
    probe("again", Nothing)(run)
    kind = registry.load()["again"]
    assert (kind.module, kind.doc) == (__name__, "What it answers.")


def test_unknown_options_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="Extra inputs"):
        registry.load()["tcp"].options.model_validate({"port": 1, "prot": 2})


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), Reason.REFUSED),
        (ConnectionResetError(errno.ECONNRESET, "x"), Reason.RESET),
        (BrokenPipeError(errno.EPIPE, "x"), Reason.RESET),
        (ConnectionAbortedError(errno.ECONNABORTED, "x"), Reason.RESET),
        (OSError(errno.EHOSTUNREACH, "x"), Reason.UNREACHABLE),
        (OSError(errno.ENETUNREACH, "x"), Reason.UNREACHABLE),
        (OSError(errno.ENETDOWN, "x"), Reason.UNREACHABLE),
        (OSError(errno.EHOSTDOWN, "x"), Reason.UNREACHABLE),
        (TimeoutError(), Reason.TIMEOUT),
        (OSError(errno.ETIMEDOUT, "x"), Reason.TIMEOUT),
        (PermissionError(errno.EACCES, "x"), Reason.PERMISSION),
        (PermissionError(errno.EPERM, "x"), Reason.PERMISSION),
        (socket.gaierror(socket.EAI_NONAME, "x"), Reason.NAME),
        (ssl.SSLCertVerificationError(1, "x"), Reason.CERTIFICATE),
        (ssl.SSLError(1, "x"), Reason.TLS),
        (asyncio.IncompleteReadError(b"", 1), Reason.RESET),
        (OSError(errno.EMFILE, "x"), Reason.LOCAL),
        (OSError(errno.ENOBUFS, "x"), Reason.LOCAL),
        (OSError("without a number"), Reason.LOCAL),
        (ValueError("x"), Reason.LOCAL),
    ],
    ids=lambda value: (
        f"{type(value).__name__}-{getattr(value, 'errno', '')}" if isinstance(value, Exception) else value
    ),
)
async def test_an_error_has_the_same_reason_for_every_kind(error: Exception, reason: Reason) -> None:
    assert reason_of(error) is reason
    ours = reason in (Reason.LOCAL, Reason.PERMISSION)
    assert result_of(error).outcome is (Outcome.INCONCLUSIVE if ours else Outcome.FAILED)

    async def raises(_: Request[Any]) -> Result:
        raise error

    result, _ = await run_once(_kind(raises), _request())
    assert (result.reason, result.outcome) == (reason, Outcome.INCONCLUSIVE if ours else Outcome.FAILED)
    assert result.evidence


async def test_a_port_that_is_refused_is_told_with_its_place() -> None:
    port = free_port()
    for result in (await ask("tcp", port=port), await ask("stun", port=port)):
        assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.REFUSED)
        assert result.evidence == (
            f"Connection refused at {LOOPBACK} port {port}: nobody listens there, or a firewall says so"
        )


async def test_a_bug_of_ours_is_inconclusive_with_its_traceback_in_the_trace() -> None:
    async def with_a_bug(_: Request[Any]) -> Result:
        raise KeyError("missing")

    told: list[str] = []
    request = _request()
    request.trace = told.append
    result, _ = await run_once(_kind(with_a_bug), request)
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert result.evidence == "KeyError: 'missing'"
    assert told[0].startswith("Traceback")
    assert any("with_a_bug" in line for line in told)
    assert told[-1] == "KeyError: 'missing'"


async def test_the_deadline_is_kept_for_a_probe_that_never_ends() -> None:
    ended: list[bool] = []

    async def forever(_: Request[Any]) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return ok()

    result, seconds = await run_once(_kind(forever), _request(timeout=0.05))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)
    assert "0.05 s" in result.evidence
    assert seconds >= 0.05
    assert ended


async def test_an_answer_that_waits_in_our_socket_while_we_stand_still_is_no_failure_of_the_peer() -> None:
    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(1))

    server = await asyncio.start_server(answers, "127.0.0.1", 0)

    async def asks(_: Request[Any]) -> Result:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"?")
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.1 + HELD_UP_SECONDS)  # as a stop does to us
        await reader.readexactly(2)
        return ok()

    async with server:
        result, _ = await run_once(_kind(asks), _request(timeout=0.05))
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert result.evidence.startswith("we were held up for 0.")
    assert result.evidence.endswith("no answer within 0.05 s")


async def test_a_deadline_that_we_wasted_a_little_at_a_time_is_no_failure_and_an_answer_no_slower_for_it() -> None:
    waiting = asyncio.Event()

    async def waits(_: Request[Any]) -> Result:
        await waiting.wait()
        return ok()

    async def busy(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.2)  # as a starved processor does to us
            await asyncio.sleep(0.05)

    work = asyncio.create_task(busy(1.5))
    result, _ = await run_once(_kind(waits), _request(timeout=1))
    assert (result.outcome, result.reason) == (Outcome.INCONCLUSIVE, Reason.LOCAL)
    assert "ourselves: no answer within 1 s" in result.evidence
    await work

    work = asyncio.create_task(busy(0.8))
    asyncio.get_running_loop().call_later(0.9, waiting.set)
    result, seconds = await run_once(_kind(waits), _request(timeout=5))
    assert result.outcome is Outcome.OK
    assert seconds < 0.9
    await work


async def test_who_takes_long_to_clean_up_after_a_silent_peer_still_tells_of_its_failure() -> None:
    async def slow_to_end(_: Request[Any]) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1 + HELD_UP_SECONDS)
        return ok()

    result, _ = await run_once(_kind(slow_to_end), _request(timeout=0.05))
    assert (result.outcome, result.reason) == (Outcome.FAILED, Reason.TIMEOUT)


async def test_a_cancelled_run_is_cancelled_and_no_result() -> None:
    async def forever(_: Request[Any]) -> Result:
        await asyncio.Event().wait()
        return ok()

    task = asyncio.ensure_future(run_once(_kind(forever), _request()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_without_a_context_stays_empty() -> None:
    assert Guarded.model_validate({"password": {"file": "ups"}}).password.get_secret_value() == ""


@pytest.mark.parametrize("where", ["file", "env"])
def test_a_secret_is_read_from_where_it_is_and_never_shows(where: str) -> None:
    asked: list[tuple[str, str]] = []

    def read(*what: str) -> str:
        asked.append((what[0], what[1]))
        return "s3cret"

    options = Guarded.model_validate({"password": {where: "ups"}}, context={"read_secret": read})
    assert asked == [(where, "ups")]
    assert options.password.get_secret_value() == "s3cret"
    request = Request(address="", options=options, timeout_seconds=1.0)
    for shown in (repr(options), str(options), repr(request), options.model_dump_json(), str(options.model_dump())):
        assert "s3cret" not in shown


@pytest.mark.parametrize("value", ["s3cret", {"file": "a", "env": "b"}, {"path": "a"}, {}, 7, None])
def test_a_secret_written_into_the_file_is_refused(value: object) -> None:
    with pytest.raises(pydantic.ValidationError, match="write where the secret is, never the secret itself"):
        Guarded.model_validate({"password": value})


def test_a_secret_that_cannot_be_read_is_an_error_of_the_options() -> None:
    def read(where: str, name: str) -> str:
        raise ValueError(f"no {where} {name}")

    with pytest.raises(pydantic.ValidationError, match="no file ups"):
        Guarded.model_validate({"password": {"file": "ups"}}, context={"read_secret": read})


# -- labels ------------------------------------------------------------------------------------------------------------


@given(some.text())
def test_a_label_of_a_stranger_cannot_break_out_of_its_quotes(value: str) -> None:
    key = labelled("ifOperStatus", ifName=value)
    inner = key.removeprefix('ifOperStatus{ifName="').removesuffix('"}')
    assert "\n" not in inner
    assert '"' not in inner.replace("\\\\", "").replace('\\"', "")
    assert re.sub(r"\\(.)", lambda escaped: escaped[1], inner, flags=re.DOTALL) == value.replace("\n", " ")
