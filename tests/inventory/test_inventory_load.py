"""What a good inventory becomes."""

from __future__ import annotations

import ipaddress
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import yamlfile
from monitor.core.model import Inventory, Limit, Role, Severity, State
from monitor.inventory.contacts import load_contacts
from monitor.inventory.load import SecretReader, load_inventory
from monitor.yamlfile import ConfigError

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "config"


def load(folder: Path, text: str) -> Inventory:
    shutil.copy(HERE / "good" / "base.yaml", folder)
    (folder / "more.yaml").write_text(text, encoding="utf-8")
    return load_inventory(folder, None)


def test_a_site_takes_what_its_template_has(tmp_path: Path) -> None:
    found = load(tmp_path, "sites: [{id: a, name: Xã A, code: '1', like: commune, vars: {n: 7}}]")
    assert found.targets["a/tslcd"].address == "10.1.7.2"
    assert found.targets["a/tslcd"].circuit == "C-1"
    assert found.targets["a/tslcd"].role is Role.LINK


def test_files_that_are_not_written_yet_can_be_tried(tmp_path: Path) -> None:
    load(tmp_path, "sites: [{id: a, name: A, code: '7', like: commune, vars: {n: 7}}]")
    tried = {
        tmp_path / "more.yaml": b"sites: [{id: b, name: B, code: '8', like: commune, vars: {n: 8}}]",
        tmp_path / "new.yaml": b"sites: [{id: c, name: C, code: '9', like: commune, vars: {n: 9}}]",
    }
    assert {"b", "c"} <= load_inventory(tmp_path, None, changed=tried).sites.keys()
    assert "a" in load_inventory(tmp_path, None).sites
    with pytest.raises(ConfigError, match=r"new\.yaml:1:1: expected keys with values"):
        load_inventory(tmp_path, None, changed={tmp_path / "new.yaml": b"x"})


def test_what_a_site_writes_wins_key_by_key_and_null_takes_away(tmp_path: Path) -> None:
    text = """
sites:
  - id: a
    name: A
    code: '1'
    like: commune
    vars: {n: 7}
    links: {tslcd: {circuit: OTHER}}
    devices: {router: null}
"""
    found = load(tmp_path, text)
    assert found.targets["a/tslcd"].circuit == "OTHER"
    assert found.targets["a/tslcd"].address == "10.1.7.2"
    assert "a/router" not in found.targets


def test_a_profile_takes_everything_but_what_it_fits_from_what_it_is_like(tmp_path: Path) -> None:
    text = """
profiles:
  base:
    kind: router
    model: Base
    severity: critical
    fits: {descriptions: [base]}
    checks:
      echo: {probe: icmp, interval: 2s, timeout: 1s, window: 60, limits: {loss_ratio: {above: 0.1, clear: 0.05}}}
      port: {probe: tcp, options: {port: 22}}
  middle: {like: base, checks: {port: {options: {port: 23}}}}
  last: {like: middle, model: Last, checks: {echo: {confirm: 9, limits: {loss_ratio: {above: 0.3}}}, more: {probe: icmp}}}
  without: {like: last, checks: {echo: null, more: null}}
sites:
  - {id: a, name: A, devices: {box: {profile: last, address: 10.1.1.1}, other: {profile: without, address: 10.1.1.2}}}
"""
    found = load(tmp_path, text)
    echo, port, more = found.targets["a/box"].checks
    assert (echo.interval_seconds, echo.confirm, port.options.port, more.name) == (2.0, 9, 23, "more")
    assert echo.limits == (Limit(value="loss_ratio", above=0.3, clear=0.05, says="limit"),)
    assert (found.targets["a/box"].model, found.targets["a/box"].severity) == ("Last", Severity.CRITICAL)
    assert [each.name for each in found.targets["a/other"].checks] == ["port"]
    assert (found.profiles["base"].descriptions, found.profiles["last"].descriptions) == (("base",), ())


