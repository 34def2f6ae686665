"""A stand-in for NVIDIA's management library: called like the one that ctypes loads, answers as it is told."""

# ruff: noqa: D102, N802, ARG002 - names and parameters are the library's

import ctypes
from dataclasses import dataclass, field
from typing import Any

SUCCESS, NOT_SUPPORTED, GPU_LOST = 0, 3, 15


@dataclass
class StandInGpu:
    """What one GPU answers; None: it does not support the call."""

    name: str = "Stand-in GPU"
    power_mw: int | None = 61_500
    energy_mj: int | None = 1_000_000
    percent: int | None = 40
    memory: tuple[int, int, int] | None = (8 << 30, 1 << 30, 2 << 30)
    celsius: int | None = 31
    clock_mhz: int | None = 1_980
    throttle_reasons: int | None = 0
    limit_mw: int | None = 700_000
    is_lost: bool = False


@dataclass
class StandInLibrary:
    """The library. `missing_calls` are those that an old driver does not have."""

    gpus: list[StandInGpu] = field(default_factory=lambda: [StandInGpu()])
    init_code: int = SUCCESS
    missing_calls: frozenset[str] = frozenset()
    is_open: bool = False

    def __getattribute__(self, name: str) -> Any:
        """As ctypes: an attribute error for a function that the library lacks."""
        if name.startswith("nvml") and name in object.__getattribute__(self, "missing_calls"):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    def nvmlInit_v2(self) -> int:
        self.is_open = self.init_code == SUCCESS
        return self.init_code

    def nvmlShutdown(self) -> int:
        assert self.is_open
        self.is_open = False
        return SUCCESS

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        return _set(count, len(self.gpus))

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        return _set(handle, index.value + 1)

    def nvmlDeviceGetName(self, handle: Any, buffer: Any, size: Any) -> int:
        buffer.value = self._gpu(handle).name.encode()
        return SUCCESS

    def nvmlDeviceGetUUID(self, handle: Any, buffer: Any, size: Any) -> int:
        buffer.value = b"GPU-standin"
        return SUCCESS

    def nvmlDeviceGetPowerUsage(self, handle: Any, answer: Any) -> int:
        return self._answer(handle, answer, "power_mw")

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, answer: Any) -> int:
        return self._answer(handle, answer, "energy_mj")

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: Any, answer: Any) -> int:
        assert sensor.value == 0
        return self._answer(handle, answer, "celsius")

    def nvmlDeviceGetClockInfo(self, handle: Any, kind: Any, answer: Any) -> int:
        assert kind.value == 1
        return self._answer(handle, answer, "clock_mhz")

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: Any, answer: Any) -> int:
        return self._answer(handle, answer, "throttle_reasons")

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Any, answer: Any) -> int:
        return self._answer(handle, answer, "limit_mw")

    def nvmlDeviceGetUtilizationRates(self, handle: Any, answer: Any) -> int:
        gpu = self._gpu(handle)
        if gpu.is_lost or gpu.percent is None:
            return GPU_LOST if gpu.is_lost else NOT_SUPPORTED
        answer._obj.gpu = gpu.percent
        return SUCCESS

    def nvmlDeviceGetMemoryInfo(self, handle: Any, answer: Any) -> int:
        return self._memory(handle, answer, reserved=False)

    def nvmlDeviceGetMemoryInfo_v2(self, handle: Any, answer: Any) -> int:
        assert answer._obj.version == ctypes.sizeof(answer._obj) | 2 << 24
        return self._memory(handle, answer, reserved=True)

    def _memory(self, handle: Any, answer: Any, *, reserved: bool) -> int:
        memory = self._gpu(handle).memory
        if memory is None:
            return NOT_SUPPORTED
        total, kept, used = memory
        answer._obj.total, answer._obj.used = total, used if reserved else used + kept
        return SUCCESS

    def _answer(self, handle: Any, answer: Any, name: str) -> int:
        gpu = self._gpu(handle)
        value = getattr(gpu, name)
        if gpu.is_lost or value is None:
            return GPU_LOST if gpu.is_lost else NOT_SUPPORTED
        return _set(answer, value)

    def _gpu(self, handle: Any) -> StandInGpu:
        return self.gpus[handle.value - 1]


def _set(answer: Any, value: int) -> int:
    answer._obj.value = value
    return SUCCESS
