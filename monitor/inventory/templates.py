"""Pure: how a site is laid over its template, and how `{…}` in a text is filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping

BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
"""A word to fill in, or a doubled brace, which is a plain one."""


def merge(base: object, over: object) -> object:
    """`over` wins, key by key; a null takes away."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        merged = {key: merge(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key))
                  for key in (*base, *(key for key in over if key not in base))}  # fmt: skip
        return {key: value for key, value in merged.items() if value is not None}
    return over
