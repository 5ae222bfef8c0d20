"""The dashboards as committed, and a Prometheus with the hour of each province."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.exposition import history
from tests.dashboards.prometheus import Prometheus, prometheus_over

FOLDER = Path(__file__).parents[2] / "dashboards"
Boards = dict[str, dict[str, Any]]


def _read(language: str) -> Boards:
    paths = sorted(FOLDER.glob(f"json/{language}/*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


BOARDS, ENGLISH = _read("vi"), _read("en")
"""The queries of both are the same (tests/dashboards/test_languages.py), so they are run once."""
EVERY: Boards = BOARDS | ENGLISH


@pytest.fixture(scope="session")
def provinces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Prometheus]]:
    """A real Prometheus over a province that is well, and one over a province in trouble."""
    with (
        prometheus_over(tmp_path_factory.mktemp("well"), history(well=True)) as well,
        prometheus_over(tmp_path_factory.mktemp("trouble"), history(well=False)) as trouble,
    ):
        yield {"well": well, "trouble": trouble}
