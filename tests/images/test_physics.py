"""The physics of the simulation example: energy, rest, and a controller that holds a joint."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.images.in_cluster import module

physics = module("ros2bench_examples.physics")
parameters = module("ros2bench_examples.parameters")
rules = module("ros2bench_nodes.parameters")

FREE = physics.Pendulums(friction=0.0)


def at(angle: float, joints: int = 1) -> Any:
    return physics.Motion(np.full(joints, angle), np.zeros(joints))


def test_what_hangs_still_stays_so() -> None:
    after = physics.advance(physics.Pendulums(), physics.at_rest(6), [0.0] * 6, 0.001, 1000)
    assert after.angles.tolist() == [0.0] * 6
    assert physics.energy(physics.Pendulums(), after) == 0


@given(st.floats(-3, 3), st.integers(1, 5))
def test_without_friction_the_energy_stays_within_one_in_a_hundred(angle: float, joints: int) -> None:
    before = at(angle, joints)
    after = physics.advance(FREE, before, [0.0] * joints, 0.001, 2000)
    assert physics.energy(FREE, after) == pytest.approx(physics.energy(FREE, before), rel=0.01, abs=1e-6)


def test_friction_takes_energy_away() -> None:
    pendulums = physics.Pendulums(friction=0.2)
    after = physics.advance(pendulums, at(1.0), [0.0], 0.001, 2000)
    assert physics.energy(pendulums, after) < 0.2 * physics.energy(pendulums, at(1.0))


def test_a_small_swing_has_the_period_of_theory() -> None:
    quarter_s = 2 * math.pi * math.sqrt(FREE.length_m / physics.GRAVITY_M_PER_S2) / 4
    steps = 1000
    after = physics.advance(FREE, at(0.02), [0.0], quarter_s / steps, steps)
    assert after.angles[0] == pytest.approx(0.0, abs=1e-4)


def test_steps_may_be_taken_together_or_one_by_one() -> None:
    together = physics.advance(FREE, at(1.0, 2), [0.3, -0.3], 0.001, 20)
    single = at(1.0, 2)
    for _ in range(20):
        single = physics.advance(FREE, single, [0.3, -0.3], 0.001, 1)
    assert np.array_equal(together.angles, single.angles)


def test_joints_do_not_feel_one_another() -> None:
    both = physics.advance(FREE, at(1.0, 2), [0.0, 2.0], 0.001, 100)
    alone = physics.advance(FREE, at(1.0), [0.0], 0.001, 100)
    assert both.angles[0] == alone.angles[0]
    assert both.angles[1] != alone.angles[0]


def test_every_example_node_has_a_health_port_and_a_silence_limit() -> None:
    for kind, known in parameters.RULES.items():
        values = rules.checked(kind, {}, known)
        assert values["health_port"] == 0
        assert values["silence_limit_s"] == 5.0


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("talker", "rate_hz", 0, "greater than 0"),
        ("talker", "text", "", "not empty"),
        ("action_client", "start", 1001, "from 1 to 1000"),
        ("simulator", "joints", 0, "from 1 to 1000"),
        ("controller", "period_s", "long", "greater than 0"),
    ],
)
def test_refusal_names_parameter_value_and_rule(kind: str, name: str, value: Any, words: str) -> None:
    with pytest.raises(rules.ParameterError, match=words) as refused:
        rules.checked(kind, {name: value}, parameters.RULES[kind])
    assert f'"{name}" of the {kind}' in str(refused.value)
