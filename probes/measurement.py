"""What a measurement is: started before the window, gathered after it, concluded once per run.

A new metric is a file in `probes/measurements/` that declares `METRICS` and defines a class `Measured(Measurement)`.
Nothing else needs to know it; docs/add-a-measurement.md shows one.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType

from probes.catalogue import metrics_of, modules
from probes.clock import ClockOffset
from probes.cluster import Machine
from probes.evidence import Fault, PhaseTime, PodIdentity, Readers, ReaderSeries, RegimeEvidence
from probes.metrics import MEASUREMENT_FAILED, NOT_REQUESTED, Metric
from probes.network_links import Links
from probes.readings import Reading
from probes.recorder import CaptureStatus
from probes.samples import Samples, Window
from probes.update_evidence import UpdateCycle
from stacks.outputs import MeasuredTopic, StackOutputs


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

    Args:
        repetition: Its number.
        outputs: The contract of the stack.
        topic: The result topic.
        samples: Every sample of the result topic in the capture.
        window: The measured window, in the recorder's clock.
        capture: How the recorder's capture ended.
        clock: How the recorder's clock relates to the runner's.
        is_one_clock: Whether application and recorder are proved to read the same clock; otherwise one-way latencies
            must not be computed.
        deployment: The change from parked to running; None without a cycle.
        pods: The application's pods in the window.
        readers: What the machine readers captured from before the window until after it, by machine, or reasons.
        idle: The same while the stack was parked, right before it was deployed; reasons where nobody asked for it.
        timeline: When pods reached their phases.
        own_boot_id: Boot id of the runner's machine.
        recorder_machine: Machine of the recorder.
        machines: The cluster's machines.
        faults: What was injected.
        regime: What was on the machines before the install; None without a cycle.
        updates: The defined changes that were made and undone after the window.
        network: What was measured between machines, or why nothing was.
        note: Shows a sentence to the user.
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
    pods: tuple[PodIdentity, ...] = ()
    readers: Readers = field(default_factory=dict[str, ReaderSeries | str])
    idle: Readers = field(default_factory=dict[str, ReaderSeries | str])
    timeline: tuple[PhaseTime, ...] = ()
    own_boot_id: str = ""
    recorder_machine: str = ""
    machines: tuple[Machine, ...] = ()
    faults: tuple[Fault, ...] = ()
    regime: RegimeEvidence | None = None
    updates: tuple[UpdateCycle, ...] = ()
    network: Links = NOT_REQUESTED
    note: Callable[[str], None] = lambda _text: None

    def window_on(self, series: ReaderSeries) -> Window:
        """Give the window in the clock of a machine reader."""
        start_ns, end_ns = (self.clock.to_runner(at_ns) for at_ns in (self.window.start_ns, self.window.end_ns))
        return Window(series.clock.to_recorder(start_ns), series.clock.to_recorder(end_ns))

    def application_machines(self) -> tuple[str, ...]:
        """Name the machines that hold pods of the application, each once, in order."""
        return tuple(sorted({pod.machine for pod in self.pods}))


class Measurement:
    """Base of all measurements: does nothing at each of the moments.

    A measurement never waits, deploys or injects: the runner does, by its plan.
    """

    async def start(self, context: RunContext) -> None:
        """Prepare or read a first value, right before the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give the readings of a repetition, after its window."""
        _ = evidence
        return ()

    def derive(self, readings: Sequence[Reading]) -> tuple[Reading, ...]:
        """Give what follows from the readings that all measurements gathered in a repetition."""
        _ = readings
        return ()

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the readings of the run as a whole, after its last repetition."""
        _ = context
        return ()


def all_measurements() -> tuple[Measurement, ...]:
    """Make one measurement of every file in `probes/measurements/`, in order of their names."""
    return tuple(_made(module) for module in modules())


def _made(module: ModuleType) -> Measurement:
    made: object = module.Measured()
    if not isinstance(made, Measurement):
        raise TypeError(f"{module.__name__}: Measured must derive from Measurement")
    return made


def own_metrics(measurement: Measurement) -> Mapping[str, Metric]:
    """Give the metrics that the file of a measurement declares."""
    module = sys.modules[type(measurement).__module__]
    return {metric.name: metric for metric in metrics_of(module)}


def undeclared(measurement: Measurement, readings: Sequence[Reading]) -> list[str]:
    """Say which readings are of a metric, or missing for a reason, that the measurement's file does not declare."""
    own = own_metrics(measurement)
    problems = [f"{reading.key}: not in METRICS" for reading in readings if reading.name not in own]
    problems += [
        f"{reading.key}: reason {reading.missing} is declared nowhere"
        for reading in readings
        if reading.name in own and reading.missing and own[reading.name].why_missing(reading.missing) is None
    ]
    return problems


def failed(measurement: Measurement) -> tuple[Reading, ...]:
    """Give the readings of a measurement that broke: every metric of its file is missing."""
    return tuple(Reading(name, missing=MEASUREMENT_FAILED) for name in own_metrics(measurement))
