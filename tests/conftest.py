"""What holds for all tests: their order, and that none is timed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no mistake of ours.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lab first: its tests mostly wait for minutes, and the others are done meanwhile."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/system/"))
