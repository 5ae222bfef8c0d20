"""In which order all tests run."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lab first: its tests mostly wait for minutes, and the others are done meanwhile."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/system/"))
