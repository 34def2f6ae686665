"""What a machine tells beside its counters: temperatures, clocks, throttled GPUs, power limits.

Shown to Prometheus only; captures keep their columns. Some of it a source learns with its own
readings (`facts`), the rest is in sysfs and is read when somebody asks:

class/thermal/thermal_zoneN/type, temp             1/1000 C; -256 C: without power
class/thermal/cooling_deviceN/type, cur_state      gpu-throttle-alert, above 0 while it throttles
class/powercap/intel-rapl:N/constraint_0_power_limit_uw
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ros2bench_machine_reader.rapl import find_zones
from ros2bench_machine_reader.sources import Row

TEMPERATURE, THROTTLE, LIMIT = 'temperature', 'throttle', 'limit'
CORE, MEMORY_CONTROLLER = 'core', 'memory_controller'
COLUMNS: Mapping[str, Sequence[str]] = {
    TEMPERATURE: ('sensor', 'celsius'),
    THROTTLE: ('gpu', 'throttled'),
    LIMIT: ('rail', 'limit_w'),
    CORE: ('core', 'clock_hz', 'busy_ratio'),
    MEMORY_CONTROLLER: ('controller', 'clock_hz', 'busy_ratio'),
}
"""Columns of each kind after the two times."""
OLD_NS = 2_000_000_000
GATED_MILLICELSIUS = -256_000
LEAST_C, MOST_C = -100.0, 250.0
GPU_ALERTS = ('gpu-throttle-alert',)
FIRST_GPU = 'gpu0'


@dataclass(frozen=True)
class Clocked:
    """What a clocked unit tells of itself: its clock and the share of time in use."""

    clock_hz: float | None = None
    busy_ratio: float | None = None


@dataclass(frozen=True)
class Facts:
    """What a source has learned with one reading.

    Attributes:
        time_ns: real time of the reading.
        monotonic_ns: CLOCK_MONOTONIC of it.
        temperatures_c: by sensor.
        throttled: by GPU whether something holds its clock down.
        limits_w: by rail.
        cores: by number of the processor core; those that are off are left out.
        memory_controllers: by name; no machine known has two.
    """

    time_ns: int
    monotonic_ns: int
    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    throttled: Mapping[str, bool] = field(default_factory=dict)
    limits_w: Mapping[str, float] = field(default_factory=dict)
    cores: Mapping[str, Clocked] = field(default_factory=dict)
    memory_controllers: Mapping[str, Clocked] = field(default_factory=dict)


def rows_of(facts: Iterable[Facts | None], now_ns: int) -> dict[str, list[Row]]:
    """Rows by kind. The first who tells something is believed; what is old is left out.

    Args:
        facts: those of the sources, then those of sysfs.
        now_ns: CLOCK_MONOTONIC.
    """
    found: dict[str, list[Row]] = {kind: [] for kind in COLUMNS}
    for each in facts:
        if each is None or now_ns - each.monotonic_ns > OLD_NS:
            continue
        for kind, values in _figures(each).items():
            known = {row[2] for row in found[kind]}
            # Two names of one sensor are two sensors to a reader: never both lists.
            if kind == TEMPERATURE and known:
                continue
            times = (each.time_ns, each.monotonic_ns)
            found[kind] += [
                (*times, name, *value) for name, value in values.items() if name not in known
            ]
    return found


def _figures(facts: Facts) -> Mapping[str, Mapping[str, Sequence[float | None]]]:
    """What stands behind the name in each row, by kind and name."""
    return {
        TEMPERATURE: {name: (celsius,) for name, celsius in facts.temperatures_c.items()},
        THROTTLE: {name: (int(is_throttled),) for name, is_throttled in facts.throttled.items()},
        LIMIT: {name: (watts,) for name, watts in facts.limits_w.items()},
        CORE: _of_units(facts.cores),
        MEMORY_CONTROLLER: _of_units(facts.memory_controllers),
    }


def _of_units(units: Mapping[str, Clocked]) -> Mapping[str, Sequence[float | None]]:
    return {name: (unit.clock_hz, unit.busy_ratio) for name, unit in units.items()}


def sysfs_facts(sys_root: Path, time_ns: int, monotonic_ns: int) -> Facts:
    """What sysfs tells now; a file that cannot be read tells nothing.

    Args:
        sys_root: where sysfs is.
        time_ns: real time of now.
        monotonic_ns: CLOCK_MONOTONIC of now.
    """
    return Facts(
        time_ns,
        monotonic_ns,
        temperatures_c=_temperatures(sys_root),
        throttled=_throttled(sys_root),
        limits_w=_limits(sys_root),
    )


def _temperatures(sys_root: Path) -> Mapping[str, float]:
    zones = sorted((sys_root / 'class' / 'thermal').glob('thermal_zone*'), key=_number_of)
    names = {zone: _text(zone / 'type') for zone in zones}
    counts = Counter(names.values())
    found = {}
    for zone, name in names.items():
        millicelsius = _number(zone / 'temp')
        if not name or millicelsius is None or millicelsius == GATED_MILLICELSIUS:
            continue
        celsius = millicelsius / 1000
        if LEAST_C <= celsius <= MOST_C:
            found[name if counts[name] == 1 else f'{name}-{_number_of(zone)}'] = celsius
    return found


def _throttled(sys_root: Path) -> Mapping[str, bool]:
    devices = sorted((sys_root / 'class' / 'thermal').glob('cooling_device*'))
    states = [
        _number(device / 'cur_state') for device in devices if _text(device / 'type') in GPU_ALERTS
    ]
    known = [state for state in states if state is not None]
    return {FIRST_GPU: any(state > 0 for state in known)} if known else {}


def _limits(sys_root: Path) -> Mapping[str, float]:
    try:
        zones = find_zones(sys_root)
    except (OSError, ValueError):
        return {}
    found = {}
    for zone in zones:
        microwatts = _number(zone.file.parent / 'constraint_0_power_limit_uw')
        if microwatts:
            found[zone.rail] = microwatts / 1e6
    return found


def _number_of(zone: Path) -> int:
    digits = zone.name.removeprefix('thermal_zone')
    return int(digits) if digits.isdecimal() else -1


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding='ascii'))
    except (OSError, ValueError):
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding='ascii').strip()
    except (OSError, ValueError):
        return ''
