"""Load, clock and temperature of a Jetson's GPU from sysfs, where tegrastats is not at hand.

devices/[platform/[bus@0/]]{gpu.0,ADDRESS.gpu}/load          0 to 1000
the same folder, devfreq/*/cur_freq                          hertz
class/thermal/thermal_zoneN/type, temp                       GPU-therm or gpu-thermal, 1/1000 C
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ros2bench_machine_reader.sources import Missing, Row

NO_GPU = 'no_gpu'
UNREADABLE = 'gpu_load_unreadable'
FOLDERS = ('devices', 'devices/platform', 'devices/platform/bus@0')
SENSORS = frozenset({'GPU-therm', 'gpu-thermal'})
FULL_LOAD = 1000
GATED_MILLICELSIUS = -256_000


class TegraGpuSource:
    """Reads the driver's files at every call."""

    kind = 'gpu'
    name = 'tegra-sysfs'

    def __init__(self, device: Path, sensor: Path | None) -> None:
        self._load = device / 'load'
        self._clock = next(iter(sorted(device.glob('devfreq/*/cur_freq'))), None)
        self._sensor = sensor
        self.problems: Counter[str] = Counter()

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Load of the driver's last sample; the GPU shares the machine's memory."""
        load = self._number(self._load)
        if load is None or not 0 <= load <= FULL_LOAD:
            self.problems[UNREADABLE] += 1
            return Missing(UNREADABLE)
        heat = self._number(self._sensor)
        celsius = None if heat is None or heat == GATED_MILLICELSIUS else heat / 1000
        busy, clock_hz = load / FULL_LOAD, self._number(self._clock)
        return [(time_ns, monotonic_ns, 'gpu0', busy, None, None, celsius, clock_hz)]

    def _number(self, file: Path | None) -> int | None:
        """Whole number in a file; None where there is none, or the GPU is without power."""
        try:
            return None if file is None else int(file.read_text(encoding='ascii'))
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_tegra_gpu(sys_root: Path) -> TegraGpuSource | Missing:
    """GPU of a Jetson, or why there is none."""
    for name in FOLDERS:
        for device in (sys_root / name / 'gpu.0', *sorted((sys_root / name).glob('*.gpu'))):
            if (device / 'load').exists():
                return TegraGpuSource(device, _sensor(sys_root))
    return Missing(NO_GPU)


def _sensor(sys_root: Path) -> Path | None:
    zones = sorted((sys_root / 'class' / 'thermal').glob('thermal_zone*'))
    return next((zone / 'temp' for zone in zones if _type(zone) in SENSORS), None)


def _type(zone: Path) -> str:
    try:
        return (zone / 'type').read_text(encoding='ascii').strip()
    except (OSError, ValueError):
        return ''
