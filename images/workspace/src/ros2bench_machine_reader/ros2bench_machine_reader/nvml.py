"""Power, energy and load of NVIDIA GPUs from the driver's own library, through ctypes.

The library (`libnvidia-ml.so.1`) comes with the driver; in a container the runtime class `nvidia`
mounts it. Nothing else is needed. What a GPU does not support is None, what it cannot tell now
gives no row.
"""

import ctypes
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ros2bench_machine_reader.board_facts import Facts
from ros2bench_machine_reader.sources import Missing, Row

LIBRARY = 'libnvidia-ml.so.1'
NO_LIBRARY = 'no_nvml'
NO_GPU = 'no_gpu'
UNREADABLE = 'nvml_unreadable'

SUCCESS = 0
NOT_SUPPORTED = 3
INSUFFICIENT_SIZE = 7
TEMPERATURE_GPU = 0
CLOCK_SM = 1
TEXT_BYTES = 96
MEMORY_VERSION_2 = 2
# nvmlClocksThrottleReason: SwPowerCap, HwSlowdown, SwThermalSlowdown, HwThermalSlowdown and
# HwPowerBrakeSlowdown. Idle clocks and clocks that somebody chose are no throttling.
THROTTLED = 0x4 | 0x8 | 0x20 | 0x40 | 0x80
FACTS_PERIOD_NS = 1_000_000_000


class NvmlError(OSError):
    """A call that the library refused; the text names call and code."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f'{call} gives error {code}')
        self.code = code


class Utilization(ctypes.Structure):
    """`nvmlUtilization_t`: percent of the last sample period with work, with memory traffic."""

    _fields_ = (('gpu', ctypes.c_uint), ('memory', ctypes.c_uint))


class Memory(ctypes.Structure):
    """`nvmlMemory_t`: bytes; what the driver keeps for itself counts as used."""

    _fields_ = (
        ('total', ctypes.c_ulonglong),
        ('free', ctypes.c_ulonglong),
        ('used', ctypes.c_ulonglong),
    )


class MemoryV2(ctypes.Structure):
    """`nvmlMemory_v2_t`: bytes; what the driver keeps is apart, as nvidia-smi shows it."""

    _fields_ = (
        ('version', ctypes.c_uint),
        ('total', ctypes.c_ulonglong),
        ('reserved', ctypes.c_ulonglong),
        ('free', ctypes.c_ulonglong),
        ('used', ctypes.c_ulonglong),
    )


@dataclass(frozen=True)
class Gpu:
    """One GPU of the machine: its place, its name, its identifier."""

    index: int
    name: str
    uuid: str
    handle: Any

    @property
    def label(self) -> str:
        """Value of the column `gpu` and name of its rail."""
        return f'gpu{self.index}'


class Nvml:
    """The library, begun.

    Args:
        library: what ctypes loaded, or something that is called like it.

    Raises:
        NvmlError: the driver cannot be reached.
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._open = False
        self._call('nvmlInit_v2')
        self._open = True

    def gpus(self) -> list[Gpu]:
        """Every GPU.

        Raises:
            NvmlError: they cannot be counted or opened.
        """
        count = ctypes.c_uint()
        self._call('nvmlDeviceGetCount_v2', ctypes.byref(count))
        return [self._gpu(index) for index in range(count.value)]

    def _gpu(self, index: int) -> Gpu:
        handle = ctypes.c_void_p()
        self._call('nvmlDeviceGetHandleByIndex_v2', ctypes.c_uint(index), ctypes.byref(handle))
        name = self._text('nvmlDeviceGetName', handle)
        return Gpu(index, name, self._text('nvmlDeviceGetUUID', handle), handle)

    def utilization_percent(self, gpu: Gpu) -> int | None:
        """Share of the driver's last sample period (a sixth of a second to one) with work."""
        found = self._ask('nvmlDeviceGetUtilizationRates', gpu, Utilization())
        return None if found is None else int(found.gpu)

    def memory_bytes(self, gpu: Gpu) -> tuple[int, int] | None:
        """Bytes in use, without the driver's own where it tells them apart, and bytes in all."""
        request = MemoryV2(version=ctypes.sizeof(MemoryV2) | MEMORY_VERSION_2 << 24)
        found: Any = None
        if hasattr(self._library, 'nvmlDeviceGetMemoryInfo_v2'):
            found = self._ask('nvmlDeviceGetMemoryInfo_v2', gpu, request)
        if found is None:
            found = self._ask('nvmlDeviceGetMemoryInfo', gpu, Memory())
        return None if found is None else (int(found.used), int(found.total))

    def power_w(self, gpu: Gpu) -> float | None:
        """Power of the board; on Ampere and newer the mean of the last second."""
        found = self._ask('nvmlDeviceGetPowerUsage', gpu, ctypes.c_uint())
        return None if found is None else found.value / 1e3

    def energy_j(self, gpu: Gpu) -> float | None:
        """Energy of the board since the driver was loaded; Volta and newer."""
        found = self._ask('nvmlDeviceGetTotalEnergyConsumption', gpu, ctypes.c_ulonglong())
        return None if found is None else found.value / 1e3

    def temperature_c(self, gpu: Gpu) -> float | None:
        """Temperature of the chip."""
        kind = ctypes.c_uint(TEMPERATURE_GPU)
        found = self._ask('nvmlDeviceGetTemperature', gpu, ctypes.c_uint(), kind)
        return None if found is None else float(found.value)

    def clock_hz(self, gpu: Gpu) -> int | None:
        """Clock of the multiprocessors now."""
        found = self._ask('nvmlDeviceGetClockInfo', gpu, ctypes.c_uint(), ctypes.c_uint(CLOCK_SM))
        return None if found is None else int(found.value) * 1_000_000

    def is_throttled(self, gpu: Gpu) -> bool | None:
        """Whether heat, a power limit or the board's own protection holds the clock down now."""
        found = self._ask('nvmlDeviceGetCurrentClocksThrottleReasons', gpu, ctypes.c_ulonglong())
        return None if found is None else bool(found.value & THROTTLED)

    def limit_w(self, gpu: Gpu) -> float | None:
        """Power that the board may take, the least of all limits that hold."""
        found = self._ask('nvmlDeviceGetEnforcedPowerLimit', gpu, ctypes.c_uint())
        return None if found is None else found.value / 1e3

    def close(self) -> None:
        """Let go of the driver."""
        if self._open:
            self._open = False
            self._call('nvmlShutdown')

    def _ask(self, call: str, gpu: Gpu, answer: Any, *arguments: Any) -> Any:
        """Let the library fill an answer; None where the GPU does not support the call."""
        try:
            self._call(call, gpu.handle, *arguments, ctypes.byref(answer))
        except NvmlError as error:
            if error.code == NOT_SUPPORTED:
                return None
            raise
        return answer

    def _text(self, call: str, handle: Any) -> str:
        buffer = ctypes.create_string_buffer(TEXT_BYTES)
        self._call(call, handle, buffer, ctypes.c_uint(TEXT_BYTES))
        return buffer.value.decode('utf-8', errors='replace')

    def _call(self, name: str, *arguments: Any) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            # A library older than the call: as if no GPU supported it.
            raise NvmlError(name, NOT_SUPPORTED) from None
        code = int(function(*arguments))
        if code != SUCCESS:
            raise NvmlError(name, code)


