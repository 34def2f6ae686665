"""`python -m probes.baseline`: measure the application on this machine without Kubernetes, and keep the record."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import yaml

from probes.baseline.command_line import CommandLineEngine
from probes.baseline.containers import NAME, ContainerPlan, container_plans
from probes.baseline.engine import Engine, chosen_engine
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
"""Both containers share a network: unique ports, and multicast on the loopback device."""
DEFAULTS = Durations()
POLL_S = 0.1
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def stack_tool(module: str, words: Sequence[str], override: Path) -> str:
    """Run one of the stack's own tools with the baseline's network; gives what it prints.

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
    override = folder / "override.yaml"
    override.write_text(yaml.safe_dump(ONE_NETWORK), encoding="utf-8")
    described = StackOutputs.model_validate_json(stack_tool("stacks.describe", ["-s", stack], override))
    rendered = folder / "manifests"
    stack_tool("stacks.render", ["-s", stack, "-o", str(rendered)], override)
    manifests: list[dict[str, Any]] = [yaml.safe_load(path.read_text()) for path in sorted(rendered.glob("*.yaml"))]
    recorder, application = container_plans(manifests)
    return baseline_outputs(described, recorder.port), recorder, application


def make_engine(name: str, folder: Path) -> Engine:
    """Make the engine of that name."""
    if name != "buildah":
        return CommandLineEngine(name, folder)
    authority = os.environ.get("ROS2BENCH_REGISTRY_CA")
    return RootfsEngine(cache_home() / "containers", folder, Path(authority) if authority else None)


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
    """Run recorder and application, and measure; gives the exit code."""
    outputs, recorder, application = read_stack(stack, folder)
    target = LocalTarget(engine, application, outputs)
    screen.step("images and network")
    engine.prepare((recorder, application))
    engine.start(recorder)
    asyncio.run(wait_until_ready(engine, recorder, request.durations.ready_timeout_s))
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
    request = Request((NAME,), repetitions, cycles, durations, seed, store)
    code: int = ExitCode.COMMITTED
    with tempfile.TemporaryDirectory(prefix="ros2bench-baseline-") as name:
        chosen: Engine | None = None
        try:
            chosen = make_engine(chosen_engine(engine), Path(name))
            code = measure(chosen, stack, Path(name), request, screen)
        except ProbeError as problem:
            screen.error(problem)
            code = problem.exit_code
        except KeyboardInterrupt:
            code = ExitCode.INTERRUPTED
        finally:
            if chosen is not None:
                chosen.close()
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
