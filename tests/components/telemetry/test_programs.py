"""Jaeger, Loki and Promtail as they are rendered: what they keep, what they open, and what Promtail may see."""

import copy
import re
from typing import Any

import pytest
import yaml

from components import guardrails, labels
from components.graph import Resources
from components.namespace import Namespace
from components.program import deployment_manifest
from components.telemetry import jaeger, loki, promtail
from tests.support import values

Manifest = dict[str, Any]
RESOURCES = Resources(cpu_request_millicores=25, memory_request_mebibytes=96, memory_limit_mebibytes=512)
METADATA = {"name": "x", "namespace": "ros2bench-platform"}


class Ours(Namespace):
    """A namespace without an engine."""

    def __init__(self) -> None:
        self.stack = "platform"
        self.name = "ros2bench-platform"


def image(name: str) -> str:
    return f"registry.example/third-party/{name}@{values.DIGEST}"


def jaeger_args() -> jaeger.JaegerArgs:
    return jaeger.JaegerArgs(namespace=Ours(), image=image("jaeger"), max_traces=20_000, resources=RESOURCES)


def loki_args(*, persistent: bool) -> loki.LokiArgs:
    return loki.LokiArgs(
        namespace=Ours(),
        image=image("loki"),
        retention_hours=48,
        size_mebibytes=1024,
        resources=RESOURCES,
        persistent=persistent,
    )


def promtail_daemon_set() -> Manifest:
    args = promtail.PromtailArgs(
        namespace=Ours(),
        image=image("promtail"),
        url="http://loki.ros2bench-platform.svc:3100/loki/api/v1/push",
        asked_by=("ros2bench:spec.logs.mode",),
    )
    own = labels.labels("platform", name="promtail", component="promtail") | {labels.MACHINE_ACCESS: "yes"}
    return copy.deepcopy(promtail.daemon_set_manifest({**METADATA, "labels": own}, args, "configuration"))


def deployed(program: Any) -> Manifest:
    own = labels.labels("platform", name=program.name, component=program.name)
    return deployment_manifest({**METADATA, "labels": own}, "platform", program)


@pytest.mark.parametrize(
    "program",
    [
        jaeger.program(jaeger_args()),
        loki.program(loki_args(persistent=True), "configuration", "claim"),
        loki.program(loki_args(persistent=False), "configuration", None),
    ],
    ids=["jaeger", "loki-kept", "loki-not-kept"],
)
def test_what_keeps_passes_the_guardrails(program: Any) -> None:
    assert guardrails.violations(deployed(program)) == ()


def test_jaeger_opens_three_ports_and_nothing_else() -> None:
    args = jaeger.arguments(20_000)
    opened = [found for each in args if (found := re.search(r"host-port=(.*):(\d+)$", each))]
    by_reach = {found[2]: found[1] for found in opened}
    assert {port for port, host in by_reach.items() if host == ""} == {"4318", "16686", "14269"}
    assert {host for host in by_reach.values() if host} == {"127.0.0.1"}
    served = set(jaeger.program(jaeger_args()).ports.values())
    assert served == {4318, 16686, 14269}


def test_jaeger_keeps_a_bounded_number_of_traces() -> None:
    assert "--memory.max-traces=20000" in jaeger.arguments(20_000)


def test_loki_keeps_lines_for_a_time_and_tells_nobody() -> None:
    found = loki.settings(48)
    assert found["limits_config"]["retention_period"] == "48h"
    assert found["compactor"]["retention_enabled"] is True
    assert found["analytics"] == {"reporting_enabled": False}
    assert found["server"]["grpc_listen_address"] == "127.0.0.1"
    assert yaml.safe_load(yaml.safe_dump(found)) == found


def test_promtail_reads_as_root_without_capabilities_and_passes() -> None:
    manifest = promtail_daemon_set()
    assert guardrails.violations(manifest) == ()
    spec = manifest["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    host = {volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    assert host == {"/var/log/pods"}


@pytest.mark.parametrize("path", ["/", "/var/log", "/var/lib/kubelet", "/var/log/pods/"])
def test_promtail_may_see_no_other_folder(path: str) -> None:
    manifest = promtail_daemon_set()
    volumes = manifest["spec"]["template"]["spec"]["volumes"]
    next(volume for volume in volumes if "hostPath" in volume)["hostPath"]["path"] = path
    assert any("of the machine is mounted" in each for each in guardrails.violations(manifest))


def test_promtail_may_not_write_to_the_lines() -> None:
    manifest = promtail_daemon_set()
    mounts = manifest["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    next(mount for mount in mounts if mount["name"] == "pod-logs")["readOnly"] = False
    assert any("is writable" in each for each in guardrails.violations(manifest))


@pytest.mark.parametrize("key", ["hostPID", "hostNetwork", "hostIPC"])
def test_promtail_sees_neither_processes_nor_network_of_the_machine(key: str) -> None:
    manifest = promtail_daemon_set()
    manifest["spec"]["template"]["spec"][key] = True
    assert guardrails.violations(manifest) != ()


def test_promtail_takes_namespace_pod_and_container_from_the_path() -> None:
    path = "/var/log/pods/ros2bench-demo_camera-5d8f_0b5c-11/camera/0.log"
    found = re.search(promtail.PATH, path)
    assert found is not None
    assert found.groupdict() == {"namespace": "ros2bench-demo", "pod": "camera-5d8f", "container": "camera"}
    assert not set(promtail.PATH) & {"\\"}
    assert "$" not in promtail.PATH


def test_promtail_sends_to_one_place_and_keeps_few_labels() -> None:
    found = promtail.settings("http://loki:3100/loki/api/v1/push")
    assert [each["url"] for each in found["clients"]] == ["http://loki:3100/loki/api/v1/push"]
    (stage,) = [each["labels"] for each in found["scrape_configs"][0]["pipeline_stages"] if "labels" in each]
    assert set(stage) == {"namespace", "pod", "container", "level", "stack"}
    assert found["scrape_configs"][0]["static_configs"][0]["labels"]["machine"] == "${ROS2BENCH_MACHINE}"


def test_promtail_may_send_to_the_namespace_of_the_address_and_ask_for_names() -> None:
    found = promtail.policy_specs("platform", "http://loki.ros2bench-platform.svc:3100/loki/api/v1/push")
    (opening,) = found["allow-sending"]["egress"]
    (place,) = opening["to"]
    assert place["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ros2bench-platform"}
    assert found["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_who_is_no_daemon_set_of_that_component_sees_nothing() -> None:
    manifest = promtail_daemon_set()
    manifest["metadata"]["labels"]["app.kubernetes.io/component"] = "loki"
    assert guardrails.violations(manifest) != ()
