"""Which sources of power and GPU figures this machine has, chosen once at the start.

`"power": {"source": "auto"}` takes the first that is there:

    tegrastats   a Jetson's own program: power and GPU
    hwmon        the sensors that it reads; GPU from sysfs
    rapl         the processors' counters, with the GPUs' (nvml) where there are any
    nvml         the GPUs alone: rails, but no total of the machine

Any of these names takes that one or none; `none` measures no power. `"tegrastats"` is the path of
the program where it is not in one of its two places.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ros2bench_machine_reader.configuration import Configuration, ConfigurationError
from ros2bench_machine_reader.hwmon import open_hwmon
from ros2bench_machine_reader.nvml import NvmlSource, load_nvml
from ros2bench_machine_reader.rails import marked
from ros2bench_machine_reader.rapl import open_rapl
from ros2bench_machine_reader.sources import Absent, Missing, Row, Source
from ros2bench_machine_reader.tegra_gpu import open_tegra_gpu
from ros2bench_machine_reader.tegrastats_process import TegrastatsProcess
from ros2bench_machine_reader.tegrastats_source import TegrastatsSource

NO_SOURCE = 'no_power_source'
NO_TEGRASTATS = 'no_tegrastats'
SWITCHED_OFF = 'power_switched_off'
KEYS = frozenset({'source', 'tegrastats'})
CHOICES = ('auto', 'tegrastats', 'hwmon', 'rapl', 'nvml', 'none')
TEGRASTATS_PLACES = ('/usr/bin/tegrastats', '/home/nvidia/tegrastats')

Found = list[Source | Absent]


class Part(Source, Protocol):
    """A source of power that knows which of its rails are part of the machine's total."""

    @property
    def total_rails(self) -> frozenset[str]:
        """Names of them, also of those that cannot be read now."""
        ...


class Together:
    """Several sources of power as one: their rails add up to the machine's total."""

    kind = 'power'

    def __init__(self, parts: Sequence[Part]) -> None:
        self.name = '+'.join(part.name for part in parts)
        self._parts = parts

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Rows of all parts; one that is missing leaves a gap in its rails, and no total."""
        rows: list[Row] = []
        missing = None
        for part in self._parts:
            found = part.read(time_ns, monotonic_ns)
            if isinstance(found, Missing):
                missing = found
            else:
                rows.extend(found)
        if missing is not None and not rows:
            return missing
        totals = frozenset[str]().union(*(part.total_rails for part in self._parts))
        return marked(rows, totals)

    def close(self) -> None:
        """Let go of all parts."""
        for part in self._parts:
            part.close()


def open_sources(configuration: Configuration) -> Sequence[Source | Absent]:
    """One source, or a reason, for each of the kinds `power` and `gpu`.

    Raises:
        ConfigurationError: the settings name no source.
    """
    choice = _choice(configuration.power)
    if choice == 'none':
        return [Absent('power', SWITCHED_OFF), *_gpu(configuration)]
    reason = NO_SOURCE
    for opener in OPENERS.values() if choice == 'auto' else (OPENERS[choice],):
        found = opener(configuration)
        if not isinstance(found, Missing):
            return found
        reason = found.reason if choice != 'auto' else NO_SOURCE
    return [Absent('power', reason), *_gpu(configuration)]


def _choice(power: Mapping[str, Any]) -> str:
    unknown = sorted(power.keys() - KEYS)
    if unknown:
        raise ConfigurationError(f'power has unknown keys {unknown}; choices: {sorted(KEYS)}.')
    choice = power.get('source', 'auto')
    if choice not in CHOICES:
        raise ConfigurationError(f'power.source is {choice!r}; choices: {", ".join(CHOICES)}.')
    path = power.get('tegrastats')
    if path is not None and not (isinstance(path, str) and path.startswith('/')):
        raise ConfigurationError(f'power.tegrastats is {path!r} but must be an absolute path.')
    return str(choice)


def _tegrastats(configuration: Configuration) -> Found | Missing:
    asked = configuration.power.get('tegrastats')
    places = TEGRASTATS_PLACES if asked is None else (asked,)
    program = next((place for place in places if os.access(place, os.X_OK)), None)
    if program is None:
        return Missing(NO_TEGRASTATS)
    process = TegrastatsProcess([program], configuration.period_s)
    return [TegrastatsSource('power', process), TegrastatsSource('gpu', process)]


def _hwmon(configuration: Configuration) -> Found | Missing:
    found = open_hwmon(configuration.sys_root)
    return found if isinstance(found, Missing) else [found, *_gpu(configuration)]


def _rapl(configuration: Configuration) -> Found | Missing:
    rapl = open_rapl(configuration.sys_root)
    if isinstance(rapl, Missing):
        return rapl
    loaded = load_nvml()
    if isinstance(loaded, Missing):
        return [rapl, Absent('gpu', loaded.reason)]
    boards = NvmlSource('power', *loaded, is_total=True)
    return [Together([rapl, boards]), NvmlSource('gpu', *loaded, is_total=True)]


def _nvml(_configuration: Configuration) -> Found | Missing:
    loaded = load_nvml()
    if isinstance(loaded, Missing):
        return loaded
    # What the rest of the machine takes is unknown, so the boards alone are no total.
    return [NvmlSource(kind, *loaded, is_total=False) for kind in ('power', 'gpu')]


OPENERS: Mapping[str, Callable[[Configuration], Found | Missing]] = {
    'tegrastats': _tegrastats,
    'hwmon': _hwmon,
    'rapl': _rapl,
    'nvml': _nvml,
}
"""In the order in which `auto` tries them."""


def _gpu(configuration: Configuration) -> Found:
    """GPU alone, for a machine whose power comes from elsewhere or from nowhere."""
    tegra = open_tegra_gpu(configuration.sys_root)
    if not isinstance(tegra, Missing):
        return [tegra]
    loaded = load_nvml()
    if isinstance(loaded, Missing):
        return [Absent('gpu', loaded.reason)]
    return [NvmlSource('gpu', *loaded, is_total=False)]
