"""`python -m probes.recommendations -s STACK`: what each container asks for, uses, and should ask for."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from probes.advice import NO_OBJECT, NONE_YET, Advice, Usage, advised, is_asked_for, usage_of
from probes.cluster import KubernetesCluster, connect
from probes.console import Screen, quantity
from probes.deploy import application_of
from probes.errors import ProbeError, TargetError, UsageError
from probes.target import PulumiTarget
from stacks.outputs import StackOutputs

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CONTRACT = 1
COLUMNS = ("pod", "container", "resource", "asked", "used", "least", "recommended", "most")
WHY = {
    NONE_YET: "none yet: the recommender needs a few minutes of use",
    NO_OBJECT: "the pod has no VerticalPodAutoscaler: pulumi up once more",
}
UNKNOWN = "–"


def advice_table(found: Sequence[Advice]) -> Table:
    """Lay out advice, a line for each resource of each container."""
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column in COLUMNS[:3] else "right")
    for item in found:
        numbers = [_shown(value, item.unit) for value in (item.asked, item.used, item.lower, item.target, item.upper)]
        table.add_row(escape(item.pod), escape(item.container), item.resource, *numbers)
    return table


def reasons(found: Sequence[Advice]) -> list[str]:
    """Say why something is not recommended, once for each reason."""
    by_reason: dict[str, list[str]] = {}
    for item in found:
        if item.missing is not None and item.pod not in by_reason.setdefault(item.missing, []):
            by_reason[item.missing].append(item.pod)
    return [f"{', '.join(pods)}: {WHY[reason]}" for reason, pods in by_reason.items()]


async def read(outputs: StackOutputs, screen: Screen) -> tuple[Advice, ...]:
    """Ask the cluster of a stack.

    Raises:
        TargetError: The cluster does not answer, or the application is parked.
    """
    application = application_of(outputs)
    async with connect() as cluster:
        pods = await cluster.pods(outputs.namespace, application.labels)
        if not pods:
            raise TargetError(
                f"Namespace {outputs.namespace} has no pod of the application of stack {outputs.stack}.",
                next_step=f"pulumi up -s {outputs.stack}",
                reason="no_pods",
            )
        scalers = await cluster.recommendations(outputs.namespace)
        usage = await _usage(cluster, outputs, screen)
    return advised(pods, scalers, usage)


async def _usage(cluster: KubernetesCluster, outputs: StackOutputs, screen: Screen) -> Usage:
    try:
        return usage_of(await cluster.usage(outputs.namespace, application_of(outputs).labels))
    except TargetError as error:
        screen.note(f"what is used now is not known: {error.message}")
        return {}


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return quantity(value, unit) if unit != "1" else f"{value * 1000:.0f} m"


@app.command()
def show(
    stack: Annotated[str | None, typer.Option("-s", "--stack", help="Experiment. Default: selected.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Show what each container asks for, uses now, and should ask for."""
    screen = Screen(as_json=as_json)
    try:
        target = PulumiTarget()
        (name,) = target.choose((stack,) if stack else ())
        outputs = target.outputs(name)
        if not is_asked_for(outputs):
            raise UsageError(
                f"Stack {name} asks for no recommendations (autoscaling.recommendations is false).",
                next_step=f"set autoscaling.recommendations: true in Pulumi.{name}.yaml, and "
                f"autoscaling.recommender.enabled: true in the platform's, then: pulumi up -s {name}",
            )
        found = asyncio.run(read(outputs, screen))
    except ProbeError as error:
        screen.error(error)
        raise typer.Exit(error.exit_code) from None
    if as_json:
        document = {"contract": CONTRACT, "stack": name, "containers": [asdict(item) for item in found]}
        sys.stdout.write(json.dumps(document, sort_keys=True) + "\n")
        return
    screen.table(advice_table(found))
    for reason in reasons(found):
        screen.note(reason)


if __name__ == "__main__":
    app()
