"""Every expression parses, names only series that somebody gives, has its unit, and keeps experiments apart."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest

from components.dashboards import series
from components.dashboards.alerts import alerts
from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.queries import MESSAGE_LATENCY_SECONDS, MESSAGES_TOTAL, QUERIES, Query, exactly, filled, find
from components.dashboards.rules import recordings
from components.dashboards.thresholds import LATENCY_BOUNDS_S, Thresholds
from components.dashboards.units import Unit
from components.observability import kube_state_metrics, node_exporter
from tests.components.dashboards.dimensions import UNITS, dimension_of
from tests.images.in_cluster import module

ROOT = Path(__file__).parents[3]
MACHINE_LEVEL = {"machine", "certificate"}


def every_expression() -> dict[str, str]:
    """All expressions by a name: queries, signs of needs, recording rules, alerts."""
    found = {name: query.resolved() for name, query in QUERIES.items()}
    needs = {need for dashboard in DASHBOARDS for panel in dashboard.panels for need in panel.needs}
    found |= {f"need {need.name}": filled(need.sign) for need in needs if need.sign}
    budget = Thresholds(power_budget_watts=60)
    found |= {f"rule {rule.name}": rule.expression for rule in recordings(budget)}
    return found | {f"alert {alert.name} {alert.severity}": alert.expression for alert in alerts(budget)}


EXPRESSIONS = every_expression()


PARSED = {name: promql.parse(expression) for name, expression in EXPRESSIONS.items()}


def selectors(parsed: Any) -> Iterator[Any]:
    found: list[Any] = []
    promql.walk(parsed, found.append)
    return (node for node in found if isinstance(node, promql.VectorSelector))


def test_series_and_labels_are_ones_that_somebody_gives() -> None:
    for name, parsed in PARSED.items():
        found = list(selectors(parsed))
        assert found, name
        for selector in found:
            assert selector.name in series.ALL, f"{name}: nobody gives {selector.name}"
            asked = {matcher.name for matcher in selector.matchers.matchers}
            more = asked - series.ALL[selector.name]
            assert not more, f"{name}: {selector.name} has no label {more}"


def test_units_follow_from_the_series() -> None:
    for name, query in QUERIES.items():
        assert dict(dimension_of(PARSED[name])) == dict(UNITS[query.unit]), name


def test_units_of_alerts_and_rules_add_up() -> None:
    for name, parsed in PARSED.items():
        if not name.startswith("need "):
            assert dimension_of(parsed) is not None, name


def test_a_wrong_unit_is_noticed() -> None:
    wrong = promql.parse("rate(ros2bench_message_latency_seconds_sum[1m])")
    assert dict(dimension_of(wrong)) != dict(UNITS[Unit.SECONDS])
    with pytest.raises(ValueError, match=r"\{'s': 1\} \+ \{'B': 1\}"):
        dimension_of(promql.parse("scrape_duration_seconds + process_resident_memory_bytes"))


def test_two_experiments_never_mix() -> None:
    """The outermost result has the label `stack`, or is about a machine or a certificate, which have none."""
    for name in QUERIES:
        kept = labels_of(PARSED[name])
        assert "stack" in kept or kept & MACHINE_LEVEL, f"{name}: {kept}"
    assert labels_of(promql.parse("sum by (topic) (rate(ros2bench_messages_total[1m]))")) == {"topic"}


def test_legends_name_labels_that_the_results_have() -> None:
    for name, query in QUERIES.items():
        asked = set(re.findall(r"{{(\w+)}}", query.legend))
        assert asked, name
        assert asked <= labels_of(PARSED[name]), name


def labels_of(node: Any) -> set[str]:  # noqa: PLR0911 - a case for each kind of node
    """Labels that the result of an expression has."""
    match node:
        case promql.ParenExpr():
            return labels_of(node.expr)
        case promql.AggregateExpr():
            return set(node.modifier.labels) if node.modifier else set()
        case promql.Call():
            dropped = {"le"} if node.func.name == "histogram_quantile" else set[str]()
            return set[str]().union(*(labels_of(argument) for argument in node.args)) - dropped
        case promql.MatrixSelector():
            return set(series.ALL[str(node.vector_selector.name)])
        case promql.VectorSelector():
            return set(series.ALL[str(node.name)])
        case promql.BinaryExpr():
            left, right = labels_of(node.lhs), labels_of(node.rhs)
            if isinstance(node.lhs, promql.NumberLiteral | promql.Call) and not left:
                return right
            is_many_right = node.modifier is not None and "OneToMany" in str(node.modifier.card)
            extra = set(node.modifier.group_labels or ()) if node.modifier else set()
            return (right if is_many_right else left) | extra
        case _:
            return set()


def test_the_tables_are_those_of_the_exporters() -> None:
    exposition = module("ros2bench_machine_reader.exposition")
    given = {
        f"ros2bench_{family[0]}": tuple(exposition.LABELS[kind])
        for kind, families in exposition.FAMILIES.items()
        for family in families.values()
    }
    own = {"ros2bench_machine_reader_cpu_seconds_total": ()}
    assert given | own == dict(series.MACHINE_READER)


def test_the_recorder_gives_its_table() -> None:
    source = (ROOT / "images/workspace/src/ros2bench_recorder/ros2bench_recorder/metrics.py").read_text()
    named = {name for name in re.findall(r"'(ros2bench_[a-z_]+)'", source) if not name.endswith("_")}
    table = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series.RECORDER}
    assert table <= named
    assert {name for name in named if name.startswith("ros2bench_")} - table <= {"ros2bench_recorder"}


def test_presets_give_what_robots_panels_ask() -> None:
    presets = module("ros2bench_recorder.mapping_presets")
    given = {
        value.name
        for preset in presets.PRESETS.values()
        for value in (*preset.values.values(), *(preset.offered or {}).values())
    }
    assert set(series.MAPPED) <= given


def test_kube_state_metrics_is_asked_for_every_series() -> None:
    allowed = [re.compile(f"^{pattern}$") for pattern in kube_state_metrics.SERIES]
    assert [name for name in series.KUBE_STATE_METRICS if not any(map_.match(name) for map_ in allowed)] == []
    for name, allowed_labels in (
        ("kube_pod_labels", kube_state_metrics.POD_LABELS),
        ("kube_deployment_labels", kube_state_metrics.DEPLOYMENT_LABELS),
    ):
        told = {f"label_{re.sub(r'[^a-zA-Z0-9_]', '_', label)}" for label in allowed_labels}
        assert {label for label in series.KUBE_STATE_METRICS[name] if label.startswith("label_")} == told


def test_labels_by_which_a_parked_stack_is_known_are_told() -> None:
    (asked,) = [arg for arg in kube_state_metrics.program("x").args if arg.startswith("--metric-labels-allowlist=")]
    kinds = dict(re.findall(r"([a-z]+)=\[([^\]]*)\]", asked))
    assert kinds.keys() == {"pods", "deployments"}
    assert kinds["deployments"].split(",") == ["app.kubernetes.io/component"]


def test_the_node_exporter_runs_the_collectors_that_queries_need() -> None:
    assert {"filesystem", "time", "timex"} <= set(node_exporter.COLLECTORS)


def test_objectives_are_bounds_of_the_recorders_histogram() -> None:
    bounds = module("ros2bench_recorder.tally").LATENCY_BOUNDS_S
    assert [f"{bound:g}" for bound in LATENCY_BOUNDS_S] == [f"{bound:g}" for bound in bounds]


def test_names_are_unique_and_found() -> None:
    modules = [module for module in sys.modules if module.startswith("components.dashboards.queries.")]
    written = [value.name for name in modules for value in vars(sys.modules[name]).values() if isinstance(value, Query)]
    assert set(written) == set(QUERIES)
    assert find("message_rate").name == "message_rate"
    with pytest.raises(KeyError, match="there is no query 'x'; there are alerts_firing"):
        find("x")


def test_constants_stay() -> None:
    assert (MESSAGES_TOTAL, MESSAGE_LATENCY_SECONDS) == (
        "ros2bench_messages_total",
        "ros2bench_message_latency_seconds",
    )


def test_a_query_with_an_unknown_variable_is_refused() -> None:
    with pytest.raises(ValueError, match=r"query x leaves \['stak'\] open"):
        Query(name="x", expression='up{stack=~"$stak"}', unit=Unit.COUNT, legend="", description="")


def test_variables_are_filled_in() -> None:
    text = filled('rate(a{stack=~"$stack",topic=~"${topic}"}[$window])', stack=exactly("a.b+c"), window="30s")
    assert text == 'rate(a{stack=~"a\\\\.b\\\\+c",topic=~".+"}[30s])'
    selector = next(selectors(promql.parse(text)))
    assert selector.matchers.matchers[0].value == "a\\.b\\+c"
    assert filled('label_replace(x, "a", "$1", "b", "(.+)")') == 'label_replace(x, "a", "$1", "b", "(.+)")'


def test_importing_queries_imports_nothing_heavy() -> None:
    code = (
        "import sys, components.dashboards.queries, components.dashboards.rules, components.dashboards.catalogue; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "{'pulumi', 'grafana_foundation_sdk', 'prometheus_api_client', 'requests', 'yaml', 'pydantic'}])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"
