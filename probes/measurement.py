"""What a measurement is: started before the window, gathered after it, concluded once per run.

A new metric is a file in `probes/measurements/` that defines a class `Measured(Measurement)`, and a line in the
catalogue `probes/metrics.py`. Nothing else needs to know it.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from probes import measurements
from probes.cluster import Machine
from probes.readings import Reading
from probes.recorder import CaptureStatus, ClockOffset
from probes.samples import Samples, Window
from stacks.outputs import MeasuredTopic, StackOutputs

CLOCK_UNPROVEN = "clock_unproven"
NOT_REQUESTED = "not_requested"


@dataclass(frozen=True)
class Deployment:
    """One change of the experiment from parked to running, in the runner's clock."""

    started_ns: int
    ready_ns: int
    engine_ended_ns: int


@dataclass(frozen=True)
class RunContext:
    """What is known of a run before its first repetition.

    `note` shows a sentence to the user, for what a reason code alone would not explain.
    """

    outputs: StackOutputs
    machines: tuple[Machine, ...]
    application_machines: tuple[Machine, ...]
    note: Callable[[str], None]


@dataclass(frozen=True)
class Evidence:
    """What one repetition left behind.

    `is_one_clock` tells whether application and recorder are proved to read the same clock; otherwise one-way
    latencies must not be computed.
    """

    repetition: int
    outputs: StackOutputs
    topic: MeasuredTopic
    samples: Samples
    window: Window
    capture: CaptureStatus
    clock: ClockOffset
    is_one_clock: bool
    deployment: Deployment | None


class Measurement:
    """Base of all measurements: does nothing at each of the three moments."""

    async def start(self, context: RunContext) -> None:
        """Prepare or read a first value, right before the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give the readings of a repetition, after its window."""
        _ = evidence
        return ()

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the readings of the run as a whole, after its last repetition."""
        _ = context
        return ()


def all_measurements() -> tuple[Measurement, ...]:
    """Make one measurement of every file in `probes/measurements/`, in order of their names."""
    found: list[Measurement] = []
    for module in pkgutil.iter_modules(measurements.__path__):
        made: object = importlib.import_module(f"{measurements.__name__}.{module.name}").Measured()
        if not isinstance(made, Measurement):
            raise TypeError(f"probes/measurements/{module.name}.py: Measured must derive from Measurement")
        found.append(made)
    return tuple(found)
