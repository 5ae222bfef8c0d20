"""The commands by name; each parses, calls and prints, and decides nothing."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "running": ("run",),
    "files": ("check", "plan", "schema"),
    "looking": ("probe", "status", "silences", "incidents", "incident", "meetings"),
    "acting": ("silence", "unsilence", "ack", "unack", "reload"),
    "mails": ("who", "mail"),
    "analysing": ("replay", "explain", "availability"),
    "reporting": ("report",),
    "discover": ("discover",),
    "sheets": ("import", "export"),
    "reflecting": ("reflect",),
    "demo": ("demo",),
}
"""By the module of `monitor.commands` that has them: only that one is read, for to read all takes longer than most commands."""
MODULES = {name: module for module, names in COMMANDS.items() for name in names}


class Commands(click.Group):
    """Reads a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of the alphabet."""
        return sorted(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None when there is none of this name."""
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(f"monitor.commands.{MODULES[cmd_name]}")
        return next(each for each in vars(module).values() if isinstance(each, click.Command) and each.name == cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="commune-monitor")
def main() -> None:
    """Watch the IT of the communes: lines, equipment, services, video-conference rooms."""
