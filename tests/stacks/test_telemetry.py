"""Traces and logs of stacks, seen by recording mocks: what is deployed, what the pods are told, what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.image import ThirdPartyImages
from components.refusal import Refusal
from stacks import telemetry
from stacks.outputs import StackOutputs
from stacks.reading import KEY, read_spec
from tests.stacks.conftest import Run
from tests.support import values
from tests.support.deployment import Deployment

IMAGES = {name: f"registry.example/third-party/{name}@{values.DIGEST}" for name in ("jaeger", "loki", "promtail")}
PLATFORM: dict[str, Any] = {"images": {"checkRegistry": False, "platform": IMAGES}}
ENDPOINT = "ROS2BENCH_TRACES_ENDPOINT"


def contract(deployment: Deployment) -> StackOutputs:
    return StackOutputs.model_validate_json(json.dumps(deployment.value))


def environments(deployment: Deployment) -> dict[str, dict[str, str]]:
    """Variables of every Deployment's container, by component and name."""
    found: dict[str, dict[str, str]] = {}
    for each in deployment.of("Deployment"):
        template = each.inputs["spec"]["template"]
        (container,) = template["spec"]["containers"]
        name = template["metadata"]["labels"]["app.kubernetes.io/component"]
        found.setdefault(name, {}).update({e["name"]: e.get("value", "") for e in container.get("env", [])})
    return found


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "composition", "overlay"])
def test_by_itself_an_experiment_traces_nothing_and_says_who_it_is(run: Run, pattern: str) -> None:
    deployment = run(pattern)
    found = environments(deployment)
    assert set(found) >= {"application", "recorder", "discovery"}
    for variables in found.values():
        assert ENDPOINT not in variables
        assert (variables["ROS2BENCH_STACK"], variables["ROS2BENCH_PATTERN"]) == (pattern, pattern)
    assert [each for each in deployment.of("NetworkPolicy") if each.name == "allow-traces"] == []


@pytest.mark.parametrize("pattern", ["monolithic", "microservices", "composition", "overlay"])
def test_the_nodes_of_every_pattern_send_to_the_platform_by_its_fixed_name(run: Run, pattern: str) -> None:
    deployment = run(pattern, platform="platform", tracing={"enabled": True, "sampleEvery": 3})
    found = environments(deployment)
    assert found["application"][ENDPOINT] == "http://jaeger.ros2bench-platform.svc:4318"
    assert found["application"]["ROS2BENCH_TRACES_SAMPLE_EVERY"] == "3"
    assert ENDPOINT not in found["recorder"]
    assert ENDPOINT not in found["discovery"]
    policy = deployment.one("NetworkPolicy", "allow-traces").inputs["spec"]
    (rule,) = policy["egress"]
    assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ros2bench-platform"}


def test_traces_may_go_to_somebody_elses_collector(run: Run) -> None:
    deployment = run("monolithic", tracing={"enabled": True, "endpoint": "http://192.0.2.7:4318"})
    assert environments(deployment)["application"][ENDPOINT] == "http://192.0.2.7:4318"


@pytest.mark.parametrize(
    ("tracing", "load", "said"),
    [
        ({}, {}, None),
        ({"sampleEvery": 10}, {}, "multiples of 10, .*Set it to 11"),
        ({"sampleEvery": 25}, {}, "multiples of 5, .*Set it to 27"),
        ({"sampleEvery": 1}, {}, None),
        ({"sampleEvery": 9}, {}, None),
        ({}, {"rateHz": 14}, "multiples of 7, .*Set it to 9"),
        ({"sampleEvery": 3}, {"rateHz": 30, "triggerPeriodS": 0.1}, "one frame in 3 "),
        ({"sampleEvery": 3}, {"rateHz": 3, "triggerPeriodS": 0.1}, None),
        ({"sampleEvery": 10, "enabled": False}, {}, None),
    ],
)
def test_a_sampling_in_step_with_the_reader_is_warned_of(
    tracing: dict[str, Any], load: dict[str, Any], said: str | None
) -> None:
    section = {"platform": "platform", "tracing": {"enabled": True} | tracing, "application": {"load": load}}
    found = telemetry.sampling_warning(read_spec("monolithic", {KEY: section}, {}))
    assert found is None if said is None else re.search(said, str(found))


def test_the_warning_of_a_sampling_is_given_when_it_is_deployed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []
    monkeypatch.setattr(telemetry.pulumi.log, "warn", warned.append)
    run("microservices", again=True, platform="platform", tracing={"enabled": True, "sampleEvery": 10})
    assert [each for each in warned if "tracing.sampleEvery: is 10" in each]


