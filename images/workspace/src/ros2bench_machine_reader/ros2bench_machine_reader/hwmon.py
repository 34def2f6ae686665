"""Power of a Jetson from its INA3221 and INA238 sensors, as the kernel shows them under sysfs.

class/hwmon/hwmonN/name                          ina3221 or ina238
class/hwmon/hwmonN/inC_label                     rail; NC where nothing is connected
class/hwmon/hwmonN/inC_input, currC_input        millivolts, milliamperes
class/hwmon/hwmonN/powerC_input                  microwatts, where the driver has it
bus/i2c/drivers/ina3221x/*/iio:deviceN/rail_name_C, in_powerC_input    milliwatts (JetPack 4)
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ros2bench_machine_reader.rails import total_rails
from ros2bench_machine_reader.sources import Missing, Row
from ros2bench_machine_reader.tegrastats import NOT_CONNECTED

NO_SENSOR = 'no_power_sensor'
UNREADABLE = 'power_sensor_unreadable'
CHANNELS = (1, 2, 3)
INPUT_OF_INA238 = 'VIN'
LARGEST_W = 10_000.0


@dataclass(frozen=True)
class Channel:
    """One rail: files whose numbers, multiplied with one another and `factor`, are watts."""

    rail: str
    files: tuple[Path, ...]
    factor: float

    def power_w(self) -> float:
        """Power now.

        Raises:
            OSError: the sensor cannot be read.
            ValueError: it gives no number, or an impossible one.
        """
        watts = self.factor
        for file in self.files:
            watts *= int(file.read_text(encoding='ascii'))
        if not abs(watts) <= LARGEST_W:
            raise ValueError(f'{self.files[0]}: {watts} W')
        return watts


def find_channels(sys_root: Path) -> list[Channel]:
    """Every rail that a sensor of the machine measures; none is asked for its value."""
    found: list[Channel] = []
    for folder in sorted((sys_root / 'class' / 'hwmon').glob('hwmon*')):
        chip = _text(folder / 'name')
        if chip == 'ina3221':
            found += [channel for number in CHANNELS for channel in _hwmon(folder, number)]
        elif chip == 'ina238' and (folder / 'power1_input').exists():
            found.append(Channel(INPUT_OF_INA238, (folder / 'power1_input',), 1e-6))
    if found:
        return found
    devices = sorted((sys_root / 'bus/i2c/drivers/ina3221x').glob('*/iio:device*'))
    return [
        channel for folder in devices for number in range(3) for channel in _iio(folder, number)
    ]


def _hwmon(folder: Path, number: int) -> list[Channel]:
    rail = _text(folder / f'in{number}_label')
    if rail in ('', NOT_CONNECTED) or _text(folder / f'in{number}_enable') == '0':
        return []
    power = folder / f'power{number}_input'
    if power.exists():
        return [Channel(rail, (power,), 1e-6)]
    return [Channel(rail, (folder / f'in{number}_input', folder / f'curr{number}_input'), 1e-6)]


def _iio(folder: Path, number: int) -> list[Channel]:
    rail = _text(folder / f'rail_name_{number}')
    if rail in ('', NOT_CONNECTED):
        return []
    return [Channel(rail, (folder / f'in_power{number}_input',), 1e-3)]


def _text(file: Path) -> str:
    """Content of a file that need not exist; a channel that is switched off cannot be read."""
    try:
        return file.read_text(encoding='ascii').strip()
    except (OSError, ValueError):
        return ''


class HwmonSource:
    """Reads every rail at every call. A rail that cannot be read has no row, so its gap shows."""

    kind = 'power'
    name = 'hwmon'

    def __init__(self, channels: Sequence[Channel]) -> None:
        counts = Counter(channel.rail for channel in channels)
        self._channels = [channel for channel in channels if counts[channel.rail] == 1]
        self._totals = total_rails([channel.rail for channel in self._channels])
        self.problems: Counter[str] = Counter()

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Power of every rail now."""
        rows: list[Row] = []
        for channel in self._channels:
            try:
                watts = channel.power_w()
            except (OSError, ValueError):
                self.problems[UNREADABLE] += 1
                continue
            rail = channel.rail
            rows.append((time_ns, monotonic_ns, rail, watts, None, rail in self._totals))
        return rows or Missing(UNREADABLE)

    def close(self) -> None:
        """Do nothing: no file stays open."""


def open_hwmon(sys_root: Path) -> HwmonSource | Missing:
    """Power sensors of the machine, or why there are none."""
    channels = find_channels(sys_root)
    return HwmonSource(channels) if channels else Missing(NO_SENSOR)
