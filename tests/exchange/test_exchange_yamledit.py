"""Changes of YAML files leave alone what they are not about."""

from __future__ import annotations

import contextlib
import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.exchange.yamledit import Append, Drop, Edit, EditError, KeyInListError, Put, edited
from monitor.yamlfile import ConfigError, parse

EXAMPLE = Path(__file__).parent.parent.parent / "config" / "inventory"

TEXT = """\
# head
sites:
  # first
  - id: a   # the first
    name: "A"  # quoted
    links: {tslcd: {provider: vnpt, behind: [x, y]}}  # flow
    devices:
      router:
        profile: router  # r
        behind:  # list
          - one
          - two
      switch: null
    vars: {n: 1}
    # end of a

  # second
  - id: b
    name: 'B'
    note: |
      # not a comment
      text

  - {id: c, name: C, devices: {}}
# tail
maintenance: []
"""


def changed(*edits: Edit, text: str = TEXT) -> list[str]:
    """The lines that go (-) and come (+)."""
    made = edited(text.encode(), "f.yaml", edits).decode()
    lines = difflib.unified_diff(text.splitlines(), made.splitlines(), n=0, lineterm="")
    return [each for each in lines if not each.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize("file", sorted(EXAMPLE.glob("*.yaml")), ids=lambda each: each.name)
def test_a_file_without_changes_keeps_its_bytes(file: Path) -> None:
    assert edited(file.read_bytes(), str(file), []) == file.read_bytes()


def test_a_value_changes_and_its_comment_and_all_others_stay() -> None:
    assert changed(Put(("sites", 0, "name"), "Xã Á")) == ['-    name: "A"  # quoted', "+    name: Xã Á  # quoted"]
    assert changed(Put(("sites", 0, "links", "tslcd", "provider"), "a, b"))[1] == (
        "+    links: {tslcd: {provider: 'a, b', behind: [x, y]}}  # flow"
    )


def test_a_key_is_added_below_the_others_or_between_the_brackets() -> None:
    assert changed(Put(("sites", 0, "code"), "0123")) == ["+    code: '0123'"]
    assert changed(Put(("sites", 2, "devices", "ups", "profile"), "ups"))[1] == (
        "+  - {id: c, name: C, devices: {ups: {profile: ups}}}"
    )
    assert changed(Put(("sites", 1, "links", "tslcd"), {"profile": "line", "behind": ["a/b"]})) == [
        "+    links:", "+      tslcd: {profile: line, behind: [a/b]}",
    ]  # fmt: skip
    assert changed(Put(("sites", 0, "devices", "switch", "profile"), "switch")) == [
        "-      switch: null", "+      switch: {profile: switch}",
    ]  # fmt: skip


def test_a_list_keeps_its_form() -> None:
    assert changed(Put(("sites", 0, "devices", "router", "behind"), ["q", "no"])) == [
        "-          - one", "-          - two", "+          - q", "+          - 'no'",
    ]  # fmt: skip
    assert changed(Append(("sites", 0, "devices", "router", "behind"), "three")) == ["+          - three"]


def test_an_entry_is_added_as_people_write_it() -> None:
    site = {"id": "d", "name": "D: x", "location": [20.1, 105.0], "vars": {"n": 3}}
    assert changed(Append(("sites",), site)) == [
        "+  - id: d", "+    name: 'D: x'", "+    location: [20.1, 105.0]", "+    vars: {n: 3}",
    ]  # fmt: skip
    assert edited(b"# only\r\n", "f", [Append(("sites",), {"id": "d"})]) == b"# only\r\nsites:\r\n  - id: d\r\n"


def test_what_goes_takes_only_itself_and_what_it_leaves_empty() -> None:
    assert changed(Drop(("sites", 0, "vars", "n"))) == ["-    vars: {n: 1}"]
    assert changed(Drop(("sites", 2))) == ["-  - {id: c, name: C, devices: {}}"]
    assert changed(Drop(("sites", 0, "devices", "router", "profile"))) == ["-        profile: router  # r"]
    assert changed(Drop(("sites", 0, "links", "tslcd", "behind")))[1] == "+    links: {tslcd: {provider: vnpt}}  # flow"
    assert changed(Drop(("sites", 5)), Drop(("nothing", "here"))) == []
    assert parse(edited(TEXT.encode(), "f", [Drop(("sites", each)) for each in range(3)]), "f").value == {
        "sites": [], "maintenance": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    ["0123", "no", "on", "12:30:45", "2026-11-27", "1_000", "1e3", "0x1F", "~", "null", "", " x", "a: b", "a #b", "*a", "- a", "= b", "{n}", "Xã Đông", "'", '"', "%", "1.", ".5", "<<"],
)  # fmt: skip
def test_text_reads_back_as_the_same_text_here_and_by_readers_of_older_yaml(value: str) -> None:
    for where in (("sites", 0, "area"), ("sites", 2, "area"), ("sites", 0, "vars", "n")):
        made = edited(TEXT.encode(), "f", [Put(where, value)])
        ours: Any = parse(made, "f").value
        theirs: Any = yaml.safe_load(made)
        for key in where:
            ours, theirs = ours[key], theirs[key]
        assert ours == theirs == value


def test_marks_and_line_breaks_of_windows_stay() -> None:
    made = edited(b"\xef\xbb\xbf# c\r\nsites:\r\n  - id: a  # x\r\n", "f", [Put(("sites", 0, "name"), "A")])
    assert made == b"\xef\xbb\xbf# c\r\nsites:\r\n  - id: a  # x\r\n    name: A\r\n"


def test_what_is_no_inventory_is_refused_as_ever() -> None:
    with pytest.raises(ConfigError, match="aliases"):
        edited(b"a: &x 1\nb: *x\n", "f", [Put(("c",), 1)])
    with pytest.raises(EditError, match="cannot be written"):
        edited(b"sites: [1]\n", "f.yaml", [Put(("sites", 0, "x"), 1)])


KEYS = st.sampled_from(["id", "name", "vars", "links", "a", "b-c"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 99),
    st.sampled_from(["x", "no", "0123", "a: b", "# c", "two words", "line\nline\n", ""]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=8,
)
SITES = st.lists(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), max_size=4)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A file as some person may have written it: any style of its values, comments and empty lines between."""
    sites = draw(SITES)
    styles = {"default_flow_style": draw(st.sampled_from([None, False])), "indent": draw(st.sampled_from([2, 4]))}
    text = yaml.safe_dump({"sites": sites, "last": 1}, sort_keys=False, allow_unicode=True, width=1 << 20, **styles)
    lines = []
    literal = "|" in text or "line\n" in text
    for line in text.splitlines():
        if not literal and draw(st.integers(0, 3)) == 0:
            lines.append(draw(st.sampled_from(["# remark: x", "", "      # deep"])))
        lines.append(line)
    return "\n".join(lines) + "\n", sites


@st.composite
def edits_of(draw: st.DrawFn, sites: list[Any]) -> list[Edit]:
    made: list[Edit] = []
    for _ in range(draw(st.integers(1, 4))):
        what = draw(st.integers(0, 3)) if sites else 3
        if what == 3:
            made.append(Append(("sites",), draw(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))))
            continue
        index = draw(st.integers(0, len(sites) - 1))
        where = ("sites", index, *draw(st.lists(KEYS, min_size=what != 2, max_size=3)))
        made.append(Drop(where) if what else Put(where, draw(VALUES)))
    return made


@given(st.data())
def test_any_change_of_any_file_reads_back_as_asked(data: st.DataObject) -> None:
    text, sites = data.draw(files())
    assert parse(text.encode(), "f").value == {"sites": sites, "last": 1}
    edits = data.draw(edits_of(sites))
    with contextlib.suppress(KeyInListError):
        edited(text.encode(), "f", edits)  # holds what it made against what was asked
