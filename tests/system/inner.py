"""The half of the system tests that stands inside the namespaces: does what it is told, one JSON line each way."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from lab.province import Province
from lab.sink import Taken


def _mail(taken: Taken) -> dict[str, Any]:
    return {
        "at": taken.at.timestamp(),
        "to": list(taken.to),
        "subject": taken.message["Subject"],
        "id": taken.message["Message-ID"],
        "answers": taken.message["In-Reply-To"],
        "text": taken.text(),
    }


class Inner:
    """What can be asked for by name, beside the methods of the province."""

    def __init__(self, folder: Path, config: Path) -> None:
        self.province = Province(folder, config, lambda _: None, lambda text: print(text, file=sys.stderr))

    def do(self, name: str, given: list[Any]) -> Any:
        if name == "mails":
            return [_mail(each) for each in self.province.sink.mails]
        if name == "refuse_mail":
            self.province.sink.refuse = given[0]
            return None
        if name == "refused":
            return self.province.sink.refused
        if name == "fetch":
            with urllib.request.urlopen(given[0], timeout=15) as answer:
                return answer.read().decode()
        if name == "log":
            return (self.province.settings.parent / "daemon.log").read_text()
        return getattr(self.province, name)(*given)


def main() -> None:
    inner = Inner(Path(sys.argv[1]), Path(sys.argv[2]))
    for line in sys.stdin:
        name, given = json.loads(line)
        try:
            answer = {"value": inner.do(name, given)}
        except Exception as error:  # the other half raises it again
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer, default=str), flush=True)
        if name == "stop":
            break


if __name__ == "__main__":
    main()
