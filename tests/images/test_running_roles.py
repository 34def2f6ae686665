"""Every role at work, as far as one image alone shows it."""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from images.publish import MANIFEST
from images.signing import operator_key, sign_manifest
from tests.images.sandbox import BuiltImage, Network

pytestmark = pytest.mark.image

Images = Mapping[str, BuiltImage]
TIME_LIMIT_S = 40.0
# In a network of nothing but a loopback device.
LOCAL = {"ROS_IP": "127.0.0.1"}
MASTER_PORT = 11311


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


def run(
    image: BuiltImage, network: Network, folder: Path, *command: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    started = network.inside(image.command(folder, *command, **environment))
    return subprocess.run(started, capture_output=True, text=True, check=False, timeout=TIME_LIMIT_S)


@pytest.mark.parametrize(
    ("role", "modules"),
    [
        ("application-camera", "PIL ros2bench_nodes.camera"),
        ("application-detector", "onnxruntime ros2bench_nodes.detector"),
        ("application-reader", "onnxruntime ros2bench_nodes.reader"),
        ("application-monitor", "ros2bench_nodes.monitor"),
        ("application-composition", "cryptography composition_interfaces.srv ros2bench_interfaces.srv"),
        ("application-overlay-base", "rclpy onnxruntime PIL ros2bench_bringup.bringup"),
        ("examples", "ros2bench_examples composition_interfaces.srv"),
        ("recorder", "composition_interfaces.srv ros2bench_interfaces.srv cryptography ros2bench_recorder.recorder"),
    ],
)
def test_a_role_imports_what_it_runs(
    images: Images, network: Network, configuration: Path, role: str, modules: str
) -> None:
    code = "; ".join(f"import {name}" for name in modules.split())
    done = run(images[role], network, configuration, "python3", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_monitor_has_no_inference_and_the_base_of_overlays_no_nodes(
    images: Images, network: Network, configuration: Path
) -> None:
    for role, name in (("application-monitor", "onnxruntime"), ("application-overlay-base", "ros2bench_nodes")):
        done = run(images[role], network, configuration, "python3", "-c", f"import {name}")
        assert f"No module named '{name}'" in done.stderr


@pytest.mark.parametrize("node", ["camera", "detector", "reader", "monitor"])
def test_a_least_image_refuses_a_bad_parameter(
    images: Images, network: Network, configuration: Path, node: str
) -> None:
    command = [*images[f"application-{node}"].config["Cmd"], "--ros-args", "-p", "speed:=1"]
    done = run(images[f"application-{node}"], network, configuration, *command)
    assert done.returncode == 2
    assert "speed" in done.stderr
    assert "Traceback" not in done.stderr


def test_overlays_on_their_base_run_a_node(images: Images, network: Network, configuration: Path) -> None:
    spaces = [images["overlay-interfaces"].root, images["overlay-nodes"].root]
    image = replace(images["application-overlay-base"], overlays=spaces)
    code = "import ros2bench_nodes.reader as m, ros2bench_interfaces as i; print(m.__file__, i.__file__)"
    done = run(image, network, configuration, "python3", "-c", code)
    assert done.stderr == ""
    nodes, interfaces = done.stdout.split()
    assert nodes.startswith("/opt/overlays/20-test/lib/")
    assert interfaces.startswith("/opt/overlays/10-test/lib/")
    command = ["ros2bench-node", "reader", "--ros-args", "-p", "health_port:=8081"]
    started = subprocess.Popen(network.inside(image.command(configuration, *command)), stderr=subprocess.PIPE)
    try:
        wait_for(network, 8081, "/startz")
    finally:
        started.terminate()
        started.communicate(timeout=10)


def container_file(image: BuiltImage, key_file: Path, **trust: Any) -> str:
    components = sign_manifest((image.root / MANIFEST).read_bytes(), operator_key(key_file))
    own = {"manifest": f"/{MANIFEST}", "public_key": components.public_key, "signature": components.signature}
    limits = {"components": 4, "memory_mebibytes": 2048, "loads_per_minute": 30, "load_timeout_s": 60}
    monitor = {
        "node": "monitor",
        "package": "ros2bench_nodes",
        "plugin": "ros2bench_nodes.monitor.Monitor",
        "parameters": {},
    }
    head = {"contract": 1, "port": 8080, "container": "perception", "process": "per-component", "executor": "single"}
    return json.dumps(head | {"trust": own | trust, "limits": limits, "components": [monitor]})


def test_a_component_container_starts_with_its_signed_manifest(
    images: Images, network: Network, configuration: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    image = images["application-composition"]
    key = tmp_path_factory.mktemp("keys") / "k.pem"
    (configuration / "composition.json").write_text(container_file(image, key))
    command = network.inside(image.command(configuration, *image.config["Cmd"]))
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(network, 8080, "/startz")
    finally:
        started.terminate()
        started.communicate(timeout=10)


@pytest.mark.parametrize(
    "trust", [{"signature": "AAAA"}, {"manifest": "/etc/ros2bench/composition.json"}, {"public_key": "AAAA"}]
)
def test_a_component_container_refuses_a_manifest_that_is_not_signed(
    images: Images,
    network: Network,
    configuration: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trust: dict[str, str],
) -> None:
    image = images["application-composition"]
    key = tmp_path_factory.mktemp("keys") / "k.pem"
    (configuration / "composition.json").write_text(container_file(image, key, **trust))
    done = run(image, network, configuration, *image.config["Cmd"])
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("ros2bench-component-container: ")


def wait_for(network: Network, port: int, path: str) -> None:
    end_s = time.monotonic() + TIME_LIMIT_S
    while network.ask(port, path)[0] != 200:
        assert time.monotonic() < end_s, path
        time.sleep(0.1)


@pytest.fixture
def master(images: Images, network: Network, configuration: Path) -> Iterator[BuiltImage]:
    """A running master of ROS 1."""
    image = images["ros1"]
    started = subprocess.Popen(
        network.inside(image.command(configuration, *image.config["Cmd"], **LOCAL)), stdout=subprocess.DEVNULL
    )
    end_s = time.monotonic() + TIME_LIMIT_S
    while network.ask(MASTER_PORT, "/")[0] == 0:
        assert time.monotonic() < end_s
        time.sleep(0.1)
    yield image
    started.terminate()
    started.wait(20)


def test_ros_1_carries_messages(master: BuiltImage, network: Network, configuration: Path) -> None:
    talker = subprocess.Popen(network.inside(master.command(configuration, "ros1-talker", **LOCAL)))
    listener = subprocess.Popen(
        network.inside(
            master.command(configuration, "ros1-listener", "_health_port:=8081", "_silence_limit_s:=2", **LOCAL)
        ),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(network, 8081, "/readyz")
        talker.terminate()
        talker.wait(20)
        end_s = time.monotonic() + TIME_LIMIT_S
        while network.ask(8081, "/readyz")[0] != 503:
            assert time.monotonic() < end_s
            time.sleep(0.2)
        assert network.ask(8081, "/healthz")[0] == 200
    finally:
        for process in (talker, listener):
            process.terminate()
            process.wait(20)