def test_former_ids_of_a_target_are_its_own_and_those_that_its_site_makes_of_its_names(tmp_path: Path) -> None:
    text = """
sites:
  - id: a
    name: A
    code: '1'
    like: commune
    formerly: [x, y]
    vars: {n: 7}
    links: {tslcd: {formerly: [line]}, second: {profile: line, provider: vnpt, circuit: C, formerly: [y/tslcd], address: 10.1.7.3}}
"""
    found = {id_: each.formerly for id_, each in load(tmp_path, text).targets.items() if each.site == "a"}
    assert found == {
        "a/tslcd": ("a/line", "x/tslcd", "x/line", "y/line"),
        "a/second": ("y/tslcd", "x/second", "y/second"),
        "a/router": ("x/router", "y/router"),
    }


def test_how_much_a_target_matters_is_written_at_it_or_its_profile_or_follows_from_what_it_is(tmp_path: Path) -> None:
    text = """
profiles:
  mattering: {kind: server, severity: major, checks: {echo: {probe: icmp}}}
templates:
  watched: {devices: {server: {profile: mattering, address: '10.9.{n}.1', severity: critical}}}
sites:
  - id: a
    name: A
    code: '1'
    like: commune
    vars: {n: 7}
    devices: {server: {profile: mattering, address: 10.9.0.1}}
    services: {web: {profile: page, options: {page: {url: 'https://x.example/'}}}}
  - {id: b, name: B, like: watched, vars: {n: 8}}
  - {id: c, name: C, like: watched, vars: {n: 9}, devices: {server: {severity: minor}}}
  - id: centre
    kind: data-center
    name: Centre
    services: {web: {profile: page, options: {page: {url: 'https://x.example/'}}}}
"""
    found = {id_: each.severity.value for id_, each in load(tmp_path, text).targets.items()}
    assert found == {
        "home/gateway": "critical", "centre/web": "critical", "a/tslcd": "major", "a/router": "major", "a/web": "minor",
        "a/server": "major", "b/server": "critical", "c/server": "minor",
    }  # fmt: skip


def test_where_nothing_is_written_equipment_is_behind_the_router_and_the_router_behind_the_lines(
    tmp_path: Path,
) -> None:
    text = """
sites:
  - id: a
    name: A
    code: '1'
    like: commune
    vars: {n: 7}
    devices:
      box: {profile: page, address: 10.1.7.9}
"""
    found = load(tmp_path, text)
    assert found.targets["a/box"].behind == ("a/router",)
    assert found.targets["a/router"].behind == ("a/tslcd",)
    assert found.targets["a/tslcd"].behind == ("home/gateway",)
    assert found.targets["home/gateway"].behind == ()


def test_a_limit_without_clear_gets_a_fifth_of_hysteresis(tmp_path: Path) -> None:
    (limit,) = load(tmp_path, "").targets["home/gateway"].checks[0].limits or (None,)
    assert limit is None
    found = load(tmp_path, "sites: [{id: a, name: A, code: '1', like: commune, vars: {n: 1}}]")
    (limit,) = found.targets["a/tslcd"].checks[0].limits
    assert limit is not None
    assert limit.clear == pytest.approx(0.04)


def test_a_limit_may_have_a_fixed_bound_and_one_that_follows_what_is_usual(tmp_path: Path) -> None:
    text = """
profiles:
  followed:
    kind: tslcd
    checks:
      echo:
        probe: icmp
        limits:
          probe_icmp_duration_seconds: {above: 0.15, clear: 0.1, above_usual: 3, at_least: 0.02, confirm: 9, says: delay}
          probe_icmp_jitter_seconds: {above_usual: 4, at_least: 0.03, says: jitter}
sites: [{id: a, name: A, code: '1', like: commune, vars: {n: 1}, links: {tslcd: {profile: followed}}}]
"""
    limits = load(tmp_path, text).targets["a/tslcd"].checks[0].limits
    rtt, jitter = "probe_icmp_duration_seconds", "probe_icmp_jitter_seconds"
    assert limits == (
        Limit(value=rtt, above=0.15, clear=0.1, confirm=9, says="delay"),
        Limit(value=rtt, above_usual=3, at_least=0.02, clear=pytest.approx(2.4), confirm=9, says="delay"),
        Limit(value=jitter, above_usual=4, at_least=0.03, clear=pytest.approx(3.2), says="jitter"),
    )


