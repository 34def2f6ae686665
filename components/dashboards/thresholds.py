"""From where on an alert holds: every number that somebody may want to change, with the reason for its default."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

LATENCY_BOUNDS_S = tuple(float(f"{digit}e{power}") for power in range(-5, 2) for digit in (1, 2, 5))[1:-2]
"""Bounds of the recorder's histogram: 20 µs to 10 s. Between two of them nobody knows how many were late."""


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Thresholds of the alerts.

    Attributes:
        silence_s: Longest silence of a topic that has an expected rate.
        silence_periods: The same in periods of its rate; the longer one holds.
        start_s: Age of the application's youngest pod from which on silence counts. The recorder outlives a parked
            application and remembers its last message, and a start takes seconds, with a large model nearly a minute.
        objective_s: Time within which messages are to arrive; a bound of the recorder's histogram.
        objective_ratio: Share of messages that are to arrive within it.
        fast_burn: Multiple of the allowed share of late messages that calls somebody at once (SRE workbook, chapter 5).
        slow_burn: Multiple that calls somebody during the day.
        loss_ratio: Share of messages lost within a minute.
        restarts: Restarts of one pod within ten minutes.
        gpu_celsius: Temperature of a GPU; a Jetson begins to throttle at 97 °C or more, most cards above 83 °C.
        power_budget_watts: Mean power of a machine; None where only limits count that the machine tells itself.
        power_ratio: Share of a limit that the machine tells.
        clock_s: Offset of a machine's clock; a scrape takes some milliseconds of it.
        disk_free_ratio: Free share of a disk; the kubelet evicts pods at 10 %.
        backup_s: Age of the newest backup: a day and two hours.
        certificate_s: Time left to a certificate: two weeks.
    """

    silence_s: float = 3.0
    silence_periods: float = 5.0
    start_s: float = 60.0
    objective_s: float = 0.2
    objective_ratio: float = 0.99
    fast_burn: float = 14.4
    slow_burn: float = 3.0
    loss_ratio: float = 0.01
    restarts: int = 3
    gpu_celsius: float = 85.0
    power_budget_watts: float | None = None
    power_ratio: float = 1.0
    clock_s: float = 0.1
    disk_free_ratio: float = 0.12
    backup_s: float = 26 * 3600.0
    certificate_s: float = 14 * 86_400.0

    def __post_init__(self) -> None:
        """Refuse what no alert could be made of.

        Raises:
            ValueError: A threshold is no positive number, or does not fit; the message says what to choose.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{field.name} is {value}; choose a number above 0")
        if self.objective_s not in LATENCY_BOUNDS_S:
            choices = ", ".join(f"{bound:g}" for bound in LATENCY_BOUNDS_S)
            raise ValueError(
                f"objective_s is {self.objective_s:g}, which the histogram does not part; choices: {choices}"
            )
        if self.objective_ratio >= 1:
            raise ValueError(
                f"objective_ratio is {self.objective_ratio:g}: with 1 every late message would be too many"
            )
        if self.fast_burn * (1 - self.objective_ratio) >= 1:
            raise ValueError(
                f"fast_burn {self.fast_burn:g} of {1 - self.objective_ratio:g} allowed is everything: no burn could be "
                "that fast. Choose a smaller fast_burn or a larger objective_ratio"
            )


def from_names(values: Mapping[str, float]) -> Thresholds:
    """Make thresholds of those that differ from the defaults.

    Raises:
        ValueError: A name is unknown, or a value does not fit.
    """
    known = [field.name for field in fields(Thresholds)]
    if unknown := sorted(values.keys() - set(known)):
        raise ValueError(f"there is no threshold {unknown[0]}; choices: {', '.join(known)}")
    return Thresholds(**dict(values))  # type: ignore[arg-type]
