"""Traces and logs in a lab with the real Jaeger, Loki and Promtail: a frame found by its number, lines by a run."""

import json
from collections.abc import Generator, Mapping
from typing import Any

import pytest

from tests.cluster.conftest import Journey
from tests.cluster.observed import destroyed, override, provided, until, up

pytestmark = [pytest.mark.cluster, pytest.mark.full]

EXPERIMENT = "microservices"
NAMESPACE = f"ros2bench-{EXPERIMENT}"
# The one that stays for the tests that follow comes last: a small machine has no room for two.
PATTERNS = ("monolithic", "composition", "overlay", EXPERIMENT)
ALL_NODES = {"camera", "detector", "monitor", "reader"}
AFTER = {"camera": None, "detector": "camera", "reader": "detector", "monitor": "detector"}
TOPICS = {"camera": "/frames", "detector": "/detections", "reader": "/readings", "monitor": "/results"}
FIELDS = {"time", "level", "message", "logger", "stack"}


def traced(journey: Journey, stack: str, words: str = "") -> dict[str, Any] | None:
    """What the command says of a frame; None where it says that there is none."""
    done = journey.in_lab(f"python -m probes.traces -s {stack} --json {words}")
    assert done.returncode in {0, 4}, done.stderr
    return json.loads(done.stdout) if done.returncode == 0 else None


def whole(trace: Mapping[str, Any] | None) -> bool:
    """Whether all four nodes have told of a frame."""
    return trace is not None and {step["span"]["service"] for step in trace["steps"]} == ALL_NODES


def own_lines(journey: Journey, namespace: str) -> list[dict[str, Any]]:
    """Lines of JSON that the containers of a namespace wrote, as `kubectl logs` shows them."""
    names = journey.kubectl(f"-n {namespace} get pods -o name").split()
    text = "\n".join(journey.kubectl(f"-n {namespace} logs {name} --tail=-1") for name in names)
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def telemetry(journey: Journey) -> Generator[dict[str, str]]:
    """A platform that keeps traces and lines; yields the environment of experiments that send to it."""
    destroyed(journey, *PATTERNS)
    provided(journey, "all")
    settings = override(
        journey,
        "telemetry-platform",
        observability={"mode": "none"},
        tracing={"enabled": True},
        logs={"mode": "loki"},
    )
    up(journey, "platform", settings)
    yield override(journey, "telemetry-experiment", platform="platform", tracing={"enabled": True, "sampleEvery": 1})
    destroyed(journey, *PATTERNS, "platform")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_frame_is_found_by_its_number_with_the_span_of_every_node(
    journey: Journey, telemetry: dict[str, str], pattern: str
) -> None:
    up(journey, pattern, telemetry)

    def newest() -> dict[str, Any] | None:
        found = traced(journey, pattern)
        return found if whole(found) else None

    number = until(newest, 90)["frame_number"]
    trace = traced(journey, pattern, f"--frame {number}")
    assert trace is not None
    steps = {step["span"]["service"]: step for step in trace["steps"]}
    assert set(steps) == ALL_NODES
    assert {node: step["after"] for node, step in steps.items()} == AFTER
    assert {node: step["span"]["topic"] for node, step in steps.items()} == TOPICS
    assert trace["frame_number"] == number
    assert steps["camera"]["begins_s"] == 0
    assert all(step["took_s"] > 0 for step in steps.values())
    # The lab's machines share one clock: nobody takes a message before it was sent, to a microsecond's rounding.
    assert steps["detector"]["begins_s"] > 0
    assert steps["monitor"]["begins_s"] > steps["detector"]["begins_s"]
    shown = journey.in_lab(f"python -m probes.traces -s {pattern} --frame {number}").stdout
    assert all(node in shown for node in ALL_NODES)
    if pattern != EXPERIMENT:
        up(journey, pattern, telemetry, ROS2BENCH_STATE="parked")


def test_frames_between_the_sampled_ones_are_not_traced(journey: Journey, telemetry: dict[str, str]) -> None:
    settings = override(journey, "sampled", platform="platform", tracing={"enabled": True, "sampleEvery": 25})
    up(journey, EXPERIMENT, settings)
    refused = journey.in_lab(f"python -m probes.traces -s {EXPERIMENT} --frame 26")
    assert refused.returncode == 2
    assert "frames 25 and 50 are" in refused.stderr
    until(lambda: traced(journey, EXPERIMENT, "--frame 50 --minutes 3"))
    up(journey, EXPERIMENT, telemetry)


def test_every_process_of_ours_writes_lines_of_json(journey: Journey, telemetry: dict[str, str]) -> None:
    lines = [line for line in own_lines(journey, NAMESPACE) if "audit" not in line and "own_report" not in line]
    assert lines, "the detector says at least its revision"
    for line in lines:
        assert line.keys() >= FIELDS, line
        assert line["stack"] == EXPERIMENT
        assert line["pattern"] == EXPERIMENT
        assert line.get("node") or line.get("program")
    assert "detector" in {line.get("node") for line in lines}


def test_a_line_is_found_by_the_run(journey: Journey, telemetry: dict[str, str]) -> None:
    done = journey.in_lab(
        f"python -m probes.run -s {EXPERIMENT} --repetitions 1 --duration-s 5 --json", timeout_s=900, **telemetry
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run_id = json.loads(done.stdout.splitlines()[-1])["run_id"]

    def lines() -> list[dict[str, Any]]:
        asked = journey.in_lab(f"python -m probes.logs {run_id} --json")
        found = [json.loads(line) for line in asked.stdout.splitlines()] if asked.returncode == 0 else []
        named = {line["fields"].get("program") for line in found if line["fields"].get("run") == run_id}
        return found if named >= {"recorder", "machine-reader"} else []

    found = until(lines, 90)
    of_recorder = [line["fields"]["message"] for line in found if line["fields"].get("program") == "recorder"]
    assert any(f"capture {run_id}" in message and "has begun" in message for message in of_recorder)
    assert any(f"capture {run_id}" in message and "has ended" in message for message in of_recorder)
    assert {line["namespace"] for line in found} <= {NAMESPACE, "ros2bench-platform-machines"}
    times = [line["at_ns"] for line in found]
    assert times == sorted(times)
    shown = journey.in_lab(f"python -m probes.logs {run_id} --node recorder").stdout
    assert "has begun" in shown


def test_without_a_collector_the_application_works_and_counts(journey: Journey, telemetry: dict[str, str]) -> None:
    dead = override(journey, "dead", tracing={"enabled": True, "sampleEvery": 1, "endpoint": "http://192.0.2.1:4318"})
    up(journey, EXPERIMENT, dead)
    told = until(lambda: [line for line in own_lines(journey, NAMESPACE) if line.get("logger") == "traces"])
    assert {line["level"] for line in told} == {"WARNING"}
    assert all("dropped and counted" in line["message"] for line in told)
    done = journey.in_lab(
        f"python -m probes.run -s {EXPERIMENT} --repetitions 1 --duration-s 5 --json", timeout_s=900, **dead
    )
    assert done.returncode == 0, done.stderr[-3000:]
    up(journey, EXPERIMENT, telemetry)
