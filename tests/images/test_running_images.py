"""The built images at work: application and recorder as two pods with read-only roots and a network of their own."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.transport import fastdds_profile
from tests.images.recording import ENVIRONMENT, PORT, Recording, recorder_file, result_topic
from tests.images.sandbox import BuiltImage, Network

pytestmark = pytest.mark.image

Images = Mapping[str, BuiltImage]
PARAMETERS = ("--params-file", "/etc/ros2bench/parameters.yaml")
NODES = ("camera", "detector", "reader", "monitor")
RATE_HZ = 10.0
CAPTURE_S = 6.0
TIME_LIMIT_S = 40.0
READ_ONE = """
import rclpy
from ros2bench_interfaces.msg import Reading
rclpy.init()
node = rclpy.create_node('test')
lines = []
node.create_subscription(Reading, '/readings', lambda message: lines.extend(message.lines), 10)
wanted = {'based segmentation', 'determine markers of the coins'}
while not all(any(words in line for line in lines) for words in wanted):
    rclpy.spin_once(node)
print(lines)
"""


def write_configuration(folder: Path) -> None:
    parameters: dict[str, Any] = {
        node: {"ros__parameters": {"health_port": 8081 + index}} for index, node in enumerate(NODES)
    }
    parameters["camera"]["ros__parameters"] |= {"rate_hz": RATE_HZ, "seed": 1}
    processes = [
        {
            "name": node,
            "command": ["ros2bench-node", node, "--ros-args", "-r", f"__node:={node}", *PARAMETERS],
            "environment": {},
            "port": 8081 + index,
        }
        for index, node in enumerate(NODES)
    ]
    topics = [result_topic(), {**result_topic("/frames", "ros2bench_interfaces/msg/Frame"), "depth": 5}]
    (folder / "fastdds.xml").write_text(fastdds_profile(4_194_304))
    (folder / "parameters.yaml").write_text(yaml.safe_dump(parameters))
    (folder / "bringup.json").write_text(json.dumps({"contract": 1, "port": 8080, "processes": processes}))
    (folder / "recorder.json").write_text(recorder_file(topics))


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    write_configuration(tmp_path)
    return tmp_path


@dataclass
class Pods:
    """A running application and its recorder."""

    network: Network
    application: subprocess.Popen[str]
    recorder: subprocess.Popen[str]

    def get(self, port: int, path: str) -> Any:
        """JSON of an answer that must be 200."""
        status, content = self.network.ask(port, path)
        assert status == 200, (path, content)
        return json.loads(content)

    def wait(self, port: int, path: str, wanted: int = 200) -> None:
        """Ask until the answer has the wanted status."""
        end_s = time.monotonic() + TIME_LIMIT_S
        while self.network.ask(port, path)[0] != wanted:
            assert time.monotonic() < end_s, path
            time.sleep(0.1)


PROFILE = {"ROS_DOMAIN_ID": "17", "FASTRTPS_DEFAULT_PROFILES_FILE": "/etc/ros2bench/fastdds.xml"}
SERVER = {**PROFILE, "ROS_DISCOVERY_SERVER": "127.0.0.1:11811"}


@pytest.fixture(params=["waitset-multicast", "public-server"])
def pods(request: Any, images: Images, network: Network, configuration: Path) -> Iterator[Pods]:
    loop, _, discovery = request.param.partition("-")
    recorder, application = images["recorder"], images["application-monolithic"]
    common = PROFILE if discovery == "multicast" else SERVER
    own = {"ROS2BENCH_RECORDER_LOOP": loop, "ROS2BENCH_MACHINE": "edge", "ROS_SUPER_CLIENT": "TRUE", **ENVIRONMENT}
    commands = [
        application.command(configuration, *application.config["Cmd"], **common),
        recorder.command(configuration, *recorder.config["Cmd"], **common, **own),
        recorder.command(configuration, "ros2bench-discovery-server", "11811", **PROFILE),
    ]
    started = [
        subprocess.Popen(network.inside(command), stderr=subprocess.PIPE, text=True)
        for command in commands[: 2 if discovery == "multicast" else 3]
    ]
    yield Pods(network, started[0], started[1])
    # Killed at once, the bringup would leave its nodes behind: only a real container takes them along.
    for process in started:
        process.terminate()
    for process in started:
        process.communicate(timeout=10)


def stop_time_s(process: subprocess.Popen[str]) -> float:
    begun_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    stop_s = time.monotonic() - begun_s
    assert process.returncode == 0, said
    return stop_s


def test_every_intended_frame_arrives_and_everything_stops_within_a_second(
    pods: Pods, request: pytest.FixtureRequest
) -> None:
    pods.wait(PORT, "/readyz")
    pods.wait(8080, "/readyz")
    assert pods.get(8080, "/healthz") == dict.fromkeys(NODES, "ok")
    time.sleep(2)
    recording = Recording(pods.network)
    recording.start("test")
    time.sleep(CAPTURE_S)
    state = recording.stop("test")
    samples = recording.samples("test")
    frames = [sample[0] for sample in samples]
    assert frames == list(range(frames[0], frames[0] + len(frames)))
    # Whatever else this machine does may delay frames, but none may be missing in between.
    assert 0.7 * CAPTURE_S * RATE_HZ <= len(frames) <= CAPTURE_S * RATE_HZ + 20
    for _, intended, published, source, received, taken, _, sequence_number in samples:
        assert intended < published <= source <= received + 1_000_000
        assert received <= taken
        assert sequence_number > 0
    assert [sample[1] - samples[0][1] for sample in samples] == [
        round(number * 1e9 / RATE_HZ) for number in range(len(samples))
    ]
    length_ns = state["stopped_ns"] - state["started_ns"]
    assert state["cpu_ns"] < 0.05 * length_ns
    assert state["gaps"] == []
    # Only the wait set knows how long it waits.
    is_told = request.node.callspec.params["pods"].startswith("waitset")
    assert 0 < state["drain_busy_ns"] < 0.05 * length_ns if is_told else state["drain_busy_ns"] == -1

    told = pods.get(PORT, "/v1/status")
    assert (told["machine"], told["domain_id"], told["rmw"]) == ("edge", 17, "rmw_fastrtps_cpp")
    assert told["loop"] == request.node.callspec.params["pods"].partition("-")[0]
    results, refused = told["topics"]
    assert results["received_total"] >= len(frames)
    assert [(p["node"], p["reliability"], p["incompatible"]) for p in results["publishers"]] == [
        ("/monitor", "reliable", False)
    ]
    assert [(p["node"], p["incompatible"]) for p in refused["publishers"]] == [("/camera", True)]
    assert {topic["topic"] for topic in told["discovered"]} == {"/frames", "/detections", "/readings", "/results"}
    _, text = pods.network.ask(PORT, "/metrics")
    assert b'ros2bench_messages_lost_total{topic="/results"} 0\n' in text
    assert b'ros2bench_message_latency_seconds_bucket{topic="/results",le="10"}' in text
    assert b"ros2bench_recorder_cpu_seconds_total" in text

    assert stop_time_s(pods.application) < 1
    assert stop_time_s(pods.recorder) < 1


def test_text_of_the_picture_is_read(images: Images, network: Network, configuration: Path) -> None:
    image = images["application-monolithic"]
    application = subprocess.Popen(
        network.inside(image.command(configuration, *image.config["Cmd"], **PROFILE)),
        stderr=subprocess.DEVNULL,
    )
    try:
        done = subprocess.run(
            network.inside(image.command(configuration, "python3", "-c", READ_ONE, **PROFILE)),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
            check=True,
        )
    finally:
        application.terminate()
        application.wait(10)
    # The camera zooms, so the beginnings of lines may lie outside a frame.
    for words in ("based segmentation", "determine markers of the coins"):
        assert words in done.stdout


@pytest.mark.parametrize("node", NODES)
def test_node_alone_stops_within_a_second(images: Images, network: Network, configuration: Path, node: str) -> None:
    command = ["ros2bench-node", node, "--ros-args", "-p", "health_port:=8081"]
    started = subprocess.Popen(
        network.inside(images[f"application-{node}"].command(configuration, *command, **PROFILE)),
        stderr=subprocess.PIPE,
        text=True,
    )
    pods = Pods(network, started, started)
    pods.wait(8081, "/startz")
    # Alone, only the camera has something to do, from its first frame on.
    if node == "camera":
        pods.wait(8081, "/readyz")
    else:
        assert network.ask(8081, "/readyz")[0] == 503
    assert stop_time_s(started) < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["camera", "--ros-args", "-p", "rate_hz:=-1.0"], '"rate_hz" of the camera is -1.0'),
        (["camera", "--ros-args", "-p", "source:=/none"], "/none is neither a folder nor a video device"),
        (["detector", "--ros-args", "-p", "model:=/none.onnx"], "no file /none.onnx"),
        (["detector", "--ros-args", "-p", "speed:=3"], 'has no parameter "speed"'),
        (["reader", "--ros-args", "-p", "model:=/etc/passwd"], "/etc/passwd cannot be loaded"),
        (["monitor", "--ros-args", "-p", "health_port:=1.5"], '"health_port" of the monitor is 1.5'),
        (["nobody"], "choices: camera, detector, monitor, reader"),
    ],
)
def test_bad_parameter_ends_with_two_and_one_sentence(
    images: Images, network: Network, configuration: Path, arguments: list[str], words: str
) -> None:
    command = images["application-monolithic"].command(configuration, "ros2bench-node", *arguments, **PROFILE)
    done = subprocess.run(network.inside(command), capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_recorder_without_the_message_package_says_so(images: Images, network: Network, configuration: Path) -> None:
    topic = {"name": "/a", "type": "no_such_msgs/msg/A", "reliability": "reliable", "depth": 1, "stamp": "none"}
    (configuration / "recorder.json").write_text(recorder_file([topic]))
    image = images["recorder"]
    command = network.inside(image.command(configuration, *image.config["Cmd"], **PROFILE, **ENVIRONMENT))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert "no_such_msgs" in done.stderr
    assert "Traceback" not in done.stderr


def test_discovery_server_serves_until_it_is_told_to_stop(
    images: Images, network: Network, configuration: Path
) -> None:
    image = images["recorder"]
    server = subprocess.Popen(
        network.inside(image.command(configuration, "ros2bench-discovery-server", "11811")),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        end_s = time.monotonic() + TIME_LIMIT_S
        listening = network.inside(["ss", "--udp", "--listening", "--numeric", "--no-header"])
        while ":11811" not in subprocess.run(listening, capture_output=True, text=True, check=True).stdout:
            assert time.monotonic() < end_s
            assert server.poll() is None
            time.sleep(0.1)
        assert stop_time_s(server) < 1
    finally:
        server.kill()
        server.communicate()
