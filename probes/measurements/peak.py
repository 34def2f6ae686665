"""f_FPS at its limit: `frames_hz_peak` is searched by `python -m probes.peak`, not measured in a single run."""

from probes.measurement import Measurement, RunContext
from probes.metrics import NOT_REQUESTED, Metric
from probes.readings import Reading
from probes.search import NOT_CONVERGED, NOTHING_HOLDS

TRIAL_FAILED = "trial_failed"
NO_LOSS_KNOWN = "no_loss_known"
METRICS = (
    Metric(
        "frames_hz_peak",
        "f_FPS",
        "Hz",
        "largest intended rate at which less than 5 % of the frames are lost, in two trials in a row",
        source="frames_delivered_ratio of one run per rate: doubling, bisection, then steps of the resolution",
        resolution="5 % of the value (`--resolution`)",
        error_bound="one step upwards: the next rate failed; near the limit a trial's own scatter decides",
        missing={
            NOT_REQUESTED: "needs python -m probes.peak",
            NOTHING_HOLDS: "even the smallest rate lost more than the limit",
            NOT_CONVERGED: "the trials were used up before a rate held twice",
            TRIAL_FAILED: "a trial could not be deployed or failed a gate that the count of frames depends on",
            NO_LOSS_KNOWN: "the application's results carry no frame numbers",
        },
    ),
)


class Measured(Measurement):
    """Says that a single run does not search."""

    async def conclude(self, context: RunContext) -> tuple[Reading, ...]:
        """Give the reason."""
        _ = context
        return (Reading("frames_hz_peak", missing=NOT_REQUESTED),)
