"""The frame that all dashboards share: variables, marks, links to the others."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.promql import SOURCE
from dashboards.states import CUT_OFF, DOWN
from dashboards.texts import Text, of_language, on_board

TAG = of_language("commune-monitor")
BOARD = Text("Bảng trạng thái", "Status board")


class Mark(model.AnnotationQuery, Builder[model.AnnotationQuery]):
    """An annotation of Prometheus; the plug-in's own keys stand beside those of the common schema."""

    def __init__(self, name: Text, color: str, expr: str, title: Text) -> None:
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
    texts = Text("Sự cố", "Incidents"), Text("Sự cố: {{cause}}", "Incident: {{cause}}")
    return Mark(texts[0], DOWN, f"monitor_incident_info{{{selector}}}", texts[1])


def maintenance(selector: str) -> Mark:
    """When there was work that had been announced."""
    texts = Text("Bảo trì", "Maintenance"), Text("Bảo trì đã báo trước", "Announced work")
    return Mark(texts[0], CUT_OFF, f"monitor_target_maintenance{{{selector}}} == 1", texts[1])


def variable(name: str, label: Text, values: str, *, many: bool = False, regex: str = "") -> boards.QueryVariable:
    """What is chosen above the dashboard; `regex` may take text and value out of a `query_result`."""
    made = boards.QueryVariable(name).label(label).datasource(SOURCE).query({"query": values, "refId": name})
    made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC).regex(regex)
    if many:
        made.multi(True).include_all(True).all_value(".*")
        made.current(model.VariableOption(selected=True, text="All", value="$__all"))
    return made


AREA = variable("area", Text("Khu vực", "Area"), 'label_values(monitor_site_info{code!=""}, area)', many=True)
NAME_AND_SITE = '/name="(?<text>[^"]*)".*site="(?<value>[^"]*)"/'
"""People choose by name, the address has the id."""


def sites(series: str, *, many: bool = False) -> boards.QueryVariable:
    """A choice of sites by their names."""
    return variable("site", Text("Nơi", "Site"), f"query_result({series})", many=many, regex=NAME_AND_SITE)


Rows = Mapping[Text, Sequence[Any]]
"""Builders of panels by the title of their row."""


def framed(
    uid: str,
    title: Text,
    about: Text,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Rows,
    *,
    folded: Rows = MappingProxyType({}),
    marks: Sequence[Mark],
    since: str = "now-6h",
) -> boards.Dashboard:
    """A dashboard with what all have: source, board, links to the others, and to itself in the other language.

    `folded` rows stand at the end; Grafana asks their queries only when somebody unfolds them.
    """
    made = boards.Dashboard(title).uid(of_language(uid)).tags([TAG]).timezone("Asia/Ho_Chi_Minh").time(since, "now")
    written = Text(
        f"{about} Do dashboards/build.py viết ra: sửa ở đó, không sửa ở đây.",
        f"{about.english} Written by dashboards/build.py: edit that, not this.",
    )
    made.description(written).refresh("30s").readonly().tooltip(model.DashboardCursorSync.CROSSHAIR)
    for link in _links(uid):
        made.link(link)
    made.variables(
        [
            boards.DatasourceVariable("datasource").label(Text("Nguồn dữ liệu", "Data source")).type("prometheus"),
            *variables,
            boards.TextBoxVariable("board").label(BOARD).default_value("http://127.0.0.1:9469"),
        ]
    )
    for mark in marks:
        made.annotation(mark)
    number = itertools.count(1)
    for name, panels in rows.items():
        made.with_row(boards.Row(name).id(next(number)))
        for panel in panels:
            made.with_panel(panel.id(next(number)))
    for name, panels in folded.items():
        end = max(each.grid_pos.y + each.grid_pos.h for each in made.build().panels or ())
        row = boards.Row(name).id(next(number)).grid_pos(model.GridPos(x=0, y=end, w=24, h=1))
        for panel in panels:
            row.with_panel(panel.id(next(number)))
        made.with_row(row)
    return made


def _links(uid: str) -> list[boards.DashboardLink]:
    """Above every dashboard."""
    return [
        boards.DashboardLink(Text("Bảng khác", "Other dashboards"))
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True),
        boards.DashboardLink(Text("English", "Tiếng Việt"))
        .type(model.DashboardLinkType.LINK)
        .url(Text(f"/d/{of_language(uid).english}", f"/d/{uid}"))
        .keep_time(True)
        .include_vars(True),
        boards.DashboardLink(BOARD).type(model.DashboardLinkType.LINK).url(on_board("/")).target_blank(True),
    ]
