"""States in words, signs and colours."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.models import dashboard as model

from dashboards.texts import Text
from monitor.core.words import EN, VI

# Told apart also by people who see no red, no green or no blue (a test holds it), and never by colour alone: each has its sign.
WELL, DEGRADED, DOWN, CUT_OFF, UNKNOWN = "#5AD1A2", "#FFB000", "#E02F44", "#785EF0", "#868C94"
Coloured = tuple[Text, str]
"""Words with their colour."""


def _state(sign: str, state: str) -> Text:
    return Text(f"{sign} {VI.states[state]}", f"{sign} {EN.states[state]}")


# By how much it hurts; the numbers of monitor_target_state are stable names and not an order.
RANKS = (
    (4, _state("✕", "down"), DOWN, 2),
    (3, _state("⊘", "unreachable"), CUT_OFF, 3),
    (2, _state("△", "degraded"), DEGRADED, 1),
    (1, _state("?", "unknown"), UNKNOWN, 4),
    (0, _state("✓", "up"), WELL, 0),
)
STATES = {state: (text, color) for _, text, color, state in sorted(RANKS, key=lambda each: each[3])}
"""What a number of monitor_target_state is called."""
HURT = {place: (text, color) for place, text, color, _ in RANKS}
"""What a number of `rank` is called."""
CAUSES = {
    "link": Text("Đường truyền", "Line"),
    "power": Text("Mất điện", "Power cut"),
    "lan": Text("Mạng nội bộ", "Local network"),
    "device": Text("Thiết bị", "Device"),
    "service": Text("Dịch vụ", "Service"),
    "shared": Text("Điểm dùng chung", "Something shared"),
    "vantage": Text("Trạm giám sát", "The monitor"),
}
SEVERITIES = {name: Text(VI.severities[name], EN.severities[name]) for name in ("critical", "major", "minor")}
YES_NO = {0: (Text("✓ Không", "✓ No"), WELL), 1: (Text("✕ Có", "✕ Yes"), DOWN)}
GOOD_BAD = {0: (Text("✕ Lỗi", "✕ Bad"), DOWN), 1: (Text("✓ Tốt", "✓ Good"), WELL)}
PASSED = {0: (Text("✕ Hỏng", "✕ Failed"), DOWN), 1: (Text("✓ Đạt", "✓ Passed"), WELL)}
"""What a number of probe_success is called."""


def called(texts: Mapping[int, Coloured]) -> list[model.ValueMapping]:
    """Words and colours in place of numbers."""
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(texts.items())
            }
        )
    ]


def worded(texts: Mapping[str, Text]) -> model.ValueMapping:
    """Words in place of the labels that queries have, which are the same in every language."""
    return model.ValueMap(
        options={
            word: model.ValueMappingResult(text=text, index=index) for index, (word, text) in enumerate(texts.items())
        }
    )


def colours(*steps: tuple[float | None, str]) -> boards.ThresholdsConfig:
    """Thresholds; the first step has no lower bound."""
    return boards.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


PLAIN = colours((None, "text"))
NONE_IS_WELL = colours((None, WELL), (1, DOWN))
ENDING = colours((None, DOWN), (14, DEGRADED), (30, WELL))
"""Days that a certificate is still valid."""


def rank_colours() -> boards.ThresholdsConfig:
    """The colours of `rank`, where words are not enough: points on a map."""
    lowest, *higher = [(float(value), color) for value, _, color, _ in reversed(RANKS)]
    return colours((None, lowest[1]), *higher)
