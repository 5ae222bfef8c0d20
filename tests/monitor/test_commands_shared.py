"""What a command says when it cannot reach the daemon."""

from __future__ import annotations

import pytest

from tests.monitor.daemon import Daemon, run


@pytest.mark.parametrize(
    ("command", "why"), [("status", "Connection refused"), ("reload", "No such file or directory")]
)
def test_a_command_that_needs_the_daemon_says_when_none_answers(command: str, why: str, files: Daemon) -> None:
    said = run(command, files=files)
    assert said.exit_code == 1
    asked = f"is it running with these settings ({files.settings})? --settings names others"
    assert said.stderr == f"no daemon answers: {why}; {asked}\n"
    assert not isinstance(said.exception, OSError)


@pytest.mark.parametrize("command", ["status", "reload"])
def test_a_command_that_needs_the_daemon_tells_a_mistake_in_the_settings(command: str, files: Daemon) -> None:
    files.settings.write_text("listen: nowhere\n")
    said = run(command, files=files)
    assert said.exit_code == 1
    assert f"{files.settings}:1:9: " in said.stderr
