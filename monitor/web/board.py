"""The status board: from the view to HTML. Pages are plain documents that one small script keeps as the province is.

Without the script they reload themselves.

Every text from outside passes Jinja2's autoescape; lists and texts are cut to a length, so no page grows without end.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts.grafana import ENDING
from alerts.links import Act
from monitor.core.advice import SENTENCES
from monitor.core.explain import explain_all, explain_severity
from monitor.core.life import Life, Posted
from monitor.core.meetings import path_of
from monitor.core.model import Incident, Inventory, Severity, State
from monitor.core.planned import Work
from monitor.core.quality import SessionQuality, Went
from monitor.core.readiness import Outlook, Readiness
from monitor.core.severity import RANK as SEVERITY_RANK
from monitor.core.words import dialled, unbroken
from monitor.web import sessions, wall
from monitor.web.acts import MAX_NAME, Offer, Refusal
from monitor.web.desk import LASTING
from monitor.web.drawing import CHART_SIZE, HEIGHT, PERIODS, REACH, SLOTS
from monitor.web.glance import Atlas, Glance, area_of, atlas_of, glance
from monitor.web.meetings import LEVELS, advices, alike, level_of
from monitor.web.overview import (
    RANK,
    WORST_FIRST,
    Case,
    case_of,
    is_blind,
    known_incident,
    one_of,
    open_cases,
    short_name,
    site_of,
    view_of,
)
from monitor.web.phrases import PHRASES, STREAMS, TRAPS
from monitor.web.quiet import told_silence, told_work
from monitor.web.sessions import Page as Told
from monitor.web.sessions import page_of as page_of_session
from monitor.web.sitepage import Past, page_of
from monitor.web.story import story
from monitor.web.view import TargetView, View
from monitor.web.ways import SMALL_LETTER, Ways, fitting, ways
from monitor.web.words import VI, WORDS, Words, clip, machine_time

REFRESH_SECONDS = 10
MAIL_LATE_SECONDS = 300.0
"""A mail that waits longer is told on the board: the relay is in trouble, and mail cannot say so itself."""
LAG_WELL_SECONDS = 0.1
"""What the event loop may be late: more, and round trips and time-outs are no longer those of the targets alone."""
MAX_CARDS = 12
MAX_LISTED = 60
"""Of the open incidents that are no cards, each a line."""
MAX_CLOSED = 5
MAX_IMPACT = 500
MAX_EVIDENCE = 50
MAX_SILENCES = 200
MAX_ROOMS = 12
MAX_OPEN = 24
"""Longer lists of rooms are folded."""
MAX_INCIDENTS = 5
"""Of those that hurt rooms in the same way."""
MAX_LINES = 10
MAX_MEETINGS = 3
MAX_WALL_CASES = 6
MAX_WALL_LINES = 3
"""Systems, meetings, and rooms of one: what fits a wall beside the map, whatever its size, for letters grow with the screen."""

SIGNS = {State.UP: "●", State.DEGRADED: "▲", State.DOWN: "■", State.UNREACHABLE: "◆", State.UNKNOWN: "○"}
"""A shape for each state, so that nothing depends on telling red from green."""

LETTERS = {State.DEGRADED: "!", State.DOWN: "×", State.UNREACHABLE: "–", State.UNKNOWN: "?"}
"""What stands in the shapes of the map."""


@cache
def _compiled() -> Environment:
    """The templates, all compiled: the first view of a page would hold up the event loop for that, 0.1 s of a large one.

    They stay so while the files change: those of a newer version want newer code.
    """
    made = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        clip=clip, short=short_name, dialled=dialled, unbroken=unbroken, machine=machine_time, fitting=fitting
    )
    made.globals["periods"] = tuple(PERIODS)
    for name in made.list_templates():
        made.get_template(name)
    return made


class Board:
    """Renders the pages."""

    def __init__(self, grafana: str = "", *, desk: bool = False) -> None:
        """`grafana` is the address of Grafana, or empty; `desk`: people can sign in and act, and pages lead there."""
        self._grafana, self._desk = grafana.rstrip("/"), desk
        self._pages = _compiled()
        self._atlas: Atlas | None = None
        styles = [self._pages.get_template(name).render() for name in ("style.css", "wall.css", "pages.css")]
        self.style_hashes = [_sha256(each) for each in styles]
        """For the content security policy: these style sheets and no other."""
        self.script = self._pages.get_template("live.js").render()
        self._script_hash = _sha256(self.script)

    def atlas(self, inventory: Inventory) -> Atlas:
        """Of the settings in force, kept; made it takes a nation 0.1 s, which is not for the event loop."""
        known = self._atlas
        if known is None or known.inventory is not inventory:
            known = self._atlas = atlas_of(inventory)
        return known

    def knows(self, inventory: Inventory) -> bool:
        """Whether its atlas is made."""
        return self._atlas is not None and self._atlas.inventory is inventory

    def overview(self, view: View, words: Words, now: datetime, seen: Glance | None = None) -> str:
        """The province at a glance; `seen` where that was made beside the event loop."""
        inventory, states, incidents = view.inventory(), view.states(), view.incidents()
        seen = seen or glance(self.atlas(inventory), view.judged())
        closed = [each for each in incidents if each.closed is not None]
        cases = open_cases(incidents, inventory, words, MAX_CARDS + MAX_LISTED)
        return self._render(
            "overview.html",
            words,
            now,
            here="/",
            view=view,
            seen=seen,
            blind=is_blind(incidents),
            cases=cases[:MAX_CARDS],
            rest=cases[MAX_CARDS:],
            open=len(incidents) - len(closed),
            closed=[case_of(each, inventory, words) for each in closed[:MAX_CLOSED]],
            meetings=[(each, level_of(each)) for each in view.meetings()[:MAX_MEETINGS]],
            readiness=SENTENCES[words.language].readiness,
            levels=LEVELS,
            level=level,
            works=works(view.works(), words, now),
            marks=lambda incident: marks(view_of(states, incident.root), words, incident),
        )

    def area(self, view: View, name: str, words: Words, now: datetime) -> str | None:
        """All communes of an area; None when there is none."""
        found = area_of(self.atlas(view.inventory()), view.judged(), name)
        return self._render("area.html", words, now, view=view, area=found) if found else None

    def wall(self, view: View, words: Words, now: datetime, seen: Glance | None = None, *, theme: str = "dark") -> str:
        """The same for a screen that is read from five metres."""
        inventory, incidents = view.inventory(), view.incidents()
        seen = seen or glance(self.atlas(inventory), view.judged())
        severities = Counter(each.severity for each in incidents if each.closed is None)
        count = severities.total()
        outlooks = [(each, level_of(each)) for each in view.meetings()]
        return self._render(
            "wall.html",
            words,
            now,
            view=view,
            theme=theme,
            seen=seen,
            blind=is_blind(incidents),
            cases=[(case, level(case)) for case in open_cases(incidents, inventory, words, MAX_WALL_CASES)],
            few=count <= wall.MAX_FEW,
            open=count,
            severities={
                each: severities[each] for each in sorted(Severity, key=SEVERITY_RANK.__getitem__, reverse=True)
            },
            notes=wall.notes(view, self.atlas(inventory), count, words, now),
            quiet_since=wall.quiet_since(view),
            hour=lambda at: wall.hour(at, words, now),
            hurt_rooms=lambda found: hurt_rooms(found, inventory, words),
            meetings=outlooks,
            threatened=[(each, level) for each, level in outlooks if level != State.UP.value],
            most_meetings=MAX_WALL_LINES,
            most_services=MAX_WALL_LINES,
            readiness=SENTENCES[words.language].readiness,
            levels=LEVELS,
            services=len(seen.services),
            bad_services=sorted(
                (each for each in seen.services if each.view.state is not State.UP),
                key=lambda member: RANK[member.view.state],
            ),
        )

    def silences(self, view: View, words: Words, now: datetime) -> str:
        """Of what nobody is mailed, and what work is planned."""
        inventory, works, silences = view.inventory(), view.works(), view.silences()
        told = [(each, told_work(each, self.atlas(inventory), words)) for each in works]
        return self._render(
            "silences.html", words, now, here="/silences", view=view,
            silences=[(each, told_silence(each, inventory, words)) for each in silences[:MAX_SILENCES]], silences_total=len(silences),
            now_works=[each for each in told if each[0].window.begins <= now],
            coming_works=[each for each in told if each[0].window.begins > now],
        )  # fmt: skip

    def monitor(self, view: View, words: Words, now: datetime) -> str:
        """What the monitor itself is doing."""
        found = view.workings()
        return self._render(
            "monitor.html", words, now, here="/monitor", view=view, of=found, targets=len(view.inventory().targets),
            starting=view.unready() is not None, waiting=found.unsent, late=found.oldest_mail_seconds > MAIL_LATE_SECONDS, max_lines=MAX_LINES,
            signs_well=all(result == "sent" for result, _ in found.signs.values()), lag_well=LAG_WELL_SECONDS,
            counted=STREAMS[words.language], traps=TRAPS[words.language],
        )  # fmt: skip

    def site(
        self, view: View, site_id: str, words: Words, now: datetime,
        past: Past | None = None, session: SessionQuality | None = None,
    ) -> str | None:  # fmt: skip
        """One site with all its targets and, when it is known, their past and the last session in its rooms; None when there is none."""
        inventory, states = view.inventory(), view.states()
        site = inventory.sites.get(site_id)
        if site is None:
            return None
        targets = self.atlas(inventory).members[site_id]
        found, theirs = one_of(site, targets, states, inventory.providers), {each.id for each in targets}
        told = [marks(each.view, words) for each in found.members]
        of_all = [mark for mark in told[0] if all(mark in each for each in told)] if len(told) > 1 else []
        touching = [
            case_of(incident, inventory, words)
            for incident in view.incidents()
            if incident.closed is None and (site_of(incident.root) == site_id or not theirs.isdisjoint(incident.impact))
        ]
        return self._render(
            "site.html",
            words,
            now,
            view=view,
            found=found,
            page=page_of(found, view, words, now, past or {}),
            known=past is not None,
            session=session,
            went={each.target: each for each in session.rooms} if session else {},
            cases=touching[:MAX_CARDS],
            level=level,
            marks=lambda incident: marks(view_of(states, incident.root), words, incident),
            of_all=of_all,
            marks_of=lambda member: [mark for mark in marks(member, words) if mark not in of_all],
            reach=REACH,
            size=CHART_SIZE,
            **_quality(words),
        )

    def incident(
        self,
        view: View,
        incident_id: str,
        words: Words,
        now: datetime,
        life: Life | None = None,
        drawn: Ways | None = None,
        todo: Sequence[str] | None = None,
    ) -> str | None:
        """One incident with its life, evidence and impact, also one that only the database knows; None when there is none.

        `drawn`, `todo`: its ways, and what to do, where they were made beside the event loop.
        """
        incident = known_incident(view, incident_id, life)
        if incident is None:
            return None
        inventory, states = view.inventory(), view.states()
        hurt = [
            (target, inventory.targets.get(target), view_of(states, target)) for target in incident.impact[:MAX_IMPACT]
        ]
        sites = {target: inventory.sites.get(site_of(target)) for target, *_ in hurt}
        case = case_of(incident, inventory, words)
        return self._render(
            "incident.html",
            words,
            now,
            view=view,
            case=case,
            todo=view.what_to_do(incident, words.language) if todo is None else todo,
            level=level(case),
            ways=drawn or ways(incident, inventory, states, words),
            small=SMALL_LETTER,
            story=story(incident, life, inventory, words, now),
            written=life is not None,
            hurt=hurt,
            hurt_sites=sites,
            hurt_total=len(incident.impact),
            evidence=[words.seen(each) for each in incident.evidence[:MAX_EVIDENCE]],
            weighed=explain_severity(incident, words),
            meetings=[(each, rooms_shown(each.rooms, inventory, words)) for each in incident.meetings],
            path_of=path_of,
            explained=explain_all(life.events, words) if life is not None else "",
            marks=marks(view_of(states, incident.root), words, incident),
        )

    def meetings(self, view: View, words: Words, now: datetime, past: Sequence[Went] | None = ()) -> str:
        """The meetings of the next days, and how those of the last went; None: they cannot be read now."""
        found = view.meetings()
        return self._render(
            "meetings.html", words, now, here="/meetings", view=view, found=[(each, level_of(each)) for each in found[:MAX_IMPACT]],
            total=len(found), readiness=SENTENCES[words.language].readiness, levels=LEVELS,
            known=past is not None, past=past or (), **_quality(words),
        )  # fmt: skip

    def meeting(
        self, view: View, found: Outlook, words: Words, now: datetime,
        so_far: SessionQuality | None = None, past: Sequence[Went] = (), mails: Sequence[Posted] = (), told: Told | None = None,
    ) -> str:  # fmt: skip
        """A session that runs or comes next, with its rooms; how it has gone so far (`told`: in words), and how those before it went."""
        rooms = advices(found.rooms[:MAX_IMPACT], view.inventory(), words)
        servers = advices(found.servers, view.inventory(), words)
        return self._render(
            "meeting.html", words, now, view=view, found=found, level=level_of(found), rooms=rooms, groups=alike(rooms),
            servers=servers, server_groups=alike(servers), rooms_total=len(found.rooms), readiness=SENTENCES[words.language].readiness, levels=LEVELS,
            held=so_far, told=told or (so_far and page_of_session(so_far, view.inventory(), words)), past=past, mails=sessions.mails_of(mails, words), **_quality(words),
        )  # fmt: skip

    def session(
        self, view: View, found: SessionQuality, words: Words, now: datetime,
        past: Sequence[Went] = (), mails: Sequence[Posted] = (), told: Told | None = None,
    ) -> str:  # fmt: skip
        """How a session went in its rooms, or has gone so far (`told`: in words); the mails about it, and the others of its meeting."""
        others = [each for each in past if each.session != found.session]
        return self._render(
            "session.html", words, now, view=view, held=found, told=told or page_of_session(found, view.inventory(), words), past=others, mails=sessions.mails_of(mails, words),
            **_quality(words),
        )  # fmt: skip

    def act(self, view: View, offer: Offer | Refusal, words: Words, now: datetime, *, done: bool) -> str:
        """What a link of a mail would do (or, `done`, has done), or why it does nothing; without the rest of the board."""
        page = words.page
        if isinstance(offer, Refusal):
            given: dict[str, Any] = {
                "case": None, "level": "unknown", "sign": SIGNS[State.UNKNOWN],
                "heading": page["refused"], "sentence": page[offer.value],
            }  # fmt: skip
        else:
            kind = "ack" if offer.act is Act.ACKNOWLEDGE else "silence"
            case = case_of(offer.incident, view.inventory(), words)
            by, until = clip(offer.by, 200), words.moment(offer.until) if offer.until else ""
            sentence = page["done_until" if until else "done_by"] if done else page[f"means_{kind}"]
            given = {
                "case": case, "by": by, "done": done, "button": page[f"do_{kind}"],
                "level": "up" if done else level(case), "sign": "✓" if done else SIGNS[offer.incident.state],
                "heading": page[f"done_{kind}" if done else f"ask_{kind}"],
                "sentence": sentence.format(by=by, until=until, now=words.moment(now)),
            }  # fmt: skip
        return self._render("act.html", words, now, view=view, max_name=MAX_NAME, **given)

    def desk_incident(
        self, view: View, incident_id: str, words: Words, now: datetime, *, who: str, signs_out: bool
    ) -> str | None:
        """What who is signed in can do about an open incident; None when there is none of this id."""
        found = [each for each in view.incidents() if each.id == incident_id and each.closed is None]
        if not found:
            return None
        case = case_of(found[0], view.inventory(), words)
        place = case.site.name if case.site else found[0].root
        return self._render(
            "desk.html", words, now, view=view, case=case, who=who, signs_out=signs_out, back=f"/incidents/{found[0].id}",
            level=level(case), sign=SIGNS[found[0].state], heading=clip(f"{words.name(case.target, found[0].root)} – {place}", 160),
            marks=marks(view_of(view.states(), found[0].root), words, found[0]), lasting=LASTING,
        )  # fmt: skip

    def desk_silences(self, view: View, words: Words, now: datetime, *, who: str, signs_out: bool) -> str:
        """What who is signed in can lift."""
        silences = [(each, told_silence(each, view.inventory(), words)) for each in view.silences()[:MAX_IMPACT]]
        return self._render(
            "desk.html", words, now, view=view, case=None, who=who, signs_out=signs_out, back="/silences",
            heading=words.page["silenced_now"], silences=silences,
        )  # fmt: skip

    def refused(self, view: View, sentence: str, why: str, back: str, words: Words, now: datetime) -> str:
        """Why something was not done; `sentence` is a key of the words, `back` the path that leads on."""
        return self._render(
            "refused.html", words, now, view=view, heading=words.page["not_done"], sentence=sentence, why=why, back=back
        )  # fmt: skip

    def missing(self, view: View, sentence: str, words: Words, now: datetime) -> str:
        """The page for what does not exist; `sentence` is a key of the words."""
        return self._render("missing.html", words, now, view=view, sentence=sentence)

    def _render(
        self, template: str, words: Words, now: datetime, *, view: View, here: str = "", **given: object
    ) -> str:
        health = view.health()
        return self._pages.get_template(template).render(
            given,
            w=words,
            t=words.page,
            p=PHRASES[words.language],
            grafana=self._grafana,
            ending=ENDING[words.language],
            now=now,
            lang="" if words is VI else f"?lang={words.language}",
            other_lang="?lang=en" if words is VI else "?lang=vi",
            refresh=REFRESH_SECONDS,
            signs=SIGNS,
            letters=LETTERS,
            max_rows=MAX_IMPACT,
            max_open=MAX_OPEN,
            max_incidents=MAX_INCIDENTS,
            order=WORST_FIRST,
            name_of=words.name,
            trouble=lambda of: words.trouble(of.reason, of.says),
            here=here,
            desk=self._desk,
            other="en" if words is VI else "vi",
            script_hash=self._script_hash,
            warnings=warnings(view, health, words),
        )


def _quality(words: Words) -> dict[str, Any]:
    """What the templates need to say how a session went."""
    return {
        "quality": SENTENCES[words.language].quality, "quality_levels": sessions.LEVELS, "level_of_session": sessions.level_of,
        "path_of": path_of, "height": HEIGHT, "slots": SLOTS,
    }  # fmt: skip


def rooms_shown(rooms: Sequence[str], inventory: Inventory, words: Words) -> str:
    """Places of rooms, as many as fit a line."""
    known = ((each, inventory.targets.get(each)) for each in rooms[:MAX_ROOMS])
    names = [words.hurt_room(target, inventory.sites.get(site_of(each)), each) for each, target in known]
    more = f", {words.page['and_more'].lower()}: {len(rooms) - MAX_ROOMS}" if len(rooms) > MAX_ROOMS else ""
    return ", ".join(names) + more


def hurt_rooms(found: Outlook, inventory: Inventory, words: Words) -> str:
    """Places of the rooms of a meeting that are not ready; nothing when they are more than fit."""
    hurt = [each.target for each in found.rooms if each.readiness is not Readiness.READY]
    return rooms_shown(hurt, inventory, words) if len(hurt) <= MAX_WALL_LINES else ""


def marks(view: TargetView, words: Words, incident: Incident | None = None) -> list[str]:
    """What people have said about a target: planned work, a silence; and who has the incident whose root it is."""
    page, said = words.page, []
    if incident is not None and (had := incident.acknowledged) is not None:
        note = f": {clip(had.note)}" if had.note else ""
        said.append(f"{page['had_by'].format(clip(had.by))}, {words.moment(had.at)}{note}")
    if incident is not None and incident.closed is not None:
        return said
    if view.maintenance is not None:
        window = view.maintenance
        said.append(f"{page['maintenance']} {page['until']} {words.moment(window.ends)}: {clip(window.reason)}")
    if view.silence is not None:
        silence = view.silence
        until = f"{page['silenced']} {page['until']} {words.moment(silence.ends)}"
        said.append(f"{until}: {clip(silence.reason)} ({clip(silence.by)})")
    return said


def works(planned: Sequence[Work], words: Words, now: datetime) -> dict[str, int]:
    """The work that is going on now, and how many targets it is about."""
    found: dict[str, int] = {}
    for each in planned:
        if each.window.begins <= now:
            (text,) = marks(TargetView(state=State.UP, maintenance=each.window), words)
            found[text] = found.get(text, 0) + len(each.targets)
    return found


def words_for(language: str | None) -> Words:
    """The texts of a language; Vietnamese for all that we do not speak."""
    return WORDS.get(language or "", VI)


def level(case: Case) -> str:
    """Colour of a card: `down` stops people, `degraded` hinders them, `unknown` is our own blindness."""
    if case.target is not None and case.target.vantage:
        return State.UNKNOWN.value
    return case.incident.state.value


def warnings(view: View, health: Mapping[str, object], words: Words) -> list[str]:
    """Trouble of the monitor itself that everyone who looks at the board must know."""
    left = view.unready()
    late = health.get("outbox_oldest_seconds")
    told = [words.page["not_ready"].format(*map(words.figure, left))] if left else []
    if isinstance(late, (int, float)) and late > MAIL_LATE_SECONDS:
        told.append(_because(words.page["mail_late"], health.get("outbox_waits")))
    if health.get("outbox_failed"):
        told.append(_because(words.page["mail_failed"], health["outbox_failed"]))
    if health.get("store_ok") is False:
        mailed = health.get("emergency")
        text = words.page["store_mailed"].format(words.moment(mailed)) if isinstance(mailed, datetime) else None
        told.append(_because(words.page["store_failed"], text))
    if health.get("reload_ok") is False:
        told.append(words.page["reload_failed"])
    return told


def _because(text: str, why: object) -> str:
    return f"{text}: {clip(why)}" if isinstance(why, str) else text


def _sha256(text: str) -> str:
    return b64encode(hashlib.sha256(text.encode()).digest()).decode()
