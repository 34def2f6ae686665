"""Stand-in: made-up records, whole and valid, for tests of what reads records. No number in them was measured."""

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from probes.readings import RUN, Reading
from probes.samples import ABSENT
from probes.summary import summarise
from probes.tables import encode_table, readings_table, rows_table

RATE_HZ = 10.0
FRAMES = 60
BEGIN_NS = 1_700_000_000_000_000_000
STAGES = ("api", "schedule", "pull", "start", "model_load", "discovery", "first_message")
NODES = ("camera", "detector", "reader", "monitor")
FLOOR_KEYS = ("inference_s", "inference_s{statistic=p95}", "jitter_s", "install_s", "ready_s", "cpu_cores")

Values = Mapping[str, float]

COMMON: Values = {
    "inference_s": 0.022, "inference_s{statistic=p95}": 0.034, "inference_s{statistic=p99}": 0.051,
    "inference_s{part=app}": 0.0215, "inference_s{part=transport}": 0.0003, "jitter_s": 0.012, "frames_hz": 10.0,
    "cpu_cores": 0.46, "memory_bytes": 6.1e8, "install_s": 3.5, "ready_s": 4.1, "service_gap_s": 0.14,
    "swap_s": 3.1, "service_gap_s{part=swap}": 3.3, "network_rtt_s": 0.00012,
    **{f"first_message_s{{stage={stage}}}": 0.6 for stage in STAGES},
    **{
        key.format(change): value
        for change in ("code", "parameter", "model")
        for key, value in (
            ("update_s{{change={},stage=publish}}", 13.0), ("update_s{{change={},stage=rollout}}", 6.2),
            ("update_s{{change={},stage=ready}}", 6.0), ("update_s{{change={},stage=rollback}}", 5.5),
            ("service_gap_s{{change={},part=update}}", 3.6), ("service_gap_s{{change={},part=rollback}}", 3.2),
        )
    },
}  # fmt: skip
EXACT: Values = {
    "image_bytes_wire": 1.34e8, "image_bytes_disk": 3.8e8, "image_bytes_unique": 1.34e8,
    "update_bytes_wire{change=code}": 106_000.0, "update_bytes_wire{change=parameter}": 0.0,
    "update_bytes_wire{change=model}": 1.5e7, "config_lines_changed{change=code}": 2.0,
    "config_lines_changed{change=parameter}": 3.0, "config_lines_changed{change=model}": 9.0,
}  # fmt: skip
FACTORS: Mapping[str, Values] = {
    "monolithic": {},
    "microservices": {
        "cpu_cores": 1.21, "memory_bytes": 1.5, "install_s": 1.5, "ready_s": 1.4, "image_bytes_wire": 1.1,
        "inference_s": 1.05,
        "update_s{change=code,stage=ready}": 0.75, "service_gap_s{change=code,part=update}": 0.8, "swap_s": 0.8,
    },
    "composition": {
        "cpu_cores": 0.97, "memory_bytes": 1.01, "install_s": 1.02, "swap_s": 0.17, "service_gap_s{part=swap}": 0.5,
        "update_s{change=parameter,stage=ready}": 0.12, "service_gap_s{change=parameter,part=update}": 0.45,
    },
    "overlay": {
        "install_s": 1.18, "ready_s": 1.15, "update_bytes_wire{change=code}": 0.99,
        "update_s{change=code,stage=publish}": 0.25, "update_s{change=code,stage=ready}": 0.9, "inference_s": 1.005,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """What a made-up run is like.

    Args:
        stack: Name, also of the pattern where that is none of the four.
        repetitions: How many.
        campaign: Identifier that runs of one command share.
        without: Names of metrics that are missing, with the reason.
        arm: Of an A/A control.
        state: End of the run, with its reason.
        changes: Of the manifest, at its top level.
    """

    stack: str
    repetitions: int = 8
    campaign: str = "00000000-0000-7000-8000-00000000cafe"
    without: Mapping[str, str] = field(default_factory=dict[str, str])
    arm: str | None = None
    state: tuple[str, str | None] = ("complete", None)
    changes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    seed: int = 1
    metrics: bool = True


def write_record(root: Path, made: Made) -> str:
    """Write a record below a folder store; gives the run's identifier."""
    generator = random.Random(f"{made.stack}{made.arm}{made.seed}")  # noqa: S311 - made-up values
    run_id = f"0199{generator.getrandbits(32):08x}"[:8] + f"-0000-7000-8000-{generator.getrandbits(48):012x}"
    tables = {
        "samples": _samples(made, generator),
        "timeline": _timeline(made),
        **{name: rows_table(name, ()) for name in ("counters", "events", "pods")},
    }
    readings = _readings(made, generator)
    tables["metrics"] = readings_table(readings)
    parts = {f"{name}.parquet": encode_table(table) for name, table in tables.items()}
    manifest = _manifest(made, run_id) | {
        "metrics": {key: value.as_record() for key, value in summarise(readings, seed=1).items()},
        "parts": [
            {"name": name, "bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
            for name, payload in sorted(parts.items())
        ],
    }
    pattern = manifest["pattern"]
    folder = root / f"runs/schema=1/date={str(manifest['created_at'])[:10]}/pattern={pattern}/run={run_id}"
    folder.mkdir(parents=True)
    for name, payload in parts.items():
        (folder / name).write_bytes(payload)
    (folder / "manifest.json").write_text(json.dumps(manifest | dict(made.changes)))
    return run_id


def four_patterns(root: Path, *, control: bool = True, repetitions: int = 8) -> None:
    """Write one campaign over the four patterns, by default with an A/A control."""
    for place, stack in enumerate(FACTORS):
        minute = {"created_at": f"2025-01-20T10:0{place}:00+00:00"}
        arm = "A" if control and stack == "monolithic" else None
        write_record(root, Made(stack, repetitions, changes=minute, arm=arm, without={"power_w": "no_power_source"}))
    if control:
        write_record(
            root, Made("monolithic", repetitions, arm="A'", seed=2, changes={"created_at": "2025-01-20T10:05:00+00:00"})
        )


def _readings(made: Made, generator: random.Random) -> tuple[Reading, ...]:
    if not made.metrics:
        return ()
    factors = FACTORS.get(made.stack, {})
    found: list[Reading] = []
    for repetition in range(made.repetitions):
        drift = generator.gauss(0, 0.01)
        for key, value in COMMON.items():
            name, labels = _split(key)
            scatter = math.exp(drift + generator.gauss(0, 0.02))
            found.append(_reading(made, name, labels, value * factors.get(key, 1.0) * scatter, repetition))
        found.append(_reading(made, "frames_delivered_ratio", {}, 1.0, repetition))
    for key, value in EXACT.items():
        name, labels = _split(key)
        found.append(_reading(made, name, labels, value * factors.get(key, 1.0), RUN))
    return tuple(found)


def _reading(made: Made, name: str, labels: dict[str, str], value: float, repetition: int) -> Reading:
    if name in made.without:
        return Reading(name, missing=made.without[name], labels=labels, repetition=repetition)
    return Reading(name, value, labels=labels, repetition=repetition)


def _split(key: str) -> tuple[str, dict[str, str]]:
    name, _, inside = key.rstrip("}").partition("{")
    return name, dict(label.split("=", 1) for label in inside.split(",") if label)


def _samples(made: Made, generator: random.Random) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    latency_s = COMMON["inference_s"] * FACTORS.get(made.stack, {}).get("inference_s", 1.0)
    for repetition in range(made.repetitions if made.metrics else 0):
        for frame in range(FRAMES):
            due = BEGIN_NS + repetition * 60_000_000_000 + frame * int(1e9 / RATE_HZ)
            late = int(latency_s * math.exp(generator.gauss(0, 0.15) + generator.expovariate(6)) * 1e9)
            times = {"intended_ns": due, "published_ns": due + late - 300_000, "source_ns": due + late - 200_000,
                     "received_ns": due + late, "taken_ns": due + late + 100_000, "monotonic_ns": due + late,
                     "sequence_number": frame + (1 if frame > 30 and repetition == 0 else 0)}  # fmt: skip
            rows.append(
                {"repetition": repetition, "topic": "/results", "frame_number": frame, **times, "in_window": frame > 2}
            )
            rows.append(
                {"repetition": repetition, "topic": "/raw", "frame_number": ABSENT, **times, "intended_ns": ABSENT,
                 "sequence_number": ABSENT, "in_window": frame > 2}
            )  # fmt: skip
    return rows_table("samples", rows)


def _timeline(made: Made) -> pl.DataFrame:
    rows: list[dict[str, object]] = []
    stretch = FACTORS.get(made.stack, {}).get("ready_s", 1.0)
    for repetition in range(made.repetitions if made.metrics else 0):
        at = BEGIN_NS
        for stage in STAGES:
            to = at + int((0.5 + 0.05 * repetition + 0.1 * len(stage)) * stretch * 3e8)
            rows.append(_span(repetition, "", stage, at, to))
            at = to
        rows.append(_span(repetition, "", "initialise", None, None))
        for pod in _pods(made.stack):
            rows.append(_span(repetition, pod["name"], "created", BEGIN_NS, BEGIN_NS + 400_000_000))
            rows.append(_span(repetition, pod["name"], "ready", BEGIN_NS + 900_000_000, at))
    return rows_table("timeline", rows)


def _span(repetition: int, pod: str, stage: str, since: int | None, until: int | None) -> dict[str, object]:
    known = since is not None
    return {"repetition": repetition, "pod": pod, "stage": stage, "from_ns": since, "to_ns": until,
            "source": "watch..sample" if known else "", "resolution_ns": 1_000_000 if known else None,
            "missing": None if known else "no_init_container"}  # fmt: skip


def _pods(stack: str) -> list[dict[str, Any]]:
    image = "registry.invalid:5000/ros2bench/{}@sha256:" + "0" * 64
    if stack == "microservices":
        return [_pod(node, [[node]], image.format(f"application-{node}")) for node in NODES]
    whole = [[node] for node in NODES]
    if stack == "composition":
        loader = {
            "name": "/perception",
            "process": "per-component",
            "executor": "single",
            "publicKey": "A",
            "components": [],
        }
        return [_pod("perception", whole, image.format("application-composition")) | {"componentContainer": loader}]
    if stack == "overlay":
        overlays = [
            {"name": name, "image": image.format(f"overlay-{name}"), "path": f"/opt/overlays/{place}0-{name}"}
            for place, name in enumerate(("interfaces", "nodes"), start=1)
        ]
        pod = _pod("perception", whole, image.format("application-overlay-base"))
        return [pod | {"overlays": overlays, "delivery": "image-volume"}]
    return [_pod("perception", whole, image.format("application-monolithic"))]


def _advice(stack: str) -> dict[str, Any]:
    found = {"asked": 1.28e8, "used": None, "lower": 9e7, "target": 1.1e8, "upper": 4e8, "missing": None}
    none = {"asked": 0.1, "used": None, "lower": None, "target": None, "upper": None}
    lines: list[dict[str, Any]] = []
    for pod in _pods(stack):
        of_pod = {"pod": pod["name"], "container": pod["name"]}
        lines.append(of_pod | {"resource": "cpu", "unit": "1", "missing": "no_recommendation_yet"} | none)
        lines.append(of_pod | {"resource": "memory", "unit": "B"} | found)
    return {"containers": lines, "missing": None}


def _pod(name: str, processes: Sequence[Sequence[str]], image: str) -> dict[str, Any]:
    return {"name": name, "image": image, "processes": [list(nodes) for nodes in processes], "replicas": 1,
            "overlays": [], "delivery": None, "componentContainer": None}  # fmt: skip


def _manifest(made: Made, run_id: str) -> dict[str, Any]:
    state, reason = made.state
    topics = [
        {"name": name, "type": "ros2bench_interfaces/msg/Result", "stamp": "ros2bench", "expectedRateHz": RATE_HZ,
         "isResult": name == "/results"}
        for name in ("/results", "/raw")
    ]  # fmt: skip
    machine = {
        "name": "edge", "boot_id": "b", "kernel": "6.1.0", "os_image": "Debian GNU/Linux 12", "architecture": "amd64",
        "container_runtime": "containerd://2.2.0", "kubelet": "v1.34.1",
        "allocatable": {"cpu": "1", "memory": "12137242Ki"}, "is_ready": True,
    }  # fmt: skip
    floor = {
        "stack": "monolithic", "arms": ["A", "A'"],
        "ratios": {
            key: {"median_ratio": 1.004, "interval": [0.99, 1.02], "confidence": 0.95, "n": made.repetitions}
            for key in FLOOR_KEYS
        },
    }  # fmt: skip
    network = {"domainId": 42, "rmw": "rmw_fastrtps_cpp", "mode": "pod", "discovery": "server",
               "socketBufferBytes": 4194304, "policies": True}  # fmt: skip
    return {
        "schema": 1, "run_id": run_id, "campaign": made.campaign, "cell": None, "platform": None,
        "created_at": "2025-01-20T10:00:00+00:00", "stack": made.stack, "pattern": made.stack, "arm": made.arm,
        "state": state, "reason": reason, "spec": {"application": {"name": "perception"}},
        "outputs": {
            "application": {"name": "perception", "pods": _pods(made.stack), "labels": {}, "topics": topics,
                            "load": {"rateHz": RATE_HZ, "widthPx": 640, "source": "pictures"}},
            "network": network, "stack": made.stack,
        },
        "images": {pod["name"]: pod["image"] for pod in _pods(made.stack)},
        "git": {"revision": "0" * 40, "is_dirty": False},
        "machines": [machine, machine | {"name": "cloud"}],
        "operator": {"cpus": 2},
        "plan": {"repetitions": made.repetitions, "cycles": "update", "seed": 1, "fault": None,
                 "durations": {"warmup_s": 5.0, "window_s": 20.0, "cool_down_s": 2.0}},
        "thresholds": {}, "findings": [], "cycle_regime": "warm", "repetitions_done": made.repetitions,
        "repetitions": [
            {"repetition": number, "recommendations": _advice(made.stack)} for number in range(made.repetitions)
        ],
        "gates": [
            {"name": "no_restart", "passed": True, "detail": "pods unchanged", "repetition": number}
            for number in range(made.repetitions)
        ],
        "noise_floor": floor if made.arm else None,
    }  # fmt: skip
