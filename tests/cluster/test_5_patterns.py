"""Every pattern over every network: deployed from the shell, measured for every intended frame, unchanged, removed.

`make test` runs one cell per pattern and per network, `make test-full` all sixteen with the minute that the README's
figures stand on; its output is docs/matrix.md.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Journey, manifest

pytestmark = pytest.mark.cluster

FULL = os.environ.get("ROS2BENCH_TEST_FULL") == "1"
PATTERNS = ("monolithic", "microservices", "composition", "overlay")
NETWORKS = ("multicast", "static-peers", "server", "host-network")
REDUCED = (
    ("monolithic", "host-network"),
    ("microservices", "static-peers"),
    ("composition", "multicast"),
    ("overlay", "server"),
)
OVER_TWO_MACHINES = frozenset({"static-peers", "server"})
WINDOW_S = 60 if FULL else 10
TRIES = 3
HEAD = f"""# Every pattern over every network

Written by `make test-full`: `pulumi up` from the shell, {WINDOW_S} s at 10 Hz with every intended frame,
a second `up` without a change, `destroy` without a rest. With static peers and with a discovery server the pods
are on two machines (of one-pod patterns the recorder is on the other one). `up` is the time of the command, with
images present. Both machines of the lab share two cores.

| pattern | discovery | machines | up, s | frames | inference_s, ms | of that transport, ms |
|---|---|---|---|---|---|---|
"""
KINDS = "namespaces,pods,deployments,services,configmaps,networkpolicies,secrets,persistentvolumes"


@dataclass(frozen=True)
class Cell:
    """One pattern over one network."""

    pattern: str
    network: str

    @property
    def machines(self) -> int:
        """Machines that its pods, recorder included, run on."""
        return 2 if self.network in OVER_TWO_MACHINES else 1

    @property
    def settings(self) -> dict[str, str]:
        """What the stack file says beside the pattern, by path below `ros2bench:spec`."""
        chosen = {"network.discovery": self.network}
        if self.network not in OVER_TWO_MACHINES:
            return chosen
        chosen |= {
            "placement.nearRecorder": "false",
            'placement.recorderNodeSelector["kubernetes.io/hostname"]': "cloud",
        }
        if self.pattern == "microservices":
            return chosen | {
                'application.nodes.camera.nodeSelector["kubernetes.io/hostname"]': "cloud",
                'application.nodes.detector.nodeSelector["kubernetes.io/hostname"]': "edge",
            }
        return chosen | {'placement.nodeSelector["kubernetes.io/hostname"]': "edge"}


CELLS = [
    pytest.param(Cell(p, n), id=f"{p}-{n}", marks=[pytest.mark.matrix] + [pytest.mark.full] * ((p, n) not in REDUCED))
    for p in PATTERNS
    for n in NETWORKS
]


def configure(journey: Journey, cell: Cell) -> None:
    """Write the cell's settings into the stack file as a user would."""
    journey.type(f"git checkout -q Pulumi.{cell.pattern}.yaml")
    lines = [
        f"pulumi config set -s {cell.pattern} --path 'ros2bench:spec.{path}' {value}"
        for path, value in cell.settings.items()
    ]
    done = journey.in_lab("; ".join(lines))
    assert done.returncode == 0, done.stderr


def measured(journey: Journey, stack: str) -> dict[str, Any]:
    """Measure a running stack; another program that holds the cores for a second costs frames, so up to three times."""
    found: dict[str, Any] = {}
    for _ in range(TRIES):
        done = journey.in_lab(f"python -m probes.run -s {stack} --repetitions 1 --duration-s {WINDOW_S}", timeout_s=400)
        assert done.returncode == 0, done.stderr[-3000:]
        found = manifest(journey, done.stdout + done.stderr)
        if found["metrics"]["frames_lost"]["value"] == 0:
            break
    return found


def merged(known: str, cell: Cell, row: str) -> str:
    """The table with a cell's row, in the order of the cells; rows of others are kept, so that one can run alone."""
    order = [(pattern, network) for pattern in PATTERNS for network in NETWORKS]
    rows = {tuple(line.split(" | ")[:2]): line for line in known.removeprefix(HEAD).splitlines()}
    rows[f"| {cell.pattern}", cell.network] = row
    return HEAD + "".join(f"{rows[key]}\n" for p, n in order if (key := (f"| {p}", n)) in rows)


def keep_row(cell: Cell, row: str) -> None:
    """Show a row of the table of results, and write it to the file that ROS2BENCH_TEST_MATRIX names."""
    print(row)
    if file := os.environ.get("ROS2BENCH_TEST_MATRIX"):
        known = Path(file).read_text(encoding="utf-8") if Path(file).exists() else HEAD
        Path(file).write_text(merged(known if known.startswith(HEAD) else HEAD, cell, row), encoding="utf-8")


def machines_of(journey: Journey, stack: str) -> set[str]:
    """Machines on which the pods of a stack run, recorder included."""
    words = "get pods -o jsonpath='{.items[*].spec.nodeName}'"
    return set(journey.kubectl(f"-n ros2bench-{stack} {words}").split())


@pytest.mark.parametrize("cell", CELLS)
def test_a_pattern_over_a_network(journey: Journey, four_patterns: None, cell: Cell) -> None:
    configure(journey, cell)
    began = time.monotonic()
    try:
        up = journey.in_lab(f"pulumi up -s {cell.pattern} --yes --skip-preview --suppress-outputs")
        assert up.returncode == 0, up.stderr[-3000:] + up.stdout[-3000:]
        up_s = time.monotonic() - began
        assert len(machines_of(journey, cell.pattern)) == cell.machines
        record = measured(journey, cell.pattern)
        metrics = record["metrics"]
        inference, transport = (metrics[key]["value"] for key in ("inference_s", "inference_s{part=transport}"))
        delivered, intended = (metrics[key]["value"] for key in ("frames_delivered", "frames_intended"))
        keep_row(
            cell,
            f"| {cell.pattern} | {cell.network} | {cell.machines} | {up_s:.1f} | {delivered:.0f} of {intended:.0f} "
            f"| {1e3 * inference:.2f} | {1e3 * transport:.2f} |",
        )
        assert metrics["frames_intended"]["value"] == 10 * WINDOW_S
        assert metrics["frames_lost"]["value"] == 0
        assert record["outputs"]["network"]["discovery"] == cell.network
        again = journey.in_lab(f"pulumi up -s {cell.pattern} --yes --skip-preview --suppress-outputs")
        assert re.search(r"\d+ unchanged", again.stdout)
        assert not re.search(r"\d+ (created|updated|replaced|deleted)", again.stdout)
    finally:
        done = journey.in_lab(f"pulumi destroy -s {cell.pattern} --yes --skip-preview")
    assert done.returncode == 0, done.stderr
    assert journey.kubectl(f"get {KINDS} -A -l ros2bench/stack={cell.pattern} -o name") == ""
