"""The command `demo`: the simulated province."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lab import demo as lab_demo
from lab.scenarios import SCENARIOS


@click.command()
@click.option("--scenario", type=click.Choice(list(SCENARIOS)), help="Run one scenario unattended.")
@click.option("--report", type=click.Path(path_type=Path), help="Write what happened as JSON.")
@click.option("--duration", type=float, help="Seconds that the fault (or the quiet) lasts.")
@click.option("--config", type=click.Path(path_type=Path, exists=True), default=Path("config"), show_default=True)
def demo(scenario: str | None, report: Path | None, duration: float | None, config: Path) -> None:
    """Raise the simulated province on this machine, watch it, and break something."""
    sys.exit(lab_demo.main(scenario, report, duration, config))
