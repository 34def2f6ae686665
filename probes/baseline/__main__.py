"""`python -m probes.baseline`: measure the application on this machine without Kubernetes, and keep the record."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml

from probes.baseline.command_line import CommandLineEngine
from probes.baseline.containers import NAME, ContainerPlan, Manifest, container_plans, reader_plan
from probes.baseline.engine import Engine, check_platform, chosen_engine
from probes.baseline.groups import ControlGroups
from probes.baseline.local_world import HEALTH_TIMEOUT_S, LocalTarget, answers, baseline_outputs, connector
from probes.baseline.rootfs import RootfsEngine
from probes.conclusion import run_campaign
from probes.console import Screen
from probes.errors import ExitCode, ProbeError, TargetError, UsageError
from probes.plan import Durations
from probes.provenance import PROJECT_ROOT
from probes.session import Request
from probes.signed_http import forwarded_client
from probes.spool import Spool, cache_home
from probes.store import open_store
from probes.world import World
from stacks.outputs import StackOutputs

OVERRIDE_VARIABLE = "ROS2BENCH_SPEC_OVERRIDE"
ONE_NETWORK = {"network": {"discovery": "host-network"}}
"""The containers share a network: unique ports, and multicast on the loopback device."""
READER_ALONE = {
    "machineReaders": {"allowFaults": False, "allowImageRemoval": False, "runtimeState": None, "runtimeClass": None},
    "observability": {"mode": "none"},
    "tracing": {"enabled": False},
    "logs": {"mode": "none"},
    "autoscaling": {"adapter": {"enabled": False}, "recommender": {"enabled": False}},
    "gpu": {"devicePlugin": {"enabled": False}, "runtimeClass": {"enabled": False}},
}
"""Of a platform the machine reader is wanted, and of that what it reads: the rest is about containers of Kubernetes."""
DEFAULTS = Durations()
POLL_S = 0.1
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def stack_tool(module: str, words: Sequence[str], override: Path) -> str:
    """Run one of the stack's own tools with an override; gives what it prints.

    Raises:
        UsageError: It refuses the stack; the message is its own.
    """
    others = os.environ.get(OVERRIDE_VARIABLE)
    files = f"{others}:{override}" if others else str(override)
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=PROJECT_ROOT,
        env={**os.environ, OVERRIDE_VARIABLE: files},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UsageError((done.stderr or done.stdout).strip(), next_step="correct it, then the same command again")
    return done.stdout


def read_stack(stack: str, folder: Path) -> tuple[StackOutputs, ContainerPlan, ContainerPlan]:
    """Read a stack's contract, and its recorder and application as containers."""
    described, manifests = _described_and_rendered(stack, ONE_NETWORK, folder / "read_stack")
    recorder, application = container_plans(manifests)
    return baseline_outputs(described, recorder.port), recorder, application


def read_platform(platform: str, folder: Path) -> tuple[StackOutputs, ContainerPlan]:
    """Read a platform's contract, and its machine reader as a container.

    Raises:
        UsageError: It has none.
    """
    described, manifests = _described_and_rendered(platform, READER_ALONE, folder / "read_platform")
    if described.machine_readers is None:
        raise UsageError(
            f"Stack {platform} ({described.kind}) has no machine readers, so there is none to run.",
            next_step=f"set machineReaders.enabled in Pulumi.{platform}.yaml, then the same command again",
        )
    return described, reader_plan(manifests)


def _described_and_rendered(
    stack: str, changes: Mapping[str, Any], folder: Path
) -> tuple[StackOutputs, list[Manifest]]:
    folder.mkdir()
    override, rendered = folder / "override.yaml", folder / "manifests"
    override.write_text(yaml.safe_dump(changes), encoding="utf-8")
    described = StackOutputs.model_validate_json(stack_tool("stacks.describe", ["-s", stack], override))
    stack_tool("stacks.render", ["-s", stack, "-o", str(rendered)], override)
    return described, [yaml.safe_load(path.read_text()) for path in sorted(rendered.glob("*.yaml"))]


def make_engine(name: str, folder: Path, groups: ControlGroups | None) -> Engine:
    """Make the engine of that name."""
    if name != "buildah":
        return CommandLineEngine(name, folder)
    authority = os.environ.get("ROS2BENCH_REGISTRY_CA")
    # Not where images are built: what is pulled into there would take the place of the image that was pushed.
    return RootfsEngine(cache_home() / "baseline", folder, Path(authority) if authority else None, groups)


