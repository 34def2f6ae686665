"""One visit of a campaign or search: the others parked, the stack parked with its override, then one ordinary run.

Parking with the override first lets the stack's contract say what the run will measure (rate, topics, network).
"""

import asyncio
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from probes.campaign_plan import Visit
from probes.cell import manifests_of, place_in
from probes.conclusion import run_campaign
from probes.deploy import application_of, park
from probes.errors import ExitCode, ProbeError, UsageError
from probes.fault_order import fault_order
from probes.plan import Cycles, Durations
from probes.provenance import PROJECT_ROOT
from probes.session import Request
from probes.spool import data_home
from probes.world import Target, World

ENDED = frozenset({ExitCode.INTERRUPTED, ExitCode.ABORTED})
"""Exit codes of a run after which nothing more may be done: the user, or a full disk, ended it."""


@dataclass(frozen=True)
class Manner:
    """How every visit is made."""

    durations: Durations
    seed: int
    store: str | None
    cycles: Cycles = "install"
    platform: str | None = None


@dataclass(frozen=True)
class Visited:
    """What came of a visit: the run's exit code, and its manifest where it was sealed."""

    code: ExitCode
    manifest: Mapping[str, Any] | None


def campaigns_folder() -> Path:
    """Give the folder of what campaigns need beside their records: `$XDG_DATA_HOME/ros2bench/campaigns`."""
    return data_home() / "campaigns"


def write_override(folder: Path, name: str, spec: Mapping[str, Any]) -> Path:
    """Write keys of the spec as a file that ROS2BENCH_SPEC_OVERRIDE can name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(dict(spec), sort_keys=False), encoding="utf-8")
    return path


def perform(visit: Visit, manner: Manner, world: World, override: Path, others: Sequence[str]) -> Visited:
    """Make a visit; what goes wrong is shown, and kept by the run as far as it came.

    Args:
        visit: What to measure.
        manner: How.
        world: The outside.
        override: File with the visit's keys of the spec.
        others: Stacks that must not run meanwhile.

    Raises:
        UsageError: The runner has no such option.
        KeyboardInterrupt: Somebody interrupted before the run began.
    """
    target = world.target.overriding((override,))
    try:
        asyncio.run(_prepare(world, target, visit.stack, others, manner.durations.ready_timeout_s))
    except ProbeError as problem:
        world.screen.error(problem)
        return Visited(problem.exit_code, None)
    code = run_campaign(request_of(visit, manner), replace(world, target=target))
    found = [item for item in manifests_of(world.spool.runs(), visit.cell.campaign) if place_in(item) == visit.key]
    return Visited(code, found[-1] if found and code not in ENDED else None)


def request_of(visit: Visit, manner: Manner) -> Request:
    """Give what the runner is asked for.

    Raises:
        UsageError: The runner of this version has no option of that name, or a level is no fault.
    """
    wanted: dict[str, Any] = {"cycles": manner.cycles, **visit.options}
    if "fault" in wanted:
        wanted["fault"] = fault_order(wanted["fault"])
    if manner.platform is not None:
        wanted.setdefault("platform", manner.platform)
    known = {field.name for field in fields(Request)}
    if unknown := sorted(wanted.keys() - known):
        raise UsageError(
            f"The runner has no option {', '.join(unknown)}; those that a factor can vary: "
            f"{', '.join(sorted(known & {'cycles', 'regime', 'fault', 'platform'}))}.",
            next_step="correct the plan's factors",
        )
    own: dict[str, Any] = {
        "stacks": (visit.stack,),
        "repetitions": 1,
        "durations": manner.durations,
        "seed": manner.seed,
        "store": manner.store,
        "cell": visit.cell,
    }
    return Request(**(own | wanted))


def park_all(world: World, stacks: Sequence[str], timeout_s: float) -> None:
    """Park stacks as their files say, without any override, so that nothing of a campaign stays in the cluster.

    Raises:
        ProbeError: One cannot be parked.
    """
    asyncio.run(_park(world, world.target, stacks, timeout_s, always=True))


def check_specs(stack: str, overrides: Sequence[Path]) -> None:
    """Read a stack's file with each override, as a deployment would, without deploying anything.

    Raises:
        UsageError: A key is wrong.
    """
    command = [sys.executable, "-m", "stacks.check", "-s", stack, *map(str, overrides)]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(
            f"Stack {stack} cannot be deployed as the plan says:\n{done.stderr.strip()}",
            next_step="correct settings or factors of the plan",
        )


async def _prepare(world: World, target: Target, stack: str, others: Sequence[str], timeout_s: float) -> None:
    await _park(world, world.target, [other for other in others if other != stack], timeout_s, always=False)
    await _park(world, target, [stack], timeout_s, always=True)


async def _park(world: World, target: Target, stacks: Sequence[str], timeout_s: float, *, always: bool) -> None:
    """Park stacks; without `always` only those that run."""
    async with world.connect() as cluster:
        for stack in stacks:
            outputs = world.target.outputs(stack)
            if always or await cluster.pods(outputs.namespace, application_of(outputs).labels):
                world.screen.step(f"{stack}: park")
                await park(target, cluster, outputs, timeout_s)
