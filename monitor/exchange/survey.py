"""Looks over the network of a site: who answers an echo, who it is by SNMP, and where that does not tell, by its open ports.

One packet after the other at an even pace, only to addresses that the scope holds. What is found is kept as it comes, so that
whoever stops it has what there is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from monitor.core.model import Outcome, Reason
from monitor.exchange.sayings import Said, said
from monitor.exchange.scope import ECHO_TIMEOUT_SECONDS, LONGEST_SECONDS, MOST_ADDRESSES, ROUNDS, Scope
from monitor.exchange.tree import Seen
from probes import registry
from probes.engine.agent import identify
from probes.engine.pace import EvenPace
from probes.registry import Request, Result, run_once
from probes.wire.lldp import Neighbour

KNOCK_SECONDS = 1.0
"""For a TCP port to answer: shorter than the kernel waits before it asks again."""
AT_ONCE_SECONDS = 0.4
"""So many seconds' packets may be waited for at once: less than the patience with an agent that has answered before."""


class SurveyError(Exception):
    """Our own host cannot do it."""

    def __init__(self, why: Said) -> None:
        self.why = why
        super().__init__(why)


@dataclass(slots=True)
class Survey:
    """One look, from `run` on."""

    scope: Scope
    is_told: Callable[[Seen], bool]
    """Whether it is clear what it is, so that nobody needs to knock at its ports."""
    say: Callable[[Said], None] = lambda _: None
    seen: dict[str, Seen] = field(default_factory=dict)
    """By address."""
    stopped: Said | None = None
    """Why it ended before its time."""
    _asked: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Look; when it is cancelled it ends with what it has. Raises SurveyError."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await self._look()
        except TimeoutError:
            self.stopped = said("too-long-look", minutes=f"{LONGEST_SECONDS / 60:g}")
        except asyncio.CancelledError:
            self.stopped = said("stopped")

    async def _look(self) -> None:
        pace = EvenPace(self.scope.rate)
        addresses = list(dict.fromkeys((*self.scope.addresses, *self.scope.known)))
        while addresses:
            self.say(said("echoing", n=len(addresses)))
            await self._echo(addresses)
            some = [each for each in addresses if each in self.seen or each in self.scope.known]
            self.say(said("asking", n=len(self.seen)))
            await self._each(some, lambda address: self._identify(address, pace))
            addresses = self._learnt()
        if self.scope.ports and (unclear := self._unclear()):
            self.say(said("knocking", n=len(unclear)))
            await self._each(unclear, lambda address: self._knock(address, pace))

    def _neighbours(self) -> Iterator[Neighbour]:
        return (each for seen in self.seen.values() if seen.identity for each in seen.identity.neighbours)

    def _learnt(self) -> list[str]:
        """Addresses in the scope that neighbours told of, and that were not asked."""
        told = dict.fromkeys(address for each in self._neighbours() for address in each.addresses)
        new = [each for each in told if each not in self._asked and self.scope.holds(each)]
        return new[: max(0, 2 * MOST_ADDRESSES - len(self._asked))]

    def _unclear(self) -> list[str]:
        """Addresses of which neither they themselves nor their neighbours tell what they are."""
        told = {address for each in self._neighbours() if each.kind for address in each.addresses}
        return [each.address for each in self.seen.values() if each.address not in told and not self.is_told(each)]

    async def _each(self, addresses: Iterable[str], act: Callable[[str], Awaitable[None]]) -> None:
        room = asyncio.Semaphore(max(1, int(self.scope.rate * AT_ONCE_SECONDS)))

        async def one(address: str) -> None:
            async with room:
                await act(address)

        async with asyncio.TaskGroup() as tasks:
            for each in addresses:
                tasks.create_task(one(each))

    # -- echo ----------------------------------------------------------------------------------------------------

    async def _echo(self, addresses: list[str]) -> None:
        """Spread over a round by the engine; who has answered is not asked in the next one."""
        self._asked.update(addresses)
        waiting, refused = set(addresses), dict[str, str]()
        done = asyncio.Event()

        def emit(address: str, result: Result, seconds: float) -> None:
            if result.outcome is Outcome.OK:
                self.seen.setdefault(address, Seen(address, seconds))
            elif result.reason in (Reason.UNREACHABLE, Reason.PERMISSION):  # also of a broadcast address
                refused[address] = result.evidence
            else:
                return
            waiting.discard(address)
            if not waiting:
                done.set()

        kind = registry.load()["icmp"]
        assert kind.stream is not None
        stream = kind.stream(emit)
        interval = max(len(addresses) / self.scope.rate, ECHO_TIMEOUT_SECONDS)
        requests: dict[str, tuple[Request[Any], float]] = {
            each: (Request(address=each, options=kind.options(), timeout_seconds=ECHO_TIMEOUT_SECONDS), interval)
            for each in addresses
        }
        running = asyncio.create_task(stream.run())
        try:
            for _ in range(ROUNDS):
                stream.update({each: requests[each] for each in waiting})
                await _until(done, interval)
            await _until(done, ECHO_TIMEOUT_SECONDS)
        finally:
            running.cancel()
            await asyncio.wait([running])
        if len(refused) == len(addresses) and not self.seen:
            raise SurveyError(said("no-echo", why=refused.popitem()[1]))

    # -- who it is -----------------------------------------------------------------------------------------------

    async def _identify(self, address: str, pace: EvenPace) -> None:
        found = await identify(address, self.scope.credentials, pace)
        if found is not None:
            seen = self.seen.setdefault(address, Seen(address))
            seen.identity, seen.credential = found[0], found[1].name

    async def _knock(self, address: str, pace: EvenPace) -> None:
        kind = registry.load()["tcp"]
        for port in self.scope.ports:
            await pace.wait()
            request: Request[Any] = Request(
                address=address, options=kind.options.model_validate({"port": port}), timeout_seconds=KNOCK_SECONDS
            )
            result, _ = await run_once(kind, request)
            if result.outcome is Outcome.OK:
                self.seen[address].ports += (port,)


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, and no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
