"""What a Poly room (G7500, Studio X) is asked over HTTP, and its answers as a tree. No I/O.

Source: Poly VideoOS REST API Reference Guide (3.8.0), and what a Studio X30 with 3.12.0 answered (recorded in the tests of the AVI-SPL
adapter for VideoOS). A session is opened by user and password and kept by its cookie; that it ends by DELETE is not in the guide, but
what the clients do whose sources are open. All else is GET. `read` is total: any bytes give a tree or one ProtocolError.
"""

from __future__ import annotations

import json
from typing import NoReturn

from probes.wire.branch import MOST_TEXT, Branch, Growth, ProtocolError
from probes.wire.room_api import Question

SESSION = "/rest/session"
DOCUMENTS = {
    "audio": Question("GET", "/rest/audio"),
    "cameras": Question("GET", "/rest/cameras/near/people"),
    "conferences": Question("GET", "/rest/conferences"),
    "gatekeepers": Question("GET", "/rest/system/h323gatekeepers"),
    "mediastats": Question("GET", "/rest/conferences/{}/mediastats"),
    "sipservers": Question("GET", "/rest/system/sipservers"),
    "status": Question("GET", "/rest/system/status"),
}
"""By the name that their first level gets here, for JSON gives it none."""
LOG_OUT = Question("DELETE", SESSION)
XSRF_COOKIE, XSRF_HEADER = "XSRF-TOKEN", "X-XSRF-TOKEN"
"""Newer releases want the cookie's value shown in a header too."""


def log_in(user: str, password: str) -> Question:
    """Opens a session; the answer sets its cookie."""
    return Question("POST", SESSION, json.dumps({"user": user, "password": password}).encode(), "application/json")


def logged_in(data: bytes) -> bool:
    """Whether the answer to the log-in says so: some releases refuse with 200 and `success: false`."""
    try:
        success = read("answer", data).below["answer"][0].below["success"][0].text
    except (ProtocolError, LookupError):
        return True  # its status says so
    return success != "false"


def read(name: str, data: bytes) -> Branch:
    """A document below this name; the rows of a list have the name of the list, and lists in lists are one."""
    try:
        value = json.loads(data, parse_int=str, parse_float=str, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {error}") from error
    root, growth = Branch(), Growth()
    _grow(root, name, value, growth, 1)
    return root


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


def _grow(branch: Branch, name: str, value: object, growth: Growth, depth: int) -> None:
    growth.more(depth)
    if isinstance(value, list):
        for each in value:
            _grow(branch, name, each, growth, depth + 1)
        return
    made = branch.grow(name)
    if isinstance(value, dict):
        for key, each in value.items():
            _grow(made, key, each, growth, depth + 1)
    elif value is not None:
        made.text = str(value).lower() if isinstance(value, bool) else str(value)[:MOST_TEXT]
