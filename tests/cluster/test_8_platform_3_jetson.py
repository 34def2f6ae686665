"""A lab machine as a Jetson: devices that pods are scheduled to, queued for, refused and share; power to the joule.

The device is an extended resource in the machine's status, as a device plugin would leave it there, and tegrastats is a
stand-in that replays a recorded board (`lab/standins`). What schedules, counts, admits, reads and integrates is real.
"""

import itertools
import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from components.dashboards.queries import machines as queries
from tests.cluster.conftest import UP, Journey, manifest
from tests.cluster.observed import Platform, destroyed, objects, override, pods, until

pytestmark = pytest.mark.cluster

GPU = "nvidia.com/gpu"
NAMESPACE = "ros2bench-microservices"
BOARD_LABELS = {
    f"{GPU}.present": "true",
    f"{GPU}.memory": "7620",
    f"{GPU}.compute.major": "8",
    f"{GPU}.compute.minor": "7",
}
DETECTOR = {"count": 1, "memoryMebibytes": 4096, "computeCapability": "8.7", "runtimeClass": "nvidia"}
WINDOW_S = 30
INVALID = 3
LARGEST_DIFFERENCE = 0.01
RAIL = "VDD_IN"
# Rows of one rail as the record keeps them: time in nanoseconds, watts.
ROWS = """
import io, json, os, sys, boto3, polars
s3 = boto3.client("s3", endpoint_url=os.environ["ROS2BENCH_RECORDS_ENDPOINT"])
body = s3.get_object(Bucket="ros2bench", Key=sys.argv[1])["Body"].read()
table = polars.read_parquet(io.BytesIO(body)).filter(
    (polars.col("kind") == "power") & (polars.col("during") == "window") & (polars.col("rail") == sys.argv[2])
)
print(json.dumps(table.select("machine", "time_ns", "power_w").sort("time_ns").rows()))
"""


@dataclass(frozen=True)
class Board:
    """The machine that is taken for a Jetson."""

    journey: Journey
    name: str

    def offer(self, devices: int | None) -> None:
        """Let the machine have devices; none takes them away."""
        path = f"capacity/{GPU.replace('/', '~1')}"
        changes = [
            {"op": "remove" if devices is None else "add", "path": f"/status/{place}"}
            | ({} if devices is None else {"value": str(devices)})
            for place in (path, path.replace("capacity", "allocatable"))
        ]
        self.journey.kubectl(f"patch node {self.name} --subresource=status --type=json -p '{json.dumps(changes)}'")

    def label(self, values: dict[str, str | None]) -> None:
        """Set labels; None removes one."""
        words = " ".join(f"{key}-" if value is None else f"{key}={value}" for key, value in values.items())
        self.journey.kubectl(f"label node {self.name} --overwrite {words}")


def with_gpu(journey: Journey, **gpu: Any) -> dict[str, str]:
    """Settings with which the detector asks for a GPU."""
    return override(journey, "detector-gpu", application={"nodes": {"detector": {"gpu": DETECTOR}}}, gpu=gpu)


@pytest.fixture(scope="module")
def board(observed: Platform) -> Generator[Board]:
    """A machine of the lab that is no control plane; afterwards it is what it was, and the stacks are gone."""
    journey = observed.journey
    destroyed(journey, "microservices")
    nodes = json.loads(journey.kubectl("get nodes -o json"))["items"]
    control = "node-role.kubernetes.io/control-plane"
    chosen = next(node for node in nodes if control not in node["metadata"]["labels"])
    one = Board(journey, chosen["metadata"]["name"])
    yield one
    destroyed(journey, "microservices", "platform")
    one.label(dict.fromkeys(BOARD_LABELS))
    if GPU in json.loads(journey.kubectl(f"get node {one.name} -o json"))["status"]["capacity"]:
        one.offer(None)


def test_1_what_no_machine_can_have_is_refused_before_anything_is_deployed(board: Board) -> None:
    journey, before = board.journey, objects(board.journey)
    reference = f"registry.example/nvidia-device-plugin@sha256:{'0' * 64}"
    plugin = {"gpu": {"devicePlugin": {"enabled": True, "strategy": "tegra"}}}
    named = {**plugin, "images": {"platform": {"nvidia-device-plugin": reference}}}
    for stack, more, said in (
        ("microservices", with_gpu(journey), f"pod detector asks for 1 {GPU}, which no machine of the cluster offers"),
        ("platform", override(journey, "plugin", **plugin), "image of nvidia-device-plugin"),
        ("platform", override(journey, "named", **named), "no machine of the cluster has a GPU by its labels"),
    ):
        done = journey.in_lab(f"{UP} -s {stack}", timeout_s=900, **more)
        assert done.returncode != 0
        assert said in " ".join((done.stdout + done.stderr).split()), done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    assert objects(journey) == before


