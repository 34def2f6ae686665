"""Proof 6: the recorder costs a tenth of an ordinary subscriber and keeps up with ten times its messages.

Both hear the same topics at the same time in one pod of the recorder image; see
`python -m benchmarks.recorder_against_subscriber`, which this runs.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.paired import Comparison
from benchmarks.proofs.bench import Bench
from benchmarks.proofs.finding import Finding, no_data, verdict_of
from benchmarks.recorder_against_subscriber import (
    MOST_CPU_RATIO,
    MOST_INTERVAL_RATIO,
    QUEUES,
    evaluate,
    run_in_pod,
)
from components.image import read_lock

NUMBER = 6
SEED = 6
OPTIONS = ("--topics=50", "--rate-hz=30", "--searches=3", f"--seed={SEED}")
CPU_CLAIM = "processor time of the recorder over that of an ordinary subscriber, 50 topics at 30 Hz"
RATE_CLAIM = "shortest interval of messages without a loss on one topic, recorder over ordinary subscriber {having}"


def findings(lines: Sequence[dict[str, Any]]) -> list[Finding]:
    """Judge what the pod has told.

    Args:
        lines: Windows and searches, as `ros2bench-recorder-benchmark` prints them.
    """
    found = evaluate(lines, SEED)
    controls = [one for one in found.comparisons if one.name.startswith("control")]
    cpu = _finding(CPU_CLAIM, f"at most {MOST_CPU_RATIO:g}", found.cpu, holds=found.cpu.ratio <= MOST_CPU_RATIO)
    rates = [_rate(RATE_CLAIM.format(having=having), found.intervals[queue]) for queue, having in QUEUES.items()]
    lost = Finding(
        NUMBER,
        "messages that the recorder lost meanwhile, 50 topics at 30 Hz",
        "0",
        str(found.lost),
        "none",
        verdict_of(holds=found.lost == 0),
    )
    return [
        cpu,
        *rates,
        lost,
        *(_finding(f"{one.name}: the interval holds 1", "1", one, holds=one.holds_one) for one in controls),
    ]


def _rate(claim: str, one: Comparison | None) -> Finding:
    figure = f"at most {MOST_INTERVAL_RATIO:g} (ten times the rate)"
    if one is None:
        return no_data(NUMBER, claim, figure, "a listener lost messages at the lowest rate")
    rates = f" ({1 / one.first_s:,.0f} against {1 / one.second_s:,.0f} messages a second)"
    return _finding(claim, figure, one, rates, holds=one.ratio <= MOST_INTERVAL_RATIO)


def _finding(claim: str, figure: str, one: Comparison, detail: str = "", *, holds: bool) -> Finding:
    measured = f"{one.ratio:.4f} over {one.pairs} pairs{detail}"
    return Finding(NUMBER, claim, figure, measured, f"{one.low:.4f} to {one.high:.4f}", verdict_of(holds=holds))


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Run the comparison on a cluster in which nothing else is deployed."""
    bench.remove()
    image = read_lock(Path(os.environ["ROS2BENCH_IMAGES_LOCK"])).reference("recorder")
    own = ("--windows=3", "--window-s=3") if reduced else ("--windows=10",)
    return findings(run_in_pod(image, [*OPTIONS, *own]))
