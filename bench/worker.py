"""`python -m bench.worker MODULE:FUNCTION JSON`: one contender in a Python of its own, so that its CPU and memory are its own."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys

from bench.harness import Figures


def main() -> None:
    """Call it, print its Figures as JSON on the last line."""
    module, _, name = sys.argv[1].partition(":")
    figures: Figures = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    print(json.dumps(dataclasses.asdict(figures)))


if __name__ == "__main__":
    main()
