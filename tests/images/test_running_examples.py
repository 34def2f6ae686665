"""The examples at work, each started as its stack file says, beside a recorder; and what becomes of a hung node."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components import launch, patterns, recorder
from components.graph import Pod
from components.transport import fastdds_profile
from stacks import application
from stacks.reading import PROJECT_FOLDER, read_file
from tests.images.recording import ENVIRONMENT, OPERATOR, Recording
from tests.images.sandbox import BuiltImage, Network
from tests.images.test_running_images import PROFILE, Pods, stop_time_s, write_configuration

pytestmark = pytest.mark.image

Images = dict[str, BuiltImage]
EXAMPLES = PROJECT_FOLDER / "examples"
PORT, RECORDER_PORT = 8080, 8090
CAPTURE_S = 4.0
RATES_HZ = {"publish-subscribe": 10, "service": 10, "action": 1, "simulation": 50, "queue-workers": 5}
# In the sandbox only /tmp can be written.
CAPTURES = {"captures": {"folder": "/tmp/captures", "limit_bytes": 2**27}}  # noqa: S108
MASTER = {"ROS_MASTER_URI": "http://127.0.0.1:11311", "ROS_IP": "127.0.0.1"}


def until(is_so: Callable[[], bool], limit_s: float = 40.0) -> float:
    """Wait until something is so; how long it took."""
    begun_s = time.monotonic()
    while not is_so():
        assert time.monotonic() - begun_s < limit_s
        time.sleep(0.1)
    return time.monotonic() - begun_s


@contextmanager
def running(network: Network, command: list[str]) -> Generator[subprocess.Popen[str]]:
    """A container that is stopped in the end, whatever happened."""
    process = subprocess.Popen(network.inside(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=10)


def write_example(folder: Path, name: str) -> Pod:
    """Configuration of an example in one container, as the program writes it."""
    spec = read_file(EXAMPLES / name / f"Pulumi.{name}.yaml", {})
    graph = application.built(spec.application, application.file_reader(PROJECT_FOLDER))
    (pod,) = patterns.placement("monolithic", graph)
    files = launch.files(pod.container, base_port=PORT) | {
        "fastdds.xml": fastdds_profile(4_194_304),
        "recorder.json": json.dumps(
            recorder.recorder_settings(graph.measured_topics(), RECORDER_PORT, OPERATOR) | CAPTURES
        ),
    }
    for file, text in files.items():
        (folder / file).write_text(text)
    return pod


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("name", RATES_HZ)
def test_example_becomes_ready_is_measured_without_a_loss_and_stops(
    images: Images, network: Network, configuration: Path, name: str
) -> None:
    pod = write_example(configuration, name)
    result = {"publish-subscribe": "/echo", "simulation": "/steps"}.get(name, "/outcomes")
    listening = images["recorder"].command(configuration, *images["recorder"].config["Cmd"], **PROFILE, **ENVIRONMENT)
    started = images["examples"].command(configuration, *launch.container_command(pod.container), **PROFILE)
    with running(network, listening) as recording, running(network, started) as working:
        pods = Pods(network, working, recording)
        pods.wait(RECORDER_PORT, "/readyz")
        pods.wait(PORT, "/readyz")
        assert pods.get(PORT, "/healthz") == {node.name: "ok" for node in pod.nodes()}
        recording_calls = Recording(network)
        recording_calls.start("test")
        time.sleep(CAPTURE_S)
        state = recording_calls.stop("test")
        first, last, count = (state[key][result] for key in ("first", "last", "samples"))
        assert count == last[0] - first[0] + 1
        assert count >= 0.5 * CAPTURE_S * RATES_HZ[name]
        assert first[1] < first[2] <= first[5]
        assert stop_time_s(working) < 1
        assert stop_time_s(recording) < 1


def test_silence_travels_down_and_ends_when_the_talker_is_back(
    images: Images, network: Network, configuration: Path
) -> None:
    write_example(configuration, "publish-subscribe")

    def node(name: str, port: int) -> list[str]:
        parameters = ["-p", f"health_port:={port}", "-p", "silence_limit_s:=1.0"]
        wanted = ["ros2bench-node", f"ros2bench_examples/{name}", "--ros-args", *parameters]
        return images["examples"].command(configuration, *wanted, **PROFILE)

    def is_ready(port: int) -> bool:
        return network.ask(port, "/readyz")[0] == 200

    with running(network, node("listener", 8082)):
        until(lambda: network.ask(8082, "/startz")[0] == 200)
        assert network.ask(8082, "/readyz") == (503, b'{"status": "no message yet"}')
        with running(network, node("talker", 8081)):
            until(lambda: is_ready(8081) and is_ready(8082))
        assert until(lambda: not is_ready(8082)) < 3
        assert network.ask(8082, "/healthz")[0] == 200
        with running(network, node("talker", 8081)):
            until(lambda: is_ready(8082))


def test_hung_node_becomes_unready_then_not_alive_and_a_dead_one_ends_the_container(
    images: Images, network: Network, configuration: Path
) -> None:
    write_configuration(configuration)
    image = images["application-monolithic"]
    with running(network, image.command(configuration, *image.config["Cmd"], **PROFILE)) as working:
        pods = Pods(network, working, working)
        pods.wait(PORT, "/readyz")
        detector = process_in(network, "__node:=detector")
        os.kill(detector, signal.SIGSTOP)
        try:
            assert until(lambda: network.ask(PORT, "/readyz")[0] == 503) < 4
            assert json.loads(network.ask(PORT, "/readyz")[1])["detector"] == "no answer: timed out"
            assert json.loads(network.ask(PORT, "/healthz")[1])["camera"] == "ok"
            assert network.ask(PORT, "/healthz")[0] == 503
        finally:
            os.kill(detector, signal.SIGCONT)
        until(lambda: network.ask(PORT, "/readyz")[0] == 200)
        os.kill(detector, signal.SIGKILL)
        _, said = working.communicate(timeout=5)
        assert working.returncode == 1
        assert "detector ended with -9" in said


def process_in(network: Network, word: str) -> int:
    """Number of the one process in a network that was started with a word."""
    here = Path(f"/proc/{network.process_id}/ns/net").readlink()
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if word.encode() in words and (folder / "ns" / "net").readlink() == here:
                found.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    (only,) = found
    return only


def test_unknown_peer_ends_the_container_with_its_name(images: Images, network: Network, configuration: Path) -> None:
    variables = {"ROS_STATIC_PEERS": "127.0.0.1;camera.nowhere.invalid", "ROS2BENCH_NAME_LIMIT_S": "1"}
    command = images["examples"].command(configuration, "ros2bench-node", "ros2bench_examples/talker", **variables)
    done = subprocess.run(network.inside(command), capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 3
    assert "unknown names after 1 s: camera.nowhere.invalid (in ROS_STATIC_PEERS)" in done.stderr


def test_ros1_listener_hears_the_talker_through_the_master(
    images: Images, network: Network, configuration: Path
) -> None:
    image = images["ros1"]

    def container(*command: str) -> list[str]:
        return image.command(configuration, *command, **MASTER)

    with (
        running(network, container("roscore", "--port", "11311")),
        running(network, container("ros1-talker", "__name:=talker", "_rate_hz:=10")) as talking,
        running(network, container("ros1-listener", "__name:=listener", "_health_port:=8081")) as listening,
    ):
        until(lambda: network.ask(8081, "/readyz")[0] == 200)
        assert listening.stdout is not None
        assert listening.stdout.readline().startswith("heard message ")
        assert stop_time_s(talking) < 2
        assert until(lambda: network.ask(8081, "/readyz")[0] == 503) < 8
