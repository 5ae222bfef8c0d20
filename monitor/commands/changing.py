"""Changes of the inventory's files that a command made up: checked, told as a reload would take them, and written when that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from alerts.routing import Routing
from monitor.commands.shared import fail
from monitor.core.model import Inventory
from monitor.core.words import Language
from monitor.exchange.sayings import in_words
from monitor.exchange.writing import Change, contents, differences, write
from monitor.files import declared, load_all, without_collector
from monitor.inventory.diff import compare
from monitor.inventory.load import ReadSecret
from monitor.inventory.tell import TOLD, tell
from monitor.yamlfile import ConfigError, Problem
from probes import registry

_WORDS = {
    "bad": {
        "vi": "khai báo sẽ có lỗi nên không có gì được ghi; số dòng là của tệp sau khi sửa:",
        "en": "the inventory would not be well, so nothing is written; lines are those that the files would have:",
    },
    "say": {"vi": "chưa ghi gì: thêm --write để ghi", "en": "nothing is written: say --write"},
    "written": {"vi": "đã ghi", "en": "written"},
    "changed": {"vi": "sẽ được sửa", "en": "would be changed"},
    "new": {"vi": "sẽ được tạo mới", "en": "would be new"},
    "reload": {
        "vi": "hãy chạy `commune-monitor reload` để áp dụng",
        "en": "`commune-monitor reload` takes it over",
    },
}


def checked(
    path: Path,
    changes: Sequence[Change],
    before: tuple[Inventory, Routing],
    language: Language,
    warnings: list[Problem] | None = None,
    read_secret: ReadSecret | None = None,
) -> list[str]:
    """What a reload of the files with the changes would do, line by line; raises ConfigError where they would be wrong.

    What may be meant is added to `warnings`; `read_secret` is what `before` was read with.
    """
    _, inventory, routing = load_all(
        path, with_secrets=False, of_inventory=read_secret, warnings=warnings, changed=contents(changes)
    )
    with without_collector():
        plan = compare(before, (inventory, routing), at=datetime.now(UTC), declared=declared(registry.load()))
    return list(tell(plan, TOLD[language]))


def take_over(
    path: Path, changes: Sequence[Change], before: tuple[Inventory, Routing], language: Language, *,
    diff: bool = False, do_write: bool, say: Callable[[str], None] = click.echo, read_secret: ReadSecret | None = None,
) -> None:  # fmt: skip
    """Check, tell and, when that is asked for, write; ends the command where the inventory would be wrong."""
    try:
        plan = checked(path, changes, before, language, read_secret=read_secret)
    except ConfigError as error:
        fail("\n".join((_WORDS["bad"][language], *(in_words(each, language) for each in error.problems))))
    finish(changes, plan, language, diff=diff, do_write=do_write, say=say)


def finish(
    changes: Sequence[Change], plan: Sequence[str], language: Language, *,
    diff: bool, do_write: bool, say: Callable[[str], None] = click.echo,
) -> None:  # fmt: skip
    """What was checked: show its plan and the lines that would come and go, write it, and say what is to be done then."""
    for line in (*plan, *(differences(changes) if diff else ())):
        say(line)
    if do_write:
        try:
            write(changes)
        except ConfigError as error:
            fail(error)
    for each in changes:
        done = "written" if do_write else "changed" if each.before is not None else "new"
        say(f"{each.file}: {_WORDS[done][language]}")
    say(_WORDS["reload" if do_write else "say"][language])
