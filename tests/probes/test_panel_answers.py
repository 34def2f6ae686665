"""Panels without series: rightly empty with a reason, or a fault; and what a stack's contract says of them."""

import math

import pytest

from components.dashboards.catalogue import DASHBOARDS
from components.dashboards.needs import GPU, MACHINE_TELLS, RECORDER, mapped, preset
from components.dashboards.panel import Panel, lines
from components.dashboards.queries import machines, messages, robots
from probes.panel_answers import Answer, Asking, Scope, faults, legend, scope_of
from probes.prometheus import Series, Span
from tests.probes.prometheus_standin import TableAsker

SPAN = Span(1000, 1100, 5)
SOME = (Series({"stack": "a", "topic": "/results"}, ((1000.0, 1.0), (1005.0, math.nan))),)
NOTHING = (Series({"stack": "a"}, ((1000.0, math.nan),)),)
UP = {'up{job="recorder"': SOME}


def ask(panel: Panel, asker: TableAsker, scope: Scope | None = None) -> Answer:
    return Asking(asker, SPAN, scope or Scope()).panel(panel)


def test_series_are_found_and_named() -> None:
    answer = ask(lines("Rate", messages.message_rate), TableAsker({"ros2bench_messages_total": SOME}))
    assert answer.verdict == "found"
    assert [line.name for line in answer.lines] == ["a /results"]


def test_a_series_without_a_number_is_none() -> None:
    answer = ask(lines("Rate", messages.message_rate), TableAsker({"ros2bench_messages_total": NOTHING}))
    assert answer.verdict == "missing"
    assert answer.why == "all that it needs is there, but no series answers to message_rate"


def test_a_machine_without_gpu_is_no_fault() -> None:
    answer = ask(lines("GPU", machines.gpu_busy, needs=(GPU,)), TableAsker({}))
    assert (answer.verdict, answer.why) == ("not here", GPU.reason)


def test_a_gpu_whose_clock_nobody_tells_is_no_fault() -> None:
    table = {"ros2bench_machine_gpu_busy_ratio": SOME}
    answer = ask(lines("Clock", machines.gpu_clock, needs=(GPU, MACHINE_TELLS)), TableAsker(table))
    assert (answer.verdict, answer.why) == ("not here", MACHINE_TELLS.reason)


def test_a_gpu_that_is_there_must_have_its_series() -> None:
    table = {"ros2bench_machine_gpu_memory_used_bytes": SOME}
    answer = ask(lines("GPU", machines.gpu_busy, needs=(GPU,)), TableAsker({}))
    assert answer.verdict == "not here"
    asker = TableAsker({"_used_bytes{machine": SOME} | table)
    busy = lines("Temperature", machines.gpu_temperature, needs=(GPU,))
    assert ask(busy, asker).verdict == "missing"


@pytest.mark.parametrize(
    ("scope", "verdict"), [(Scope(), "not here"), (Scope(presets=frozenset({"battery"})), "missing")]
)
def test_a_mapping_is_known_from_the_contract(scope: Scope, verdict: str) -> None:
    panel = lines("Charge", robots.battery_charge, needs=(RECORDER, preset("battery")))
    assert ask(panel, TableAsker(UP), scope).verdict == verdict


def test_a_metric_mapped_by_hand_is_known_from_the_contract() -> None:
    panel = lines("Success", robots.mission_success, needs=(RECORDER, mapped("ros2bench_mission_success")))
    answer = ask(panel, TableAsker(UP))
    assert answer.verdict == "not here"
    assert "maps no field to ros2bench_mission_success" in answer.why
    scope = Scope(metrics=frozenset({"ros2bench_mission_success"}))
    assert ask(panel, TableAsker(UP), scope).verdict == "missing"


def test_a_refused_query_is_a_fault_of_its_panel_alone() -> None:
    asker = TableAsker({"ros2bench_messages_total": SOME}, refused=("histogram_quantile",))
    found = Asking(asker, SPAN, Scope()).dashboards(DASHBOARDS[:1])
    refused = [answer.panel.title for answer in found[0].answers if answer.verdict == "refused"]
    assert refused == ["Latency", "Jitter (p95 less p50)"]
    assert {answer.panel.title for _, answer in faults(found)} >= set(refused)


def test_what_several_panels_need_is_asked_once() -> None:
    asker = TableAsker({})
    Asking(asker, SPAN, Scope()).dashboards(DASHBOARDS)
    signs = [expression for expression in asker.asked if expression == 'up{job="recorder",stack=~".+"}']
    assert len(signs) == 1


def test_an_empty_prometheus_has_a_reason_for_every_panel_but_its_own() -> None:
    found = Asking(TableAsker({}), SPAN, Scope()).dashboards()
    assert {answer.panel.title for _, answer in faults(found)} == {
        "Pods that answer", "Slowest scrape", "Samples of a round"
    }  # fmt: skip


def test_a_stack_is_asked_about_itself_alone() -> None:
    asker = TableAsker({})
    scope = scope_of("micro.services", {}, is_experiment=True, topic="/a+b", window="30s")
    Asking(asker, SPAN, scope).panel(lines("Rate", messages.message_rate))
    assert asker.asked[0] == (
        "sum by (stack, pattern, topic) "
        '(rate(ros2bench_messages_total{stack=~"micro\\\\.services",topic=~"/a\\\\+b"}[30s]))'
    )
    assert scope_of("p", {}, is_experiment=False, topic=None, window="1m").stack == ".+"


def test_mappings_of_a_spec_are_read() -> None:
    metrics = [
        {"topic": "/joint_states", "preset": "joint-states"},
        {"topic": "/mission", "preset": "mission", "fields": {"state": "phase"}},
        {"topic": "/x", "preset": None, "values": [{"name": "ros2bench_mission_success", "kind": "histogram"}]},
    ]
    scope = scope_of("a", {"application": {"metrics": metrics}}, is_experiment=True, topic=None, window="1m")
    assert scope.presets == {"joint-states", "mission"}
    assert scope.metrics == {"ros2bench_mission_state", "ros2bench_mission_success"}


@pytest.mark.parametrize(
    ("template", "labels", "name"),
    [
        ("{{stack}} {{topic}} p95", {"stack": "a", "topic": "/b"}, "a /b p95"),
        ("{{stack}} {{pod}}", {"stack": "a"}, "a"),
        ("{{stack}}", {}, "all"),
    ],
)
def test_legends_are_filled_in(template: str, labels: dict[str, str], name: str) -> None:
    assert legend(template, labels) == name
