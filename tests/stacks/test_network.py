"""Each way of meeting gives every pod what it needs, and nothing that belongs to another way."""

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components import guardrails, patterns
from components.deployment import Scheduling
from components.graph import Pod, Resources
from components.namespace import Namespace
from components.participant import Participant, environment
from components.refusal import Refusal
from stacks import network
from stacks.spec import Network
from tests.support import values
from tests.support.deployment import Deployment, deploy

IMAGE = f"registry.example/recorder@{values.DIGEST}"
RESOURCES = Resources(cpu_request_millicores=1, memory_request_mebibytes=1, memory_limit_mebibytes=1)
MICROSERVICES = patterns.placement("microservices", values.application())
MONOLITHIC = patterns.placement("monolithic", values.application())
ROOT = Path(__file__).parents[2]
NAMES = ["camera", "detector", "reader", "monitor"]


def joined(discovery: str, pods: tuple[Pod, ...] = MICROSERVICES, **more: Any) -> tuple[Deployment, network.Joined]:
    """What a way of meeting registers, and what it tells the pods."""
    settings = Network.model_validate({"discovery": discovery})
    found: list[network.Joined] = []

    def program() -> None:
        namespace = Namespace("namespace", network.namespace_args("s", "ros2bench-s", settings))
        around = network.Surroundings(
            network=settings, pods=pods, image=IMAGE, resources=RESOURCES, scheduling=Scheduling(), **more
        )
        found.append(network.join(around, namespace, pulumi.ResourceOptions()))

    return deploy(program), found[0]


def variables(participant: Participant) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in environment(participant)}


def test_a_server_is_named_to_all_alike() -> None:
    deployment, found = joined("server")
    assert [r.name for r in deployment.of("Deployment")] == ["discovery"]
    assert {found.pods[name].discovery_identity for name in NAMES} == {found.recorder.discovery_identity} != {""}
    assert "ROS_STATIC_PEERS" not in variables(found.pods["camera"])


def test_every_pod_has_a_name_and_is_told_all_others() -> None:
    deployment, found = joined("static-peers")
    services = {r.name: r.inputs["spec"] for r in deployment.of("Service")}
    assert set(services) == {"recorder", *NAMES}
    assert all(spec["clusterIP"] == "None" and spec["publishNotReadyAddresses"] for spec in services.values())
    assert deployment.of("Deployment") == []
    for name in NAMES:
        assert found.pods[name].static_peers[0] == "127.0.0.1"
        assert len(found.pods[name].static_peers) == 1 + len(NAMES)
        assert found.pods[name].optional_peers == ()


def test_the_recorder_waits_for_nobody() -> None:
    _, found = joined("static-peers")
    assert found.recorder.static_peers == ("127.0.0.1",)
    assert len(found.recorder.optional_peers) == len(NAMES)


def test_without_a_recorder_nobody_waits_for_one() -> None:
    deployment, found = joined("static-peers", recorded=False)
    assert {r.name for r in deployment.of("Service")} == set(NAMES)
    assert len(found.pods["camera"].static_peers) == len(NAMES)


@pytest.mark.parametrize("discovery", ["multicast", "host-network"])
def test_multicast_needs_nothing_but_the_network(discovery: str) -> None:
    deployment, _ = joined(discovery)
    assert deployment.of("Service") == []
    assert deployment.of("Deployment") == []


def test_on_the_machines_network_no_policy_is_pretended() -> None:
    deployment, found = joined("host-network")
    assert deployment.of("NetworkPolicy") == []
    assert all(participant.host_network for participant in (found.recorder, *found.pods.values()))
    (namespace,) = [r for r in deployment.of("Namespace") if r.type.startswith("kubernetes:")]
    assert namespace.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert network.contract(Network(discovery="host-network")).policies is False
    assert network.contract(Network(discovery="server")).policies is True


def test_a_master_replaces_everything_of_dds() -> None:
    deployment, found = joined("server", master_image=f"registry.example/ros1@{values.DIGEST}")
    assert [r.name for r in deployment.of("Deployment")] == ["master"]
    assert "allow-dds" not in {r.name for r in deployment.of("NetworkPolicy")}
    assert set(variables(found.pods["camera"])) == {
        "HOME", "ROS_LOG_DIR", "ROS2BENCH_STACK", "ROS_MASTER_URI", "ROS_IP",
    }  # fmt: skip


@pytest.mark.parametrize("discovery", ["server", "multicast", "static-peers", "host-network"])
def test_everything_that_is_registered_passes_the_guardrails_alone_and_together(discovery: str) -> None:
    deployment, _ = joined(discovery)
    objects = [r for r in deployment.resources if r.type.startswith("kubernetes:")]
    manifests = [{"kind": r.kind} | dict(r.inputs) for r in objects]
    assert [guardrails.violations(manifest) for manifest in manifests] == [()] * len(manifests)
    assert guardrails.violations_together(manifests) == ()


def test_pods_with_addresses_of_their_own_all_serve_on_one_port() -> None:
    ports = network.health_ports(Network(discovery="server"), MICROSERVICES)
    assert set(ports.values()) == {8080}


@given(base=st.integers(min_value=1024, max_value=65000))
def test_on_the_machines_network_no_two_processes_share_a_port(base: int) -> None:
    settings = Network(discovery="host-network", host_port_base=base)
    for pods in (MICROSERVICES, MONOLITHIC):
        ports = network.health_ports(settings, pods)
        taken = [ports["recorder"]]
        for pod in pods:
            taken += range(ports[pod.name], ports[pod.name] + 1 + len(pod.container.processes))
        assert len(set(taken)) == len(taken)
        assert ports["recorder"] == base
        assert max(taken) <= 65535


def test_ports_beyond_the_last_are_refused_with_what_would_fit() -> None:
    settings = Network(discovery="host-network", host_port_base=65533)
    with pytest.raises(Refusal, match=r"hostPortBase is 65533: 9 ports .* Set it to 65527 or less"):
        network.health_ports(settings, MICROSERVICES)
    assert network.health_ports(Network(discovery="host-network", host_port_base=65527), MICROSERVICES)


@pytest.mark.parametrize(("rmw", "section"), [("rmw_zenoh_cpp", "Zenoh"), ("rmw_cyclonedds_cpp", "Cyclone DDS")])
def test_middleware_that_nobody_would_hear_is_refused_and_explained(rmw: str, section: str) -> None:
    with pytest.raises(ValidationError, match=rf"the recorder does not speak[\s\S]*section {section}"):
        Network.model_validate({"rmw": rmw})
    page = (ROOT / "docs" / "networking.md").read_text(encoding="utf-8")
    assert re.search(rf"^#+ {section}$", page, re.MULTILINE)
