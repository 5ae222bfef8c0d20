"""Every template tried before it is needed: what `commune-monitor check` says of an admin's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import jinja2

from alerts.compose import OURS, Composer
from alerts.letter_samples import letters
from alerts.links import KEY_BYTES, Signer
from alerts.samples import notification_of, province
from monitor.core.model import ONLY_MAILED, Happening
from monitor.core.words import WORDS


def check_templates(folder: Path | None) -> list[tuple[str, int, str]]:
    """Render every mail once, with ours and the admin's templates; (file, line, what is wrong) of those that fail."""
    composer = Composer(
        sender="a@example.org",
        message_id_domain="example.org",
        board="http://b",
        grafana="http://g",
        template_folder=folder,
        signer=Signer(bytes(KEY_BYTES)),
    )
    found: dict[tuple[str, int, str], None] = {}
    for render in _all_mails(composer):
        try:
            render()
        except jinja2.TemplateSyntaxError as error:
            found[error.filename or error.name or "", error.lineno, error.message or ""] = None
        except jinja2.TemplateNotFound as error:
            found[str(error.name), 0, "there is no such template"] = None
        except Exception as error:  # noqa: BLE001  an admin's template may raise anything
            found[*_place(error, folder), f"{type(error).__name__}: {error}"] = None
    return list(found)


def _all_mails(composer: Composer) -> Iterator[Callable[[], object]]:
    inventory, incidents = province()
    for language in WORDS:
        for what, incident, outsider in product(Happening, incidents, (False, True)):
            if not (outsider and what in ONLY_MAILED):
                notification = notification_of(incident, what, language, outsider=outsider)
                yield partial(composer.try_out, notification, inventory)
                if what is Happening.RECOVERED:
                    yield partial(composer.try_out, replace(notification, catches_up=True), inventory)
        contact = notification_of(incidents[0], Happening.OPENED, language).contact
        for name, given in letters(inventory, incidents[0].began, WORDS[language], "http://b").items():
            common: dict[str, object] = {"contact": contact, "board": "http://b"}
            few = {"shown": 1} if "shown" in given else {}  # so that the rest is counted too
            yield partial(composer.render_letter, name, language, common | dict(given) | few)


def _place(error: Exception, folder: Path | None) -> tuple[str, int]:
    """The last template line in the traceback: jinja2 rewrites tracebacks so that templates show."""
    place, step = (str(folder or OURS), 0), error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if file.endswith((".txt", ".html")):
            place = (file, step.tb_lineno)
        step = step.tb_next
    return place
