"""One bad settings.yaml per mistake, with its exact message in the first lines of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.inventory.contacts import load_contacts
from monitor.inventory.load import SecretReader
from monitor.settings import load_settings
from monitor.yamlfile import ConfigError

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))


def said(bad: Path, folder: Path) -> str:
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "word").write_text("word")
    try:
        load_settings(bad, SecretReader(secrets))
    except ConfigError as error:
        return str(error).replace(f"{bad.parent}/", "").replace(f"{folder}/", "")
    return ""


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.stem)
def test_each_mistake_is_told_with_place_and_remedy(bad: Path, tmp_path: Path) -> None:
    lines = bad.read_text(encoding="utf-8").splitlines()
    assert said(bad, tmp_path) == "\n".join(line.removeprefix("# ") for line in lines if line.startswith("# "))


def test_a_password_never_shows(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "word").write_text("hunter2")
    (tmp_path / "settings.yaml").write_text(
        "mail: {from: a@example.org, message_id_domain: example.org, relays: [{host: h, username: u, password: {file: word}}]}"
    )
    settings = load_settings(tmp_path / "settings.yaml", SecretReader(tmp_path / "secrets"))
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("contacts: {a: {name: A, email: nobody}}", "1:32: `nobody` is not a mail address, such as noc@example.org"),
        ("contacts: {a: {name: A, email: a..b@example.org}}", "1:32: `a..b@example.org` is not a mail address"),
        ("contacts: {a: {name: A, email: trực@example.org}}", "1:32: `trực@example.org` is not a mail address"),
        ('contacts: {a: {name: "A\\nB", email: a@example.org}}', "1:22: must be one line"),
        ("contacts: {a: {name: A, email: a@example.org, language: fr}}", "1:57: must be 'vi' or 'en', not 'fr'"),
        ("contacts: {a: {name: A, email: a@example.org, causes: [wan]}}", "1:56: must be 'link'"),
        (
            "contacts: {a: {name: A, email: a@example.org, severity: high}}",
            "1:57: must be 'minor', 'major' or 'critical'",
        ),
        ("contacts: {a: {name: A, email: a@example.org, phone: 1}}", "1:47: unknown key `phone`"),
    ],
)
def test_a_mistake_in_the_contacts_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "contacts.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_contacts(file)
    assert f"{file}:{message}" in str(caught.value)
