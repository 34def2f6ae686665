"""A placed pod becomes what the bringup, the nodes and Kubernetes agreed to read."""

import json
from typing import Any

import yaml

from components import patterns, workload
from components.graph import Container, Pod, Process
from components.participant import Participant
from tests.support import values

PARTICIPANT = Participant(
    domain_id=7, rmw="rmw_fastrtps_cpp", socket_buffer_bytes=1_000_000, discovery_server="discovery:11811"
)
IMAGES = {"application-monolithic": f"registry.example/app@{values.DIGEST}"}


def monolithic() -> Pod:
    (pod,) = patterns.placement("monolithic", values.application())
    return pod


def single() -> Pod:
    node = values.node("camera")
    process = Process(name="camera", command=node.command, nodes=(node,))
    return Pod(
        name="camera", container=Container(name="camera", image_role="application-monolithic", processes=(process,))
    )


def test_the_bringup_plan_is_that_of_the_contract() -> None:
    plan = json.loads(workload.pod_files(monolithic())["bringup.json"])
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


def test_each_node_serves_its_health_where_the_bringup_asks_for_it() -> None:
    files = workload.pod_files(monolithic())
    parameters: dict[str, Any] = yaml.safe_load(files["parameters.yaml"])
    ports = {process["name"]: process["port"] for process in json.loads(files["bringup.json"])["processes"]}
    assert {name: node["ros__parameters"]["health_port"] for name, node in parameters.items()} == ports
    assert len(set(ports.values()) | {8080}) == 5


def test_the_parameters_carry_the_load() -> None:
    parameters: dict[str, Any] = yaml.safe_load(workload.pod_files(monolithic())["parameters.yaml"])
    assert parameters["camera"]["ros__parameters"]["rate_hz"] == 10.0
    assert parameters["reader"]["ros__parameters"]["trigger_period_s"] == 1.0
    assert parameters["detector"]["ros__parameters"]["input_height_px"] == 224


def test_several_processes_start_under_the_bringup_one_starts_as_itself() -> None:
    several = workload.pod_container(monolithic().container, IMAGES, PARTICIPANT)
    assert several["args"] == ["ros2bench-bringup", "/etc/ros2bench/bringup.json"]
    alone = workload.pod_container(single().container, IMAGES, PARTICIPANT)
    assert alone["args"][:2] == ["ros2bench-node", "camera"]
    assert "bringup.json" not in workload.pod_files(single())
    parameters: dict[str, Any] = yaml.safe_load(workload.pod_files(single())["parameters.yaml"])
    assert parameters["camera"]["ros__parameters"]["health_port"] == alone["ports"][0]["containerPort"] == 8080


def test_only_the_first_node_of_a_shared_process_serves_health() -> None:
    nodes = (values.node("a"), values.node("b"))
    process = Process(name="shared", command=("run",), nodes=nodes)
    pod = Pod(name="p", container=Container(name="c", image_role="r", processes=(process,)))
    parameters: dict[str, Any] = yaml.safe_load(workload.pod_files(pod)["parameters.yaml"])
    assert [parameters[name]["ros__parameters"]["health_port"] for name in "ab"] == [8080, 0]
    assert "-r" not in workload.process_command(process)


def test_the_environment_is_that_of_the_network_settings() -> None:
    container = workload.pod_container(monolithic().container, IMAGES, PARTICIPANT)
    variables = {variable["name"]: variable["value"] for variable in container["env"]}
    assert variables["ROS_DOMAIN_ID"] == "7"
    assert variables["ROS_DISCOVERY_SERVER"] == "discovery:11811"
    assert variables["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/etc/ros2bench/fastdds.xml"
    assert "ROS_SUPER_CLIENT" not in variables


def test_a_container_asks_for_the_sum_of_its_nodes() -> None:
    nodes = (values.node("a", cpu_limit_millicores=40), values.node("b", cpu_limit_millicores=50))
    processes = tuple(Process(name=node.name, command=node.command, nodes=(node,)) for node in nodes)
    total = workload.total_resources(Container(name="c", image_role="r", processes=processes), extra_memory_mebibytes=5)
    assert (total.cpu_request_millicores, total.memory_request_mebibytes, total.memory_limit_mebibytes) == (20, 45, 65)
    assert total.cpu_limit_millicores == 90


def test_one_node_without_a_processor_limit_leaves_the_container_without() -> None:
    nodes = (values.node("a", cpu_limit_millicores=40), values.node("b"))
    process = Process(name="p", command=("run",), nodes=nodes)
    assert (
        workload.total_resources(Container(name="c", image_role="r", processes=(process,))).cpu_limit_millicores is None
    )
