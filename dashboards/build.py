"""Writes the Grafana dashboards: run `python -m dashboards.build`, commit the JSON, a test holds the two together.

The builders are those of Grafana 11.6 (its JSON loads in later versions too). Every dashboard is built once and written twice, in
Vietnamese and in English. Every query answers also when all is well: an empty panel always means trouble.
"""

from __future__ import annotations

import json
from pathlib import Path

from dashboards import line, own, providers, province, rooms, services, site
from dashboards.texts import spoken

HERE = Path(__file__).parent / "json"


def rendered() -> dict[str, str]:
    """Each dashboard as it is committed, by its file: a folder for each language, and named by its uid."""
    built = [each.dashboard().build() for each in (province, site, line, rooms, services, providers, own)]
    plain = [(language, spoken(each, language)) for language in ("vi", "en") for each in built]
    return {
        f"{language}/{board['uid']}.json": json.dumps(board, ensure_ascii=False, indent=2) + "\n"
        for language, board in plain
    }


if __name__ == "__main__":
    for name, text in rendered().items():
        (HERE / name).write_text(text, encoding="utf-8")
