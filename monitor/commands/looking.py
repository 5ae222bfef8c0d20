"""Commands that look at the present: at what the daemon holds, and at a target itself."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from monitor.commands.shared import LANGUAGE, SETTINGS, ask_daemon, fail, find_target, moment, tell_daemon, told_at
from monitor.core.advice import SENTENCES
from monitor.core.model import Check, Counts, Importance, Inventory, Limit, Outcome, State, Target
from monitor.core.quality import Quality
from monitor.core.readiness import Readiness
from monitor.core.words import EN, LOCAL, WORDS, Language
from monitor.files import load_all
from monitor.yamlfile import ConfigError
from probes.registry import Request, load, run_once


@click.command()
@SETTINGS
def status(path: Path) -> None:
    """Show what the running daemon holds: targets by state, and the open incidents."""
    targets = ask_daemon(path, "/api/v1/targets?limit=2000")["targets"]
    incidents = ask_daemon(path, "/api/v1/incidents?open=true")["incidents"]
    show_status(Console(), targets, incidents)


def show_status(console: Console, targets: Sequence[Mapping[str, Any]], incidents: Sequence[Mapping[str, Any]]) -> None:
    """Counts by state, then two lines an incident: what, since when and where; and the first evidence below."""
    counts = Counter(each["state"] for each in targets)
    console.print("  ".join(f"{state} {counts[state]}" for state in State))
    if not incidents:
        console.print("no open incident")
        return
    line = "{:<19}  {:<8}  {:<7}  {:>6}  {}"
    console.print(line.format("since (Viet Nam)", "state", "cause", "impact", "root"))
    for each in incidents:
        since = EN.moment(datetime.fromisoformat(each["began"]))
        said = line.format(since, each["state"], each["cause"], len(each["impact"]), each["root"])
        console.print(said, soft_wrap=True, markup=False, highlight=False)
        console.print(Padding(Text(each["evidence"][0] if each["evidence"] else "no evidence"), (0, 0, 0, 4)))


@click.command()
@SETTINGS
def incidents(path: Path) -> None:
    """List the open incidents with who has them."""
    found = ask_daemon(path, "/api/v1/incidents?open=true")["incidents"]
    for each in found:
        since = f"{each['state']} since {told_at(each['began'])}"
        click.echo(f"{each['id']}  {each['severity']}, {since}, {each['cause']}, {each['root']}")
        if had := each["acknowledged"]:
            click.echo(f"    {had['by']} has it since {told_at(had['at'])}{': ' if had['note'] else ''}{had['note']}")
        if silent := each["silence"]:
            click.echo(f"    silenced until {told_at(silent['ends'])}: {silent['reason']} ({silent['by']})")
        if not had and not silent:
            click.echo("    nobody has it")
    if not found:
        click.echo("no open incident")


@click.command()
@click.argument("meeting", required=False)
@click.option("--past", is_flag=True, help="How those of the last days went; with MEETING its own.")
@click.option(
    "--session", "begins", callback=moment,
    help="How the session of MEETING that began then went, or goes: 2026-11-23T08:00, in Viet Nam without a zone.",
)  # fmt: skip
@LANGUAGE
@SETTINGS
def meetings(meeting: str | None, past: bool, begins: datetime | None, lang: Language, path: Path) -> None:
    """List the meetings of the next days with how ready their rooms are; of MEETING (its id) room by room, what serves all first."""
    if begins is not None:
        if meeting is None or past:
            raise click.UsageError("--session goes with MEETING and without --past")
        _show_session(path, meeting, begins, lang)
    elif meeting is None or past:
        chosen = [("past", "true")] if past else []
        chosen += [("id", meeting)] if meeting else []
        found = ask_daemon(path, f"/api/v1/meetings?{urlencode(chosen)}")
        if "error" in found:
            fail(found["error"])
        for each in found["meetings"]:
            click.echo(_meeting_line(each, lang))
        if not found["meetings"]:
            click.echo(_MEETINGS["none before" if past else "none"][lang])
    else:
        _show_meeting(path, meeting, lang)


def _show_meeting(path: Path, meeting: str, lang: Language) -> None:
    shown = ask_daemon(path, f"/api/v1/meetings/{quote(meeting, safe='')}?lang={lang}")
    if "error" in shown:
        fail(_MEETINGS["unknown"][lang])
    click.echo(_meeting_line(shown, lang))
    for room in (*shown["servers"], *shown["rooms"]):
        if room["readiness"] == Readiness.READY:
            continue
        click.echo(f"  {_readiness(room['readiness'], lang)}: {room['name']} ({room['target']}): {room['why']}")
        if room["todo"]:
            click.echo(f"      {room['todo']}")
        if room["call"]:
            click.echo(f"      {room['call']}{', ' if room['circuit'] else ''}{room['circuit'] or ''}")


def _show_session(path: Path, meeting: str, begins: datetime, lang: Language) -> None:
    at = begins.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    shown = ask_daemon(path, f"/api/v1/meetings/{quote(meeting, safe='')}/{at}?lang={lang}")
    if "error" in shown:
        fail(_MEETINGS["no session"][lang])
    click.echo(_meeting_line(shown, lang))
    if shown["so_far"]:
        click.echo(_MEETINGS["so far"][lang].format(WORDS[lang].moment(datetime.fromisoformat(shown["so_far"]))))
    for room in shown["rooms"]:
        if room["quality"] != Quality.GOOD:
            said = f"{_quality(room['quality'], lang)}: {room['name']} ({room['target']})"
            click.echo(f"  {said}: {room['why']}" if room["why"] else f"  {said}")
            for each in room["times"]:
                since, until = (datetime.fromisoformat(each[end]) for end in ("begins", "ends"))
                times = "–".join(f"{at.astimezone(LOCAL):%H:%M:%S}" for at in (since, until))
                click.echo(f"      {times} ({WORDS[lang].lasted(since, until)})")
            if told := _figures(room, lang):
                click.echo(f"      {told}")


def _figures(room: Mapping[str, Any], lang: Language) -> str:
    """What was measured of a room that was not good; empty: nothing."""
    words, told, names = WORDS[lang], [], _FIGURES[lang]
    if room["loss_ratio_mean"] is not None:
        mean, worst = (words.figure(room[f"loss_ratio_{each}"] * 100) for each in ("mean", "worst"))
        told.append(f"{names[0]} {mean} / {worst} %")
    if room["delay_seconds_mean"] is not None:
        mean, worst = (words.seconds(room[f"delay_seconds_{each}"]) for each in ("mean", "worst"))
        told.append(f"{names[1]} {mean} / {worst}")
    if room["mos_least"] is not None:
        told.append(f"MOS {words.figure(room['mos_least'])}")
    if room["call_loss_ratio_mean"] is not None:
        mean, worst = (words.figure(room[f"call_loss_ratio_{each}"] * 100) for each in ("mean", "worst"))
        told.append(f"{names[2]} {mean} / {worst} %")
    return ", ".join(told)


_FIGURES = {
    "vi": ("mất gói", "độ trễ", "mất gói trong cuộc gọi"),
    "en": ("loss", "delay", "loss in the call"),
}
_MEETINGS = {
    "none": {"vi": "không có cuộc họp nào trong 7 ngày tới", "en": "no meeting in the next 7 days"},
    "unknown": {
        "vi": "sắp tới không có cuộc họp nào mang mã này; `meetings` liệt kê các cuộc họp sắp tới, `meetings --past` các buổi đã qua",
        "en": "no meeting of this id comes soon; `meetings` lists those that come, `meetings --past` those that are over",
    },
    "none before": {
        "vi": "không có cuộc họp nào trong 31 ngày qua",
        "en": "no meeting in the last 31 days",
    },
    "no session": {
        "vi": "không có buổi họp nào bắt đầu lúc đó; `meetings --past` liệt kê các buổi đã qua",
        "en": "no session of it began then; `meetings --past` lists those that are over",
    },
    "so far": {"vi": "  đang họp hoặc vừa xong, tính đến {}", "en": "  it runs or was over just now: until {}"},
    "soon": {"vi": "kết quả có sau vài phút", "en": "the result comes in a few minutes"},
    "roomless": {"vi": "không có phòng họp", "en": "no rooms"},
    "servers": {"vi": "phục vụ mọi phòng", "en": "serving all rooms"},
    "important": {"vi": " (quan trọng)", "en": " (important)"},
}


def _readiness(name: str, lang: Language) -> str:
    return SENTENCES[lang].readiness[name].lower()


def _quality(name: str, lang: Language) -> str:
    return SENTENCES[lang].quality[name].lower()


def _meeting_line(meeting: Mapping[str, Any], lang: Language) -> str:
    begins, ends = (datetime.fromisoformat(meeting[each]) for each in ("begins", "ends"))
    counted = meeting.get("readiness") or meeting.get("quality") or {}
    named = _readiness if "readiness" in meeting else _quality
    counts = [f"{number} {named(each, lang)}" for each, number in counted.items() if number]
    soon = "quality" in meeting and meeting["quality"] is None
    rooms = ", ".join(counts) or _MEETINGS["soon" if soon else "roomless"][lang]
    served = [
        f"{number} {_readiness(each, lang)}" for each, number in meeting.get("servers_readiness", {}).items() if number
    ]
    rooms += f"; {_MEETINGS['servers'][lang]}: {', '.join(served)}" if served else ""
    important = _MEETINGS["important"][lang] if meeting["importance"] == Importance.HIGH else ""
    return f"{meeting['id']}  {WORDS[lang].session(begins, ends)}  {meeting['title']}{important}: {rooms}"


@click.command()
@click.argument("incident")
@SETTINGS
def incident(path: Path, incident: str) -> None:
    """Tell the life of INCIDENT (its id, or the root of an open one) from the database."""
    life = json.loads(tell_daemon(path, "GET", f"/-/incidents/{quote(incident)}"))
    click.echo(life["id"])
    for each in life["events"]:
        said = f"{told_at(each['at'])}  {each['what']}: {each['state']}, {each['cause']}, {each['root']}"
        if each["what"] == "acknowledged":
            said = f"{told_at(each['at'])}  acknowledged by {each['by']}{': ' if each['note'] else ''}{each['note']}"
        click.echo(said)
    for each in life["mails"]:
        click.echo(f"{told_at(each['at'])}  mail {each['what']} to {each['contact']}: {each['status']}")
        for again in each["again"]:
            click.echo(f"    queued again at {told_at(again['at'])} by {again['by']}, after it had failed")


@click.command()
@SETTINGS
def silences(path: Path) -> None:
    """List the silences in force."""
    found = json.loads(tell_daemon(path, "GET", "/-/silences"))
    for each in found:
        about = next(f"{name} {each[name]}" for name in ("target", "site", "area", "provider") if each[name])
        click.echo(f"{each['id']:>4}  until {told_at(each['ends'])}  {about}: {each['reason']} ({each['by']})")
    if not found:
        click.echo("no silence")


@click.command()
@click.argument("target")
@click.option("--check", "only", help="Only this check of the target.")
@SETTINGS
def probe(target: str, only: str | None, path: Path) -> None:
    """Run the checks of TARGET (site/name) once and explain each step."""
    try:
        _, inventory, _ = load_all(path)
    except ConfigError as error:
        fail(error)
        return
    found = find_target(inventory, target)
    if only is not None and only not in {each.name for each in found.checks}:
        fail(f"no check {only!r} at {target}; it has: {', '.join(each.name for each in found.checks)}")
        return
    good = asyncio.run(_explain(inventory, found, only))
    sys.exit(0 if good else 1)


async def _explain(inventory: Inventory, target: Target, only: str | None) -> bool:
    good = True
    click.echo(f"{target.id}: {target.label.get('vi', target.kind)} at {inventory.sites[target.site].name}")
    if target.behind:
        click.echo(f"  behind {', '.join(target.behind)}")
    for each in target.checks:
        if only in (None, each.name):
            good &= await _explain_check(each)
    return good


async def _explain_check(check: Check) -> bool:
    started = asyncio.get_running_loop().time()

    def trace(line: str) -> None:
        click.echo(f"  {asyncio.get_running_loop().time() - started:7.3f} s  {line}")

    click.echo(
        f"check {check.name}: {check.probe} to {check.address or '(by name)'}, at most {check.timeout_seconds:g} s"
    )
    request: Request[Any] = Request(
        address=check.address, options=check.options, timeout_seconds=check.timeout_seconds, trace=trace
    )
    result, seconds = await run_once(load()[check.probe], request)
    click.echo(f"  {seconds:7.3f} s  {result.outcome.upper()} ({result.reason}): {result.evidence}")
    for key, value in result.values.items():
        click.echo(f"             {key} {value:.6g}")
    for limit in check.limits:
        then = "degraded" if limit.counts is Counts.ALWAYS else "at risk for a meeting"
        click.echo(f"             {then} when {limit.value} is {_bound(limit)}")
    return result.outcome is Outcome.OK


def _bound(limit: Limit) -> str:
    if limit.above_usual is not None:
        return f"above {limit.above_usual:g} times what is usual at its hour, and above {limit.at_least:g}"
    return f"above {limit.above:g}" if limit.above is not None else f"below {limit.below:g}"
