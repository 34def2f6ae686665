"""The containers of a baseline are those of the pods: read from the same manifests."""

import json
from typing import Any

import pytest

from probes.baseline.containers import container_plans
from probes.errors import UsageError
from stacks import rendering
from stacks.reading import KEY, read_spec
from tests.support import values


def rendered(tmp_path_factory: pytest.TempPathFactory, stack: str, **section: Any) -> list[dict[str, Any]]:
    environment = {"ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path_factory.mktemp("lock")))}
    spec = read_spec(stack, {KEY: {"network": {"discovery": "host-network"}, **section}}, environment)
    return rendering.manifests(stack, spec)


@pytest.fixture(scope="module")
def monolithic(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return rendered(tmp_path_factory, "monolithic")


def test_application_and_recorder_run_as_in_their_pods(monolithic: list[dict[str, Any]]) -> None:
    recorder, application = container_plans(monolithic)
    assert recorder.name == "recorder"
    assert recorder.arguments == ("ros2bench-recorder", "/etc/ros2bench/recorder.json")
    assert "/recorder@sha256:" in recorder.image
    assert recorder.environment["ROS2BENCH_NAMESPACE"] == recorder.environment["ROS2BENCH_MACHINE"] == "baseline"
    assert "/captures" in recorder.writable
    assert application.name == "perception"
    assert application.arguments == ("ros2bench-bringup", "/etc/ros2bench/bringup.json")
    assert set(application.files["/etc/ros2bench"]) == {"bringup.json", "fastdds.xml", "parameters.yaml"}
    assert {"/tmp", "/dev/shm"} <= set(application.writable)  # noqa: S108


def test_both_share_a_network_so_no_port_is_used_twice(monolithic: list[dict[str, Any]]) -> None:
    recorder, application = container_plans(monolithic)
    plan = json.loads(application.files["/etc/ros2bench"]["bringup.json"])
    ports = [recorder.port, application.port, *(process["port"] for process in plan["processes"])]
    assert len(set(ports)) == len(ports) == 6
    assert json.loads(recorder.files["/etc/ros2bench"]["recorder.json"])["port"] == recorder.port
    assert plan["port"] == application.port
    assert "ROS_DISCOVERY_SERVER" not in application.environment


def test_several_pods_are_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(UsageError, match="application pods camera, detector") as refused:
        container_plans(rendered(tmp_path_factory, "microservices"))
    assert refused.value.next_step == "python -m probes.baseline -s monolithic"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}, "takes KEY from the cluster"),
        ({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}, "mounts the volume data at /data"),
    ],
)
def test_what_only_a_cluster_has_is_refused(
    monolithic: list[dict[str, Any]], change: dict[str, Any], words: str
) -> None:
    changed: list[dict[str, Any]] = json.loads(json.dumps(monolithic))
    for each in changed:
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "perception":
            pod = each["spec"]["template"]["spec"]
            pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "c"}})
            pod["containers"][0].update(change)
    with pytest.raises(UsageError, match=words):
        container_plans(changed)
