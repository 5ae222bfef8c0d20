"""States in words, signs and colours."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.models import dashboard as model

# Told apart also by people who see no red, no green or no blue (a test holds it), and never by colour alone: each has its sign.
WELL, DEGRADED, DOWN, CUT_OFF, UNKNOWN = "#5AD1A2", "#FFB000", "#E02F44", "#785EF0", "#868C94"
# By how much it hurts; the numbers of monitor_target_state are stable names and not an order.
RANKS = (
    (4, "✕ Ngừng", DOWN, 2),
    (3, "⊘ Bị cắt theo", CUT_OFF, 3),
    (2, "△ Suy giảm", DEGRADED, 1),
    (1, "? Chưa rõ", UNKNOWN, 4),
    (0, "✓ Bình thường", WELL, 0),
)
STATES = {state: (text, color) for _, text, color, state in sorted(RANKS, key=lambda each: each[3])}
"""What a number of monitor_target_state is called."""
HURT = {place: (text, color) for place, text, color, _ in RANKS}
"""What a number of `rank` is called."""
CAUSES = {
    "link": "Đường truyền",
    "power": "Mất điện",
    "lan": "Mạng nội bộ",
    "device": "Thiết bị",
    "service": "Dịch vụ",
    "shared": "Điểm dùng chung",
    "vantage": "Trạm giám sát",
}
SEVERITIES = {"critical": "Khẩn", "major": "Nặng", "minor": "Nhẹ"}
YES_NO = {0: ("✓ Không", WELL), 1: ("✕ Có", DOWN)}
GOOD_BAD = {0: ("✕ Lỗi", DOWN), 1: ("✓ Tốt", WELL)}


def called(texts: Mapping[int, tuple[str, str]]) -> list[model.ValueMapping]:
    """Words and colours in place of numbers."""
    return [
        model.ValueMap(
            options={
                str(value): model.ValueMappingResult(text=text, color=color, index=index)
                for index, (value, (text, color)) in enumerate(texts.items())
            }
        )
    ]


def colours(*steps: tuple[float | None, str]) -> boards.ThresholdsConfig:
    """Thresholds; the first step has no lower bound."""
    return boards.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


PLAIN = colours((None, "text"))
NONE_IS_WELL = colours((None, WELL), (1, DOWN))


def rank_colours() -> boards.ThresholdsConfig:
    """The colours of `rank`, where words are not enough: points on a map."""
    lowest, *higher = [(float(value), color) for value, _, color, _ in reversed(RANKS)]
    return colours((None, lowest[1]), *higher)
