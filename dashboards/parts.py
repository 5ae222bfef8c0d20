"""What the dashboards are made of: expressions that several panels share, and panels with our own defaults."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import common, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import BigValueColorMode, VisibilityMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
ANY_SITE = 'site=~"$site"'
COMMUNES = 'monitor_site_info{code!="", site=~"$site", area=~"$area"}'
SITES = 'monitor_site_info{site=~"$site", area=~"$area"}'

# By how much it hurts; the numbers of monitor_target_state are stable names and not an order.
RANKS = (
    (4, "Ngừng", "red", 2),
    (3, "Bị cắt theo", "purple", 3),
    (2, "Suy giảm", "orange", 1),
    (1, "Chưa rõ", "gray", 4),
    (0, "Bình thường", "green", 0),
)


def rank(selector: str) -> str:
    """Targets by how much they hurt: 4 down, 3 unreachable, 2 degraded, 1 unknown, 0 up."""
    state = f"monitor_target_state{{{selector}}}"
    return "(" + " or ".join(f"({state} == {value}) * 0 + {rank}" for rank, _, _, value in RANKS) + ")"


NONE = "0 * max(monitor_build_info)"
"""Zero as long as the daemon is scraped: when it is gone, a panel must say "no data" and not "nothing is down"."""

WORST = f"max by (site) ({rank(ANY_SITE)})"
"""Each site by the worst of its targets."""


def query(
    expr: str, legend: str = "", letter: str = "A", *, instant: bool = False, as_table: bool = False
) -> Dataquery:
    """One PromQL query."""
    made = Dataquery().expr(expr).legend_format(legend).ref_id(letter).datasource(SOURCE)
    made = made.instant() if instant or as_table else made.range()
    return made.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)


def colours(*steps: tuple[float | None, str]) -> boards.ThresholdsConfig:
    """Thresholds; the first step has no lower bound."""
    return boards.ThresholdsConfig().steps([model.Threshold(value=value, color=color) for value, color in steps])


def names(ranks: Sequence[tuple[int, str, str, int]], *, by_state: bool = False) -> list[model.ValueMapping]:
    """What a number of `rank` (or of monitor_target_state) is called."""
    return [
        model.ValueMap(
            options={
                str(state if by_state else place): model.ValueMappingResult(text=text, color=color, index=index)
                for index, (place, text, color, state) in enumerate(ranks)
            }
        )
    ]


def last() -> common.ReduceDataOptions:
    """The newest value of each series."""
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")


def lines(title: str, english: str, unit: str, *queries: Dataquery) -> timeseries.Panel:
    """Curves over time."""
    panel = timeseries.Panel().title(title).description(english).datasource(SOURCE).unit(unit).min(0)
    panel.show_points(VisibilityMode.NEVER).fill_opacity(8).height(8).span(8)
    for each in queries:
        panel.with_target(each)
    return panel


def figure(title: str, english: str, steps: boards.ThresholdsConfig, *queries: Dataquery) -> stat.Panel:
    """One or two big figures."""
    panel = stat.Panel().title(title).description(english).datasource(SOURCE).reduce_options(last()).thresholds(steps)
    panel.color_mode(BigValueColorMode.VALUE).no_value("Không có số liệu").height(4).span(4)
    for each in queries:
        panel.with_target(each)
    return panel


def numbers(*fields: str) -> model.DataTransformerConfig:
    conversions = [{"targetField": field, "destinationType": "number"} for field in fields]
    return model.DataTransformerConfig(id_val="convertFieldType", options={"fields": {}, "conversions": conversions})


def rank_colours() -> boards.ThresholdsConfig:
    lowest, *higher = [(float(value), color) for value, _, color, _ in reversed(RANKS)]
    return colours((None, lowest[1]), *higher)


def board_link() -> boards.DashboardLink:
    return boards.DashboardLink("Bảng trạng thái").url("${board}/sites/${__data.fields.site}").target_blank(True)
