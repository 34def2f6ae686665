"""The component container's image at work: loading over ROS services, attacks, crashes, the stop."""

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from components.transport import fastdds_profile
from probes.signing import signed
from signing.keys import public_text
from tests.images.recording import ENVIRONMENT, Recording, recorder_file, result_topic
from tests.images.sandbox import BuiltImage, Network

pytestmark = pytest.mark.image

Images = Mapping[str, BuiltImage]
NODES = ("camera", "detector", "reader", "monitor")
MANIFEST = "/opt/ros2bench/components/manifest.json"
FILE = "/etc/ros2bench/composition.json"
RATE_HZ = 10.0
CAPTURE_S = 4.0
TIME_LIMIT_S = 60.0
COMMON = {"ROS_DOMAIN_ID": "18", "FASTRTPS_DEFAULT_PROFILES_FILE": "/etc/ros2bench/fastdds.xml"}
KEY = Ed25519PrivateKey.generate()


def component(node: str, **parameters: Any) -> dict[str, Any]:
    plugin = f"ros2bench_nodes.{node}.{node.title()}"
    return {"node": node, "package": "ros2bench_nodes", "plugin": plugin, "parameters": parameters}


def sign_manifest(content: bytes) -> str:
    return base64.b64encode(KEY.sign(b"ros2bench-manifest-v1\n" + content)).decode()


@pytest.fixture
def configuration(tmp_path: Path, images: Images) -> Callable[..., Path]:
    """Write what a pod finds as /etc/ros2bench; `changes` are made to composition.json."""
    tmp_path.chmod(0o755)
    manifest = (images["application-composition"].root / MANIFEST.lstrip("/")).read_bytes()

    def write(**changes: Any) -> Path:
        trust = {"manifest": MANIFEST, "public_key": public_text(KEY), "signature": sign_manifest(manifest)}
        content: dict[str, Any] = {
            "contract": 1,
            "port": 8080,
            "container": "perception",
            "trust": trust,
            "components": [component(node, **({"rate_hz": RATE_HZ} if node == "camera" else {})) for node in NODES],
        }
        (tmp_path / "fastdds.xml").write_text(fastdds_profile(4_194_304))
        (tmp_path / "composition.json").write_text(json.dumps({**content, **changes}))
        (tmp_path / "recorder.json").write_text(recorder_file([result_topic()]))
        return tmp_path

    return write


