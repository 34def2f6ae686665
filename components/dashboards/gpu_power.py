"""Dashboard of GPU and power: use, memory, clocks, heat, throttling, rails, energy."""

from components.dashboards.needs import GPU, MACHINE_TELLS, POWER, POWER_TOTAL, RESULTS
from components.dashboards.panel import Dashboard, Panel, Row, lines, states
from components.dashboards.queries import machines


def busy() -> Panel:
    """Share of the time in which GPUs worked."""
    return lines("GPU in use", machines.gpu_busy, needs=(GPU,))


def memory() -> Panel:
    """Memory of GPUs."""
    return lines("GPU memory", machines.gpu_memory, needs=(GPU, MACHINE_TELLS))


def memory_share() -> Panel:
    """Share of the memory of GPUs."""
    return lines("GPU memory of all there is", machines.gpu_memory_ratio, needs=(GPU, MACHINE_TELLS))


def clock() -> Panel:
    """Clock of GPUs."""
    return lines("GPU clock", machines.gpu_clock, needs=(GPU, MACHINE_TELLS))


def heat() -> Panel:
    """Temperature of GPUs."""
    return lines("GPU temperature", machines.gpu_temperature, needs=(GPU, MACHINE_TELLS))


def throttled() -> Panel:
    """Whether GPUs are held back."""
    return states("GPU throttled", machines.gpu_throttled, needs=(GPU, MACHINE_TELLS))


def sensors() -> Panel:
    """All temperatures."""
    return lines("Temperatures", machines.temperature, needs=(MACHINE_TELLS,))


def power() -> Panel:
    """Power of machines."""
    return lines("Power", machines.power, needs=(POWER, POWER_TOTAL))


def rails() -> Panel:
    """Power of supply rails."""
    return lines("Power by rail", machines.power_by_rail, needs=(POWER,))


def limits() -> Panel:
    """Power of the machine's own limits."""
    return lines("Power of limit", machines.power_of_limit, needs=(POWER, MACHINE_TELLS))


def energy() -> Panel:
    """Energy of the last hour."""
    return lines("Energy of the last hour", machines.energy_last_hour, needs=(POWER, POWER_TOTAL))


def energy_per_message() -> Panel:
    """Energy for each message."""
    return lines("Energy per message", machines.energy_per_message, needs=(POWER, POWER_TOTAL, RESULTS))


DASHBOARD = Dashboard(
    name="gpu-power",
    title="GPU and power",
    description="What machine readers tell of GPUs and supply rails.",
    rows=(
        Row("GPU", (busy(), memory(), memory_share(), clock(), heat(), throttled())),
        Row("Power", (power(), rails(), limits(), energy(), energy_per_message(), sensors())),
    ),
)
