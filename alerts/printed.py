"""A report as one page of HTML that prints on A4; nothing is fetched for it, so it can be attached to a mail."""

from __future__ import annotations

from functools import partial

from alerts.compose import environment
from alerts.plain import shown
from alerts.report import Paper, Room
from monitor.core.words import Words

MAX_ROWS = 300
"""So many rows of a table are on paper, the worst; all are in the workbook."""


def page(paper: Paper, words: Words) -> str:
    """The report for people who print it."""
    template = environment(None, html=True).get_template("report.html")
    return template.render(paper=paper, words=words, shown=partial(shown, words=words), most=MAX_ROWS, room=Room.PAPER)
