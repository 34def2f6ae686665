"""Prometheus' own tool on our rules and pages: they parse, every alert fires and resolves, metrics are well named."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.dashboards.alerts import ALERTS_INTERVAL_S, alerts
from components.dashboards.queries import QUERIES, Query, application, messages
from components.dashboards.rules import RuleFile, prometheus_rules
from components.dashboards.thresholds import Thresholds
from tests.components.dashboards.alert_cases import CASES, Case
from tests.components.dashboards.promtool import find_program
from tests.images.in_cluster import module

pytestmark = pytest.mark.image

THRESHOLDS = Thresholds(power_budget_watts=55)
READER_ROWS: dict[str, list[list[Any]]] = {
    "containers": [[0, 0, "uid", "id", 5, 1, 1, 10, 20, 30, 40]],
    "machine": [[0, 0, 1, 2, 0, 3, 4, 5, 6, 7, 0.5]],
    "power": [[0, 0, "VDD_IN", 5.0, None, True]],
    "energy": [[0, 0, "VDD_IN", True, 10.0, 2.0]],
    "gpu": [[0, 0, "gpu0", 0.5, 1, 2, 60.0, 1_000_000_000]],
}


def promtool(folder: Path, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_program("promtool"), *words], cwd=folder, input=text, capture_output=True, text=True, check=False
    )


def write_rules(folder: Path, rules: RuleFile, name: str = "rules.yml") -> None:
    (folder / name).write_text(yaml.safe_dump(rules, sort_keys=False))


def test_rules_are_accepted(tmp_path: Path) -> None:
    write_rules(tmp_path, prometheus_rules(THRESHOLDS, certificates={"adapter": 1.8e9}))
    done = promtool(tmp_path, "check", "rules", "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_broken_expression_is_not_accepted(tmp_path: Path) -> None:
    write_rules(tmp_path, {"groups": [{"name": "g", "rules": [{"record": "a:b:c", "expr": "rate(up)"}]}]})
    assert promtool(tmp_path, "check", "rules", "rules.yml").returncode != 0


def test_every_expression_of_every_panel_is_accepted(tmp_path: Path) -> None:
    kept = [{"record": f"query:{name}:any", "expr": query.resolved()} for name, query in QUERIES.items()]
    write_rules(tmp_path, {"groups": [{"name": "queries", "rules": kept}]})
    done = promtool(tmp_path, "check", "rules", "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(QUERIES)} rules found" in done.stdout


@pytest.mark.parametrize("interval", ["1s", "10m"])
def test_every_alert_fires_and_resolves(tmp_path: Path, interval: str) -> None:
    write_rules(tmp_path, prometheus_rules(THRESHOLDS))
    suite = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{ALERTS_INTERVAL_S}s" if interval == "1s" else interval,
        "tests": [story(case) for case in CASES if case.interval == interval],
    }
    (tmp_path / "test.yml").write_text(yaml.safe_dump(suite, sort_keys=False))
    done = promtool(tmp_path, "test", "rules", "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def story(case: Case) -> dict[str, Any]:
    """One test of promtool's."""
    asked = f'count(ALERTS{{alertname="{case.alert}",severity=~"{case.severity}",alertstate="firing"}}) or vector(0)'
    return {
        "name": f"{case.alert}: {case.tells}",
        "interval": case.interval,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {"expr": asked, "eval_time": at, "exp_samples": [{"labels": "{}", "value": number}]}
            for at, number in case.expected.items()
        ],
    }


def test_no_alert_lacks_a_story() -> None:
    stories = [case for case in CASES if max(case.expected.values())]
    fired = {case.alert for case in stories}
    last = {case.alert for case in stories if list(case.expected.values())[-1] == 0}
    assert {alert.name for alert in alerts(THRESHOLDS)} == fired == last


def test_a_story_that_does_not_come_true_fails(tmp_path: Path) -> None:
    write_rules(tmp_path, prometheus_rules(THRESHOLDS))
    quiet = Case(alert="ExporterDown", tells="all is well", series={'up{job="recorder"}': "1x60"}, expected={"30s": 1})
    suite = {"rule_files": ["rules.yml"], "evaluation_interval": "3s", "tests": [story(quiet)]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(suite))
    assert promtool(tmp_path, "test", "rules", "test.yml").returncode != 0


