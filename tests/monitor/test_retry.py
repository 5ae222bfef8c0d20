"""A mail that was refused for good is sent once more when an admin says so, and it is kept who did."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest_asyncio

from monitor.acts import Acts
from monitor.asking import ask
from monitor.control import make_control, serve
from monitor.core.model import Contact, Happening, Letter, Notification
from monitor.pipeline import Pipeline
from monitor.store import Store
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, event, notification

OPENED, CHANGED, RECOVERED = (notification(each) for each in (Happening.OPENED, Happening.CHANGED, Happening.RECOVERED))
SECOND = notification(contact=replace(ON_CALL, id="second"))
LATER = NOW + timedelta(days=3)
MENDED = {ON_CALL.id: replace(ON_CALL, email="mended@noc.example.org")}


async def failed(store: Store, *mails: Notification) -> None:
    await store.record([], [event()], mails, NOW)
    for each in mails:
        await store.mails.fail(each.id, NOW, "550 5.1.1 no such user")


async def test_it_goes_to_the_address_of_today_and_the_timeline_says_who_did_it(store: Store) -> None:
    await failed(store, OPENED, SECOND)
    assert [(each.id, each.contact, each.answer) for each in await store.mails.failed()] == [
        (each.id, each.contact.id, "550 5.1.1 no such user") for each in (OPENED, SECOND)
    ]
    assert await store.mails.retry(OPENED.id, MENDED, "Hoa (hoa)", LATER) == (OPENED.id,)
    (taken,) = await store.mails.take(LATER, 9)
    assert (taken.id, taken.mail.contact.email, taken.attempts, taken.queued_at) == (
        OPENED.id, "mended@noc.example.org", 1, LATER,
    )  # fmt: skip
    _, (first, second) = await store.timeline(INCIDENT.id)
    assert (first.status, first.again) == ("sending", ((LATER, "Hoa (hoa)"),))
    assert (second.status, second.again) == ("failed", ())


async def test_what_failed_of_the_same_thread_goes_with_it_and_nothing_begins_that_is_over(store: Store) -> None:
    await failed(store, OPENED, CHANGED, RECOVERED)
    assert await store.mails.retry(CHANGED.id, {}, "hoa", LATER) == (OPENED.id, CHANGED.id, RECOVERED.id)
    (taken,) = await store.mails.take(LATER, 9)
    assert taken.mail == replace(RECOVERED, catches_up=True)


async def test_what_a_later_mail_has_told_since_is_not_sent_any_more(store: Store) -> None:
    await failed(store, OPENED, SECOND)
    await store.record([], [], [RECOVERED], NOW)
    await store.mails.take(NOW, 9)
    await store.mails.sent(RECOVERED.id, NOW, "taken")
    assert await store.mails.retry(None, {}, "hoa", LATER) == (SECOND.id,)


async def test_a_summary_goes_by_itself(store: Store) -> None:
    letters = [
        Letter(id=f"daily-2026112{n}.on-call", contact=ON_CALL, subject="s", text="t", html="") for n in (3, 4, 5)
    ]
    await store.mails.write(letters, NOW)
    for each in letters[:2]:
        await store.mails.fail(each.id, NOW, "552 too large")
    await store.mails.sent(letters[2].id, NOW, "taken")
    assert await store.mails.retry(letters[0].id, MENDED, "hoa", LATER) == (letters[0].id,)
    (taken,) = await store.mails.take(LATER, 9)
    assert taken.mail == replace(letters[0], contact=MENDED[ON_CALL.id])


@pytest_asyncio.fixture
async def socket(store: Store, tmp_path: Path) -> AsyncIterator[Path]:
    """A control socket; what is asked here needs no pipeline."""
    contacts: dict[str, Contact] = {}
    acts = Acts(cast("Pipeline", None), store, lambda: LATER, lambda: contacts)
    runner = await serve(make_control(cast("Any", None), cast("Any", None), acts), tmp_path / "control.sock")
    yield tmp_path / "control.sock"
    await runner.cleanup()


async def test_over_the_control_socket_it_is_said_what_cannot_be_done(store: Store, socket: Path) -> None:
    await failed(store, OPENED, SECOND)
    await store.record([], [], [RECOVERED], NOW)
    await store.mails.sent(RECOVERED.id, NOW, "taken")
    login = pwd.getpwuid(os.getuid()).pw_name

    async def retry(body: object) -> tuple[int, str]:
        return await ask(socket, "POST", "/-/mails/retry", body)

    assert await retry({}) == (422, "name one mail, or all that have failed\n")
    assert await retry({"id": "x", "all_failed": True}) == (422, "name one mail, or all that have failed\n")
    code, text = await retry({"id": "nothing"})
    assert (code, text.startswith("no mail 'nothing' has failed for good")) == (422, True)
    assert await retry({"id": OPENED.id}) == (422, f"{OPENED.id}: a later mail of the incident has told it since\n")
    code, text = await ask(socket, "GET", "/-/mails/failed")
    assert (code, [each["id"] for each in json.loads(text)]) == (200, [OPENED.id, SECOND.id])
    assert await retry({"all_failed": True, "by": "Hoa"}) == (200, json.dumps([SECOND.id]))
    assert await retry({"all_failed": True}) == (200, "[]")
    _, mails = await store.timeline(INCIDENT.id)
    assert [again for each in mails for _, again in each.again] == [f"Hoa ({login})"]
