"""The recorder of the image at work: whom it obeys, what it keeps when it is killed, and what its benchmark tells."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.transport import fastdds_profile
from probes.signing import CallSigner
from tests.images.recording import ENVIRONMENT, PORT, SIGNER, Recording, recorder_file, result_topic
from tests.images.sandbox import BuiltImage, Network

pytestmark = pytest.mark.image

TIME_LIMIT_S = 40.0
RATE_HZ = 50
ON_THE_WAY_NS = 50_000_000
PROFILE = {"ROS_DOMAIN_ID": "17", "FASTRTPS_DEFAULT_PROFILES_FILE": "/etc/ros2bench/fastdds.xml"}
# A pod's emptyDir outlives the container; here the container is what the shell starts, and /tmp is the shell's.
RESTARTING = "while true; do ros2bench-recorder /etc/ros2bench/recorder.json; done"
PUBLISHING = f"""
import time
import rclpy
from ros2bench_interfaces.msg import Result
rclpy.init()
node = rclpy.create_node('monitor')
publisher = node.create_publisher(Result, '/results', 10)
message, started_ns, number = Result(), time.time_ns(), 0
while True:
    due_ns = started_ns + number * 1_000_000_000 // {RATE_HZ}
    time.sleep(max(0.0, (due_ns - time.time_ns()) / 1e9))
    now_ns = time.time_ns()
    message.stamp.frame_number = number
    message.stamp.intended.sec, message.stamp.intended.nanosec = divmod(due_ns, 1_000_000_000)
    message.stamp.published.sec, message.stamp.published.nanosec = divmod(now_ns, 1_000_000_000)
    publisher.publish(message)
    number += 1
"""
LATCHING = """
import time
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool
rclpy.init()
node = rclpy.create_node('supervisor')
kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
publishers = [node.create_publisher(Bool, name, kept) for name in ('/stopped', '/paused')]
for publisher in publishers:
    publisher.publish(Bool(data=True))