def test_an_option_of_one_target_goes_over_that_of_its_profile(tmp_path: Path) -> None:
    text = """
sites:
  - id: a
    name: A
    services:
      web: {profile: page, options: {page: {url: 'https://other.example/', text: '{{x}}'}}}
"""
    options = load(tmp_path, text).targets["a/web"].checks[0].options
    assert options.url == "https://other.example/"  # type: ignore[attr-defined]
    assert options.text == "{x}"  # type: ignore[attr-defined]


def test_an_inventory_without_an_own_gateway_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(
        "profiles: {box: {kind: router, checks: {}}}\nsites: [{id: a, name: A, devices: {r: {profile: box, address: 10.0.0.1}}}]"
    )
    with pytest.raises(ConfigError, match="no device is our own gateway"):
        load_inventory(tmp_path, None)


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \*.yaml file here"):
        load_inventory(tmp_path, None)


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("sites: [\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "sites: [{id: a, name: A, like: comune}, {id: b, nam: B}]")
    files = [(Path(each.file).name, each.line) for each in caught.value.problems]
    assert ("broken.yaml", 1) in files
    assert files.count(("more.yaml", 1)) >= 2
    # `like: comune` may well be in the file that could not be read, so it is not blamed.
    assert "comune" not in str(caught.value)


def test_a_mistake_in_one_entry_hides_none_in_the_others_of_its_file(tmp_path: Path) -> None:
    text = """
profiles:
  odd: {kind: router, cheks: {}}
sites:
  - {id: a, name: A, colour: red}
  - {id: b, name: B, devices: {router: {profile: box, address: 10.0.0.1}}}
  - {id: b, name: Again}
  - id: c
    name: C
    devices:
      one: {profile: box, address: 10.0.0.8, behind: [home/gatway, a/router]}
      two: {profile: odd, address: 10.0.0.9, behind: [on]}
"""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [(each.line, each.message) for each in caught.value.problems] == [
        (3, "key `checks` is missing"),
        (3, "unknown key `cheks`"),
        (5, "unknown key `colour`"),
        (6, "address 10.0.0.1 already belongs to home/gateway"),
        (7, "site `b` is already written"),
        (11, "there is no target `home/gatway`"),
        (12, "there is no target `c/on`"),
    ], "and nothing about a/router or odd, which are written, though not in form"


@pytest.mark.parametrize(
    "text", ["sites: 5", "sites: {a: {}}", "profiles: [a]", "site: [{id: a}]", "[]", "sites: [5, []]"]
)
def test_a_file_that_has_not_even_tables_is_told_and_blames_no_other(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "sites: [{id: b, name: B, like: comune}]")
    assert {Path(each.file).name for each in caught.value.problems} >= {"odd.yaml"}
    assert ("more.yaml" in str(caught.value)) == (text == "sites: [5, []]")


def test_a_word_that_nothing_fills_makes_no_other_mistake_of_the_template(tmp_path: Path) -> None:
    text = """
templates:
  other:
    links: {line: {profile: line, address: '10.2.{n}.2', provider: vnpt, circuit: C, behind: [home/gateway]}}
    devices: {router: {profile: box, address: 10.2.0.1, behind: [line, lien]}}
sites: [{id: a, name: A, like: other}, {id: b, name: B, like: other, devices: {router: {address: 10.2.0.2}}}]
"""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert [(each.line, each.message) for each in caught.value.problems] == [
        (5, "there is no target `a/lien`"),
        (6, "nothing fills {n} of site `a`, which more.yaml:4 wants"),
    ]


# -- secrets ---------------------------------------------------------------------------------------------------------


def test_a_secret_comes_from_systemd_s_credentials_when_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "systemd").mkdir()
    (tmp_path / "own" / "word").write_text("own\n")
    (tmp_path / "systemd" / "word").write_text("systemd\n")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert SecretReader(tmp_path / "own")("file", "word") == "own"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "systemd"))
    assert SecretReader(tmp_path / "own")("file", "word") == "systemd"


