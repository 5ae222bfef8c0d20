"""Subjects of the example province: every one fits, and still says state, what and where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.compose import OURS
from alerts.subject import LIST_LENGTH, SHORTER, SUBJECT_LENGTH, fit
from lab.certificates import Authority
from monitor.core.model import SUMMARIES, Cause, Happening, Incident, Inventory, Reason, Role, Severity, State, Target
from monitor.core.words import WORDS
from monitor.inventory.load import load_inventory
from tests.alerts.sample import INCIDENT, NOW, ON_CALL, composer, notification

ROOT = Path(__file__).parent.parent.parent
LONGEST = "Phường Văn Miếu - Quốc Tử Giám"
"""Of the 3,321 communes of the country."""
WRITER = composer()


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """The example."""
    certificate = Authority(tmp_path_factory.mktemp("ca")).ca.read_text()
    folder = ROOT / "config" / "inventory"
    return load_inventory(folder, lambda _, name: certificate if name.endswith(".pem") else "secret")


def roots(known: Inventory) -> list[Target]:
    """Of each label the target at the site with the longest name."""
    found: dict[tuple[str, str], Target] = {}
    for target in sorted(known.targets.values(), key=lambda each: len(known.sites[each.site].name)):
        found[target.kind, target.label.get("vi", "")] = target
    return list(found.values())


def incidents(root: Target, language: str, impact: tuple[str, ...]) -> list[Incident]:
    """Of every cause that it can have, down and degraded by what takes most words."""
    of_role = {Role.LINK: (Cause.LINK,), Role.SERVICE: (Cause.SERVICE,)}
    causes = of_role.get(root.role, [each for each in Cause if each not in (Cause.LINK, Cause.SERVICE)])
    words = WORDS[language]
    longest = max(words.says, key=lambda each: len(words.says[each]))
    return [
        replace(
            INCIDENT,
            root=root.id,
            cause=cause,
            state=state,
            reason=reason,
            says=says,
            severity=Severity.CRITICAL,
            times=12,
            impact=impact if cause is Cause.SHARED else (),
        )
        for cause in causes
        for state, reason, says in (
            (State.DOWN, Reason.TIMEOUT, ""),
            (State.DEGRADED, Reason.LIMIT, longest),
            (State.DEGRADED, Reason.UNREACHABLE, ""),
        )
    ]


@pytest.mark.parametrize("what", [Happening.OPENED, Happening.RECOVERED])
@pytest.mark.parametrize("language", WORDS)
def test_a_list_of_mails_shows_which_line_of_which_commune(province: Inventory, what: Happening, language: str) -> None:
    contact = replace(ON_CALL, language=language)
    for line in (each for each in province.targets.values() if each.role is Role.LINK):
        subject = WRITER.compose(notification(what, contact, replace(INCIDENT, root=line.id)), province, NOW)["Subject"]
        shown = subject[:LIST_LENGTH]
        assert province.sites[line.site].name.removeprefix("Phường ") in shown, subject
        assert ("TSLCĐ" if line.kind == "tslcd" else "Internet") in shown, subject


@pytest.mark.parametrize("what", Happening)
@pytest.mark.parametrize("language", WORDS)
def test_every_subject_of_the_province_fits_and_none_is_cut(
    province: Inventory, what: Happening, language: str
) -> None:
    contact = replace(ON_CALL, language=language)
    lines = tuple(each for each in province.targets if each.endswith("/tslcd"))
    for root in roots(province):
        place = province.sites[root.site].name.rsplit(" ", 1)[1]
        for incident in incidents(root, language, lines):
            subject = WRITER.compose(notification(what, contact, incident), province, NOW)["Subject"]
            assert len(subject) <= SUBJECT_LENGTH, subject
            assert "…" not in subject, subject
            assert incident.cause is Cause.VANTAGE or what in SUMMARIES or place in subject, subject


@pytest.mark.parametrize("language", WORDS)
def test_the_longest_name_of_the_country_stands_whole_behind_a_line_that_is_down(language: str) -> None:
    line = {"vi": "KHẨN – NGỪNG: Đường truyền TSLCĐ – ", "en": "URGENT – DOWN: TSLCĐ line – "}[language]
    short = fit(f"{line}{LONGEST}", language)
    assert len(short) <= SUBJECT_LENGTH
    assert LONGEST.removeprefix("Phường ") in short
    assert "TSLCĐ" in short


@given(st.text(max_size=200), st.sampled_from(["vi", "en", ""]))
def test_a_subject_that_fits_stays_as_it_is_and_any_other_is_made_to_fit(subject: str, language: str) -> None:
    short = fit(subject, language)
    assert len(short) <= SUBJECT_LENGTH
    assert short == subject or len(subject) > SUBJECT_LENGTH


@pytest.mark.parametrize("language", SHORTER)
def test_words_are_made_shorter_that_are_really_written(language: str) -> None:
    written = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "config" / "inventory").glob("*.yaml"))
    written += "".join(file.read_text(encoding="utf-8") for file in (OURS / language).glob("*.txt"))
    words = WORDS[language]
    written += " ".join((*words.says.values(), *words.reasons.values(), *words.kinds.values()))
    for long, short in SHORTER[language]:
        assert long.strip(" ()") in written, long
        assert len(short) < len(long)
