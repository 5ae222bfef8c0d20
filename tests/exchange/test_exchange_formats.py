"""Whatever bytes a file holds, they are records or problems."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.exchange import filesd, formats, librenms, netbox, zabbix
from monitor.exchange.formats import Listing
from monitor.exchange.sayings import Mistake
from monitor.yamlfile import ConfigError

few = settings(max_examples=30)
Read = Callable[[bytes, str], Listing]
SOURCES: dict[str, Read] = {each.__name__: each.read for each in (filesd, librenms, netbox, zabbix)}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "hostname", "sysName", "ip", "lat", "lng", "location", "disabled", "name", "host", "site", "primary_ip", "address", "status",
    "groups", "interfaces", "type", "useip", "inventory", "targets", "labels", "device_type", "role", "dependency_parent_hostname",
]  # fmt: skip
ENTRY = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)


@pytest.mark.parametrize("source", SOURCES)
@few
@given(
    data=st.binary(max_size=60) | st.text(max_size=60).map(str.encode),
    file=st.sampled_from(["x.json", "x.yml", "x.csv"]),
)
@example(data=b"\xff\xfe", file="x.json")
@example(data=b"[" * 100_000, file="x.json")
@example(data=b"[" * 100_000, file="x.yml")
@example(data=b"<a>" * 20_000 + b"</a>" * 20_000, file="x.xml")
@example(data=b"[" + b"9" * 5000 + b"]", file="x.json")
@example(data=b"name,hostname\n" + b"a" * 200_000, file="x.csv")
@example(data=b'name,hostname\n"a\0\n', file="x.csv")
@example(data=b"a: &a [1]\nb: &b [*a,*a]", file="x.yml")
@example(data=b'[{"targets": ["\\ud800"], "name": "\\ud800\\u001b[2J"}]', file="x.json")
def test_any_bytes_are_records_or_problems(source: str, data: bytes, file: str) -> None:
    try:
        listing = SOURCES[source](data, file)
    except ConfigError as error:
        listing = Listing([], [Mistake(each.file, "check", {"message": each.message}) for each in error.problems])
    assert all(each.at.startswith(file) and each.text("vi") for each in listing.notes)
    assert all(f"{each.name}{each.site}{each.description}".isprintable() for each in listing.found)


@pytest.mark.parametrize("source", SOURCES)
@few
@given(found=st.lists(ENTRY | VALUES, max_size=4))
def test_any_entries_are_records_or_warnings(source: str, found: list[object]) -> None:
    key = {"monitor.exchange.librenms": "devices", "monitor.exchange.zabbix": "hosts"}.get(source, "results")
    whole = {"zabbix_export": {key: found}} if "zabbix" in source else found if "filesd" in source else {key: found}
    try:
        listing = SOURCES[source](json.dumps(whole).encode(), "x.json")
    except ConfigError:
        assert not found
        return
    assert all(each.text("vi") != each.text("en") for each in listing.notes)
    if "filesd" not in source:
        assert len(listing.found) + len(listing.notes) == len(found)


def test_what_is_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(formats, "MAX_ENTRIES", 2)
    for data in (b"[" + b" " * (1 << 20), b"name\n" + b"x" * (1 << 20)):
        with pytest.raises(ConfigError, match="larger than 1 MiB; split it"):
            netbox.read(data, "x")
    for data in (b"[1, 2, 3]", b"name\n1\n2\n3\n"):
        with pytest.raises(ConfigError, match=r"more than 2 (entries|rows); split it"):
            netbox.read(data, "x")


def test_a_table_of_excel_is_understood() -> None:
    for codec in ("utf-8-sig", "utf-16"):
        (found,) = netbox.read("Name;IP Address\nĐà Nẵng;10.0.0.1\n".encode(codec), "x.csv").found
        assert found.name == "Đà Nẵng"
    with pytest.raises(ConfigError, match=r"x\.csv:2: not UTF-8; save the file as UTF-8"):
        netbox.read("Name\nĐà\n".encode("cp1258"), "x.csv")
