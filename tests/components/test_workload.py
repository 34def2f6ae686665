"""A placed pod becomes what the bringup, the component container, the nodes and Kubernetes agreed to read."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml

from components import launch, patterns, perception, workload
from components.graph import Component, ComponentContainer, Container, Pod, Process
from components.participant import Participant
from components.patterns import Options
from tests.support import values

TRUST = launch.Trust(public_key="a2V5", signature="c2ln")
COMPOSITION = launch.Composition(trust=TRUST)


def placed(pattern: str, **options: str) -> Pod:
    known = replace(Options(application="perception", images=perception.IMAGES), **options)
    return patterns.placement(pattern, values.application(), known)[0]


def files(pod: Pod, base_port: int = 8080) -> dict[str, str]:
    return launch.files(pod.container, base_port=base_port, memory_mebibytes=100, composition=COMPOSITION)


def parameters(pod: Pod, base_port: int = 8080) -> dict[str, Any]:
    return yaml.safe_load(files(pod, base_port)["parameters.yaml"])


def test_the_bringup_plan_is_that_of_the_contract() -> None:
    plan = json.loads(files(placed("monolithic"))["bringup.json"])
    assert (plan["contract"], plan["port"]) == (1, 8080)
    assert [process["name"] for process in plan["processes"]] == ["camera", "detector", "reader", "monitor"]
    assert plan["processes"][0] == {
        "name": "camera",
        "command": [
            "ros2bench-node",
            "camera",
            "--ros-args",
            "-r",
            "__node:=camera",
            "--params-file",
            "/etc/ros2bench/parameters.yaml",
        ],
        "environment": {},
        "port": 8081,
    }


@pytest.mark.parametrize("base_port", [8080, 18081])
def test_each_node_serves_its_health_where_the_bringup_asks_for_it(base_port: int) -> None:
    found = parameters(placed("monolithic"), base_port)
    plan = json.loads(files(placed("monolithic"), base_port)["bringup.json"])
    ports = {process["name"]: process["port"] for process in plan["processes"]}
    assert {name: node["ros__parameters"]["health_port"] for name, node in found.items()} == ports
    assert sorted(ports.values()) == [base_port + number for number in range(1, 5)]
    assert plan["port"] == base_port


def test_the_parameters_carry_the_load() -> None:
    found = parameters(placed("monolithic"))
    assert found["camera"]["ros__parameters"]["rate_hz"] == 10.0
    assert found["reader"]["ros__parameters"]["trigger_period_s"] == 1.0
    assert found["detector"]["ros__parameters"]["input_height_px"] == 224


def test_a_process_alone_starts_as_itself() -> None:
    pod = placed("microservices")
    assert launch.container_command(pod.container)[:2] == ("ros2bench-node", "camera")
    assert "bringup.json" not in files(pod)
    assert parameters(pod)["camera"]["ros__parameters"]["health_port"] == 8080


def test_the_component_container_reads_the_contracts_file() -> None:
    pod = placed("composition", process="shared", executor="multi")
    assert launch.container_command(pod.container) == (
        "ros2bench-component-container",
        "/etc/ros2bench/composition.json",
    )
    (name,) = files(pod)
    plan = json.loads(files(pod)[name])
    components = plan.pop("components")
    assert plan == {
        "contract": 1,
        "port": 8080,
        "container": "perception",
        "process": "shared",
        "executor": "multi",
        "trust": {
            "manifest": "/opt/ros2bench/components/manifest.json",
            "public_key": "a2V5",
            "signature": "c2ln",
        },
        "limits": {"components": 16, "memory_mebibytes": 100, "loads_per_minute": 30, "load_timeout_s": 60},
    }
    assert [component["node"] for component in components] == list(values.NODES)
    assert components[0]["package"] == "ros2bench_nodes"
    assert components[0]["plugin"] == "ros2bench_nodes.camera.Camera"
    assert components[0]["parameters"]["rate_hz"] == 10.0


def test_services_that_sros2_guards_are_said_to_be_so() -> None:
    guarded = launch.Composition(trust=replace(TRUST, sros2=True))
    container = placed("composition").container
    plan = json.loads(launch.files(container, base_port=1, composition=guarded)["composition.json"])
    assert plan["trust"]["sros2"] is True


def test_every_pattern_gives_a_node_the_same_parameters() -> None:
    """But for the port of its health, which depends on what it shares a container with."""

    def without_port(found: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in found.items() if name != "health_port"}

    wanted = {node.name: dict(node.parameters) for node in values.application().nodes}
    for pattern in ("monolithic", "overlay"):
        found = {name: without_port(n["ros__parameters"]) for name, n in parameters(placed(pattern)).items()}
        assert found == wanted
    pods = patterns.placement("microservices", values.application())
    apart = {name: n["ros__parameters"] for pod in pods for name, n in parameters(pod).items()}
    assert {name: without_port(found) for name, found in apart.items()} == wanted
    loaded = json.loads(files(placed("composition"))["composition.json"])["components"]
    assert {each["node"]: each["parameters"] for each in loaded} == wanted


def test_cpp_components_are_loaded_by_the_distributions_container() -> None:
    node = replace(values.node("driver"), component=Component(package="drivers", plugin="drivers::Driver"))
    loader = ComponentContainer(name="app", process="shared", executor="multi", language="cpp")
    container = Container(
        name="app", image="i", processes=(Process(name="app", nodes=(node,)),), component_container=loader
    )
    assert launch.container_command(container) == ("ros2", "launch", "/etc/ros2bench/composition.launch.xml")
    text = launch.files(container, base_port=8080)["composition.launch.xml"]
    assert 'exec="component_container_mt" name="app"' in text
    assert '<composable_node pkg="drivers" plugin="drivers::Driver" name="driver">' in text
    assert '<param from="/etc/ros2bench/parameters.yaml" />' in text
    assert launch.served_ports(container, 8080) == ()


def test_only_the_first_node_of_a_shared_process_serves_health() -> None:
    process = Process(name="shared", command=("run",), nodes=(values.node("a"), values.node("b")))
    pod = Pod(name="p", container=Container(name="c", image="r", processes=(process,)))
    assert [parameters(pod)[name]["ros__parameters"]["health_port"] for name in "ab"] == [8080, 0]
    assert "-r" not in launch.process_command(process)


def test_a_program_that_is_no_ros_node_gets_no_ros_arguments() -> None:
    node = replace(values.node("bridge"), ros_arguments=False)
    assert launch.process_command(Process(name="p", command=("run",), nodes=(node,))) == ("run",)


def test_a_ros1_node_is_named_and_parametrised_in_its_own_way() -> None:
    node = replace(values.node("talker"), ros_version=1, parameters={"rate": 2.5, "frame": "map", "on": True})
    command = launch.process_command(Process(name="talker", command=("rosrun", "p", "talker"), nodes=(node,)))
    assert command == ("rosrun", "p", "talker", "__name:=talker", "_rate:=2.5", '_frame:="map"', "_on:=true")


def container_of(*nodes: Any) -> Container:
    processes = tuple(Process(name=node.name, command=node.command, nodes=(node,)) for node in nodes)
    return Container(name="c", image="r", processes=processes)


def test_a_container_asks_for_the_sum_of_its_nodes() -> None:
    container = container_of(values.node("a", cpu_limit_millicores=40), values.node("b", cpu_limit_millicores=50))
    total = workload.total_resources(container, extra_memory_mebibytes=5)
    assert (total.cpu_request_millicores, total.memory_request_mebibytes, total.memory_limit_mebibytes) == (20, 45, 65)
    assert total.cpu_limit_millicores == 90


def test_one_node_without_a_processor_limit_leaves_the_container_without() -> None:
    container = container_of(values.node("a", cpu_limit_millicores=40), values.node("b"))
    assert workload.total_resources(container).cpu_limit_millicores is None


def test_what_starts_the_nodes_has_memory_of_its_own() -> None:
    alone, several = container_of(values.node("a")), container_of(values.node("a"), values.node("b"))
    assert workload.pod_resources(alone).memory_limit_mebibytes == 30
    assert workload.pod_resources(several).memory_limit_mebibytes == 60 + workload.BRINGUP_MEMORY_MEBIBYTES


def test_the_participants_port_is_the_pods() -> None:
    assert Participant(domain_id=1, rmw="r", socket_buffer_bytes=1).health_port == 8080
