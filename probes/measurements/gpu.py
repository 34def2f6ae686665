"""U_GPU: how busy the GPUs of the application's machines are, and what their memory holds.

gpu_ratio                      mean over the window and over the GPUs
gpu_ratio{statistic=max}       largest reading of any of them
gpu_ratio{gpu, machine}        mean of one GPU
gpu_memory_bytes               mean over the window, all GPUs together; {statistic=max}: largest reading of one GPU
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.energy import NO_ROWS, REASONS, Mean, Series, Unmeasured, mean_of_samples
from probes.evidence import Cell, Readers, ReaderSeries, SeriesTable
from probes.measurement import Evidence, Measurement
from probes.metrics import NO_APPLICATION, NO_MACHINE_READER, SHARED_REASONS, Metric
from probes.power_series import kernels
from probes.readers import PERIOD_S
from probes.readings import Reading
from probes.samples import Window

NOT_TOLD = "not_told"
LARGEST_BYTES = 1e15

SOURCE_REASONS = {
    "no_gpu": "the machine has no GPU that its kernel or its driver shows",
    "no_nvml": "no GPU of a Jetson is there, and the NVIDIA driver's library is not in the reader's container",
    "nvml_unreadable": "the driver answered with an error",
    "gpu_load_unreadable": "the driver's load file gave no number",
    "tegrastats_not_started": "tegrastats could not be started",
    "tegrastats_silent": "tegrastats printed nothing for three intervals or longer",
    "tegrastats_ended": "tegrastats ended by itself",
    "tegrastats_frozen": "the time that tegrastats prints stood still",
    "tegrastats_without_gpu": "the lines of tegrastats name no GPU that is on",
}
"""Reasons of the machine reader, with what they mean."""

LABELS = {"machine": "one machine", "gpu": "one GPU, by its place", "statistic=max": "largest reading in the windows"}

METRICS = (
    Metric(
        "gpu_ratio",
        "U_GPU",
        "1",
        "share of time in which a GPU of the application's machines had work: mean over the window and over the GPUs",
        source="machine reader at 10 Hz: tegrastats or sysfs on a Jetson, NVML elsewhere",
        resolution="1 % (0.1 % from sysfs); NVML gives the mean of the last 1/6 s to 1 s, so edges of the window blur",
        error_bound="a second at each edge of the window (NVML); a share of time, not of the GPU's units in use",
        missing={**REASONS, **SOURCE_REASONS, NOT_TOLD: "the GPU or its driver does not tell its load"},
        labels=LABELS,
    ),
    Metric(
        "gpu_memory_bytes",
        "",
        "B",
        "memory of the GPUs of the application's machines that is in use, by whomever: mean over the window",
        source="machine reader at 10 Hz: NVML",
        resolution="the driver's pages",
        error_bound="none known beside the period of 0.1 s",
        missing={
            **REASONS,
            **SOURCE_REASONS,
            NOT_TOLD: "a GPU that shares the machine's memory has none of its own (Jetson), or does not tell",
        },
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads what the machine readers captured in the window."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give load and memory, of all GPUs and of each."""
        names = kernels(evidence.application_machines(), evidence.machines, evidence.readers)
        if not names:
            return tuple(Reading(metric.name, missing=NO_APPLICATION) for metric in METRICS)
        gpus = [gpu for name in names for gpu in _gpus_of(name, evidence)]
        return (*load_readings(gpus), *memory_readings(gpus))


@dataclass(frozen=True)
class GpuUse:
    """Load and memory of one GPU in the window, or why they are unknown; `gpu` is empty where none is known."""

    machine: str
    gpu: str
    load: Mean | Unmeasured
    memory: Mean | Unmeasured

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that tell it apart."""
        return {"machine": self.machine, "gpu": self.gpu}


def gpu_use(machine: str, table: SeriesTable, window: Window, period_s: float) -> tuple[GpuUse, ...]:
    """Give the use of each GPU of a machine from rows of kind `gpu`; one without a name where there are no rows."""
    reason = table.missing if table.missing in {**SHARED_REASONS, **SOURCE_REASONS} else None
    if not table.rows:
        nothing = Unmeasured(reason or NO_ROWS)
        return (GpuUse(machine, "", nothing, nothing),)
    gpus: dict[str, list[Mapping[str, Cell]]] = {}
    for row in table.records():
        gpus.setdefault(str(row["gpu"]), []).append(row)
    return tuple(
        GpuUse(
            machine,
            gpu,
            _mean(gpus[gpu], "busy_ratio", 1.0, window, period_s),
            _mean(gpus[gpu], "memory_used_bytes", LARGEST_BYTES, window, period_s),
        )
        for gpu in sorted(gpus)
    )


def load_readings(gpus: Iterable[GpuUse]) -> tuple[Reading, ...]:
    """Give gpu_ratio."""
    loads = [(gpu, gpu.load) for gpu in gpus]
    return _readings("gpu_ratio", loads, is_sum=False)


def memory_readings(gpus: Iterable[GpuUse]) -> tuple[Reading, ...]:
    """Give gpu_memory_bytes."""
    memories = [(gpu, gpu.memory) for gpu in gpus]
    return _readings("gpu_memory_bytes", memories, is_sum=True)


def _readings(name: str, found: list[tuple[GpuUse, Mean | Unmeasured]], *, is_sum: bool) -> tuple[Reading, ...]:
    reason = next((value.reason for _, value in found if isinstance(value, Unmeasured)), None)
    each = tuple(
        Reading(name, missing=value.reason, labels=gpu.labels)
        if isinstance(value, Unmeasured)
        else Reading(name, value.mean, labels=gpu.labels)
        for gpu, value in found
        if gpu.gpu
    )
    if reason is not None:
        return (Reading(name, missing=reason), Reading(name, missing=reason, labels={"statistic": "max"}), *each)
    means = [value for _, value in found if isinstance(value, Mean)]
    total = sum(value.mean for value in means)
    largest = max(value.largest for value in means)
    return (
        Reading(name, total if is_sum else total / len(means)),
        Reading(name, largest, labels={"statistic": "max"}),
        *each,
    )


def _gpus_of(machine: str, evidence: Evidence) -> tuple[GpuUse, ...]:
    readers: Readers = evidence.readers
    series = readers.get(machine, NO_MACHINE_READER)
    if isinstance(series, ReaderSeries):
        return gpu_use(machine, series.table("gpu"), evidence.window_on(series), PERIOD_S)
    nothing = Unmeasured(series)
    return (GpuUse(machine, "", nothing, nothing),)


def _mean(
    rows: list[Mapping[str, Cell]], column: str, high: float, window: Window, period_s: float
) -> Mean | Unmeasured:
    values = [row[column] for row in rows]
    if all(value is None for value in values):
        return Unmeasured(NOT_TOLD)
    series = Series([row["time_ns"] for row in rows], [row["monotonic_ns"] for row in rows], values)
    return mean_of_samples(series, window, period_s, low=0.0, high=high)