@pytest.mark.parametrize("name", ["../shadow", "/etc/shadow", "", "."])
def test_a_secret_s_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is not the plain name of a file"):
        SecretReader(tmp_path)("file", name)


def test_a_secret_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_WORD", "x")
    assert SecretReader(tmp_path)("env", "SOME_WORD") == "x"
    with pytest.raises(ValueError, match="the environment has no OTHER_WORD"):
        SecretReader(tmp_path)("env", "OTHER_WORD")


# -- YAML ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["“Sao Vàng” là tên nhà văn hóa", "“A” và “B”", "Nhà “Sao Vàng”", "Tổ 1:\u00a0tầng 2"])
def test_quotes_and_spaces_within_a_text_are_of_the_text(text: str) -> None:
    assert yamlfile.parse(f"name: {text}".encode(), "f").value == {"name": text}


def test_plain_words_stay_what_the_admin_wrote() -> None:
    source = yamlfile.parse(b"[no, on, 1_000, 12:30:45, 0o17, 0x1F, 1e3, .5, ~, true, 010, =, 2026-11-24]", "f")
    assert source.value == [
        "no",
        "on",
        "1_000",
        "12:30:45",
        "0o17",
        "0x1F",
        1000.0,
        0.5,
        None,
        True,
        "010",
        "=",
        "2026-11-24",
    ]


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!#|>'\"\n\t ,?%@", max_size=80).map(str.encode)))
def test_any_bytes_give_values_or_told_problems(data: bytes) -> None:
    try:
        yamlfile.parse(data, "f")
    except ConfigError as error:
        assert all(each.file == "f" for each in error.problems)  # noqa: PT017  either end is right


# -- the example -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def province() -> Inventory:
    return load_inventory(EXAMPLE / "inventory", None)


def test_the_example_has_every_commune_with_its_official_code(province: Inventory) -> None:
    communes = [site for site in province.sites.values() if site.kind == "commune"]
    assert len(communes) == 129
    assert len({site.code for site in communes}) == 129
    assert all(len(site.code) == 5 and site.code.isdigit() and site.area and site.latitude for site in communes)


def test_every_commune_of_the_example_has_its_lines_equipment_room_and_web_site(province: Inventory) -> None:
    for site in province.sites.values():
        if site.kind == "commune":
            names = {target.name for target in province.targets.values() if target.site == site.id}
            assert names == {"tslcd", "internet", "router", "switch", "ups", "vc-endpoint", "website"}
            line = province.targets[f"{site.id}/tslcd"]
            assert line.circuit
            assert province.providers[line.provider].hotline


def test_all_addresses_of_the_example_are_private_and_in_its_scheme(province: Inventory) -> None:
    scheme = ipaddress.ip_network("10.64.0.0/12")
    assert all(ipaddress.ip_address(target.address) in scheme for target in province.targets.values())


def test_every_shared_system_of_the_example_but_the_noc_s_own_says_whom_to_call(province: Inventory) -> None:
    shared = [each for each in province.targets.values() if each.site == "center" and each.role is Role.SERVICE]
    assert [each.name for each in shared if "ĐT 0229 000 90" not in each.contact] == ["name-server"]


def test_a_website_shows_the_name_of_its_commune(province: Inventory) -> None:
    options = province.targets["phuong-chau-son/website"].checks[0].options
    assert options.text == "Phường Châu Sơn"  # type: ignore[attr-defined]


def test_links_and_routers_of_the_example_decide_between_up_and_down(province: Inventory) -> None:
    for target in province.targets.values():
        assert any(check.when_failed is State.DOWN for check in target.checks), target.id


def test_the_example_s_contacts_load(province: Inventory) -> None:
    routing = load_contacts(EXAMPLE / "contacts.yaml", province)
    assert {contact.language for contact in routing.contacts.values()} == {"vi", "en"}


def test_a_contact_may_be_told_only_of_what_is_severe_enough(tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text("contacts: {a: {name: A, email: a@x.example, severity: major}, b: {name: B, email: b@x.example}}")
    assert [each.scope.severity for each in load_contacts(file).routes] == [Severity.MAJOR, Severity.MINOR]
