"""Time from a read stack file to its rendered objects, without cluster and engine.

    python -m benchmarks.place_and_render

Each pattern's nodes are placed, rendered and guarded as under `pulumi up`, less the engine and the cluster.
"""

import os
import statistics
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from stacks import rendering
from stacks.reading import PROJECT_FOLDER, read_file

PATTERNS = ("monolithic", "microservices", "composition", "overlay")
WARM_UP = 3
LIMIT_S = 0.3


def render_s(stack: str, times: int) -> list[float]:
    """Seconds of each rendering of a stack; the first ones, which import and cache, are left out."""
    spec = read_file(PROJECT_FOLDER / f"Pulumi.{stack}.yaml", os.environ)
    taken_s: list[float] = []
    for _ in range(WARM_UP + times):
        began_s = time.monotonic()
        rendering.manifests(stack, spec)
        taken_s.append(time.monotonic() - began_s)
    return taken_s[WARM_UP:]


def main(times: Annotated[int, typer.Option(min=3, help="Renderings of each pattern.")] = 20) -> None:
    """Print median and largest time of each pattern, and the limit that they should keep."""
    table = Table(title=f"place and render, {times} times each; limit {LIMIT_S} s", title_justify="left")
    for heading in ("pattern", "median s", "largest s"):
        table.add_column(heading, justify="left" if heading == "pattern" else "right")
    for stack in PATTERNS:
        taken_s = render_s(stack, times)
        table.add_row(stack, f"{statistics.median(taken_s):.3f}", f"{max(taken_s):.3f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
