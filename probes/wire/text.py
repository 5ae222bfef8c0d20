"""What strangers say, made fit for one line of ours."""

from __future__ import annotations

import unicodedata


def one_line(text: str, limit: int = 160) -> str:
    """`text` without control and formatting characters, white space folded, no longer than `limit` characters."""
    kept = text[: limit * 4]
    if not (kept.isascii() and kept.isprintable()):  # as nearly all are
        kept = "".join(" " if unicodedata.category(each).startswith(("C", "Z")) else each for each in kept)
    folded = " ".join(kept.split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"
