"""A plan is repeatable, gives every stack its turn in each block, and refuses what makes no sense."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.errors import UsageError
from probes.fault_order import FaultOrder
from probes.plan import Durations, interleave, make_plan

NAMES = st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=4, unique=True).map(tuple)


@given(NAMES, st.integers(1, 8), st.integers(0, 2**32))
def test_each_block_holds_every_stack_once(stacks: tuple[str, ...], repetitions: int, seed: int) -> None:
    order = interleave(stacks, repetitions, seed)
    for repetition in range(repetitions):
        block = order[repetition * len(stacks) : (repetition + 1) * len(stacks)]
        assert Counter(step.stack for step in block) == Counter(stacks)
        assert {step.repetition for step in block} == {repetition}
    assert order == interleave(stacks, repetitions, seed)


def test_the_order_depends_on_the_seed() -> None:
    assert len({interleave(("a", "b", "c", "d"), 4, seed) for seed in range(10)}) > 1


@pytest.mark.parametrize(
    ("stacks", "repetitions", "durations", "said"),
    [
        (("a",), 0, Durations(), "--repetitions is 0"),
        (("a", "a"), 1, Durations(), "names a more than once"),
        (("a", "b"), 1, Durations(), "only one experiment may run"),
        (("a",), 1, Durations(window_s=0), "--duration-s is 0"),
        (("a",), 1, Durations(warmup_s=-1), "--warmup-s is -1"),
    ],
)
def test_what_makes_no_sense_is_refused(
    stacks: tuple[str, ...], repetitions: int, durations: Durations, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        make_plan(stacks, repetitions, "none", durations, 1)
    assert caught.value.next_step


def test_the_manifest_says_which_fault_and_whether_the_network_is_probed() -> None:
    own = make_plan(("a",), 1, "none", Durations(), 1, network=False, fault=FaultOrder(delay_s=0.02)).as_record()
    assert own["network"] is False
    assert own["fault"] == {**FaultOrder(delay_s=0.02).settings()}
    assert json.loads(json.dumps(own))["fault"]["delay_s"] == 0.02
    assert make_plan(("a",), 1, "none", Durations(), 1).as_record()["fault"] is None


def test_several_stacks_are_fine_with_a_cycle() -> None:
    assert len(make_plan(("a", "b"), 3, "install", Durations(), 1).order) == 6
