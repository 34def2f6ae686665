"""Dashboards as values and as Grafana's JSON: whole, in step with the queries, the same every time."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.dashboards import dashboards
from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.grafana import UNITS
from components.dashboards.kpis import DASHBOARD as KPIS
from components.dashboards.needs import SEQUENCE_NUMBERS
from components.dashboards.panel import WIDTH, Panel, lines
from components.dashboards.queries import QUERIES, machines, messages
from components.dashboards.rules import prometheus_rules
from components.dashboards.units import Unit
from probes.panel_answers import Asking, Scope
from probes.prometheus import Series, Span
from tests.probes.prometheus_standin import TableAsker

DOCUMENTS: dict[str, Any] = {name: json.loads(text) for name, text in dashboards().items()}
INDICATORS = {
    "System health": {
        "Pod restart frequency": ("restarts_last_hour",),
        "Node availability percentage": ("machine_availability",),
        "GPU utilization efficiency": ("gpu_busy", "gpu_messages"),
        "Network latency distribution": ("latency_shares",),
    },
    "Application performance": {
        "Perception processing time": ("latency_p50", "perception_p50"),
        "Planning algorithm convergence": ("planning_p50",),
        "Control loop frequency": ("message_rate",),
        "End-to-end mission success rate": ("mission_success",),
    },
    "Use of resources": {
        "Memory usage patterns": ("memory_recorded", "memory_trend"),
        "CPU scheduling effectiveness": ("cpu_of_request", "container_throttled", "cpu_per_message"),
        "Power consumption trends": ("power_trend",),
        "Storage I/O performance": ("machine_io_read", "machine_io_write"),
    },
}


def panels_of(document: Any) -> list[Any]:
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def test_every_dashboard_is_there_under_its_own_name() -> None:
    assert list(DOCUMENTS) == [
        "experiment", "pod-lifecycle", "resources", "gpu-power", "kpis", "robots", "comparison", "platform-health"
    ]  # fmt: skip
    assert len({document["uid"] for document in DOCUMENTS.values()}) == len(DOCUMENTS)
    for name, document in DOCUMENTS.items():
        assert len(document["uid"]) <= 40
        assert document["editable"] is False, name
        assert len(json.dumps(document)) < 900_000, "a ConfigMap holds a mebibyte"


def test_the_same_dashboards_are_the_same_bytes() -> None:
    assert dashboards() == dashboards()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_panels_in_json_are_the_panels(dashboard: Any) -> None:
    found = panels_of(DOCUMENTS[dashboard.name])
    assert [panel["title"] for panel in found] == [panel.title for panel in dashboard.panels]
    for panel, written in zip(dashboard.panels, found, strict=True):
        assert [target["expr"] for target in written["targets"]] == [query.expression for query in panel.queries]
        assert [target["legendFormat"] for target in written["targets"]] == [query.legend for query in panel.queries]
        assert written["fieldConfig"]["defaults"]["unit"] == UNITS[panel.unit]
        assert written["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel.description in written["description"]
        assert len({target["refId"] for target in written["targets"]}) == len(panel.queries)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_every_variable_that_is_used_can_be_set(dashboard: Any) -> None:
    document = DOCUMENTS[dashboard.name]
    settable = {variable["name"] for variable in document["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)", json.dumps(panels_of(document))))
    assert used <= settable
    assert settable - used - {"stack"} == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_panels_fill_the_grid_and_do_not_overlap(dashboard: Any) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DOCUMENTS[dashboard.name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_query_is_shown_or_told() -> None:
    shown = {query.name for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries}
    text = json.dumps(prometheus_rules())
    for name in QUERIES.keys() - shown:
        expression = json.dumps(QUERIES[name].resolved())[1:-1]
        assert expression in text, f"query {name} is in no panel and no rule"


def test_every_indicator_has_its_panel() -> None:
    for row in KPIS.rows:
        shown = {query.name for panel in row.panels for query in panel.queries}
        for indicator, names in INDICATORS[row.title].items():
            assert set(names) <= shown, indicator
    assert [row.title for row in KPIS.rows] == list(INDICATORS)


def test_every_unit_has_a_name_in_grafana() -> None:
    assert set(UNITS) == set(Unit)


def test_titles_are_unique_within_a_dashboard() -> None:
    for dashboard in DASHBOARDS:
        titles = [panel.title for panel in dashboard.panels]
        assert len(set(titles)) == len(titles), dashboard.name


def test_a_panel_with_two_units_is_refused() -> None:
    with pytest.raises(ValueError, match="mixes the units"):
        lines("Mixed", messages.latency_p50, machines.power)
    with pytest.raises(ValueError, match="25 wide"):
        lines("Wide", machines.power, width=25)


def test_losses_are_rightly_unknown_where_the_middleware_numbers_no_messages() -> None:
    some = (Series({"stack": "a", "topic": "/results"}, ((1000.0, 1.0),)),)
    heard = {'up{job="recorder"': some, "ros2bench_messages_total": some}
    found = [panel for each in DASHBOARDS for panel in each.panels if messages.loss_ratio in panel.queries]
    assert len(found) == 2
    for panel in found:
        answer = Asking(Unnumbered(heard), Span(900, 1000, 5), Scope()).panel(panel)
        assert (answer.verdict, answer.why) == ("not here", SEQUENCE_NUMBERS.reason)


class Unnumbered(TableAsker):
    """A Prometheus whose recorders know no losses."""

    def over(self, expression: str, span: Span) -> tuple[Series, ...]:
        """Answer nothing that needs them."""
        return () if "ros2bench_messages_lost_total" in expression else super().over(expression, span)


def test_a_gap_is_not_bridged() -> None:
    written = next(panel for panel in panels_of(DOCUMENTS["experiment"]) if panel["type"] == "timeseries")
    assert written["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


def test_each_file_of_a_dashboard_has_one() -> None:
    folder = Path(__file__).parents[3] / "components" / "dashboards"
    holding = {path.stem for path in folder.glob("*.py") if "\nDASHBOARD = " in path.read_text(encoding="utf-8")}
    assert len(holding) == len(DASHBOARDS)
    assert all(isinstance(panel, Panel) for dashboard in DASHBOARDS for panel in dashboard.panels)
