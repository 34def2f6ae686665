"""Boards that the stand-in of tegrastats can be: a recorded line of each, and what its rails do.

The lines are those that real boards printed (`tegrastats_lines.txt`); how power moves over time is made up, so that
it is known. Nothing that a stand-in prints is a measurement of anything.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.errors import UsageError

FOLDER = Path(__file__).parent
PROGRAM = FOLDER / "tegrastats_standin.py"
LINES = FOLDER / "tegrastats_lines.txt"
MARK = "# SCENARIO "
EXECUTABLE = 0o755


def recorded_lines() -> list[str]:
    """The recorded lines in the order of the file."""
    text = LINES.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


BOARDS: Mapping[str, Mapping[str, Any]] = {
    # Idle and busy in turn, and more where the lab's own processors work: all in milliwatts.
    "orin-nano": {
        "line": 8,
        "steps": [
            {"s": 3, "rails": {"VDD_IN": 4824, "VDD_CPU_GPU_CV": 518}, "gpu_percent": 10},
            {"s": 2, "rails": {"VDD_IN": 7200, "VDD_CPU_GPU_CV": 2900}, "gpu_percent": 85},
        ],
        "load": {"VDD_IN": 6000, "VDD_CPU_GPU_CV": 5500},
    },
    "agx-orin": {
        "line": 7,
        "steps": [
            {"s": 3, "rails": {"VDD_GPU_SOC": 2412, "VDD_CPU_CV": 1607, "VIN_SYS_5V0": 4707}, "gpu_percent": 0},
            {"s": 2, "rails": {"VDD_GPU_SOC": 9100, "VDD_CPU_CV": 2400, "VIN_SYS_5V0": 5600}, "gpu_percent": 90},
        ],
        "load": {"VDD_CPU_CV": 12000},
    },
    "tx2": {
        "line": 1,
        "steps": [{"s": 5, "rails": {"VDD_IN": 5297}, "gpu_percent": 0}, {"s": 5, "rails": {"VDD_IN": 9300}}],
        "load": {"VDD_IN": 4000},
    },
}
"""By name: number of the recorded line, steps, and what full load of the processors adds."""


def scenario(board: str) -> dict[str, Any]:
    """What the stand-in of a board does.

    Raises:
        UsageError: There is no such board.
    """
    if board not in BOARDS:
        raise UsageError(f"Board {board!r} is unknown.", advice=f"choose one of {', '.join(sorted(BOARDS))}")
    chosen = BOARDS[board]
    return {**chosen, "line": recorded_lines()[chosen["line"] - 1], "then": "again"}


def write_program(path: Path, what: Mapping[str, Any]) -> None:
    """Write the stand-in as one executable file that does what it is told, for a machine to mount.

    Args:
        path: Where; it is replaced.
        what: The scenario.
    """
    text = f"{PROGRAM.read_text(encoding='utf-8')}\n{MARK}{json.dumps(what)}\n"
    path.write_text(text, encoding="utf-8")
    path.chmod(EXECUTABLE)
