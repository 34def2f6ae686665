"""Processor time of a pod from the counters of this machine's control groups, version 1 or 2."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpuacct", "cpu,cpuacct", "cpuacct,cpu", "unified", ".")
MICROSECOND_NS = 1000
PERIOD_S = 0.1


def pod_folder(uid: str, root: Path = CGROUPS) -> Path | None:
    """Find the control group of a pod; None where this machine does not hold it.

    Args:
        uid: UID of the pod. systemd's names have underscores in it.
        root: Where control groups are mounted.
    """
    names = (f"pod{uid}", f"pod{uid.replace('-', '_')}")
    for controller in CONTROLLERS:
        start = root / controller
        if not start.is_dir() or (controller == "." and not (start / "cgroup.controllers").exists()):
            continue
        for folder in sorted(start.rglob("*pod*")):
            if folder.is_dir() and any(name in folder.name for name in names):
                return folder
    return None


def cpu_ns(folder: Path) -> int:
    """Read the processor time that a control group has used.

    Raises:
        OSError: It has no counter, or is gone.
    """
    version_1 = folder / "cpuacct.usage"
    if version_1.exists():
        return int(version_1.read_text(encoding="ascii"))
    lines = (folder / "cpu.stat").read_text(encoding="ascii").splitlines()
    values = dict(line.split() for line in lines)
    return int(values["usage_usec"]) * MICROSECOND_NS


class CpuSampler:
    """Reads the counter of a pod again and again while it is entered, so that any window within can be asked for."""

    def __init__(self, folder: Path, period_s: float = PERIOD_S) -> None:
        self._folder = folder
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cpu", daemon=True)
        self.rows: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            try:
                self.rows.append((time.time_ns(), cpu_ns(self._folder)))
            except OSError:
                return


def cores(rows: Sequence[tuple[int, int]], start_ns: int, end_ns: int) -> float | None:
    """Give processor time per time between two times; None where the readings do not cover them.

    Args:
        rows: Time and counter, both in nanoseconds, in order.
        start_ns: Start of the window.
        end_ns: End of the window.
    """
    if not rows or rows[0][0] > start_ns or rows[-1][0] < end_ns:
        return None
    times, counters = np.array(rows, dtype=np.float64).T
    used_ns = np.interp(end_ns, times, counters) - np.interp(start_ns, times, counters)
    return float(used_ns / (end_ns - start_ns))
