"""The baseline for real: built images, mounted; recorder, machine reader and nodes as processes; the usual runner."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from images.cache import cache_folder
from images.recipes import Recipe
from probes.baseline import __main__ as command
from probes.baseline.containers import ContainerPlan
from probes.baseline.groups import MOUNT, ControlGroups
from probes.baseline.rootfs import RootfsEngine
from probes.console import Screen
from probes.errors import ExitCode
from probes.plan import Durations
from probes.session import Request
from probes.signing import operator_key
from stacks.outputs import StackOutputs
from tests.images.sandbox import BuiltImage
from tests.support import values

pytestmark = pytest.mark.image

RATE_HZ = 8
DELAY_S = 0.05
LEAST_BYTES = 50_000_000
"""Four nodes in Python are larger."""
FAILED_BY_OTHERS = {"quiet_machine", "no_clock_step"}
"""Tests beside this one take processor time, also from the machine reader between its two clocks."""
LOAD = {
    "rateHz": RATE_HZ,
    "widthPx": 64,
    "heightPx": 48,
    "source": "synthetic",
    "encoding": "jpeg",
    "detectorInference": "synthetic",
    "detectorCostS": 0.001,
    "faultDelaysS": [DELAY_S],
}


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock whose operator is the key that the runner signs with."""
    key = tmp_path / "components.pem"
    monkeypatch.setenv("ROS2BENCH_SIGNING_KEY", str(key))
    public = operator_key(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    file = values.lock_file(tmp_path)
    content: dict[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"operator": {"public_key": base64.b64encode(public).decode()}}))
    monkeypatch.setenv("ROS2BENCH_IMAGES_LOCK", str(file))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def control_groups() -> set[Path]:
    """Groups of baselines, in any hierarchy."""
    return {*MOUNT.glob("ros2bench-baseline-*"), *MOUNT.glob("*/ros2bench-baseline-*")}


@pytest.mark.usefixtures("lock")
def test_the_nodes_are_measured_without_a_cluster(
    images: Mapping[str, BuiltImage], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    override = tmp_path / "override.yaml"
    override.write_text(yaml.safe_dump({"application": {"load": LOAD}}))
    monkeypatch.setenv("ROS2BENCH_SPEC_OVERRIDE", str(override))
    read, read_platform = command.read_stack, command.read_platform

    def built(stack: str, folder: Path) -> tuple[StackOutputs, ContainerPlan, ContainerPlan]:
        outputs, recorder, application = read(stack, folder)
        assert images["recorder"].root.is_dir()
        assert images["application-monolithic"].root.is_dir()
        local = [recipe.role(role).name for role in ("recorder", "application-monolithic")]
        return outputs, replace(recorder, image=local[0]), replace(application, image=local[1])

    def built_reader(platform: str, folder: Path) -> tuple[StackOutputs, ContainerPlan]:
        outputs, reader = read_platform(platform, folder)
        assert images["machine-reader"].root.is_dir()
        return outputs, replace(reader, image=recipe.role("machine-reader").name)

    monkeypatch.setattr(command, "read_stack", built)
    monkeypatch.setattr(command, "read_platform", built_reader)
    folder = tmp_path / "baseline"
    folder.mkdir()
    durations = Durations(warmup_s=1.0, window_s=6.0, cool_down_s=0.0, ready_timeout_s=60.0)
    request = Request(("baseline",), 1, "install", durations, 1, f"dir:{tmp_path / 'store'}", platform="platform")
    notes, before = list[str](), control_groups()
    engine = RootfsEngine(cache_folder() / "containers", folder, None, ControlGroups(notes.append))
    try:
        code = command.measure(engine, "monolithic", folder, request, Screen())
        said = engine.said("perception")
    finally:
        engine.close()
    assert code in {ExitCode.COMMITTED, ExitCode.INVALID}, said
    assert control_groups() <= before
    (manifest,) = [json.loads(path.read_text()) for path in (tmp_path / "store").rglob("manifest.json")]
    metrics = manifest["metrics"]
    assert (manifest["pattern"], manifest["platform"]) == ("baseline", "platform")
    gates = {gate["name"]: gate for gate in manifest["gates"]}
    assert {name for name, gate in gates.items() if not gate["passed"]} <= FAILED_BY_OTHERS
    assert "% foreign load" in gates["quiet_machine"]["detail"]
    assert metrics["install_s"]["value"] > 0.5
    # Whatever else this machine does may delay frames, but none earlier than the delay that was asked for.
    assert metrics["inference_s"]["value"] > DELAY_S
    assert metrics["frames_delivered"]["value"] >= 0.7 * 6 * RATE_HZ
    assert notes == []
    assert 0.01 < metrics["cpu_cores"]["value"] < (os.cpu_count() or 1)
    assert metrics["memory_bytes"]["value"] > LEAST_BYTES
