"""How much of the machines others used in the window: what a difference between two runs may come from.

foreign_cpu_ratio            of the machine with the largest share
foreign_cpu_ratio{machine}   of one machine
stolen_cpu_ratio             as above: what the host of a virtual machine gave to its other guests
"""

from probes.counter_rates import REASONS
from probes.foreign_load import ForeignLoad, foreign_loads
from probes.measurement import Evidence, Measurement
from probes.metrics import NO_APPLICATION, Metric
from probes.readings import Reading

RESOLUTION = "10 ms (the kernel's clock tick)"
LABELS = {"machine": "one machine; without the label that of the application's machines with the largest share"}
METRICS = (
    Metric(
        "foreign_cpu_ratio",
        "",
        "1",
        "processor time of a machine that neither the application nor the probes used, over all of its processor time; "
        "the cluster's own programs are in it",
        source="the machine reader's kinds `machine` and `containers`, less the recorder's and the reader's own use",
        resolution=RESOLUTION,
        error_bound="two readings at the edges of the window: 0.1 s each; the machines of a lab share one kernel, so "
        "that each counts what runs on the others, too",
        missing=REASONS,
        labels=LABELS,
    ),
    Metric(
        "stolen_cpu_ratio",
        "",
        "1",
        "processor time that the host of a virtual machine gave to other guests while this machine had work, over all "
        "of its processor time; 0 on hardware of its own",
        source="the machine reader's kind `machine`: steal of /proc/stat (proc_stat(5))",
        resolution=RESOLUTION,
        error_bound="the host's own figure: one that tells none looks like 0",
        missing=REASONS,
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads what the gate `quiet_machine` judges by."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give both shares of each machine that holds pods of the application, and of the worst."""
        found = foreign_loads(evidence)
        if not found:
            return tuple(Reading(metric.name, missing=NO_APPLICATION) for metric in METRICS)
        each = [one for machine, load in found.items() for one in _readings(load, {"machine": machine})]
        return (*each, *_readings(worst(tuple(found.values())), {}))


def worst(loads: tuple[ForeignLoad | str, ...]) -> ForeignLoad | str:
    """The largest shares of some machines; unknown where one of them is."""
    known = [load for load in loads if isinstance(load, ForeignLoad)]
    if len(known) < len(loads):
        return next(load for load in loads if isinstance(load, str))
    return ForeignLoad(max(load.used for load in known), max(load.stolen for load in known))


def _readings(load: ForeignLoad | str, labels: dict[str, str]) -> tuple[Reading, ...]:
    if isinstance(load, str):
        return tuple(Reading(metric.name, missing=load, labels=labels) for metric in METRICS)
    shares = (load.used, load.stolen)
    return tuple(Reading(metric.name, share, labels=labels) for metric, share in zip(METRICS, shares, strict=True))