def test_2_the_platform_replays_a_board(board: Board) -> None:
    journey = board.journey
    board.label(dict(BOARD_LABELS))
    board.offer(1)
    # Beside the checkout: machines of the lab see the computer's own /tmp.
    program = journey.checkout.parent / "tegrastats-standin"
    done = journey.type(f".venv/bin/python -m lab.standins {program} --board orin-nano")
    assert done.returncode == 0, done.stderr
    settings = {
        "machineReaders": {"enabled": True, "power": {"source": "tegrastats", "tegrastats": str(program)}},
        # No lab has NVIDIA's runtime; the class is real, what it starts is runc.
        "gpu": {"runtimeClass": {"enabled": True, "handler": "runc"}},
    }
    more = override(journey, "jetson-platform", **settings)
    done = journey.in_lab(f"{UP} -s platform", timeout_s=900, **more)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert journey.kubectl("get runtimeclass nvidia -o jsonpath={.handler}") == "runc"
    again = journey.in_lab(f"{UP} -s platform", timeout_s=900, **more)
    assert again.returncode == 0, again.stderr


def test_3_a_pod_with_a_gpu_is_scheduled_to_the_board(board: Board) -> None:
    journey = board.journey
    done = journey.in_lab(f"{UP} -s microservices", timeout_s=900, **with_gpu(journey, quota={GPU: 1}))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (detector,) = pods(journey, NAMESPACE, "app.kubernetes.io/name=detector")
    assert detector["spec"]["nodeName"] == board.name
    assert detector["spec"]["runtimeClassName"] == "nvidia"
    assert detector["spec"]["containers"][0]["resources"]["limits"][GPU] == "1"
    assert detector["status"]["phase"] == "Running"


def copy_of_the_detector(journey: Journey, name: str, namespace: str) -> Path:
    """A pod like the detector's, as a file for kubectl, that needs nothing but the device and an image."""
    (detector,) = pods(journey, NAMESPACE, "app.kubernetes.io/name=detector")
    given = detector["spec"]["containers"][0]
    container = {key: given[key] for key in ("image", "resources", "securityContext")}
    container |= {"name": "waits", "command": ["sleep", "600"]}
    spec = {key: detector["spec"][key] for key in ("affinity", "securityContext", "automountServiceAccountToken")}
    spec |= {"containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never"}
    file = journey.checkout / f"{name}.json"
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    file.write_text(json.dumps(document))
    return file


def machine_of(journey: Journey, name: str) -> str:
    return journey.kubectl(f"get pod -n default {name} -o jsonpath={{.spec.nodeName}}")


def test_4_a_second_pod_waits_until_the_device_is_shared(board: Board) -> None:
    journey = board.journey
    file = copy_of_the_detector(journey, "second", "default")
    journey.kubectl(f"create -f {file}")
    try:
        reason = "{.status.conditions[?(@.type=='PodScheduled')].message}"
        why = until(lambda: journey.kubectl(f'get pod -n default second -o jsonpath="{reason}"'))
        assert f"Insufficient {GPU}" in why
        assert machine_of(journey, "second") == ""
        # What time slicing does: the same device, offered four times.
        board.offer(4)
        assert until(lambda: machine_of(journey, "second")) == board.name
        (detector,) = pods(journey, NAMESPACE, "app.kubernetes.io/name=detector")
        assert detector["status"]["phase"] == "Running", "nobody lost the device to the second pod"
    finally:
        journey.kubectl("delete pod -n default second --wait=true")
        board.offer(1)


def test_5_the_quota_refuses_what_goes_beyond_it(board: Board) -> None:
    journey = board.journey
    file = copy_of_the_detector(journey, "beyond", NAMESPACE)
    done = journey.in_lab(f"kubectl create -f {file}")
    assert done.returncode != 0
    assert "exceeded quota" in done.stderr, done.stderr
    assert f"requests.{GPU}=1" in done.stderr
    done = journey.in_lab(f"{UP} -s microservices", timeout_s=900, **with_gpu(journey, quota={GPU: 0}))
    assert done.returncode != 0
    assert f"gpu.quota.{GPU}: is 0" in done.stdout + done.stderr


