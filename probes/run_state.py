"""What a repetition works with and passes on from step to step: plain values and the clients of one stack."""

from dataclasses import dataclass, field

from probes import gates
from probes.clock import ClockOffset
from probes.deploy import Deployed, application_of
from probes.evidence import Fault, PhaseTime, PodIdentity, Readers, ReaderSeries
from probes.image_contents import Prepared
from probes.journal import Journal
from probes.measurement import Measurement, RunContext
from probes.metrics import IDLE_NOT_MEASURED, NOT_REQUESTED
from probes.network_links import Links
from probes.plan import Plan
from probes.provenance import load_average
from probes.readers import Capturing, ReaderSet
from probes.recorder import CaptureStatus, RecorderClient, RecorderStatus
from probes.sample_copy import SampleCopy
from probes.samples import Window
from probes.spool import RunFolder
from probes.update_evidence import UpdateCycle
from probes.world import Cluster, World
from stacks.outputs import MeasuredTopic, StackOutputs


@dataclass(frozen=True)
class Bench:
    """What all runs of a campaign share."""

    world: World
    cluster: Cluster
    plan: Plan
    readers: ReaderSet


@dataclass
class Run:
    """One stack of a campaign while it is measured.

    `arm` tells the two of an A/A control apart. `is_kept` holds once the tables of the repetition in hand are written.
    """

    outputs: StackOutputs
    folder: RunFolder
    journal: Journal
    recorder: RecorderClient
    measurements: tuple[Measurement, ...]
    arm: str = ""
    done: int = 0
    context: RunContext | None = None
    window: Window | None = None
    capture: str | None = None
    copy: SampleCopy | None = None
    capturing: Capturing | None = None
    is_kept: bool = False
    load_before: float = field(default_factory=load_average)

    @property
    def name(self) -> str:
        """How progress names it."""
        return f"{self.outputs.stack} {self.arm}".rstrip()


@dataclass(frozen=True)
class Begun:
    """A repetition at its first message."""

    capture: str
    topic: MeasuredTopic
    status: RecorderStatus
    clock: ClockOffset
    started_ns: int
    deployed: Deployed | None
    discovered: PhaseTime | None = None
    regime: Prepared | None = None
    idle: Readers = field(default_factory=dict[str, ReaderSeries | str])
    network: Links = IDLE_NOT_MEASURED


@dataclass(frozen=True)
class Observed:
    """A repetition after its window: the captures are stopped, the last samples are not fetched yet.

    `starts` are the times at which the containers of what was deployed began to run, where machine readers tell them;
    `fault_problems` says what a probe showed otherwise than the injected fault should.
    """

    window: Window
    context: RunContext
    capture: CaptureStatus
    before: tuple[gates.PodState, ...]
    after: tuple[gates.PodState, ...]
    pods: tuple[PodIdentity, ...]
    readers: Readers
    updates: tuple[UpdateCycle, ...] = ()
    network: Links = NOT_REQUESTED
    faults: tuple[Fault, ...] = ()
    fault_problems: tuple[str, ...] = ()
    starts: tuple[PhaseTime, ...] = ()


def result_topic(outputs: StackOutputs) -> MeasuredTopic:
    """Give the topic on which latency and losses are reported: the first that is marked, else the first."""
    topics = application_of(outputs).topics
    marked = [topic for topic in topics if topic.is_result]
    return (marked or topics)[0]