class NvmlSource:
    """Rows of one kind for every GPU. A GPU that cannot be asked now has no row."""

    name = 'nvml'

    def __init__(self, kind: str, nvml: Nvml, gpus: Sequence[Gpu], *, is_total: bool) -> None:
        self.kind = kind
        self._rows: Callable[[Gpu], list[Any]] = self._power if kind == 'power' else self._load
        self._nvml = nvml
        self._gpus = gpus
        self._is_total = is_total
        self._silent: set[str] = set()
        self.facts: Facts | None = None
        self.problems: Counter[str] = Counter()

    def read(self, time_ns: int, monotonic_ns: int) -> Sequence[Row] | Missing:
        """Figures of every GPU now."""
        rows: list[Row] = []
        for gpu in self._gpus:
            try:
                figures = self._rows(gpu)
            except NvmlError:
                self.problems[UNREADABLE] += 1
                continue
            if any(figure is not None for figure in figures[:2]):
                rows.append((time_ns, monotonic_ns, gpu.label, *figures))
                self._silent.discard(gpu.label)
            else:
                self._silent.add(gpu.label)
        if self.kind == 'gpu':
            self._learn(time_ns, monotonic_ns)
        return rows or Missing(UNREADABLE)

    @property
    def total_rails(self) -> frozenset[str]:
        """Rails that are part of the machine's total; a GPU that cannot tell its power is none."""
        if not self._is_total:
            return frozenset()
        return frozenset(gpu.label for gpu in self._gpus) - self._silent

    def _learn(self, time_ns: int, monotonic_ns: int) -> None:
        """Ask what changes slowly, once a second."""
        if self.facts and monotonic_ns - self.facts.monotonic_ns < FACTS_PERIOD_NS:
            return
        throttled: dict[str, bool] = {}
        limits_w: dict[str, float] = {}
        for gpu in self._gpus:
            self._learn_of(gpu, throttled, limits_w)
        self.facts = Facts(time_ns, monotonic_ns, throttled=throttled, limits_w=limits_w)

    def _learn_of(self, gpu: Gpu, throttled: dict[str, bool], limits_w: dict[str, float]) -> None:
        try:
            is_throttled, limit_w = self._nvml.is_throttled(gpu), self._nvml.limit_w(gpu)
        except NvmlError:
            self.problems[UNREADABLE] += 1
            return
        if is_throttled is not None:
            throttled[gpu.label] = is_throttled
        if limit_w is not None:
            limits_w[gpu.label] = limit_w

    def _power(self, gpu: Gpu) -> list[Any]:
        energy_j = self._nvml.energy_j(gpu)
        power_w = self._nvml.power_w(gpu) if energy_j is None else None
        return [power_w, energy_j, self._is_total]

    def _load(self, gpu: Gpu) -> list[Any]:
        percent = self._nvml.utilization_percent(gpu)
        used, total = self._nvml.memory_bytes(gpu) or (None, None)
        busy = percent / 100 if percent is not None and percent <= 100 else None
        return [busy, used, total, self._nvml.temperature_c(gpu), self._nvml.clock_hz(gpu)]

    def close(self) -> None:
        """Let go of the driver."""
        self._nvml.close()


def load_nvml(library: str = LIBRARY) -> tuple[Nvml, list[Gpu]] | Missing:
    """Begin the library and find the GPUs, or say why there is nothing."""
    try:
        nvml = Nvml(ctypes.CDLL(library))
    except NvmlError:
        return Missing(UNREADABLE)
    except OSError:
        return Missing(NO_LIBRARY)
    try:
        gpus = nvml.gpus()
    except NvmlError:
        nvml.close()
        return Missing(UNREADABLE)
    if not gpus:
        nvml.close()
        return Missing(NO_GPU)
    return nvml, gpus