def values_at(query: Query, at: str, samples: dict[str, float], **chosen: str) -> dict[str, Any]:
    """What promtool is to find for a query: values by labels."""
    expected = [{"labels": labels, "value": value} for labels, value in samples.items()]
    return {"expr": query.resolved(**chosen), "eval_time": at, "exp_samples": expected}


def check_series(folder: Path, series: dict[str, str], *expected: dict[str, Any]) -> None:
    """Let promtool ask for queries over series of a sample a second."""
    told = [{"series": name, "values": values} for name, values in series.items()]
    suite = {"tests": [{"interval": "1s", "input_series": told, "promql_expr_test": list(expected)}]}
    (folder / "test.yml").write_text(yaml.safe_dump(suite))
    done = promtool(folder, "test", "rules", "test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stack_deployed_again_with_another_pattern_has_its_costs_under_the_new_one(tmp_path: Path) -> None:
    recorder = 'up{job="recorder",instance="%s",stack="%s",pattern="%s"}'
    container = 'ros2bench_container_memory_bytes{pod_uid="%s",container_id="c",machine="edge"}'
    series = {
        # Prometheus restarts between the two, so that nothing says that the first one has ended.
        recorder % ("r1", "a", "monolithic"): "1x30",
        recorder % ("r2", "a", "overlay"): "_x40 1x60",
        recorder % ("r3", "b", "overlay"): "1x100",
        container % "u1": "100x100",
        container % "u2": "7x100",
        'kube_pod_info{stack="a",namespace="ros2bench-a",pod="p1",uid="u1"}': "1x100",
        'kube_pod_info{stack="b",namespace="ros2bench-b",pod="p2",uid="u2"}': "1x100",
    }
    of_a, of_b = '{stack="a",pattern="%s"}', '{stack="b",pattern="overlay"}'
    memory = application.memory_by_stack
    check_series(
        tmp_path,
        series,
        values_at(memory, "20s", {of_a % "monolithic": 100, of_b: 7}),
        values_at(memory, "60s", {of_a % "overlay": 100, of_b: 7}),
        values_at(memory, "60s", {of_a % "overlay": 100}, stack="a"),
    )


def test_only_a_stack_without_deployments_of_an_application_is_parked(tmp_path: Path) -> None:
    deployment = (
        'kube_deployment_labels{stack="%s",namespace="n",deployment="%s",label_app_kubernetes_io_component="%s"}'
    )
    series = {
        deployment % ("parked", "recorder", "recorder"): "1x10",
        deployment % ("without_pods", "recorder", "recorder"): "1x10",
        deployment % ("without_pods", "camera", "application"): "1x10",
        deployment % ("platform", "prometheus", "prometheus"): "1x10",
    }
    check_series(tmp_path, series, values_at(messages.parked, "5s", {'{stack="parked"}': 1}))


def test_metrics_of_machine_readers_are_well_named(tmp_path: Path) -> None:
    text = module("ros2bench_machine_reader.exposition").exposition(READER_ROWS, 5)
    done = promtool(tmp_path, "check", "metrics", text=text.decode())
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_of_the_recorder_are_well_named(tmp_path: Path) -> None:
    metrics, tally = module("ros2bench_recorder.metrics"), module("ros2bench_recorder.tally")
    counted = tally.Tally(10.0)
    counted.add(2_000_000, 1, 100, 1_700_000_000_000_000_000)
    moment = metrics.Moment(
        publishers={"/results": 1},
        nodes={"/camera": True},
        capture="0192f0aa-1111-7abc-8def-0123456789ab-003",
        cpu_ns=5,
        memory_bytes=4096,
        monotonic_s=10.0,
    )
    exposed = metrics.Exposition([metrics.Watched("/results", counted, 10.0)], metrics.Mapped())
    text = exposed.text(moment).decode()
    done = promtool(tmp_path, "check", "metrics", text=text)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{json.dumps(text.splitlines()[:20], indent=1)}"
