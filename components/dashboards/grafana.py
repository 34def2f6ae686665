"""A dashboard as Grafana's JSON, by Grafana's own builders (grafana-foundation-sdk, for Grafana 12 and what reads it).

The data source is a variable, because an existing Grafana has given its Prometheus an identifier of its own.
"""

import warnings
from collections.abc import Callable

from components.dashboards.panel import Dashboard, Kind, Panel
from components.dashboards.query import ANY, DEFAULT_WINDOW
from components.dashboards.units import Unit

with warnings.catch_warnings():
    # It recommends its second format, which files and the operator's sidecar cannot bring to Grafana 12.
    warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models import common, units
    from grafana_foundation_sdk.models import dashboard as models

SOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "ros2bench"
REFRESH = "5s"
SINCE = "now-15m"
WINDOWS = "10s,30s,1m,5m,15m"

UNITS: dict[Unit, str] = {
    Unit.SECONDS: units.Seconds,
    Unit.HERTZ: units.Hertz,
    Unit.RATIO: units.PercentUnit,
    Unit.COUNT: units.Short,
    Unit.CORES: "suffix: cores",
    Unit.BYTES: units.BytesSI,
    Unit.BYTES_PER_SECOND: units.BytesPerSecondSI,
    Unit.PER_SECOND: units.EventsPerSecond,
    Unit.WATTS: units.Watt,
    Unit.JOULES: units.Joule,
    Unit.CELSIUS: units.Celsius,
    Unit.VOLTS: units.Volt,
    Unit.RADIANS: units.Radians,
    Unit.RADIANS_PER_SECOND: units.RadiansPerSecond,
    Unit.NEWTON_METERS: units.NewtonMeters,
    Unit.METERS_PER_SECOND: units.MetersPerSecond,
}
"""Grafana's identifier of every unit."""

LABELS: dict[str, tuple[str, str]] = {
    "stack": ("Stack", 'label_values(up{stack=~".+"}, stack)'),
    "topic": ("Topic", 'label_values(ros2bench_messages_total{stack=~"$stack"}, topic)'),
    "machine": ("Machine", 'label_values(up{machine=~".+"}, machine)'),
}
"""Variables whose values Prometheus knows: what is written beside them, and how it is asked."""


PanelBuilder = timeseries.Panel | stat.Panel | statetimeline.Panel


def encoded(dashboard: Dashboard) -> str:
    """Give a dashboard as JSON; the same dashboard gives the same bytes."""
    return JSONEncoder(sort_keys=True, indent=1).encode(built(dashboard)) + "\n"


def built(dashboard: Dashboard) -> models.Dashboard:
    """Build a dashboard."""
    page = (
        builders.Dashboard(dashboard.title)
        .uid(f"{TAG}-{dashboard.name}")
        .description(dashboard.description)
        .tags([TAG])
        .timezone("browser")
        .readonly()
        .refresh(REFRESH)
        .time(SINCE, "now")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    for name in LABELS:
        if name in dashboard.variables or (name == "stack" and "topic" in dashboard.variables):
            page.with_variable(_variable(name))
    if "window" in dashboard.variables:
        page.with_variable(_window())
    for row in dashboard.rows:
        page.with_row(builders.Row(row.title))
        for panel in row.panels:
            page.with_panel(_panel(panel))
    return page.build()


def _variable(name: str) -> builders.QueryVariable:
    said, asked = LABELS[name]
    return (
        builders.QueryVariable(name)
        .label(said)
        .datasource(SOURCE)
        .query(asked)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(ANY)
        .current(models.VariableOption(text="All", value="$__all"))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )


def _window() -> builders.IntervalVariable:
    chosen = models.VariableOption(text=DEFAULT_WINDOW, value=DEFAULT_WINDOW)
    return builders.IntervalVariable("window").label("Window").values(WINDOWS).current(chosen)


def _panel(panel: Panel) -> PanelBuilder:
    why_empty = "; ".join(need.reason for need in panel.needs)
    said = f"{panel.description}\n\nEmpty where: {why_empty}." if why_empty else panel.description
    made = (
        KINDS[panel.kind]()
        .title(panel.title)
        .description(said)
        .datasource(SOURCE)
        .unit(UNITS[panel.unit])
        .height(panel.height)
        .span(panel.width)
        .no_value("none")
    )
    for index, query in enumerate(panel.queries):
        target = (
            prometheus.Dataquery()
            .datasource(SOURCE)
            .expr(query.expression)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + index))
            .range()
        )
        made.with_target(target)
    return made


def _lines() -> PanelBuilder:
    legend = common_builders.VizLegendOptions().show_legend(show_legend=True).calcs(["lastNotNull", "max"])
    legend = legend.display_mode(common.LegendDisplayMode.TABLE).placement(common.LegendPlacement.BOTTOM)
    # A gap in the data is a gap in the line: what was not seen is not drawn.
    return timeseries.Panel().legend(legend).line_width(1).fill_opacity(0).span_nulls(span_nulls=False)


def _numbers() -> PanelBuilder:
    newest = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().reduce_options(newest).graph_mode(common.BigValueGraphMode.AREA)


def _states() -> PanelBuilder:
    return statetimeline.Panel().show_value(common.VisibilityMode.NEVER).merge_values(merge_values=True)


KINDS: dict[Kind, Callable[[], PanelBuilder]] = {"lines": _lines, "numbers": _numbers, "states": _states}
