"""Proof 3: frames that are lost are counted, and they are those that were really lost.

The monitor never sends the results of frames that a seed draws; which they are is known before the run.
"""

import numpy as np

from benchmarks.proofs.bench import SMALL_LOAD, Bench
from benchmarks.proofs.finding import Finding, no_data, verdict_of
from benchmarks.proofs.loss_draw import dropped
from probes.frames import count_frames, first_arrivals
from probes.samples import ABSENT, Samples, Window

NUMBER = 3
STACK = "monolithic"
RATE_HZ = 50.0
RATIOS = (0.01, 0.1)
SEED = 7
LIMIT_POINTS = 0.1
RESULT = "/results"
FIGURE = f"within {LIMIT_POINTS} percentage points of what was really dropped"


def claim(drop_ratio: float) -> str:
    """Say what is claimed of one ratio."""
    return f"a loss of {drop_ratio:.0%} is reported in frames_lost / frames_intended"


def finding(samples: Samples, window: Window, drop_ratio: float, seed: int, rate_hz: float) -> Finding:
    """Compare the reported loss with the frames that were really dropped among those that were due.

    Args:
        samples: Results of one repetition.
        window: Its window.
        drop_ratio: Share that the node dropped.
        seed: Which ones.
        rate_hz: Rate of the frames.
    """
    counts = count_frames(samples, window, rate_hz)
    due = due_numbers(samples, window, rate_hz)
    if counts is None or due is None or counts.intended == 0:
        return no_data(NUMBER, claim(drop_ratio), FIGURE, f"{len(samples)} results")
    first, last = due
    truly = dropped(first, last, drop_ratio, seed)
    true_points = 100 * len(truly) / (last - first + 1)
    points = 100 * counts.lost / counts.intended
    arrived = set(first_arrivals(samples, window).column("frame_number").tolist())
    others = len(set(range(first, last + 1)) - arrived - truly)
    impossible = len(arrived & truly)
    return Finding(
        NUMBER,
        claim(drop_ratio),
        FIGURE,
        f"{points:.3f} % reported, {true_points:.3f} % true ({len(truly)} of {last - first + 1}); "
        f"{others} further frames missing, {impossible} dropped frames arrived",
        "none, every frame is known",
        verdict_of(holds=abs(points - true_points) <= LIMIT_POINTS and impossible == 0),
    )


def due_numbers(samples: Samples, window: Window, rate_hz: float) -> tuple[int, int] | None:
    """Give the first and last frame number that was due inside the window, by the camera's schedule."""
    numbered = samples.where(samples.column("frame_number") != ABSENT)
    if len(numbered) == 0:
        return None
    number, intended_ns = int(numbered.column("frame_number")[0]), int(numbered.column("intended_ns")[0])
    period_ns = 1e9 / rate_hz
    first = int(np.ceil((window.start_ns - intended_ns) / period_ns - 1e-6)) + number
    last = int(np.ceil((window.end_ns - intended_ns) / period_ns - 1e-6)) - 1 + number
    return (max(0, first), last) if last >= max(0, first) else None


def prove(bench: Bench, *, reduced: bool) -> list[Finding]:
    """Deploy with each ratio and measure once."""
    found: list[Finding] = []
    for drop_ratio in RATIOS:
        load = {**SMALL_LOAD, "rateHz": RATE_HZ, "faultNode": "monitor"}
        load |= {"faultDropRatio": drop_ratio, "faultSeed": SEED}
        bench.deploy(STACK, {"application": {"load": load}})
        evidence = bench.measure(duration_s=40.0 if reduced else 60.0)
        if evidence.problem:
            found.append(no_data(NUMBER, claim(drop_ratio), FIGURE, evidence.problem))
            continue
        found.append(finding(evidence.samples(0, RESULT), evidence.window(0), drop_ratio, SEED, RATE_HZ))
    return found
