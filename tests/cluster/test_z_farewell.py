"""What is left when a user is done: nothing in the cluster, nothing on the host, all data. Runs last."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Journey, assert_as_before

pytestmark = pytest.mark.cluster


def test_destroy_leaves_no_object(journey: Journey, demo: dict[str, Any]) -> None:
    done = journey.in_lab("pulumi destroy -s monolithic --yes --skip-preview")
    assert done.returncode == 0, done.stderr
    kinds = "namespaces,pods,deployments,services,configmaps,networkpolicies,secrets,persistentvolumes"
    assert journey.kubectl(f"get {kinds} -A -l ros2bench/stack=monolithic -o name") == ""


def test_down_leaves_nothing_and_keeps_data(journey: Journey, before: dict[str, object], demo: dict[str, Any]) -> None:
    assert journey.type("make clean-demo").returncode == 0
    assert_as_before(before)
    root = Path(journey.environment["XDG_DATA_HOME"]) / "ros2bench" / "labs" / journey.environment["ROS2BENCH_LAB"]
    assert any((root / "registry").iterdir())
    assert any((root / "objects").iterdir())
    assert not (root / "machines").exists()
