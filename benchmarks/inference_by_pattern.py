"""What a pattern adds to the time from capture to result: inference_s of each pattern over that of monolithic.

    python -m benchmarks.inference_by_pattern [--repetitions 10]

One campaign of `probes.run` over all arms, in randomised interleaved order; a repetition of one arm is paired with the
same repetition of monolithic. The control is monolithic once more, under another name. The arms `monolithic-again` and
`composition-shared` are stacks of this benchmark, made for it and removed with it.
"""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.arms import measure, newest_records, own_stacks, values
from benchmarks.command import QUIET, call, need
from benchmarks.paired import LEAST_PAIRS, Comparison, compare, show

BASELINE = "monolithic"
CONTROL = "monolithic-again"
ARMS = (BASELINE, CONTROL, "microservices", "composition", "composition-shared", "overlay")
OWN_STACKS = {
    CONTROL: "config:\n  ros2bench:spec:\n    pattern: monolithic\n",
    "composition-shared": (
        "config:\n  ros2bench:spec:\n    pattern: composition\n    composition:\n      process: shared\n"
    ),
}
METRIC = "inference_s"
"""Seconds from capture to result, median of the frames of a repetition."""
LIMITS = {"composition": 1.1}


def comparisons(folders: dict[str, Path], *, seed: int) -> list[Comparison]:
    """Each arm over monolithic, the control first.

    Args:
        folders: folder of the record of each arm.
        seed: seed of the intervals.
    """
    baseline = values(folders[BASELINE], METRIC)
    found: list[Comparison] = []
    for arm, folder in folders.items():
        if arm != BASELINE:
            name = f"{'control: ' if arm == CONTROL else ''}{arm} / {BASELINE}, {METRIC}"
            found.append(compare(name, values(folder, METRIC), baseline, seed=seed, limit=LIMITS.get(arm)))
    return found


def main(
    store: Annotated[Path, typer.Option(help="Folder that keeps the records.")],
    repetitions: Annotated[int, typer.Option(min=3, help="Repetitions of each arm.")] = LEAST_PAIRS,
    duration_s: Annotated[float, typer.Option(help="Length of each measured window.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Seed of the order and of the intervals.")] = 1,
    compare_only: Annotated[bool, typer.Option(help="Measure nothing; compare what the folder holds.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Folder that keeps the result, for docs/benchmarks.md.")] = None,
) -> None:
    """Compare the patterns, with a control of monolithic against itself."""
    if compare_only:
        show("inference_by_pattern", comparisons(newest_records(store, ARMS), seed=seed), keep)
        return
    need("KUBECONFIG")
    with own_stacks(OWN_STACKS):
        for arm in ARMS:
            call("pulumi", "up", "-s", arm, *QUIET, shows_progress=True)
            call("pulumi", "up", "-s", arm, *QUIET, environment={"ROS2BENCH_STATE": "parked"}, shows_progress=True)
        measure(ARMS, repetitions, duration_s, seed, store)
    show("inference_by_pattern", comparisons(newest_records(store, ARMS), seed=seed), keep)


if __name__ == "__main__":
    typer.run(main)