def test_6_the_boards_figures_are_in_prometheus(board: Board, observed: Platform) -> None:
    def power() -> list[dict[str, Any]]:
        return observed.query(f'ros2bench_machine_power_watts{{machine="{board.name}"}}')

    rails = {each["metric"]["rail"]: each for each in until(power)}
    assert rails.keys() == {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"}
    assert {name: each["metric"]["is_total"] for name, each in rails.items()} == {
        "VDD_IN": "true",
        "VDD_CPU_GPU_CV": "false",
        "VDD_SOC": "false",
    }
    assert 4.8 <= float(rails[RAIL]["value"][1]) <= 7.2 + 6.0
    for name, low, high in (("busy_ratio", 0.1, 0.85), ("temperature_celsius", 49.031, 49.031)):
        (one,) = observed.query(f'ros2bench_machine_gpu_{name}{{machine="{board.name}"}}')
        assert low <= float(one["value"][1]) <= high, name


def integral(rows: list[tuple[int, float]], begin_s: float, end_s: float) -> float:
    """Joules between two times, by the trapezoid rule, with the power at both edges interpolated."""
    times, watts = [row[0] / 1e9 for row in rows], [row[1] for row in rows]

    def at(moment: float) -> float:
        after = next(index for index, each in enumerate(times) if each >= moment)
        before = max(after - 1, 0)
        span = times[after] - times[before]
        return (
            watts[after]
            if span == 0
            else watts[before] + (watts[after] - watts[before]) * (moment - times[before]) / span
        )

    inner = [(each, power) for each, power in zip(times, watts, strict=True) if begin_s < each < end_s]
    points = [(begin_s, at(begin_s)), *inner, (end_s, at(end_s))]
    return sum((b - a) * (p + q) / 2 for (a, p), (b, q) in itertools.pairwise(points))


def test_7_a_record_has_the_energy_of_a_frame_and_panels_agree_with_it(board: Board, observed: Platform) -> None:
    journey = board.journey
    command = (
        "python -m probes.run -s microservices --platform platform --cycles install --repetitions 1 "
        f"--duration-s {WINDOW_S} --no-network"
    )
    settings = with_gpu(journey, quota={GPU: 1})
    done = journey.in_lab(command, timeout_s=900, **settings)
    if done.returncode == INVALID:
        # A gate refused the run, as on a machine that does something else at the time: once more.
        done = journey.in_lab(command, timeout_s=900, **settings)
    assert done.returncode == 0, done.stderr[-3000:]
    found = manifest(journey, done.stdout + done.stderr)
    metrics = found["metrics"]
    assert 4.8 <= metrics["power_w"]["value"] <= 7.2 + 6.0
    assert metrics["power_w"]["source"].endswith(f": {RAIL}")
    assert metrics["power_w{part=idle}"]["value"] >= 4.8
    gross, net = (metrics[key]["value"] for key in ("energy_per_frame_j{part=gross}", "energy_per_frame_j"))
    assert gross > net
    assert gross > 0
    frames_hz = metrics["frames_hz"]["value"]
    assert gross == pytest.approx(metrics["power_w"]["value"] / frames_hz, rel=0.05)

    (journey.checkout / "rows.py").write_text(ROWS)
    prefix = (done.stdout + done.stderr).split("s3://ros2bench/")[1].split("manifest.json")[0]
    told = journey.in_lab(f"python rows.py {prefix}counters.parquet {RAIL}")
    assert told.returncode == 0, told.stderr
    rows_of: dict[str, list[tuple[int, float]]] = {}
    for machine, time_ns, power_w in json.loads(told.stdout):
        rows_of.setdefault(machine, []).append((time_ns, power_w))
    machine, rows = max(rows_of.items(), key=lambda each: len(each[1]))
    assert len(rows) > 0.9 * 10 * WINDOW_S

    until(lambda: time.time() > rows[-1][0] / 1e9 + 6)  # the last scrape of the window is in
    begin_s, end_s = rows[0][0] / 1e9 + 1, rows[-1][0] / 1e9 - 1
    window = f"[{int(end_s - begin_s)}s]"
    which = f'{{machine="{machine}",rail="{RAIL}"}}'
    (joules,) = observed.query(f"ros2bench_machine_energy_joules_total{which}{window}", end_s)
    (seconds,) = observed.query(f"ros2bench_machine_energy_covered_seconds_total{which}{window}", end_s)
    (first, last), (covered_first, covered_last) = (
        (each["values"][0], each["values"][-1]) for each in (joules, seconds)
    )
    counted_j = float(last[1]) - float(first[1])
    covered_s = float(covered_last[1]) - float(covered_first[1])
    recorded_j = integral(rows, first[0], last[0])
    print(
        f"joules of {RAIL} on {machine} in {last[0] - first[0]:.1f} s: panel {counted_j:.3f}, record {recorded_j:.3f}"
    )
    assert covered_s == pytest.approx(last[0] - first[0], rel=LARGEST_DIFFERENCE)
    assert counted_j == pytest.approx(recorded_j, rel=LARGEST_DIFFERENCE)
    panel = queries.power.resolved(machine=machine, window=window.strip("[]"))
    (shown,) = observed.query(panel, end_s)
    assert float(shown["value"][1]) == pytest.approx(recorded_j / (last[0] - first[0]), rel=LARGEST_DIFFERENCE)


def test_8_destroy_leaves_nothing(board: Board) -> None:
    journey = board.journey
    for stack in ("microservices", "platform"):
        done = journey.in_lab(f"pulumi destroy -s {stack} --yes --skip-preview", timeout_s=900)
        assert done.returncode == 0, done.stderr[-3000:]
    kinds = "namespaces,pods,secrets,configmaps,persistentvolumeclaims,clusterroles,clusterrolebindings,apiservices"
    assert journey.kubectl(f"get {kinds} -A -l ros2bench/stack=platform -o name") == ""
    assert journey.kubectl("get rolebindings -n kube-system -l ros2bench/stack=platform -o name") == ""
    assert journey.kubectl("get runtimeclasses -o name") == ""
