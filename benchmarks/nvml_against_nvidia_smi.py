"""The machine reader's NVML figures against nvidia-smi on the same GPU, idle and under load.

    python benchmarks/nvml_against_nvidia_smi.py [--seconds 20] [--load 'COMMAND'] [--output FILE]

Needs an NVIDIA GPU with its driver, `nvidia-smi` and Python 3.10; nothing else, not even this project's environment.
Both are read side by side for some seconds; then, with `--load`, again while COMMAND runs. One JSON document on
standard output has both columns, their differences, the limits, and the verdict; the exit code is 1 where a limit is
broken. With `--output` the document is written to a file too, to be kept as a record of that GPU.
"""

import argparse
import importlib
import json
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1] / "images" / "workspace" / "src" / "ros2bench_machine_reader"
QUERY = ("index", "power.draw", "memory.used", "memory.total", "utilization.gpu", "temperature.gpu", "clocks.sm")
MEBIBYTE = 1 << 20
WARM_UP_S = 5.0
READ_EVERY_S = 0.5
LIMITS = {"energy_ratio": 0.05, "memory_mebibytes": 64.0, "busy_ratio": 0.15, "temperature_c": 3.0, "clock_ratio": 0.05}
"""Largest differences: both ask the same driver, a few milliseconds apart."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print, and give the exit code."""
    parser = argparse.ArgumentParser(description="NVML figures of the machine reader against nvidia-smi")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--load", help="command that keeps the GPU busy for longer than the seconds")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(PACKAGE))
    nvml = importlib.import_module("ros2bench_machine_reader.nvml")
    loaded = nvml.load_nvml()
    if not isinstance(loaded, tuple):
        sys.stderr.write(f"No GPU can be read: {loaded.reason}. Run this where nvidia-smi lists a GPU.\n")
        return 1
    library, gpus = loaded
    document: dict[str, Any] = {"gpus": [{"name": gpu.name, "gpu": gpu.label} for gpu in gpus], "limits": LIMITS}
    document["idle"] = observe(nvml, library, gpus, chosen.seconds)
    if chosen.load:
        with subprocess.Popen(shlex.split(chosen.load)) as load:
            time.sleep(WARM_UP_S)
            document["loaded"] = observe(nvml, library, gpus, chosen.seconds)
            document["load"] = {"command": chosen.load, "ran_throughout": load.poll() is None}
            load.terminate()
    library.close()
    compared = [each for part in ("idle", "loaded") for each in document.get(part, [])]
    document["agrees"] = all(not each["broken"] for each in compared)
    text = json.dumps(document, indent=1)
    sys.stdout.write(text + "\n")
    if chosen.output:
        chosen.output.write_text(text + "\n", encoding="utf-8")
    return 0 if document["agrees"] else 1


def observe(nvml: Any, library: Any, gpus: Sequence[Any], seconds: float) -> list[dict[str, Any]]:
    """Read both side by side every half second, and compare each GPU's means."""
    power = nvml.NvmlSource("power", library, gpus, is_total=False)
    load = nvml.NvmlSource("gpu", library, gpus, is_total=False)
    ours: dict[str, list[tuple[Any, ...]]] = {}
    theirs: dict[str, list[tuple[float, ...]]] = {}
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        now = time.time_ns(), time.monotonic_ns()
        rows, energies = list(load.read(*now)), list(power.read(*now))
        for row, energy in zip(rows, energies, strict=True):
            ours.setdefault(row[2], []).append((*row, energy[3], energy[4]))
        for line in ask_nvidia_smi():
            theirs.setdefault(f"gpu{line[0]:.0f}", []).append((time.monotonic_ns() / 1e9, *line[1:]))
        time.sleep(max(0.0, READ_EVERY_S - (time.monotonic_ns() - now[1]) / 1e9))
    return [compare(label, ours[label], theirs[label]) for label in sorted(ours)]


def ask_nvidia_smi() -> list[tuple[float, ...]]:
    """Every GPU's figures, in the order of `QUERY`."""
    command = ["nvidia-smi", f"--query-gpu={','.join(QUERY)}", "--format=csv,noheader,nounits"]
    text = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    return [tuple(float(cell) for cell in line.split(",")) for line in text.splitlines() if line.strip()]


def compare(label: str, ours: Sequence[tuple[Any, ...]], theirs: Sequence[tuple[float, ...]]) -> dict[str, Any]:
    """Put both columns side by side and name the limits that are broken."""
    seconds = (ours[-1][1] - ours[0][1]) / 1e9
    is_counted = ours[0][9] is not None
    counted_w = (ours[-1][9] - ours[0][9]) / seconds if is_counted else None
    mine = {
        "power_w": _mean(row[8] for row in ours) if counted_w is None else counted_w,
        "memory_mebibytes": _mean(row[4] for row in ours) / MEBIBYTE,
        "busy_ratio": _mean(row[3] for row in ours),
        "temperature_c": _mean(row[6] for row in ours),
        "clock_mhz": _mean(row[7] for row in ours) / 1e6,
    }
    their_names = (
        "power_w",
        "memory_mebibytes",
        "memory_total_mebibytes",
        "busy_percent",
        "temperature_c",
        "clock_mhz",
    )
    yours = {name: _mean(row[place] for row in theirs) for place, name in enumerate(their_names, 1)}
    differences = {
        "energy_ratio": abs(mine["power_w"] / yours["power_w"] - 1),
        "memory_mebibytes": abs(mine["memory_mebibytes"] - yours["memory_mebibytes"]),
        "busy_ratio": abs(mine["busy_ratio"] - yours["busy_percent"] / 100),
        "temperature_c": abs(mine["temperature_c"] - yours["temperature_c"]),
        "clock_ratio": abs(mine["clock_mhz"] / yours["clock_mhz"] - 1),
    }
    return {
        "gpu": label,
        "seconds": seconds,
        "readings": len(ours),
        "power_from": "energy counter" if is_counted else "power samples",
        "machine_reader": mine,
        "nvidia_smi": yours,
        "differences": differences,
        "broken": [name for name, limit in LIMITS.items() if differences[name] > limit],
    }


def _mean(values: Any) -> float:
    return statistics.fmean(float(value) for value in values)


if __name__ == "__main__":
    sys.exit(main())
