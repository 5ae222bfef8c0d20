"""Expressions that several panels use, and how they are asked."""

from __future__ import annotations

from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.states import RANKS

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
LOSS_HURTS, JITTER_HURTS, ERRORS_HURT, FULL = 0.01, 0.03, 0.01, 0.9
"""From where on people notice; the loss is that of ITU-T G.1010 for videophone."""
ANY_SITE = 'site=~"$site"'
COMMUNES = 'monitor_site_info{code!="", site=~"$site", area=~"$area"}'
ALL_COMMUNES = 'monitor_site_info{code!=""}'
SITES = 'monitor_site_info{site=~"$site", area=~"$area"}'
NONE = "0 * max(monitor_build_info)"
"""Zero as long as the daemon is scraped: when it is gone, a panel must say "no data" and not "nothing is down"."""
NOTHING = "–"
"""Label of a series that stands for none: panels say what that means, in words of their language."""
PROVIDER = "on (site, target) group_left (provider) monitor_link_info"


def rank(selector: str) -> str:
    """Targets by how much they hurt: 4 down, 3 unreachable, 2 degraded, 1 unknown, 0 up."""
    state = f"monitor_target_state{{{selector}}}"
    return "(" + " or ".join(f"({state} == {value}) * 0 + {rank}" for rank, _, _, value in RANKS) + ")"


WORST = f"max by (site) ({rank(ANY_SITE)})"
"""Each site by the worst of its targets."""


def or_none(expr: str, *labels: str, none: str = NONE) -> str:
    """An expression, or where it has no series a zero whose labels are `NOTHING`, as long as the daemon is scraped."""
    for name in labels:
        none = f'label_replace({none}, "{name}", "{NOTHING}", "", "")'
    return f"{expr} or on () {none}"


def named(expr: str) -> str:
    """With the name of the site as label `name`."""
    return f"({expr}) * on (site) group_left (name) monitor_site_info"


def short(expr: str) -> str:
    """With the part of `target` behind the site as label `thing`."""
    return f'label_replace({expr}, "thing", "$1", "target", ".*/(.+)")'


def quantile(part: float, histogram: str, selector: str, by: str = "", window: str = "$__rate_interval") -> str:
    """Quantile of a histogram over a window, by `by` (with a comma behind each label) or of all together."""
    return f"histogram_quantile({part}, sum by ({by}le) (rate({histogram}_bucket{{{selector}}}[{window}])))"


def lost(selector: str, window: str = "$__rate_interval") -> str:
    """Part of the echoes that did not come back, counted and not sampled, by line."""
    gone = f"rate(monitor_echo_lost_total{{{selector}}}[{window}])"
    return f"({gone} / ({gone} + rate(monitor_echo_rtt_seconds_count{{{selector}}}[{window}])))"


FINE = 5000
"""Moments of a picture that tells of times: an outage of a month is seen to 9 minutes, of a day to the scrape."""


def worked(states: str, over: str = "avg") -> str:
    """Part of the range shown in which each worked, of the time that is known; by `sum` and `count` the two parts of it.

    As docs/availability.md has it, but of samples, one every interval of the panel, which is to have `FINE` moments: near to the ledger's exact figure.
    """
    return f"{over}_over_time(((({states}) != 4) < bool 2)[$__range:$__interval])"


def query(
    expr: str, legend: str = "", letter: str = "A", *, instant: bool = False, as_table: bool = False
) -> Dataquery:
    """One PromQL query."""
    made = Dataquery().expr(expr).legend_format(legend).ref_id(letter).datasource(SOURCE)
    made = made.instant() if instant or as_table else made.range()
    return made.format(PromQueryFormat.TABLE if as_table else PromQueryFormat.TIME_SERIES)
