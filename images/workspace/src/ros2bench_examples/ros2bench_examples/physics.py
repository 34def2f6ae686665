"""The physics of the simulation: damped pendulums on motors, step by step. Needs no ROS."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRAVITY_M_PER_S2 = 9.81


@dataclass(frozen=True)
class Pendulums:
    """Independent pendulums, each a mass on a massless arm with a motor at its joint.

    Attributes:
        length_m: length of every arm.
        mass_kg: mass at the end of every arm.
        friction: torque per speed, in newton metre seconds per radian.
    """

    length_m: float = 0.5
    mass_kg: float = 1.0
    friction: float = 0.05


@dataclass(frozen=True)
class Motion:
    """Where the joints are and how they move: angles from hanging down, in radians, and speeds."""

    angles: np.ndarray
    speeds: np.ndarray


def at_rest(joints: int) -> Motion:
    """All joints hanging still."""
    return Motion(np.zeros(joints), np.zeros(joints))


def advance(
    pendulums: Pendulums, motion: Motion, torques: Sequence[float], step_s: float, steps: int
) -> Motion:
    """Motion after some steps of equal length under constant torques.

    Semi-implicit Euler: speeds first, then angles with the new speeds, which keeps the energy of
    a swing bounded for any number of steps.

    Args:
        pendulums: what moves.
        motion: how it moves now.
        torques: newton metres, one per joint.
        step_s: length of a step.
        steps: how many.
    """
    inertia = pendulums.mass_kg * pendulums.length_m**2
    weight = pendulums.mass_kg * GRAVITY_M_PER_S2 * pendulums.length_m
    angles, speeds = motion.angles, motion.speeds
    driven = np.asarray(torques, dtype=float)
    for _ in range(steps):
        torque = driven - weight * np.sin(angles) - pendulums.friction * speeds
        speeds = speeds + torque / inertia * step_s
        angles = angles + speeds * step_s
    return Motion(angles, speeds)


def energy(pendulums: Pendulums, motion: Motion) -> float:
    """Energy of all pendulums in joules, zero at rest."""
    heights = pendulums.length_m * (1 - np.cos(motion.angles))
    velocities = pendulums.length_m * motion.speeds
    return float(np.sum(pendulums.mass_kg * (GRAVITY_M_PER_S2 * heights + velocities**2 / 2)))
