"""Panels of a Grafana dashboard, and how they are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

COLUMNS = 24
_DATASOURCE = {"type": "prometheus", "uid": "prometheus"}

Panel = dict[str, Any]


class Query(NamedTuple):
    """A PromQL expression and the legend of its series."""

    expression: str
    legend: str


def timeseries(title: str, queries: Sequence[Query], unit: str, *, stacked: bool = False) -> Panel:
    """Lines over time; ``unit`` is one of Grafana's."""
    custom = {
        "lineWidth": 1,
        "fillOpacity": 25 if stacked else 5,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none"},
    }
    return {
        "type": "timeseries",
        "title": title,
        "datasource": _DATASOURCE,
        "targets": _targets(queries),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def stat(title: str, expression: str, unit: str, limits: tuple[float, float] | None = None) -> Panel:
    """One figure with its course; yellow and red from the two limits on."""
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if limits:
        steps += [{"color": "yellow", "value": limits[0]}, {"color": "red", "value": limits[1]}]
    return {
        "type": "stat",
        "title": title,
        "datasource": _DATASOURCE,
        "targets": _targets([Query(expression, "")]),
        "fieldConfig": {
            "defaults": {"unit": unit, "decimals": 2, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": {"graphMode": "area", "colorMode": "value", "reduceOptions": {"calcs": ["lastNotNull"]}},
    }


def _targets(queries: Sequence[Query]) -> list[dict[str, str]]:
    return [
        {"refId": chr(ord("A") + index), "expr": query.expression, "legendFormat": query.legend}
        for index, query in enumerate(queries)
    ]


class Grid:
    """Lays panels out from left to right and down, below titled rows."""

    def __init__(self) -> None:
        self.panels: list[Panel] = []
        self._y = 0

    def row(self, title: str, repeat: str | None = None) -> None:
        """Begin a row; ``repeat`` is the variable for each of whose values the row stands once."""
        panel: Panel = {"type": "row", "title": title, "collapsed": False, "panels": []}
        self._place(panel | ({"repeat": repeat} if repeat else {}), 0, COLUMNS, 1)
        self._y += 1

    def add(self, panels: Sequence[Panel], width: int, height: int) -> None:
        """Lay panels of one size out."""
        a_line = COLUMNS // width
        for index, panel in enumerate(panels):
            self._place(panel, index % a_line * width, width, height)
            if index % a_line == a_line - 1 or index == len(panels) - 1:
                self._y += height

    def _place(self, panel: Panel, x: int, width: int, height: int) -> None:
        position = {"x": x, "y": self._y, "w": width, "h": height}
        self.panels.append(panel | {"id": len(self.panels) + 1, "gridPos": position})
