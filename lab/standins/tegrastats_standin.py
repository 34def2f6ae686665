#!/usr/bin/env python3
"""A stand-in for tegrastats: prints a recorded line again and again, with the power that it is told.

It is started like the real program, `tegrastats_standin.py --interval MS`, and reads what to do from the JSON file
that `TEGRASTATS_STANDIN` names, or the last line of itself (`lab.standins.boards` writes it there, so that one file is
all that a machine needs); without either it follows `SCENARIO`:

    {"line": "RAM … VDD_IN 5297/5297 …",
     "steps": [{"s": 1.0, "rails": {"VDD_IN": 5000}, "gpu_percent": 30}, …],
     "load": {"VDD_IN": 6000}, "then": "again" | "end" | "hang", "garbage_every": 0}

Each step holds for its seconds; what it does not name stays as in the line. After the last step it begins again,
ends, or hangs. Every `garbage_every`-th line is cut, torn or binary. Lines are due at whole intervals since the start,
and the power printed is that of the moment: the energy of the steps is known exactly. `load` adds to a rail so many
milliwatts times the share of its processors that the machine used since the line before, as a board would.

Standard library only: it runs in the machine reader's container.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

SCENARIO = {
    "line": "06-18-2025 11:25:24 RAM 3452/7620MB (lfb 25x4MB) SWAP 1518/16384MB (cached 174MB) "
    "CPU [1%@1420,2%@1420,0%@1420,2%@1420,2%@729,1%@729] GR3D_FREQ 0% cpu@50.031C gpu@49.031C tj@50.25C "
    "VDD_IN 4824mW/4824mW VDD_CPU_GPU_CV 518mW/518mW VDD_SOC 1475mW/1475mW",
    "steps": [{"s": 5, "rails": {"VDD_IN": 5000}, "gpu_percent": 10}, {"s": 5, "rails": {"VDD_IN": 9000}}],
    "then": "again",
}
GARBAGE = (b"RAM 12", b"\xff\xfe\x00VDD_IN 1\n", b"VDD_IN 999999999999999999mW/0mW\n", b"\n", b"CPU [5%@\n")
MARK = "# SCENARIO "


def main() -> int:
    """Print lines until the scenario ends."""
    interval_s = int(sys.argv[sys.argv.index("--interval") + 1]) / 1000
    scenario = chosen_scenario()
    steps: list[dict[str, Any]] = scenario["steps"]
    began_s, number, load = time.monotonic(), 0, ProcessorLoad()
    while True:
        elapsed_s = time.monotonic() - began_s
        step = step_at(steps, elapsed_s, repeats=scenario.get("then", "again") == "again")
        if step is None:
            break
        every = scenario.get("garbage_every", 0)
        if every and number % every == every - 1:
            text = GARBAGE[number // every % len(GARBAGE)]
        else:
            text = (render(scenario["line"], with_load(step, scenario, load)) + "\n").encode()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        number += 1
        time.sleep(max(0.0, began_s + number * interval_s - time.monotonic()))
    while scenario["then"] == "hang":
        time.sleep(1)
    return 0


def chosen_scenario() -> dict[str, Any]:
    """What to do: of the file that the environment names, of the last line of this file, or of this module."""
    if named := os.environ.get("TEGRASTATS_STANDIN"):
        return json.loads(Path(named).read_text(encoding="utf-8"))
    last = Path(__file__).read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
    return json.loads(last.removeprefix(MARK)) if last.startswith(MARK) else SCENARIO


def step_at(steps: list[dict[str, Any]], elapsed_s: float, *, repeats: bool) -> dict[str, Any] | None:
    """Give the step that holds after a time; None after the last one."""
    length_s = sum(step["s"] for step in steps)
    left_s = elapsed_s % length_s if repeats else elapsed_s
    for step in steps:
        if left_s < step["s"]:
            return step
        left_s -= step["s"]
    return None


class ProcessorLoad:
    """The share of its processors that the machine used since it was last asked (proc_stat(5))."""

    def __init__(self) -> None:
        """Begin now."""
        self._busy, self._total, self.ratio = *processor_times(), 0.0

    def asked(self) -> float:
        """Give the share; the last one where no tick has passed."""
        busy, total = processor_times()
        if total > self._total:
            self.ratio = (busy - self._busy) / (total - self._total)
            self._busy, self._total = busy, total
        return self.ratio


def processor_times() -> tuple[int, int]:
    """Ticks in which the processors worked, and all of them."""
    first = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
    ticks = [int(number) for number in first.split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def with_load(step: dict[str, Any], scenario: dict[str, Any], load: ProcessorLoad) -> dict[str, Any]:
    """Add what the load of the machine takes to the rails of a step."""
    added: dict[str, int] = scenario.get("load", {})
    if not added:
        return step
    ratio = load.asked()
    rails = dict(step.get("rails", {}))
    return {**step, "rails": rails | {rail: rails[rail] + round(ratio * most) for rail, most in added.items()}}


def render(line: str, step: dict[str, Any]) -> str:
    """Put a step's figures, and the time, into a recorded line."""
    for rail, milliwatts in step.get("rails", {}).items():
        line = re.sub(rf"(?<=\b{re.escape(rail)} )-?\d+", str(milliwatts), line, count=1)
    if "gpu_percent" in step:
        line = re.sub(r"(?<=GR3D_FREQ )\d+%", f"{step['gpu_percent']}%", line, count=1)
    return re.sub(r"^\d{2}-\d{2}-\d{4} \d{2}:\d{2}:\d{2}", time.strftime("%m-%d-%Y %H:%M:%S"), line, count=1)


if __name__ == "__main__":
    sys.exit(main())
