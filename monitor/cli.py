"""The commands by name; each parses, calls and prints, and decides nothing."""

from __future__ import annotations

import click

from monitor.commands import acting, analysing, discover, files, importing, looking, mails, running, sheets


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="commune-monitor")
def main() -> None:
    """Watch the IT of the communes: lines, equipment, services, video-conference rooms."""


for _command in (
    running.run, files.check, files.plan, files.schema, looking.probe, looking.status, mails.who, analysing.replay,
    analysing.explain, analysing.availability, running.reload, acting.silence, acting.unsilence, looking.silences,
    acting.ack, acting.unack, looking.incidents, looking.incident, looking.meetings, mails.mail, importing.imports,
    discover.discover, sheets.exports, running.demo,
):  # fmt: skip
    main.add_command(_command)
