"""What tracing costs: processor time and latency of an application that traces, over one that does not.

    python -m benchmarks.tracing_overhead --store FOLDER [--repetitions 10]

One campaign of `probes.run` over all arms, in randomised interleaved order; a repetition of one arm is paired with the
same repetition of the arm without tracing. The control is the latter once more, under another name. `traced` traces
every frame into the Jaeger of the platform; `traced-nowhere` sends to an address at which nobody answers. The arms are
stacks of this benchmark, made for it and removed with it. Needs a platform with machine readers (their counters are the
processor time) and tracing.enabled.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.arms import measure, newest_records, own_stacks, values
from benchmarks.command import QUIET, call, need
from benchmarks.paired import LEAST_PAIRS, Comparison, compare, show

BASELINE = "untraced"
CONTROL = "untraced-again"
TRACED = "traced"
NOWHERE = "traced-nowhere"
ARMS = (BASELINE, CONTROL, TRACED, NOWHERE)
PATTERN = "microservices"
"""The pattern with the most processes, each of which has an exporter of its own: the dearest for tracing."""
CPU, LATENCY = "cpu_cores", "inference_s"
LIMITS = {CPU: 1.01}
"""At most 1 % more processor time."""
DEAD = "http://192.0.2.1:4318"
"""An address of TEST-NET-1 (RFC 5737), which nobody has."""


def stack_files(platform: str, rate_hz: float) -> dict[str, str]:
    """Stack file of every arm, the baseline first.

    Args:
        platform: stack that holds machine readers and Jaeger.
        rate_hz: frames per second of the camera.
    """
    tracing = {
        BASELINE: "{enabled: false}",
        CONTROL: "{enabled: false}",
        TRACED: "{enabled: true, sampleEvery: 1}",
        NOWHERE: f"{{enabled: true, sampleEvery: 1, endpoint: '{DEAD}'}}",
    }
    return {
        arm: (
            f"config:\n  ros2bench:spec:\n    pattern: {PATTERN}\n    platform: {platform}\n"
            f"    application: {{load: {{rateHz: {rate_hz:.3f}}}}}\n    tracing: {wanted}\n"
        )
        for arm, wanted in tracing.items()
    }


def comparisons(folders: dict[str, Path], *, seed: int) -> list[Comparison]:
    """Each arm over the baseline, the control of each metric first; cores stand in the columns of seconds.

    Args:
        folders: folder of the record of each arm.
        seed: seed of the intervals.
    """
    found: list[Comparison] = []
    for metric in (CPU, LATENCY):
        baseline = values(folders[BASELINE], metric)
        for arm in (CONTROL, TRACED, NOWHERE):
            name = f"{'control: ' if arm == CONTROL else ''}{arm} / {BASELINE}, {metric}"
            limit = None if arm == CONTROL else LIMITS.get(metric)
            found.append(compare(name, values(folders[arm], metric), baseline, seed=seed, limit=limit))
    return found


def main(
    store: Annotated[Path, typer.Option(help="Folder that keeps the records.")],
    platform: Annotated[str, typer.Option(help="Stack with machine readers and tracing.enabled.")] = "platform",
    rate_hz: Annotated[float, typer.Option(help="Frames per second.")] = 10.0,
    repetitions: Annotated[int, typer.Option(min=3, help="Repetitions of each arm.")] = LEAST_PAIRS,
    duration_s: Annotated[float, typer.Option(help="Length of each measured window.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    compare_only: Annotated[bool, typer.Option(help="Measure nothing; compare what the folder holds.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare an application that traces with one that does not, with a control of the latter against itself."""
    if not compare_only:
        need("KUBECONFIG")
        files = stack_files(platform, rate_hz)
        with own_stacks(files):
            for arm in ARMS:
                call("pulumi", "up", "-s", arm, *QUIET, environment={"ROS2BENCH_STATE": "parked"}, shows_progress=True)
            measure(ARMS, repetitions, duration_s, seed, store)
    show("tracing_overhead", comparisons(newest_records(store, ARMS), seed=seed), keep)


if __name__ == "__main__":
    typer.run(main)
