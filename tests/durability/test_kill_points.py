"""Runner and uploader die, or the power fails, at any step; the real resume brings what is left to its record.

A kill point is a process that ends before, in the middle of, or after one call that writes, syncs, renames or stores.
The reduced set runs with every change; `make test-full` runs ten thousand. Both print their counts (`pytest -s`).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.durability.disk_model import PHASES
from tests.durability.proof import Kill, Proof
from tests.durability.scripted_run import Shape
from tests.durability.stand_ins import Fault

REDUCED, LEAST, FULL = 120, 450, 10_000
STRIDE = 24
SHAPES = st.builds(
    Shape,
    repetitions=st.integers(1, 2),
    copies=st.integers(0, 2),
    store=st.sampled_from(("bucket", "folder")),
    passes=st.booleans(),
)
KILLS = st.lists(
    st.builds(
        Kill,
        # Evenly, not mostly at the beginning as of a range of numbers.
        share=st.sampled_from([step / 400 for step in range(400)]),
        phase=st.sampled_from(PHASES),
        loses_power=st.booleans(),
        seed=st.integers(0, 2**32),
    ),
    min_size=3,
    max_size=7,
)
FAULTS = st.dictionaries(st.integers(1, 16), st.sampled_from(("lost request", "lost answer")), max_size=2)


def every_step(proof: Proof, shape: Shape, stride: int, power: tuple[bool, ...] = (False, True)) -> None:
    """Kill a run at every step (or every n-th of all kills), in every phase, with and without a loss of power."""
    total = proof.undisturbed(shape).steps
    kills = [
        Kill((step + 0.5) / total, phase, loses_power, seed=step)
        for step in range(total)
        for phase in PHASES
        for loses_power in power
    ]
    for kill in kills[::stride]:
        proof.kill(shape, [kill])


def explore(proof: Proof, examples: int) -> None:
    """Kill runs of any shape, and those who resume them, at any steps, with stores that fail in between."""

    @settings(max_examples=examples)
    @given(shape=SHAPES, kills=KILLS, faults=FAULTS)
    def kill(shape: Shape, kills: list[Kill], faults: dict[int, Fault]) -> None:
        proof.kill(shape, kills, faults)

    kill()


def test_whatever_ends_nothing_that_was_promised_is_lost(proof: Proof) -> None:
    proof.counts.clear()
    every_step(proof, Shape(copies=1, store="bucket"), STRIDE + 1)
    every_step(proof, Shape(copies=1, store="folder"), STRIDE - 1)
    explore(proof, REDUCED)
    print(f"\n{dict(sorted(proof.counts.items()))}")  # noqa: T201 - the counts are the proof
    assert proof.counts["kill points"] >= LEAST


@pytest.mark.full
def test_ten_thousand_ends_lose_nothing(proof: Proof) -> None:
    proof.counts.clear()
    for store in ("bucket", "folder"):
        for repetitions in (1, 2):
            every_step(proof, Shape(repetitions=repetitions, copies=2, store=store), 1)
    # An example of several kills has two kill points or more.
    explore(proof, (FULL - proof.counts["kill points"]) // 2)
    print(f"\n{dict(sorted(proof.counts.items()))}")  # noqa: T201
    assert proof.counts["kill points"] >= FULL


def lose_power_everywhere(proof: Proof, shape: Shape) -> None:
    for seed in range(200):
        proof.kill(shape, [Kill(seed / 200, "before", loses_power=True, seed=seed)])


def no_sync(*_: object) -> None:
    """Sync nothing."""


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        ("probes.spool.sync_folder", Shape(copies=1)),
        ("probes.sample_copy.sync_folder", Shape(copies=1)),
        ("probes.sample_copy.os.fdatasync", Shape(copies=1)),
        ("probes.store_folder._sync", Shape(copies=1, store="folder")),
    ],
)
def test_the_proof_finds_a_sync_that_is_missing(
    proof: Proof, monkeypatch: pytest.MonkeyPatch, call: str, shape: Shape
) -> None:
    proof.undisturbed(shape)
    monkeypatch.setattr(call, no_sync)
    with pytest.raises((AssertionError, ValueError, OSError)):
        lose_power_everywhere(proof, shape)
