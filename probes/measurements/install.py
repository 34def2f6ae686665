"""T_install and T_ready: from the start of the `pulumi up` that takes the experiment from parked to running.

`install_s` ends with the arrival, in one watch, of the last application pod's Ready condition. `ready_s` ends with the
DDS receipt of the first valid result at a recorder that was already listening; valid means published after the start.
"""

import numpy as np

from probes.measurement import CLOCK_UNPROVEN, NOT_REQUESTED, Deployment, Evidence, Measurement
from probes.metrics import derive
from probes.readings import Reading
from probes.recorder import ClockOffset
from probes.samples import ABSENT, Samples

NO_VALID_MESSAGE = "no_valid_message"
WORST_CLOCK_RATIO = 0.1


class Measured(Measurement):
    """Reads the deployment of a repetition."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give install_s, ready_s and the indicators that follow from them."""
        if evidence.deployment is None:
            readings = (
                Reading("install_s", missing=NOT_REQUESTED),
                Reading("ready_s", missing=NOT_REQUESTED),
            )
        else:
            readings = (
                install_reading(evidence.deployment),
                ready_reading(evidence.deployment, evidence.samples, evidence.clock),
            )
        return readings + derive(readings)


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


def first_valid_arrival_ns(samples: Samples, since_ns: int) -> int | None:
    """Give the first arrival of a message that was published after a time, in the recorder's clock."""
    published = samples.column("published_ns")
    published = np.where(published == ABSENT, samples.column("source_ns"), published)
    arrivals = samples.column("received_ns")
    valid = arrivals[np.where(published == ABSENT, arrivals, published) > since_ns]
    return int(valid.min()) if valid.size else None
