"""Proof 7: the application does the same whether the recorder listens or not.

Blocks with and without the recorder take turns in an order that is drawn per pair. What is compared is known without
the recorder: the latency that the monitor itself prints (intended time to publish call), and the processor time that
the kernel counts for the application's pod.
"""

import random
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from benchmarks.proofs.bench import Bench
from benchmarks.proofs.finding import Finding, no_data, verdict_of
from benchmarks.proofs.intervals import median_with_interval
from benchmarks.proofs.own_report import own_latencies_s
from benchmarks.proofs.pod_cpu import CpuSampler, cores, pod_folder
from probes.samples import Window
from probes.stats import quantile

NUMBER = 7
STACK = "monolithic"
RATE_HZ = 10.0
PAIRS = 10
LEAST_PAIRS = 3
SEED = 7
REPORT_FRAMES = 10
SETTLE_S = 3.0
SAMPLE_NS = 300_000_000
RECORDER = ("-l", "app.kubernetes.io/component=recorder")
APPLICATION = "app.kubernetes.io/component=application"
LIMITS = {"p50": 1.01, "p99": 1.05, "cpu": 1.02}
WORDS = {"p50": "p50 of the application's own latency", "p99": "p99 of it", "cpu": "processor time of the application"}


@dataclass(frozen=True)
class Block:
    """What one block of time showed; None where it could not be had."""

    p50: float | None
    p99: float | None
    cpu: float | None


def findings(pairs: Sequence[tuple[Block, Block]]) -> list[Finding]:
    """Judge the ratios of blocks with the recorder over blocks without.

    Args:
        pairs: Block with the recorder and block without it, of each pair.
    """
    return [_finding(name, pairs) for name in LIMITS]


def _finding(name: str, pairs: Sequence[tuple[Block, Block]]) -> Finding:
    limit = LIMITS[name]
    claim = f"{WORDS[name]}, with over without the recorder (median of pair ratios)"
    figure = f"at most {limit:g}"
    both = [(getattr(with_it, name), getattr(without, name)) for with_it, without in pairs]
    ratios = [first / second for first, second in both if first is not None and second]
    if len(ratios) < LEAST_PAIRS:
        return no_data(NUMBER, claim, figure, f"{len(ratios)} of {len(pairs)} pairs could be measured")
    spread = median_with_interval(ratios)
    return Finding(
        NUMBER,
        claim,
        figure,
        f"{spread.value:.4f} over {len(ratios)} pairs",
        spread.interval(digits=4),
        verdict_of(holds=spread.value <= limit),
    )


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Run blocks with a capture and blocks with no recorder at all."""
    load = {"rateHz": RATE_HZ, "reportFrames": REPORT_FRAMES}
    bench.deploy(STACK, {"application": {"load": load}})
    chance, duration_s = random.Random(SEED), 10.0 if reduced else 30.0  # noqa: S311 - an order, not a secret
    pairs: list[tuple[Block, Block]] = []
    try:
        for _ in range(LEAST_PAIRS if reduced else PAIRS):
            blocks: dict[bool, Block] = {}
            for listens in chance.sample([True, False], 2):
                blocks[listens] = _block(bench, duration_s, listens=listens)
            pairs.append((blocks[True], blocks[False]))
    finally:
        _scale_recorder(bench, 1)
    return findings(pairs)


def _block(bench: Bench, duration_s: float, *, listens: bool) -> Block:
    """Let a block pass with the recorder capturing, or without it."""
    _scale_recorder(bench, int(listens))
    (uid,) = (pod["metadata"]["uid"] for pod in bench.pods() if is_application(pod))
    folder = pod_folder(uid)
    time.sleep(SETTLE_S)
    with CpuSampler(folder) if folder else nullcontext() as sampler:
        if listens:
            window = bench.measure(duration_s=duration_s).window(0)
        else:
            start_ns = time.time_ns()
            time.sleep(duration_s)
            window = Window(start_ns, time.time_ns() - SAMPLE_NS)
    # The monitor prints what it has gathered only when the line is full.
    time.sleep(REPORT_FRAMES / RATE_HZ)
    lines = bench.kubectl("logs", "-l", APPLICATION, "--tail=-1").splitlines()
    latencies_s = own_latencies_s(lines, window.start_ns, window.end_ns)
    used = cores(sampler.rows, window.start_ns + SAMPLE_NS, window.end_ns) if sampler else None
    return Block(quantile(latencies_s, 0.5), quantile(latencies_s, 0.99), used)


def is_application(pod: Mapping[str, Any]) -> bool:
    """Tell whether a pod is of the application, as the stack labels it."""
    name, _, value = APPLICATION.partition("=")
    return pod["metadata"].get("labels", {}).get(name) == value


def _scale_recorder(bench: Bench, replicas: int) -> None:
    bench.kubectl("scale", "deployment", *RECORDER, f"--replicas={replicas}")
    bench.kubectl("rollout", "status", "deployment", *RECORDER, "--timeout=120s")
