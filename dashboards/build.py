"""Writes the Grafana dashboards: run `python -m dashboards.build`, commit the JSON, a test holds the two together.

The builders are those of Grafana 11.6 (its JSON loads in later versions too). Titles are Vietnamese, the description of
each panel says the same in English. Every query answers also when all is well: an empty panel always means trouble.
"""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import line, own, providers, province, rooms, services, site

HERE = Path(__file__).parent / "json"


def rendered() -> dict[str, str]:
    """Each dashboard as it is committed, by uid; the file is named by it."""
    built = [each.dashboard().build() for each in (province, site, line, rooms, services, providers, own)]
    return {str(each.uid): json.dumps(each, cls=JSONEncoder, ensure_ascii=False, indent=2) + "\n" for each in built}


if __name__ == "__main__":
    for uid, text in rendered().items():
        (HERE / f"{uid}.json").write_text(text, encoding="utf-8")
