"""That each incident event says why, in both languages, and never at length."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from monitor.core import correlate, root, seen, shared
from monitor.core.explain import EN, SENTENCES, VI, Sentences, explain, explain_all, explain_severity
from monitor.core.model import ONLY_MAILED, ROOT_GONE, Happening, IncidentEvent, Look, Severity, State, Weight
from monitor.core.ongoing import SETTLE
from monitor.core.root import EXPLAINED_INCIDENTS, EXPLAINED_TARGETS, EXPLAINED_TEXT
from monitor.core.seen import HOLD_DOWN
from monitor.core.words import WORDS
from tests.core.correlating import Replay, cut, mend, province

EVENTS = TypeAdapter(list[IncidentEvent])


def cut_line() -> Replay:
    replay = Replay()
    cut(replay, "a/tslcd")
    replay.wait(HOLD_DOWN)
    return replay


def test_a_cut_line_says_what_was_known_and_which_rules_were_looked_at_in_order() -> None:
    replay = cut_line()
    because = replay.events[0].because
    assert because is not None
    assert because.problem is not None
    assert (because.problem.target, because.waited, because.waited_seconds) == ("a/tslcd", "often", 3.0)
    assert [(each.target, each.state) for each in because.fronts] == [
        ("pop/router", State.UP), ("centre/core", State.UP), ("centre/gateway", State.UP),
    ]  # fmt: skip
    assert [(each.rule, each.fits, each.because) for each in because.looks] == [
        ("own-gateway", False, "no-gateway"),
        ("ups-on-battery", False, "no-battery"),
        ("all-lines", False, "lines-up"),
        ("in-front", False, "no-front"),
        ("by-kind", True, "link"),
        ("in-common", False, "uncommon"),
    ]
    assert because.looks[2].of == ("1", "2")
    assert {"pop/router", "a/router"} <= set(because.asked), "in front, and one step behind"


def test_evidence_is_explained_in_the_language_of_the_rest() -> None:
    event = cut_line().events[0]
    assert event.because is not None
    assert event.because.problem is not None
    silent = replace(event.because.problem, evidence="no echo from 10.0.0.1 within 1 s")
    event = replace(event, because=replace(event.because, problem=silent))
    assert ": 10.0.0.1 không trả lời ping trong 1 s" in explain_all([event], WORDS["vi"])
    assert ": no echo from 10.0.0.1 within 1 s" in explain_all([event], WORDS["en"])


def test_an_incident_that_could_have_owned_it_is_named_with_what_speaks_against_it() -> None:
    replay = cut_line()
    replay.down("b/website")
    replay.wait(100)
    replay.down("a/internet")
    replay.wait(60)
    because = next(each.because for each in replay.events if each.incident.root == "a/internet")
    assert because is not None
    assert [(each.root, each.because) for each in because.considered] == [("a/tslcd", "same-site")]
    assert because.unrelated == 1


def test_the_end_says_how_long_the_root_was_well() -> None:
    replay = cut_line()
    mend(replay, "a/tslcd")
    replay.wait(SETTLE * 2)
    because = replay.events[-1].because
    assert replay.events[-1].what is Happening.RECOVERED
    assert because is not None
    assert (because.waited, because.waited_seconds) == ("settle", SETTLE.total_seconds())


def test_every_event_of_a_busy_night_explains_itself_in_both_languages_and_survives_json() -> None:
    replay = Replay(province("a", "b", "c", "d"))
    cut(replay, "a/tslcd", every=1)
    replay.wait(30)
    cut(replay, "pop/router", every=2)
    replay.wait(60)
    mend(replay, "pop/router", but="b/tslcd")
    replay.wait(200)
    replay.degraded("c/internet", says="loss")
    replay.wait(60)
    replay.down("c/internet")
    replay.wait(10)
    replay.up(*replay.inventory.targets)
    replay.wait(60)
    assert {each.what for each in replay.events} >= {Happening.OPENED, Happening.CHANGED, Happening.RECOVERED}
    assert EVENTS.validate_json(EVENTS.dump_json(replay.events)) == replay.events
    for event in replay.events:
        assert event.because is not None
        assert len(EVENTS.dump_json([event])) < 20_000
        for words in WORDS.values():
            first, *why = explain(event, words)
            assert event.incident.root in first
            assert why
            assert "{" not in "".join(why)
    assert "since" not in explain_all(replay.events, WORDS["vi"])


def test_an_explanation_is_bounded_whatever_the_province_and_the_evidence() -> None:
    replay = Replay(province(*(f"s{index}" for index in range(60))))
    for index in range(60):
        replay.down(f"s{index}/website")
        replay.wait(40)
    cut(replay, "centre/hosting")
    replay.wait(30)
    because = next(each.because for each in replay.events if each.incident.root == "centre/hosting")
    assert because is not None
    assert len(because.asked) == EXPLAINED_TARGETS
    assert because.left_out > 0
    assert len(because.considered) <= EXPLAINED_INCIDENTS
    assert because.problem is not None
    assert len(because.problem.evidence) <= EXPLAINED_TEXT


def test_one_sentence_says_where_the_severity_comes_from() -> None:
    incident = cut_line().the_only()
    told = {
        Weight(target="a/tslcd"): "Severity major: that of a/tslcd itself.",
        Weight(
            target="a/tslcd", lowered=True
        ): "Severity major: that of a/tslcd itself, one step less, for it is only degraded.",
        Weight(target="b/x", communes=6): "Severity major: that of b/x, which matters most of what it hurts, "
        "one step more, for 6 communes are hurt.",
        None: "",
    }
    for weight, sentence in told.items():
        weighed = replace(incident, severity=Severity.MAJOR, weight=weight)
        assert explain_severity(weighed, WORDS["en"]) == sentence
        lines = explain_all([IncidentEvent(incident=weighed, what=Happening.OPENED, at=incident.opened)], WORDS["en"])
        assert sentence in lines
        assert ("Severity" in lines) is (weight is not None)


def test_an_event_of_an_older_version_says_that_it_kept_nothing() -> None:
    event = cut_line().events[0]
    bare = IncidentEvent(incident=event.incident, what=event.what, at=event.at)
    assert explain_all([bare], WORDS["en"]).endswith(EN.nothing)


def test_a_key_of_another_version_is_shown_as_it_is() -> None:
    event = cut_line().events[0]
    assert event.because is not None
    looks = (
        Look(rule="new", fits=True, because="brand-new", of=("x",)),
        Look(rule="all-lines", fits=False, because="lines-up"),
    )
    object.__setattr__(event.because, "looks", looks)
    shown = explain_all([event], WORDS["en"])
    assert "new: yes, brand-new" in shown


@pytest.mark.parametrize("table", [each.name for each in fields(Sentences) if each.type.startswith("Mapping")])
def test_both_languages_have_the_same_sentences(table: str) -> None:
    assert getattr(VI, table).keys() == getattr(EN, table).keys()


def test_every_key_of_the_correlator_has_its_sentence_and_no_other() -> None:
    source = "".join(Path(each.__file__).read_text(encoding="utf-8") for each in (seen, root, correlate))
    known = {each.rpartition("/")[2] for each in EN.looks}
    looked = set(re.findall(r'\b(?:yes|no)\(\s*"[a-z-]+", "([a-z-]+)"', source))
    assert looked <= known
    assert known - looked <= {
        "elsewhere",
        "not-down",
        "link",
        "service",
        "parts-ill",
        "well",
        "not-the-way",
        ROOT_GONE,
    }, "chosen by a condition"
    assert set(re.findall(r'wait, why = \w+, "([a-z-]+)"', source)) <= set(EN.waited)
    assert set(re.findall(r'because = "([a-z-]+)"', source)) == set(EN.considered)
    compared = Path(shared.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'"(fits|few|others-well|elsewhere|chance)"', compared)) == set(EN.commons)
    assert set(EN.happenings) == {each.value for each in Happening if each not in ONLY_MAILED}
    assert set(SENTENCES) == set(WORDS)
