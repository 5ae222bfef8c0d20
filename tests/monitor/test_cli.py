"""What holds for every command."""

from __future__ import annotations

import click
from click.testing import CliRunner

from monitor.cli import MODULES, main
from tests.monitor.daemon import Daemon, run


def test_the_password_of_the_relay_is_never_printed(files: Daemon) -> None:
    for command in (["check"], ["probe", "center/portal"], ["status"], ["reload"]):
        assert "mật khẩu" not in run(*command, files=files).output


def test_every_command_has_its_help() -> None:
    for name, command in ((name, main.get_command(click.Context(main), name)) for name in MODULES):
        said = CliRunner().invoke(main, [name, "--help"])
        assert said.exit_code == 0
        assert command.help
        assert command.help.splitlines()[0][:40] in said.output
