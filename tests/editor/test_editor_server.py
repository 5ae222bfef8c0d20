"""Somebody types YAML into a real editor's language server (yaml-language-server, which VS Code's YAML extension is).

Needs Node.js and npm, which fetches the server, so only `make editor` runs it; tests/monitor/test_editor.py holds the schemas themselves.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
GIVE_UP_SECONDS = 180
pytestmark = pytest.mark.editor


class Server:
    """Speaks the Language Server Protocol 3.17 over a pipe: messages of JSON-RPC behind a Content-Length."""

    def __init__(self, program: Path, root: Path) -> None:
        self.process = subprocess.Popen(
            [str(program), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._last = 0
        self.ask(
            "initialize",
            {"processId": None, "rootUri": root.as_uri(), "capabilities": {"workspace": {"configuration": True}}},
        )
        self.tell("initialized", {})

    def tell(self, method: str, params: object) -> None:
        self._send({"method": method, "params": params})

    def ask(self, method: str, params: object) -> Any:
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        return self._until(lambda each: each.get("id") == self._last and "method" not in each)["result"]

    def problems(self, file: Path, text: str) -> list[tuple[int, str]]:
        """Lines (from 1) and what the editor underlines there."""
        item = {"uri": file.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        told = self._until(
            lambda each: (
                each.get("method") == "textDocument/publishDiagnostics" and each["params"]["uri"] == file.as_uri()
            )
        )
        return [(each["range"]["start"]["line"] + 1, each["message"]) for each in told["params"]["diagnostics"]]

    def completions(self, file: Path, line: int, column: int) -> dict[str, str]:
        """What may stand at a place (from 1), with what is said of it."""
        at = {"line": line - 1, "character": column - 1}
        found = self.ask("textDocument/completion", {"textDocument": {"uri": file.as_uri()}, "position": at})
        return {each["label"]: json.dumps(each.get("documentation", "")) for each in found["items"]}

    def _send(self, message: dict[str, object]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _until(self, wanted: Any) -> Any:
        assert self.process.stdout is not None
        while True:
            length = 0
            while (line := self.process.stdout.readline().strip()) or not length:
                assert self.process.poll() is None, "the language server ended"
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            message = json.loads(self.process.stdout.read(length))
            if wanted(message):
                return message
            if "id" in message and "method" in message:  # it asks for its settings: all as they are by themselves
                items = message.get("params", {}).get("items", [])
                self._send({"id": message["id"], "result": [None] * len(items) if items else None})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server, installed as package-lock.json says."""
    folder = tmp_path_factory.mktemp("server")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, check=True, capture_output=True, timeout=300)
    made = Server(folder / "node_modules" / ".bin" / "yaml-language-server", ROOT / "config")
    give_up = threading.Timer(GIVE_UP_SECONDS, made.process.kill)  # who waits for an answer then sees the end
    give_up.start()
    try:
        yield made
    finally:
        give_up.cancel()
        made.process.kill()
        made.process.wait(GIVE_UP_SECONDS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a new commune is written, beside the schema as in config/."""
    shutil.copytree(ROOT / "config" / "schema", tmp_path / "schema")
    (tmp_path / "inventory").mkdir()
    return tmp_path / "inventory" / "new.yaml"


MODELINE = "# yaml-language-server: $schema=../schema/inventory.json\n"


@pytest.mark.parametrize("name", ["communes", "profiles", "templates", "maintenance"])
def test_nothing_is_underlined_in_the_examples(name: str, server: Server) -> None:
    path = ROOT / "config" / "inventory" / f"{name}.yaml"
    assert server.problems(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("sites:\n  - id: xa-moi\n    nmae: Xã Mới\n", 4, "Property nmae is not allowed"),
        ("sites:\n  - id: Xã Mới\n    name: Xã Mới\n", 3, "does not match the pattern"),
        ("sites:\n  - {id: a, name: A, vars: {n: true}}\n", 3, "Incorrect type"),
        ("sites:\n  - id: a\n", 3, 'Missing property "name"'),
        ("sites:\n  - {id: a, name: A, code: 013}\n", 3, 'Incorrect type. Expected "string"'),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: ping}}}\n", 3, "Value is not accepted"),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: icmp, interval: 30}}}\n", 3, 'Incorrect type. Expected "string"'),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: icmp, interval: 1 minute}}}\n", 3, "does not match the pattern"),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: tcp, options: {prot: 1}}}}\n", 3, "Property prot is not allowed"),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: tcp, confirm: 21}}}\n", 3, "Value is above the maximum"),
        ("profiles:\n  x: {kind: x, checks: {e: {probe: snmp, options: {community: public}}}}\n", 3, 'Expected "object"'),
        ("providers: {a: {name: A, hotline: '1'}, a: {name: B, hotline: '2'}}\n", 2, "Map keys must be unique"),
        ("sites:\n\t- id: a\n", 3, "Tabs are not allowed"),
    ],
)  # fmt: skip
def test_a_mistake_is_underlined_where_it_stands(text: str, line: int, says: str, server: Server, file: Path) -> None:
    found = server.problems(file, MODELINE + text)
    assert any(at == line and says in said for at, said in found), found


def test_keys_and_values_are_offered_with_what_they_mean(server: Server, file: Path) -> None:
    text = f"{MODELINE}sites:\n  - id: a\n    \n"
    server.problems(file, text)
    offered = server.completions(file, 4, 5)
    assert {"name", "like", "location", "vars", "formerly"} <= offered.keys()
    assert "what people call it" in offered["name"]
    other = file.with_name("profiles.yaml")
    text = f"{MODELINE}profiles:\n  x:\n    kind: x\n    checks:\n      e:\n        probe: \n"
    server.problems(other, text)
    assert {"icmp", "snmp", "http"} <= server.completions(other, 7, 16).keys()
