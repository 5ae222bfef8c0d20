"""What a Cisco room (RoomOS, CE) is asked over HTTP, and its answers as a tree. No I/O.

Source: "Using HTTP" of Cisco's API guides (D15335.08 for CE9.2), roomos.cisco.com "Using xAPI over HTTP", and the schemas of its releases
for what a value may be. One log-in opens a session, which must be ended: a device has few of them, and they do not time out. Of
commands there is one here, `CallHistory Get`, which changes nothing. `read` is total: any bytes give a tree or one ProtocolError.
"""

from __future__ import annotations

import base64
from xml.parsers import expat

from probes.wire.branch import MOST_TEXT, Branch, Growth, ProtocolError
from probes.wire.room_api import Question

LAST_CALL = b"<Command><CallHistory><Get><DetailLevel>Full</DetailLevel><Limit>1</Limit></Get></CallHistory></Command>"
DOCUMENTS = {
    "Status": Question("GET", "/getxml?location=/Status"),
    "Command": Question("POST", "/putxml", LAST_CALL, "text/xml"),
}
"""By the name of the first element of the answer."""
LOG_OUT = Question("POST", "/xmlapi/session/end")


def log_in(user: str, password: str) -> Question:
    """Opens a session; the answer (204) sets its cookie."""
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()  # UTF-8 as RFC 7617 section 2.1 allows
    return Question("POST", "/xmlapi/session/begin", headers={"Authorization": f"Basic {basic}"})


def logged_in(_: bytes) -> bool:
    """Whether that answer says so; its status alone does."""
    return True


def read(_: str, data: bytes) -> Branch:
    """The elements of a document. It may have no declarations (DTD), and so no entities; attributes are left out."""
    root, growth = Branch(), Growth()
    open_ones = [root]

    def start(name: str, _: object) -> None:
        growth.more(len(open_ones))
        open_ones.append(open_ones[-1].grow(name))

    def end(_: str) -> None:
        branch = open_ones.pop()
        branch.text = branch.text.strip()

    def text(more: str) -> None:
        branch = open_ones[-1]
        branch.text += more[: MOST_TEXT - len(branch.text)] if len(branch.text) < MOST_TEXT else ""

    def declaration(*_: object) -> None:
        raise ProtocolError("it has a DTD, which may hold entities")

    parser = expat.ParserCreate("utf-8")  # whatever the document says, whose word would be looked up
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = declaration
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ProtocolError(f"not XML: {error}") from error
    return root
