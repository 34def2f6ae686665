"""An overlay is updated without its base."""

import json
import time

import pytest

from tests.cluster.conftest import UP, Journey

pytestmark = pytest.mark.cluster

APPLICATION = "app.kubernetes.io/component=application"
CARRIERS = ("overlay-interfaces-carrier", "overlay-nodes-carrier")


def test_update_of_one_package_changes_one_small_image(journey: Journey, four_patterns: None) -> None:
    lock = json.loads(journey.in_lab('cat "$ROS2BENCH_IMAGES_LOCK"').stdout)["images"]
    journey.type("git checkout -q Pulumi.overlay.yaml")
    assert journey.in_lab(f"{UP} -s overlay").returncode == 0
    node = "images/workspace/src/ros2bench_nodes/ros2bench_nodes/monitor.py"
    began_s = time.monotonic()
    done = journey.in_lab(
        f"echo '# a change' >> {node}; python -m images.build overlay-nodes overlay-nodes-carrier; {UP} -s overlay",
        timeout_s=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    print(f"overlay: from the change of a file to ready pods in {time.monotonic() - began_s:.1f} s")
    changed = json.loads(journey.in_lab('cat "$ROS2BENCH_IMAGES_LOCK"').stdout)["images"]
    assert {role for role in lock if lock[role]["digest"] != changed[role]["digest"]} == {
        "overlay-nodes",
        "overlay-nodes-carrier",
    }
    pods = journey.kubectl("-n ros2bench-overlay get pods -o yaml")
    assert changed["overlay-nodes"]["digest"] in pods
    by_copy = journey.in_lab(
        f"pulumi config set -s overlay --path ros2bench:spec.overlay.delivery copy; {UP} -s overlay",
        timeout_s=600,
    )
    assert by_copy.returncode == 0, by_copy.stderr[-3000:]
    selected = f"get pods -l {APPLICATION} -o json"
    copied = json.loads(journey.kubectl(f"-n ros2bench-overlay {selected}"))["items"]
    registry = journey.in_lab('echo "$ROS2BENCH_REGISTRY"').stdout.strip()
    assert [pod["status"]["containerStatuses"][0]["ready"] for pod in copied] == [True], "`up` has waited for it"
    assert [[each["image"] for each in pod["spec"]["initContainers"]] for pod in copied] == [
        [f"{registry}/{changed[role]['repository']}@{changed[role]['digest']}" for role in CARRIERS]
    ]
    assert journey.in_lab("pulumi destroy -s overlay --yes --skip-preview").returncode == 0
    journey.type(f"git checkout -q {node}")