@dataclass
class Pods:
    """A running container and its recorder; `audit` is the file with its standard output."""

    network: Network
    container: subprocess.Popen[bytes]
    recorder: subprocess.Popen[bytes]
    audit: Path

    def wait(self, port: int, path: str) -> None:
        """Ask until the answer is 200."""
        end_s = time.monotonic() + TIME_LIMIT_S
        while self.network.ask(port, path)[0] != 200:
            assert time.monotonic() < end_s, path
            assert self.container.poll() is None
            time.sleep(0.1)

    def call(self, name: str, **content: Any) -> dict[str, Any]:
        """A call through the recorder."""
        body = json.dumps({"container": "/perception", **content})
        status, said = self.network.ask(8090, f"/v1/components/{name}", "POST", body)
        assert status == 200, said
        return json.loads(said)

    def load(self, kind: str, key: Ed25519PrivateKey = KEY, **changes: Any) -> dict[str, Any]:
        """A signed load request; `after` changes it once it is signed."""
        after = changes.pop("after", {})
        asked = {**component(kind), "namespace": "", "remap": [], "log_level": 0, **changes}
        body = signed({"call": "load", "container": "/perception", **asked}, key)
        return self.call("load", **{**body, **after})

    def unload(self, unique_id: int) -> dict[str, Any]:
        """A signed unload request."""
        return self.call(
            "unload", **signed({"call": "unload", "container": "/perception", "unique_id": unique_id}, KEY)
        )

    def listed(self) -> dict[str, int]:
        """Number of each loaded node."""
        return {item["full_node_name"]: item["unique_id"] for item in self.call("list")["components"]}

    def lines(self) -> list[dict[str, Any]]:
        """The audit: nothing else is on the standard output."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def children(self) -> list[int]:
        """Processes of the components."""
        process_id = self.container.pid
        tasks = Path(f"/proc/{process_id}/task").glob("*/children")
        return sorted(int(child) for file in tasks for child in file.read_text().split())


@pytest.fixture
def start(images: Images, network: Network, tmp_path: Path) -> Iterator[Callable[..., Pods]]:
    started: list[subprocess.Popen[bytes]] = []

    def run(folder: Path, *command: str) -> Pods:
        recorder, application = images["recorder"], images["application-composition"]
        container = application.command(folder, *(command or application.config["Cmd"]), **COMMON)
        with (tmp_path / "audit.jsonl").open("wb") as audit:
            started.append(subprocess.Popen(network.inside(container), stdout=audit))
        started.append(
            subprocess.Popen(network.inside(recorder.command(folder, *recorder.config["Cmd"], **COMMON, **ENVIRONMENT)))
        )
        return Pods(network, started[-2], started[-1], tmp_path / "audit.jsonl")

    yield run
    for process in started:
        process.terminate()
    for process in started:
        process.wait(timeout=10)


@pytest.mark.parametrize(
    ("process", "executor"),
    [("per-component", "single"), ("shared", "single"), ("shared", "multi"), ("shared", "isolated")],
)
def test_frames_arrive_and_a_node_is_swapped_while_the_others_run(
    configuration: Callable[..., Path], start: Callable[..., Pods], process: str, executor: str
) -> None:
    pods = start(configuration(process=process, executor=executor))
    pods.wait(8090, "/readyz")
    pods.wait(8080, "/startz")
    pods.wait(8080, "/readyz")
    assert json.loads(pods.network.ask(8080, "/healthz")[1]) == {f"/{node}": "ok" for node in NODES}
    assert len(pods.children()) == (4 if process == "per-component" else 0)
    # The first seconds hold the discovery of the recorder.
    time.sleep(2)
    recording = Recording(pods.network)
    recording.start("a")
    time.sleep(CAPTURE_S)
    recording.stop("a")
    frames = [sample[0] for sample in recording.samples("a")]
    assert frames == sorted(frames)
    # In one process the detector starves the others as soon as the machine has something else to do.
    assert len(frames) >= (0.7 if process == "per-component" else 0.2) * CAPTURE_S * RATE_HZ
    if process == "per-component":
        assert frames == list(range(frames[0], frames[0] + len(frames)))

    loaded = pods.listed()
    assert list(loaded) == [f"/{node}" for node in NODES]
    assert pods.unload(loaded["/detector"])["success"]
    assert "/detector" not in pods.listed()
    answer = pods.load("detector", parameters={"score_threshold": 0.4})
    assert (answer["success"], answer["full_node_name"]) == (True, "/detector"), answer
    pods.wait(8080, "/readyz")
    assert list(pods.listed()) == ["/camera", "/reader", "/monitor", "/detector"]

    begun_s = time.monotonic()
    pods.container.send_signal(signal.SIGTERM)
    assert pods.container.wait(timeout=10) == 0
    assert time.monotonic() - begun_s < 1
    lines = pods.lines()
    assert [(line["call"], line["result"]) for line in lines] == [
        *[("load", "accepted")] * 4,
        ("unload", "accepted"),
        ("load", "accepted"),
    ]
    assert [line["caller"] for line in lines[:4]] == ["configuration"] * 4


def test_attacks_over_the_services_are_refused_and_audited(
    configuration: Callable[..., Path], start: Callable[..., Pods]
) -> None:
    pods = start(configuration(components=[component("monitor")]))
    pods.wait(8090, "/readyz")
    pods.wait(8080, "/startz")
    stale_ns = time.time_ns() - 40 * 10**9
    stale = {"call": "load", "container": "/perception", **component("camera"), "namespace": "", "remap": []}
    asked = signed({**stale, "log_level": 0}, KEY)
    assert pods.call("load", **asked)["success"]
    attacks: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("replayed", lambda: pods.call("load", **asked)),
        ("stale", lambda: pods.call("load", **signed({**stale, "log_level": 0}, KEY, lambda: stale_ns))),
        ("unlisted", lambda: pods.load("evil")),
        ("wrong_key", lambda: pods.load("reader", Ed25519PrivateKey.generate())),
        ("wrong_key", lambda: pods.load("reader", after={"parameters": {"model": "/evil.onnx"}})),
        ("path_traversal", lambda: pods.load("reader", plugin="../../tmp/evil.Reader")),
        ("path_traversal", lambda: pods.load("reader", parameters={"model": "/opt/../tmp/evil.onnx"})),
        ("bad_name", lambda: pods.load("reader", remap=["__node:=camera"])),
        ("duplicate_name", lambda: pods.load("monitor")),
        ("parameter_type", lambda: pods.load("reader", parameters={"threads": "all"})),
        ("unknown_parameter", lambda: pods.load("reader", parameters={"LD_PRELOAD": "/evil.so"})),
        ("oversize", lambda: pods.load("reader", parameters={f"p{number}": 1 for number in range(300)})),
        ("load_failed", lambda: pods.load("reader", parameters={"model": "/none.onnx"})),
        ("not_loaded", lambda: pods.unload(4711)),
        ("unsigned", lambda: pods.call("unload", unique_id=1)),
    ]
    for reason, attack in attacks:
        answer = attack()
        assert not answer["success"]
        assert answer["error_message"].startswith(f"{reason}: "), answer
    refused = [line["reason"] for line in pods.lines() if line["result"] == "refused"]
    assert refused == [reason for reason, _ in attacks]
    assert list(pods.listed()) == ["/monitor", "/camera"]
    assert [line["number"] for line in pods.lines()] == list(range(1, len(pods.lines()) + 1))


def test_component_that_crashes_is_started_again_alone(
    configuration: Callable[..., Path], start: Callable[..., Pods]
) -> None:
    pods = start(configuration())
    pods.wait(8080, "/readyz")
    before = pods.children()
    os.kill(before[0], signal.SIGKILL)
    end_s = time.monotonic() + TIME_LIMIT_S
    while [line["call"] for line in pods.lines()][4:] != ["crash", "restart"]:
        assert time.monotonic() < end_s
        assert pods.network.ask(8080, "/healthz")[0] in {200, 503}
        time.sleep(0.1)
    pods.wait(8080, "/readyz")
    after = pods.children()
    assert len(after) == 4
    assert len(set(before) & set(after)) == 3


def test_crashed_container_comes_back_with_the_last_good_set(
    configuration: Callable[..., Path], start: Callable[..., Pods]
) -> None:
    # As a kubelet does: started again in the same pod, whose /tmp stays.
    again = f"ros2bench-component-container {FILE}; exec ros2bench-component-container {FILE}"
    pods = start(configuration(process="shared", components=[component("monitor")]), "sh", "-c", again)
    pods.wait(8090, "/readyz")
    pods.wait(8080, "/startz")
    assert pods.load("monitor", node="second")["success"]
    time.sleep(7)
    assert pods.load("monitor", node="too_young")["success"]
    (running,) = pods.children()
    os.kill(running, signal.SIGSEGV)
    end_s = time.monotonic() + TIME_LIMIT_S
    while [line["call"] for line in pods.lines()].count("last_good") == 0:
        assert time.monotonic() < end_s
        time.sleep(0.1)
    pods.wait(8080, "/startz")
    assert list(pods.listed()) == ["/monitor", "/second"]


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        ("altered byte", "but the manifest lists"),
        ("wrong signature", "is not signed by trust.public_key"),
        ("manifest in a writable folder", "can be written here"),
        ("manifest behind a link", "is a symbolic link"),
        ("unlisted", "is not in the manifest"),
        ("search path", "on the search path can be written here"),
        ("sros2 without its guard", "ROS_SECURITY_STRATEGY=Enforce"),
    ],
)
def test_container_that_is_not_safe_does_not_start(
    configuration: Callable[..., Path], images: Images, network: Network, attack: str, words: str
) -> None:
    image = images["application-composition"]
    manifest = (image.root / MANIFEST.lstrip("/")).read_bytes()
    changes: dict[str, Any] = {"components": [component("monitor")]}
    trust = {"manifest": MANIFEST, "public_key": public_text(KEY), "signature": sign_manifest(manifest)}
    environment = dict(COMMON)
    command = ["ros2bench-component-container", FILE]
    folder = configuration()
    if attack == "altered byte":
        content = json.loads(manifest)
        path = next(path for path in content["files"] if path.endswith("/monitor.py"))
        content["files"][path] = "0" * 64
        altered = json.dumps(content).encode()
        (folder / "manifest.json").write_bytes(altered)
        trust |= {"manifest": "/etc/ros2bench/manifest.json", "signature": sign_manifest(altered)}
    elif attack == "wrong signature":
        trust["signature"] = sign_manifest(manifest + b" ")
    elif attack == "manifest in a writable folder":
        trust["manifest"] = "/tmp/manifest.json"  # noqa: S108 - the attack
        command = ["sh", "-c", f"cp {MANIFEST} /tmp/manifest.json; exec {' '.join(command)}"]
    elif attack == "manifest behind a link":
        (folder / "manifest.json").symlink_to(MANIFEST)
        trust["manifest"] = "/etc/ros2bench/manifest.json"
    elif attack == "unlisted":
        changes["components"] = [{**component("monitor"), "plugin": "ros2bench_nodes.evil.Evil"}]
    elif attack == "search path":
        paths = next(text for text in image.config["Env"] if text.startswith("PYTHONPATH="))
        environment["PYTHONPATH"] = f"/tmp:{paths.partition('=')[2]}"  # noqa: S108 - the attack
    else:
        trust["sros2"] = True  # type: ignore[assignment]
    folder = configuration(trust=trust, **changes)
    ran = subprocess.run(
        network.inside(image.command(folder, *command, **environment)),
        capture_output=True,
        text=True,
        check=False,
        timeout=TIME_LIMIT_S,
    )
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
