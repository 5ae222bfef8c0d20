"""Pure: bounds on the measurements of a check, as they are written → as the judge takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from monitor.core.judge import LOSS
from monitor.core.model import Counts, Limit
from monitor.inventory.findings import Findings
from monitor.inventory.schema import CheckModel, LimitModel
from monitor.yamlfile import Layers, near, place

CLEAR_MARGIN = 0.2
"""Where no `clear` is written, a measurement must be this part on the good side of its bound."""


def read_limits(layers: Layers, check: CheckModel, measures: Collection[str], findings: Findings) -> tuple[Limit, ...]:
    """The limits of a check whose kind measures `measures`."""
    limits: list[Limit] = []
    for name, limit in check.limits.items():
        here = ("limits", name)
        if name not in measures:
            text = f"the probe `{check.probe}` does not measure `{name}`"
            findings.once(place(layers, here, text, near(name, measures), at_key=True))
        elif name == LOSS and not check.window:
            text = "loss_ratio needs a window"
            findings.once(place(layers, here, text, "add `window: 60` (runs) to the check", at_key=True))
        elif name == LOSS and limit.above is not None and limit.above >= 1:
            text = f"loss_ratio is a part of 1, so it is never above {limit.above:g}"
            findings.once(place(layers, (*here, "above"), text, "write such as 0.05 for 5 %"))
        elif name == LOSS and limit.above_usual is not None:
            text = "loss_ratio is not held against what is usual"
            findings.once(place(layers, (*here, "above_usual"), text, "write `above`", at_key=True))
        limits += _limits(name, limit)
    return tuple(limits)


def _limits(name: str, model: LimitModel) -> Iterator[Limit]:
    """The fixed bound, the one that follows what is usual, or both."""
    bound = model.above if model.above is not None else model.below
    if bound is not None:
        margin = CLEAR_MARGIN * abs(bound) * (-1 if model.above is not None else 1)
        clear = model.clear if model.clear is not None else bound + margin
        yield Limit(
            value=name, above=model.above, below=model.below, clear=clear, says=model.says, confirm=model.confirm,
            counts=Counts(model.counts),
        )  # fmt: skip
    if model.above_usual is not None and model.at_least is not None:
        yield Limit(
            value=name, above_usual=model.above_usual, at_least=model.at_least,
            clear=(1 - CLEAR_MARGIN) * model.above_usual, says=model.says, confirm=model.confirm, counts=Counts(model.counts),
        )  # fmt: skip
