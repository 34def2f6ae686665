"""The containers of a baseline are those of the pods: read from the same manifests."""

import json
from typing import Any

import pytest

from probes.baseline.__main__ import ONE_NETWORK, READER_ALONE
from probes.baseline.containers import container_plans, reader_plan
from probes.errors import UsageError
from stacks import rendering
from stacks.override import merged
from stacks.reading import KEY, read_spec
from tests.support import values


def rendered(tmp_path_factory: pytest.TempPathFactory, stack: str, **section: Any) -> list[dict[str, Any]]:
    environment = {"ROS2BENCH_IMAGES_LOCK": str(values.lock_file(tmp_path_factory.mktemp("lock")))}
    spec = read_spec(stack, {KEY: {**ONE_NETWORK, **section}}, environment)
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


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    readers = {
        "enabled": True,
        "allowFaults": True,
        "allowImageRemoval": True,
        "runtimeState": "/run/containerd/runc/k8s.io",
        "power": {"source": "rapl"},
    }
    others = {"observability": {"mode": "builtin"}, "logs": {"mode": "loki"}, "tracing": {"enabled": True}}
    section = merged({"machineReaders": readers, **others}, READER_ALONE)
    return rendered(tmp_path_factory, "platform", **section)


def test_the_machine_reader_runs_as_in_its_pod_and_does_nothing_but_read(platform: list[dict[str, Any]]) -> None:
    reader = reader_plan(platform)
    settings = json.loads(reader.files["/etc/ros2bench"]["machine-reader.json"])
    assert reader.name == "machine-reader"
    assert reader.arguments == ("ros2bench-machine-reader", "/etc/ros2bench/machine-reader.json")
    assert "/machine-reader@sha256:" in reader.image
    assert reader.port == settings["port"]
    assert reader.environment["ROS2BENCH_MACHINE"] == "baseline"
    assert reader.host == {"/host/sys": "/sys", "/host/sys/fs/cgroup": "/sys/fs/cgroup"}
    assert settings["cgroup_root"] in reader.host
    assert settings["allow"] == {"image_removal": False, "faults": False}
    assert settings["power"] == {"source": "rapl"}
    assert not {"containerd", "runtime_state"} & settings.keys()


def test_an_experiment_sees_nothing_of_the_machine(monolithic: list[dict[str, Any]]) -> None:
    changed: list[dict[str, Any]] = json.loads(json.dumps(monolithic))
    for each in changed:
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "perception":
            pod = each["spec"]["template"]["spec"]
            pod["volumes"].append({"name": "sys", "hostPath": {"path": "/sys"}})
            pod["containers"][0]["volumeMounts"].append({"name": "sys", "mountPath": "/host", "readOnly": True})
    with pytest.raises(UsageError, match="mounts the volume sys at /host"):
        container_plans(changed)


def test_nothing_of_the_machine_is_mounted_to_be_written(platform: list[dict[str, Any]]) -> None:
    changed: list[dict[str, Any]] = json.loads(json.dumps(platform))
    (daemon_set,) = [each for each in changed if each["kind"] == "DaemonSet"]
    for mount in daemon_set["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]:
        mount.pop("readOnly", None)
    with pytest.raises(UsageError, match="mounts the volume sys at /host/sys"):
        reader_plan(changed)
