"""P_avg and E_inf: power of the machines that hold the application, and the energy that a frame costs.

power_w                     mean power in the window of all machines with pods of the application
power_w{machine, rail}      the same of one rail
power_w{part=idle}          the same machines while the stack was parked, right before it was deployed
energy_per_frame_j          (power_w - power_w{part=idle}) x window / delivered frames
energy_per_frame_j{part=gross}    power_w x window / delivered frames

Power is a property of machines: whatever else runs on them is in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from probes.energy import REASONS, Mean, Unmeasured
from probes.evidence import Readers, ReaderSeries
from probes.frames import count_frames
from probes.measurement import Evidence, Measurement
from probes.metrics import NO_APPLICATION, NO_MACHINE_READER, NO_SAMPLES, SHARED_REASONS, Metric
from probes.power_series import TOTAL_REASONS, MachinePower, above_idle, add_up, kernels, machine_power
from probes.readers import PERIOD_S
from probes.readings import Reading
from probes.samples import Window

LEAST_IDLE_S = 5.0
NO_FRAME_NUMBER = "no_frame_number_in_message"
IDLE_TOO_SHORT = "idle_too_short"

SOURCE_REASONS = {
    "no_power_source": "the machine has no tegrastats, power sensors, RAPL or NVIDIA driver that the reader sees",
    "power_switched_off": "the platform's settings switch power off",
    "no_tegrastats": "the platform asks for tegrastats, and the reader does not find the program",
    "no_power_sensor": "the platform asks for hwmon, and the machine has no INA3221 or INA238",
    "no_rapl": "the platform asks for RAPL, and the machine's kernel shows no counters",
    "no_nvml": "the platform asks for NVML, and the driver's library is not in the reader's container",
    "no_gpu": "the platform asks for NVML, and the driver knows no GPU",
    "power_sensor_unreadable": "the sensors are there but gave no number",
    "rapl_unreadable": "the counters are there but gave no number",
    "nvml_unreadable": "the driver answered with an error",
    "tegrastats_not_started": "tegrastats could not be started",
    "tegrastats_silent": "tegrastats printed nothing for three intervals or longer",
    "tegrastats_ended": "tegrastats ended by itself",
    "tegrastats_frozen": "the time that tegrastats prints stood still",
    "tegrastats_without_rails": "the lines of tegrastats name no rail",
}
"""Reasons of the machine reader, with what they mean."""

WHY = {
    **REASONS,
    **TOTAL_REASONS,
    **SOURCE_REASONS,
    IDLE_TOO_SHORT: "the machines were read for less than 5 s while the stack was parked",
}
SOURCE = (
    "machine reader at 10 Hz: tegrastats or its INA3221 sensors on a Jetson, energy counters of processors (RAPL) and "
    "GPUs (NVML) elsewhere"
)
RESOLUTION = "INA3221: 8 mV x 40 uV over its shunt; RAPL: 61 uJ; NVML: 1 mJ; counters and sensors are read every 0.1 s"
BOUND = (
    "of the integration: 0.5 % for steady power, 2 % over a minute for bursts of half a second and longer read as "
    "samples, nothing for counters; the sensors' own error comes on top and is not known here (RAPL is the processor's "
    "model, boards with GPUs see part of the time)"
)
LABELS = {
    "machine": "one machine",
    "rail": "one supply rail, package or GPU, by its own name",
    "part=idle": "the machines while the stack was parked",
    "part=gross": "with what the machines take when idle",
}

METRICS = (
    Metric(
        "power_w",
        "P_avg",
        "W",
        "mean power, in the window, of all machines that hold pods of the application, with all else that they do",
        SOURCE,
        RESOLUTION,
        BOUND,
        missing=WHY,
        labels=LABELS,
    ),
    Metric(
        "energy_per_frame_j",
        "E_inf",
        "J",
        "energy above idle in the window over delivered frames; below zero where the noise is larger than the load",
        SOURCE,
        RESOLUTION,
        BOUND + "; the idle baseline's error counts in full",
        missing={**WHY, NO_FRAME_NUMBER: "the message carries no frame number, so delivered frames cannot be counted"},
        labels=LABELS,
    ),
)


class Measured(Measurement):
    """Reads what the machine readers captured in the window, and while parked."""

    async def gather(self, evidence: Evidence) -> tuple[Reading, ...]:
        """Give power by machine and rail, idle power, and energy per frame."""
        machines = kernels(evidence.application_machines(), evidence.machines, evidence.readers)
        loaded = _powers(machines, evidence.readers, evidence.window_on)
        idle = _powers(machines, evidence.idle, _idle_window)
        for machine, power in loaded.items():
            if len(power.total_rails) > 1:
                evidence.note(f"{machine} has no rail for its total: power_w adds up {', '.join(power.total_rails)}.")
        counts = count_frames(evidence.samples, evidence.window, evidence.topic.expected_rate_hz)
        delivered = None if counts is None else counts.delivered
        return (
            *power_readings(loaded, idle),
            *energy_readings(loaded, idle, evidence.window.duration_s, delivered),
        )


def power_readings(loaded: Mapping[str, MachinePower], idle: Mapping[str, MachinePower]) -> tuple[Reading, ...]:
    """Give power_w of all machines, of each rail, and idle."""
    return (
        replace(_reading("power_w", _total(loaded), {}), source=_rails_of(loaded)),
        replace(_reading("power_w", _total(idle), {"part": "idle"}), source=_rails_of(idle)),
        *(
            _reading("power_w", mean.mean if isinstance(mean, Mean) else mean, {"machine": machine, "rail": rail})
            for machine, power in loaded.items()
            for rail, mean in power.rails.items()
        ),
    )


def energy_readings(
    loaded: Mapping[str, MachinePower], idle: Mapping[str, MachinePower], window_s: float, delivered: int | None
) -> tuple[Reading, ...]:
    """Give energy_per_frame_j above idle and gross; `delivered` is None where frames cannot be counted."""
    if not delivered:
        reason = Unmeasured(NO_FRAME_NUMBER if delivered is None else NO_SAMPLES)
        net_w: float | Unmeasured = reason
        gross_w: float | Unmeasured = reason
    else:
        gross_w = _total(loaded)
        net_w = add_up(above_idle(power, idle[machine]) for machine, power in loaded.items()) if loaded else gross_w
    per_frame_s = window_s / (delivered or 1)
    return (
        _reading("energy_per_frame_j", _times(net_w, per_frame_s), {}),
        _reading("energy_per_frame_j", _times(gross_w, per_frame_s), {"part": "gross"}),
    )


def _powers(
    machines: tuple[str, ...], readers: Readers, window_of: Callable[[ReaderSeries], Window]
) -> dict[str, MachinePower]:
    return {machine: _power(readers.get(machine, NO_MACHINE_READER), window_of) for machine in machines}


def _power(series: ReaderSeries | str, window_of: Callable[[ReaderSeries], Window]) -> MachinePower:
    if isinstance(series, str):
        return MachinePower(Unmeasured(series))
    window = window_of(series)
    if window_of is _idle_window and window.duration_s < LEAST_IDLE_S:
        return MachinePower(Unmeasured(IDLE_TOO_SHORT))
    return machine_power(series.table("power"), window, PERIOD_S, {**SHARED_REASONS, **SOURCE_REASONS})


def _idle_window(series: ReaderSeries) -> Window:
    return Window(series.started_ns, series.stopped_ns)


def _total(powers: Mapping[str, MachinePower]) -> float | Unmeasured:
    return add_up(power.total for power in powers.values()) if powers else Unmeasured(NO_APPLICATION)


def _rails_of(powers: Mapping[str, MachinePower]) -> str:
    """Name what a total is made of, as the tag of its source: `edge: VDD_CPU_CV + VDD_GPU_SOC`."""
    return "; ".join(
        f"{machine}: {' + '.join(power.total_rails)}" for machine, power in powers.items() if power.total_rails
    )


def _times(value: float | Unmeasured, factor: float) -> float | Unmeasured:
    return value if isinstance(value, Unmeasured) else value * factor


def _reading(name: str, value: float | Unmeasured, labels: Mapping[str, str]) -> Reading:
    if isinstance(value, Unmeasured):
        return Reading(name, missing=value.reason, labels=labels)
    return Reading(name, value, labels=labels)
