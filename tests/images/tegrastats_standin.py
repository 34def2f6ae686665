#!/usr/bin/env python3
"""A stand-in for tegrastats: prints one recorded line again and again, with the power that it is told.

It is started like the real program, `tegrastats_standin.py --interval MS`, and reads what to do from the JSON file
that `TEGRASTATS_STANDIN` names, or `tegrastats_standin.json` beside itself; without either it follows `SCENARIO`:

    {"line": "RAM … VDD_IN 5297/5297 …",
     "steps": [{"s": 1.0, "rails": {"VDD_IN": 5000}, "gpu_percent": 30}, …],
     "then": "again" | "end" | "hang", "garbage_every": 0}

Each step holds for its seconds; what it does not name stays as in the line. After the last step it begins again,
ends, or hangs. Every `garbage_every`-th line is cut, torn or binary. Lines are due at whole intervals since the start,
and the power printed is that of the moment: the energy of the steps is known exactly.
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


def main() -> int:
    """Print lines until the scenario ends."""
    interval_s = int(sys.argv[sys.argv.index("--interval") + 1]) / 1000
    beside = Path(__file__).with_suffix(".json")
    chosen = os.environ.get("TEGRASTATS_STANDIN") or (beside if beside.exists() else None)
    scenario: dict[str, Any] = SCENARIO if chosen is None else json.loads(Path(chosen).read_text(encoding="utf-8"))
    steps: list[dict[str, Any]] = scenario["steps"]
    began_s, number = time.monotonic(), 0
    while True:
        elapsed_s = time.monotonic() - began_s
        step = step_at(steps, elapsed_s, repeats=scenario.get("then", "again") == "again")
        if step is None:
            break
        every = scenario.get("garbage_every", 0)
        if every and number % every == every - 1:
            text = GARBAGE[number // every % len(GARBAGE)]
        else:
            text = (render(scenario["line"], step) + "\n").encode()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
        number += 1
        time.sleep(max(0.0, began_s + number * interval_s - time.monotonic()))
    while scenario["then"] == "hang":
        time.sleep(1)
    return 0


def step_at(steps: list[dict[str, Any]], elapsed_s: float, *, repeats: bool) -> dict[str, Any] | None:
    """Give the step that holds after a time; None after the last one."""
    length_s = sum(step["s"] for step in steps)
    left_s = elapsed_s % length_s if repeats else elapsed_s
    for step in steps:
        if left_s < step["s"]:
            return step
        left_s -= step["s"]
    return None


def render(line: str, step: dict[str, Any]) -> str:
    """Put a step's figures, and the time, into a recorded line."""
    for rail, milliwatts in step.get("rails", {}).items():
        line = re.sub(rf"(?<=\b{re.escape(rail)} )-?\d+", str(milliwatts), line, count=1)
    if "gpu_percent" in step:
        line = re.sub(r"(?<=GR3D_FREQ )\d+%", f"{step['gpu_percent']}%", line, count=1)
    return re.sub(r"^\d{2}-\d{2}-\d{4} \d{2}:\d{2}:\d{2}", time.strftime("%m-%d-%Y %H:%M:%S"), line, count=1)


if __name__ == "__main__":
    sys.exit(main())
