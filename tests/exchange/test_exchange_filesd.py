"""Targets of Prometheus; described under `<file_sd_config>` in docs/configuration/configuration.md of prometheus/prometheus."""

from pathlib import Path

import pytest

from monitor.exchange.filesd import host, read
from monitor.exchange.found import Found

EXPORTS = Path(__file__).parent / "exports"


def test_groups_of_targets_are_understood() -> None:
    listing = read((EXPORTS / "file_sd.yml").read_bytes(), "sd.yml")
    assert listing.found == [
        Found(site="xa-liem-ha", name="10.64.17.20", address="10.64.17.20", source="sd.yml: #1.targets #1", kind="switch"),
        Found(
            site="xa-liem-ha", name="2001:db8:17::5", address="2001:db8:17::5", source="sd.yml: #1.targets #2", kind="switch"
        ),
        Found(site="Xã Liêm Hà", name="cam-cong", address="10.64.17.40", source="sd.yml: #2.targets #1", kind="camera"),
    ]  # fmt: skip
    assert [str(each) for each in listing.notes] == ["sd.yml: #3: left out: no `targets`"]


def test_what_we_export_is_understood() -> None:
    (found,) = read((EXPORTS / "file_sd.json").read_bytes(), "sd.json").found
    assert (found.site, found.name, found.kind) == ("xa-liem-ha", "switch-2", "switch")


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("10.0.0.1", "10.0.0.1"), ("10.0.0.1:9100", "10.0.0.1"), ("[::1]:9100", "::1"), ("2001:db8::1", "2001:db8::1"),
        ("http://10.0.0.1:80/x?y", "10.0.0.1"), ("host.example:9100", "host.example"), ("", ""), (":::", ":::"), ("a b:1:2", "a b:1:2"),
    ],
)  # fmt: skip
def test_a_target_is_cut_down_to_its_host(target: str, address: str) -> None:
    assert host(target) == address
