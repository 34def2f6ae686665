"""The adapter's configuration: which series each rule finds, what it is called, and what is asked for it."""

import re
from typing import Any

import pytest

from components.autoscaling import adapter_rules
from components.autoscaling.signals import (
    AGGREGATES,
    LATENCY_SERIES,
    OWN_SERIES,
    Aggregate,
    external_metric,
    pod_metric,
)

RECORDER = adapter_rules.recorder_rules()
PODS = adapter_rules.pod_rules()
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')


def holds(sign: str, value: str, text: str) -> bool:
    """Whether a matcher of Prometheus is true of a label's value."""
    same = value == text if sign in ("=", "!=") else re.fullmatch(text, value) is not None
    return same != sign.startswith("!")


def finds(rule: dict[str, Any], **labels: str) -> bool:
    """Whether Prometheus would list a series of these labels for a rule."""
    matchers = MATCHER.findall(rule["seriesQuery"])
    assert matchers
    return all(holds(sign, labels.get(label, ""), text) for label, sign, text in matchers)


def named(rules: list[dict[str, Any]], **labels: str) -> dict[str, str]:
    """Query by name of the metric that a series becomes, as the adapter names it."""
    made: dict[str, str] = {}
    for rule in rules:
        found = re.search(rule["name"]["matches"], labels["__name__"]) if finds(rule, **labels) else None
        if found:
            name = found.expand(rule["name"]["as"].replace("${1}", r"\g<1>"))
            assert name not in made, "two rules make one metric"
            made[name] = rule["metricsQuery"]
    return made


def of_recorder(series: str) -> dict[str, str]:
    return named(RECORDER, __name__=series, job="recorder", namespace="ros2bench-x")


@pytest.mark.parametrize("kind", AGGREGATES)
def test_every_aggregate_of_every_kind_of_mapped_metric_is_served(kind: str) -> None:
    name = {"gauge": "arm_force_newtons", "histogram": "wait_seconds"}.get(kind, "stops_total")
    series = f"{name}_bucket" if kind == "histogram" else name
    served = of_recorder(series)
    assert set(served) == {external_metric(name, aggregate) for aggregate in AGGREGATES[kind]}


@pytest.mark.parametrize(("series", "aggregate"), OWN_SERIES.items())
def test_counters_of_the_recorder_itself_are_served(series: str, aggregate: Aggregate) -> None:
    assert external_metric(series, aggregate) in of_recorder(series)


def test_latency_is_asked_for_by_topic_and_namespace_and_is_no_value_without_messages() -> None:
    (query,) = of_recorder(f"{LATENCY_SERIES}_bucket").values()
    assert 'topic=~"/<<index .LabelValuesByName "topic">>"' in query
    assert 'namespace="<<index .LabelValuesByName "namespace">>"' in query
    assert query.endswith(f"< {adapter_rules.LARGEST}"), "no number, and an infinite one, must not be given"


def test_series_of_other_jobs_and_without_a_namespace_are_not_found() -> None:
    for rule in (*RECORDER, *PODS):
        name = "x_bucket" if "bucket" in rule["name"]["matches"] else "x_total"
        assert not finds(rule, __name__=name, job="node-exporter", namespace="a", pod="b")
        assert not finds(rule, __name__=name, job="recorder", pod="b")
        assert not finds(rule, __name__=name, job="application", pod="b")


def test_a_pod_serves_gauges_as_they_are_and_counters_as_their_growth() -> None:
    for series in ("backlog", "worker_busy_seconds_total"):
        served = named(PODS, __name__=series, job="application", namespace="a", pod="b")
        assert set(served) == {pod_metric(series)}
    assert not named(PODS, __name__="up", job="application", namespace="a", pod="b")


@pytest.mark.parametrize("rule", [*RECORDER, *PODS], ids=lambda rule: rule["name"]["as"])
def test_every_query_is_of_one_namespace_and_has_even_brackets(rule: dict[str, Any]) -> None:
    query = rule["metricsQuery"]
    assert "<<.LabelMatchers>>" in query or '"namespace"' in query
    for opening, closing in ("()", "{}", "[]"):
        assert query.count(opening) == query.count(closing)
    assert rule["resources"]["overrides"]["namespace"] == {"resource": "namespace"}