async def wait_until_ready(engine: Engine, plan: ContainerPlan, timeout_s: float) -> None:
    """Wait until a container answers that it is ready.

    Raises:
        TargetError: It is not in time, or has ended.
    """
    end_s = time.monotonic() + timeout_s
    async with engine.address(plan.port) as address, forwarded_client(address, HEALTH_TIMEOUT_S) as http:
        while not await answers(http):
            is_running = await asyncio.to_thread(engine.is_running, plan.name)
            if time.monotonic() > end_s or not is_running:
                what = f"was not ready within {timeout_s:g} s" if is_running else "has ended"
                said = (await asyncio.to_thread(engine.said, plan.name)).strip() or "nothing"
                raise TargetError(
                    f"Container {plan.name} {what}. What it said last:\n{said}",
                    next_step="correct it, then the same command again",
                    reason="not_ready_in_time",
                )
            await asyncio.sleep(POLL_S)


def measure(engine: Engine, stack: str, folder: Path, request: Request, screen: Screen) -> int:
    """Run recorder, application and, of the platform that is named, the machine reader; measure; give the exit code."""
    outputs, recorder, application = read_stack(stack, folder)
    platform, reader = read_platform(request.platform, folder) if request.platform else (None, None)
    target = LocalTarget(engine, application, outputs, platform)
    probes = (recorder, reader) if reader else (recorder,)
    screen.step("images and network")
    engine.prepare((*probes, application))
    for probe in probes:
        engine.start(probe)
        asyncio.run(wait_until_ready(engine, probe, request.durations.ready_timeout_s))
    if request.cycles == "none":
        screen.step("start the nodes")
        target.switch(NAME, "running")
        asyncio.run(wait_until_ready(engine, application, request.durations.ready_timeout_s))
    world = World(target, lambda: connector(engine, application, target), Spool(), open_store, screen)
    return run_campaign(request, world)


@app.command()
def baseline(
    stack: Annotated[
        str, typer.Option("-s", "--stack", help="Stack whose application, load and images are taken; one pod.")
    ] = "monolithic",
    engine: Annotated[
        str | None, typer.Option(help="buildah (as root), docker or podman. Default: the first on PATH.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            help="Stack whose machine reader runs beside the nodes, so that processor time, memory, I/O and power are "
            "known; with --engine buildah. Default: none."
        ),
    ] = None,
    cycles: Annotated[
        Literal["none", "install"],
        typer.Option(help="install: start the nodes anew for each repetition. none: once, before the first."),
    ] = "none",
    repetitions: Annotated[int, typer.Option(help="Repetitions; 3 or more give an interval.")] = 5,
    duration_s: Annotated[float, typer.Option(help="Length of the measured window.")] = DEFAULTS.window_s,
    warmup_s: Annotated[float, typer.Option(help="Wait before the window.")] = DEFAULTS.warmup_s,
    cool_down_s: Annotated[float, typer.Option(help="Wait after a repetition.")] = DEFAULTS.cool_down_s,
    store: Annotated[
        str | None,
        typer.Option(help="dir:PATH, s3://BUCKET or s3://BUCKET/PREFIX. Default: the stack's records: setting."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Measure the application's nodes on this machine without Kubernetes: the zero of every pattern.

    Needs the images of the lock in their registry. Exit codes as those of probes.run.
    """
    screen = Screen(as_json=as_json)
    durations = Durations(warmup_s=warmup_s, window_s=duration_s, cool_down_s=cool_down_s)
    request = Request((NAME,), repetitions, cycles, durations, seed, store, platform=platform)
    groups = ControlGroups(screen.note) if platform else None
    code: int = ExitCode.COMMITTED
    with tempfile.TemporaryDirectory(prefix="ros2bench-baseline-") as name:
        try:
            program = chosen_engine(engine)
            check_platform(program, platform)
            with closing(make_engine(program, Path(name), groups)) as chosen:
                code = measure(chosen, stack, Path(name), request, screen)
        except ProbeError as problem:
            screen.error(problem)
            code = problem.exit_code
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
    raise typer.Exit(code)


if __name__ == "__main__":
    # As Ctrl-C, also while images are pulled: programs, mounts and control groups are to be gone afterwards.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    app()
