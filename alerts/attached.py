"""The report of a month as files that go with its mail: one to be printed, one for a spreadsheet."""

from __future__ import annotations

from base64 import b64encode

from alerts.printed import page
from alerts.report import paper
from monitor.core.account import Account
from monitor.core.model import Attached, Inventory
from monitor.core.words import LOCAL, Words


def attached(account: Account, inventory: Inventory, words: Words) -> tuple[Attached, ...]:
    """HTML and XLSX."""
    from alerts.workbook import workbook  # noqa: PLC0415  a tenth of the start, for once a month

    made = paper(account, inventory, words)
    name = f"availability-{account.asked.since.astimezone(LOCAL):%Y-%m}"
    files = ((f"{name}.html", page(made, words).encode()), (f"{name}.xlsx", workbook(made, words)))
    return tuple(Attached(name, b64encode(content).decode("ascii")) for name, content in files)
