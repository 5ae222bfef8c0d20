"""The log of a daemon."""

from __future__ import annotations

import json
import logging
import sys

from monitor.commands.running import JsonLines


def test_a_log_line_is_one_json_object_with_its_incident_and_traceback() -> None:
    try:
        raise ValueError("hỏng\nở đây")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "Xã %s\nmới", ("Kim Đông",), sys.exc_info())
    record.incident = "i-1"
    line = JsonLines().format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == ("error", "x", "Xã Kim Đông\nmới")
    assert found["incident"] == "i-1"
    assert "ValueError: hỏng" in found["traceback"]
    assert "Kim Đông" in line