print('sent', flush=True)
time.sleep(600)
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(images: Mapping[str, BuiltImage], network: Network, tmp_path: Path) -> Iterator[Start]:
    tmp_path.chmod(0o755)
    (tmp_path / "fastdds.xml").write_text(fastdds_profile(4_194_304))
    (tmp_path / "recorder.json").write_text(recorder_file([result_topic()]))
    started: list[subprocess.Popen[str]] = []

    def run(*command: str, **environment: str) -> subprocess.Popen[str]:
        image = images["recorder"]
        inside = network.inside(image.command(tmp_path, *command, **PROFILE, **ENVIRONMENT, **environment))
        started.append(subprocess.Popen(inside, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        # The shell first, which would start its child again; the child holds the pipes.
        left = children(process.pid)
        process.kill()
        for child in left:
            os.kill(child, signal.SIGKILL)
    for process in started:
        process.communicate(timeout=10)


def children(process_id: int) -> list[int]:
    tasks = Path(f"/proc/{process_id}/task").glob("*/children")
    return [int(child) for file in tasks for child in file.read_text().split()]


def until(is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + TIME_LIMIT_S
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.1)


def told(network: Network) -> dict[str, Any]:
    status, content = network.ask(PORT, "/v1/status")
    return json.loads(content) if status == 200 else {}


def received(network: Network) -> int:
    return sum(topic["received_total"] for topic in told(network).get("topics", []))


def test_only_the_operator_may_record(start: Start, network: Network) -> None:
    start("ros2bench-recorder", "/etc/ros2bench/recorder.json")
    until(lambda: network.ask(PORT, "/readyz")[0] == 200)
    body = json.dumps({"capture": "a", "max_samples": 10})
    other = CallSigner(Ed25519PrivateKey.generate(), SIGNER.audience)
    elsewhere = CallSigner(SIGNER.key, "recorder/another")
    assert network.ask(PORT, "/v1/captures", "POST", body)[0] == 401
    for signer in (other, elsewhere):
        status, said = Recording(network, signer).call("POST", "/v1/captures", body)
        assert status == 401
        assert "does not belong" in json.loads(said)["error"]
    signed = SIGNER.authorization("POST", "/v1/captures", body.encode(), time.time_ns())
    assert network.ask(PORT, "/v1/captures", "POST", body, signed)[0] == 201
    assert "used before" in network.ask(PORT, "/v1/captures", "POST", body, signed)[1].decode()
    status, said = Recording(network).call("POST", "/v1/captures", json.dumps({"capture": "b", "max_samples": 10}))
    assert (status, json.loads(said)["error"].startswith("capture a is active")) == (409, True)
    late = SIGNER.authorization("DELETE", "/v1/captures/a", b"", time.time_ns() - 60 * 10**9)
    assert "signed 60" in network.ask(PORT, "/v1/captures/a", "DELETE", authorization=late)[1].decode()


def test_a_killed_recorder_goes_on_and_what_is_missing_lies_in_the_marked_gap(start: Start, network: Network) -> None:
    shell = start("sh", "-c", RESTARTING)
    start("python3", "-c", PUBLISHING)
    until(lambda: received(network) > 0)
    recording = Recording(network)
    recording.start("run-1")
    time.sleep(3)
    first = told(network)["started_ns"]
    (killed,) = children(shell.pid)
    os.kill(killed, signal.SIGKILL)
    until(lambda: told(network).get("started_ns", first) > first)
    assert told(network)["active_capture"] == "run-1"
    until(lambda: received(network) > 2 * RATE_HZ)
    assert recording.call("POST", "/v1/captures", '{"capture": "run-2", "max_samples": 1}')[0] == 409
    state = recording.stop("run-1")
    ((gap_from_ns, gap_to_ns),) = state["gaps"]
    assert state["started_ns"] < gap_from_ns < gap_to_ns < state["stopped_ns"]
    assert gap_to_ns - gap_from_ns < 15e9

    samples = recording.samples("run-1")
    assert samples == recording.samples("run-1", query="&offset=0&limit=5") + recording.samples(
        "run-1", query="&offset=5"
    )
    frames = {sample[0]: sample[1] for sample in samples}
    numbers = range(min(frames), max(frames) + 1)
    missing = [number for number in numbers if number not in frames]
    origin_ns = frames[numbers[0]] - numbers[0] * 1_000_000_000 // RATE_HZ
    # Gaps are about arrivals, which follow the time at which a frame was due.
    from_ns = gap_from_ns - ON_THE_WAY_NS
    outside = [n for n in missing if not from_ns <= origin_ns + n * 1_000_000_000 // RATE_HZ <= gap_to_ns]
    assert missing, "a killed recorder must have missed something"
    assert outside == [], "outside of the gap nothing may be missing"
    assert recording.call("DELETE", "/v1/captures/run-1")[0] == 204


def test_what_a_publisher_keeps_for_who_comes_later_is_mapped(start: Start, network: Network, tmp_path: Path) -> None:
    of_flags = [{"topic": topic, "preset": "safety"} for topic in ("/stopped", "/paused")]
    of_flags[0]["durability"] = "transient_local"
    settings = json.loads(recorder_file([])) | {"mappings": of_flags}
    (tmp_path / "recorder.json").write_text(json.dumps(settings))
    supervisor = start("python3", "-c", LATCHING)
    assert supervisor.stdout
    assert supervisor.stdout.readline() == "sent\n"
    start("ros2bench-recorder", "/etc/ros2bench/recorder.json")

    def flags() -> dict[str, str]:
        lines = network.ask(PORT, "/metrics")[1].decode()
        return dict(re.findall(r'^ros2bench_safety_flag\{topic="(.+?)"\} (\S+)$', lines, re.MULTILINE))

    until(lambda: "/stopped" in flags())
    assert float(flags()["/stopped"]) == 1
    assert "/paused" not in flags(), "who does not ask for kept messages hears only what is sent from now on"


def test_the_benchmark_of_the_image_tells_cpu_and_rates(start: Start) -> None:
    options = ("--topics=3", "--rate-hz=30", "--windows=1", "--window-s=1", "--searches=0")
    process = start("ros2bench-recorder-benchmark", *options)
    output, problems = process.communicate(timeout=90)
    assert process.returncode == 0, problems
    first, dropped = [json.loads(line) for line in output.splitlines()]
    assert first["received"] == dict.fromkeys(("recorder", "subscriber", "again"), first["sent"])
    assert first["sent"] == 90
    assert 0 < first["seconds"]["recorder"] < first["seconds"]["subscriber"] < 1
    assert dropped == {"kind": "dropped", "recorder": 0}


def test_the_benchmark_of_the_exporter_reads_and_does_not_read(start: Start) -> None:
    options = ("--topics=3", "--rate-hz=30", "--rounds=1", "--window-s=1")
    process = start("python3", "-m", "ros2bench_recorder.benchmark.scraped", *options)
    output, problems = process.communicate(timeout=90)
    assert process.returncode == 0, problems
    (line,) = output.splitlines()
    windows = {name: one for name, one in json.loads(line).items() if name != "kind"}
    assert {name: one["received"] for name, one in windows.items()} == dict.fromkeys(windows, 90)
    assert {name for name, one in windows.items() if one["pages"]} == {"exporter", "read"}
    assert all(0 < one["cpu_s"] < 1 for one in windows.values())
