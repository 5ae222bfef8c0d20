"""The frame that all dashboards share: variables, marks, links to the others."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.promql import SOURCE
from dashboards.states import CUT_OFF, DOWN

TAG = "commune-monitor"


class Mark(model.AnnotationQuery, Builder[model.AnnotationQuery]):
    """An annotation of Prometheus; the plug-in's own keys stand beside those of the common schema."""

    def __init__(self, name: str, color: str, expr: str, title: str) -> None:
        target = model.AnnotationTarget(limit=100, match_any=False, tags=[], type_val="tags")
        super().__init__(name=name, datasource=SOURCE, enable=True, icon_color=color, target=target, expr=expr)
        self._title = title

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        own = {"expr": self.expr, "refId": "Anno", "range": True, "instant": False, "interval": ""}
        texts = {"titleFormat": self._title, "textFormat": "{{target}}", "tagKeys": "cause,severity"}
        return {**super().to_json(), **texts, "target": own}

    def build(self) -> Mark:
        """Itself: a builder that is built."""
        return self


def incidents(selector: str) -> Mark:
    """When incidents were open."""
    return Mark("Sự cố", DOWN, f"monitor_incident_info{{{selector}}}", "Sự cố: {{cause}}")


def maintenance(selector: str) -> Mark:
    """When there was work that had been announced."""
    return Mark("Bảo trì", CUT_OFF, f"monitor_target_maintenance{{{selector}}} == 1", "Bảo trì đã báo trước")


def variable(name: str, label: str, values: str, *, many: bool = False, regex: str = "") -> boards.QueryVariable:
    """What is chosen above the dashboard; `regex` may take text and value out of a `query_result`."""
    made = boards.QueryVariable(name).label(label).datasource(SOURCE).query({"query": values, "refId": name})
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC).regex(regex)
    if many:
        made.multi(True).include_all(True).all_value(".*")
        made.current(model.VariableOption(selected=True, text="All", value="$__all"))
    return made


AREA = variable("area", "Khu vực", 'label_values(monitor_site_info{code!=""}, area)', many=True)
NAME_AND_SITE = '/name="(?<text>[^"]*)".*site="(?<value>[^"]*)"/'
"""People choose by name, the address has the id."""


def sites(series: str, *, many: bool = False) -> boards.QueryVariable:
    """A choice of sites by their names."""
    return variable("site", "Nơi", f"query_result({series})", many=many, regex=NAME_AND_SITE)


Rows = Mapping[str, Sequence[Any]]
"""Builders of panels by the title of their row."""


def framed(
    uid: str,
    title: str,
    english: str,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Rows,
    *,
    marks: Sequence[Mark],
    since: str = "now-6h",
) -> boards.Dashboard:
    """A dashboard with what all have: source, board, links to the others."""
    made = boards.Dashboard(title).uid(uid).tags([TAG]).timezone("Asia/Ho_Chi_Minh").time(since, "now")
    made.description(f"{english} Written by dashboards/build.py: edit that, not this.").refresh("30s").readonly()
    made.tooltip(model.DashboardCursorSync.CROSSHAIR)
    made.link(
        boards.DashboardLink("Bảng khác")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
    made.link(
        boards.DashboardLink("Bảng trạng thái").type(model.DashboardLinkType.LINK).url("${board}").target_blank(True)
    )
    made.variables(
        [
            boards.DatasourceVariable("datasource").label("Nguồn dữ liệu").type("prometheus"),
            *variables,
            boards.TextBoxVariable("board").label("Bảng trạng thái").default_value("http://127.0.0.1:9469"),
        ]
    )
    for mark in marks:
        made.annotation(mark)
    number = itertools.count(1)
    for name, panels in rows.items():
        made.with_row(boards.Row(name).id(next(number)))
        for panel in panels:
            made.with_panel(panel.id(next(number)))
    return made