def test_an_application_of_somebody_else_has_no_reader_to_be_in_step_with() -> None:
    own = {"name": "own", "nodes": {"a": {"executable": ["a"]}}}
    section = {"platform": "platform", "tracing": {"enabled": True, "sampleEvery": 10}, "application": own}
    assert telemetry.sampling_warning(read_spec("monolithic", {KEY: section}, {})) is None


def test_a_platform_keeps_traces_and_says_where(run: Run) -> None:
    deployment = run("platform", tracing={"enabled": True, "maxTraces": 500}, **PLATFORM)
    observed = contract(deployment).observability
    assert observed is not None
    assert observed.jaeger is not None
    assert (observed.jaeger.namespace, observed.jaeger.port) == ("ros2bench-platform", 16686)
    service = deployment.one("Service", "jaeger").inputs
    assert (service["metadata"]["name"], service["spec"]["clusterIP"]) == ("jaeger", "None")
    pods = deployment.one("Deployment", "jaeger").inputs["spec"]["template"]["metadata"]["labels"]
    assert (observed.jaeger.labels or {}).items() <= pods.items()


def test_a_dev_stack_sends_to_its_own_platform(run: Run) -> None:
    deployment = run("dev", tracing={"enabled": True}, **PLATFORM)
    sent = environments(deployment)["application"][ENDPOINT]
    assert sent == "http://jaeger.ros2bench-dev-platform.svc:4318"
    assert deployment.one("Deployment", "jaeger").inputs["metadata"]["namespace"] == "ros2bench-dev-platform"


def test_a_platform_collects_lines_with_a_reader_on_every_machine(run: Run) -> None:
    deployment = run("platform", logs={"mode": "loki"}, **PLATFORM)
    observed = contract(deployment).observability
    assert observed is not None
    assert observed.loki is not None
    assert (observed.loki.namespace, observed.loki.port) == ("ros2bench-platform", 3100)
    shipper = deployment.one("DaemonSet", "promtail").inputs
    assert shipper["metadata"]["namespace"] == "ros2bench-platform-logs"
    config = deployment.one("ConfigMap", "promtail").inputs["data"]["promtail.yaml"]
    assert "http://loki.ros2bench-platform.svc:3100/loki/api/v1/push" in config
    made = [each.inputs["metadata"] for each in deployment.of("Namespace") if "metadata" in each.inputs]
    (namespace,) = [each for each in made if each["name"] == "ros2bench-platform-logs"]
    assert namespace["labels"]["ros2bench/machine-access"] == "yes"
    assert "files of root" in namespace["annotations"]["ros2bench/why-privileged"]


def test_lines_that_an_agent_brings_elsewhere_deploy_nothing(run: Run) -> None:
    deployment = run("platform", logs={"mode": "external", "external": {"url": "http://loki.example:3100"}})
    assert deployment.of("DaemonSet") == []
    observed = contract(deployment).observability
    assert observed is not None
    assert observed.loki is not None
    assert observed.loki.url == "http://loki.example:3100"


def test_by_itself_a_platform_deploys_neither(run: Run) -> None:
    deployment = run("platform")
    assert contract(deployment).observability is None
    assert deployment.of("DaemonSet") == []


@pytest.mark.parametrize(
    ("wanted", "name"), [({"tracing": {"enabled": True}}, "jaeger"), ({"logs": {"mode": "loki"}}, "loki")]
)
def test_an_image_that_nobody_knows_is_refused_by_name(wanted: dict[str, Any], name: str, tmp_path: Path) -> None:
    spec = read_spec("platform", {KEY: wanted}, {})
    with pytest.raises(Refusal, match=name):
        telemetry.plan(spec, ThirdPartyImages(path=None, references={}))


@pytest.mark.parametrize(
    ("stack", "wanted", "said"),
    [
        ("monolithic", {"tracing": {"enabled": True}}, "nobody takes the traces"),
        ("platform", {"tracing": {"endpoint": "http://h:4318"}}, "a platform has none of them"),
        ("monolithic", {"logs": {"mode": "loki"}}, "logs.mode is for stacks of kind platform or dev"),
        ("platform", {"logs": {"mode": "external"}}, "external.url says not where"),
        ("monolithic", {"platform": "platform", "tracing": {"enabled": True, "sampleEvery": 0}}, "sampleEvery"),
        ("monolithic", {"tracing": {"endpoint": "jaeger:4318"}}, "endpoint"),
        ("platform", {"logs": {"retentionHours": 1}}, "retentionHours"),
        ("platform", {"tracing": {"resources": {"memoryLimitMebibytes": 1}}}, "memoryLimitMebibytes"),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(stack: str, wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        read_spec(stack, {KEY: wanted}, {})
