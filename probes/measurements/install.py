"""T_install and T_ready: from the start of the `pulumi up` that takes the experiment from parked to running.

`install_s` ends with the arrival, in one watch, of the last application pod's Ready condition. `ready_s` ends with the
DDS receipt of the first valid result at a recorder that was already listening; valid means published after the start.
"""

from probes.clock import ClockOffset
from probes.measurement import Deployment, Evidence, Measurement
from probes.metrics import CLOCK_UNPROVEN, NOT_REQUESTED, Metric
from probes.milestones import first_valid_arrival_ns
from probes.readings import Reading
from probes.samples import Samples

NO_VALID_MESSAGE = "no_valid_message"
WORST_CLOCK_RATIO = 0.1
START = "the start, in the runner's clock, of the `pulumi up` that takes the experiment from parked to running"
METRICS = (
    Metric(
        "install_s",
        "T_install",
        "s",
        f"from {START}, to the last application pod Ready",
        source="runner's clock; arrival of the Ready condition in one pod watch",
        resolution="1 ms (arrival in the watch)",
        error_bound="the watch's lag, some milliseconds, always too long; both times are of one clock",
        missing={NOT_REQUESTED: "needs --cycles install"},
    ),
    Metric(
        "ready_s",
        "T_ready",
        "s",
        f"from {START}, to the DDS receipt of the first valid result (published after the start) at a recorder that "
        "was already listening",
        source="runner's clock; the recorder's receipt stamp",
        resolution="1 ns (stamp); the offset between the two clocks has its own bound",
        error_bound="the bound of the clock offset, 0 on one kernel; withheld where that exceeds 10 % of the value",
        missing={
            NOT_REQUESTED: "needs --cycles install",
            NO_VALID_MESSAGE: "no message that was published after the start arrived",
        },
    ),
)


class Measured(Measurement):
    """Reads the deployment of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give install_s and ready_s."""
        if evidence.deployment is None:
            return Reading("install_s", missing=NOT_REQUESTED), Reading("ready_s", missing=NOT_REQUESTED)
        return (
            install_reading(evidence.deployment),
            ready_reading(evidence.deployment, evidence.samples, evidence.clock),
        )


def install_reading(deployment: Deployment) -> Reading:
    """Give install_s; both times are the runner's."""
    return Reading("install_s", (deployment.ready_ns - deployment.started_ns) / 1e9)


def ready_reading(deployment: Deployment, samples: Samples, clock: ClockOffset) -> Reading:
    """Give ready_s, or why there is none: nothing valid arrived, or the clocks are too badly related."""
    arrival_ns = first_valid_arrival_ns(samples, clock.to_recorder(deployment.started_ns))
    if arrival_ns is None:
        return Reading("ready_s", missing=NO_VALID_MESSAGE)
    ready_ns = clock.to_runner(arrival_ns) - deployment.started_ns
    if clock.bound_ns > WORST_CLOCK_RATIO * ready_ns:
        return Reading("ready_s", missing=CLOCK_UNPROVEN)
    return Reading("ready_s", ready_ns / 1e9)
