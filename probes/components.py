"""`python -m probes.components`: list, load, unload and swap nodes in a running component container."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from probes.cluster import connect
from probes.component_calls import ComponentClient, Loaded, Swapped, Wanted, component_client
from probes.console import Screen, quantity
from probes.errors import ExitCode, ProbeError, UsageError
from probes.signing import operator_key
from probes.target import PulumiTarget
from signing.keys import key_path

Result = TypeVar("Result")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__)

Stack = Annotated[str | None, typer.Option("-s", "--stack", help="Stack of pattern composition. Default: selected.")]
Container = Annotated[str | None, typer.Option(help="Component container. Default: the only one of the stack.")]
Package = Annotated[str, typer.Option(help="ROS package. Default: the first part of PLUGIN.")]
Parameters = Annotated[
    list[str] | None, typer.Option("-p", "--parameter", help="NAME=VALUE, the value as in YAML; may be repeated.")
]
Remap = Annotated[list[str] | None, typer.Option(help="Remap rule FROM:=TO; may be repeated.")]
Plugin = Annotated[str, typer.Argument(help="Class, for example ros2bench_nodes.detector.Detector.")]


def parse_parameters(texts: Sequence[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs, values as YAML has them.

    Raises:
        UsageError: A text is no pair, a value is none that ROS has, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"-p {text!r} is no NAME=VALUE.", next_step="for example: -p rate_hz=5.0")
        if name in values:
            raise UsageError(f"The parameter {name!r} is given twice.")
        try:
            read = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UsageError(f"The value of -p {text!r} is no YAML: {error}.") from None
        if not isinstance(read, bool | int | float | str | list):
            raise UsageError(f"The value of -p {text!r} is none that ROS has: a truth, number, text or list of them.")
        values[name] = read
    return values


def components_table(found: Sequence[Loaded]) -> Table:
    """Lay out what a container holds."""
    table = Table(box=None, pad_edge=False)
    table.add_column("id", justify="right")
    table.add_column("node")
    for item in found:
        table.add_row(str(item.unique_id), escape(item.full_node_name))
    return table


def durations_table(swapped: Swapped) -> Table:
    """Lay out how long each half of a swap took, and for how long each measured topic was silent."""
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("took", justify="right")
    table.add_row("unload", quantity(swapped.unload_s, "s"))
    table.add_row("load", quantity(swapped.load_s, "s"))
    for topic, silence_s in swapped.silences_s.items():
        table.add_row(f"longest silence of {topic}", quantity(silence_s, "s"))
    return table


def obey(stack: str | None, container: str | None, ask: Callable[[ComponentClient], Awaitable[Result]]) -> Result:
    """Ask a container and give its answer; a refusal is shown and ends the command with its exit code."""
    screen = Screen()

    async def run() -> Result:
        path = key_path(os.environ)
        key = (str(path), operator_key(path))
        async with component_client(PulumiTarget(), connect, stack, container, key) as client:
            return await ask(client)

    try:
        return asyncio.run(run())
    except ProbeError as problem:
        screen.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def wanted_of(plugin: str, node: str, package: str, parameters: list[str] | None, remap: list[str] | None) -> Wanted:
    """Give what the options ask for; a bad one ends the command."""
    try:
        values = parse_parameters(parameters or [])
    except UsageError as problem:
        Screen().error(problem)
        raise typer.Exit(problem.exit_code) from None
    namespace, _, name = node.rpartition("/")
    return Wanted(plugin, name, package, namespace, tuple(remap or ()), values)


@app.command("list")
def list_components(stack: Stack = None, container: Container = None) -> None:
    """List the nodes that the container holds, with their numbers."""
    Console(highlight=False).print(components_table(obey(stack, container, lambda client: client.listed())))


@app.command()
def load(
    plugin: Plugin,
    node: Annotated[str, typer.Option(help="Name of the node, with its namespace if it has one: /left/camera.")],
    stack: Stack = None,
    container: Container = None,
    package: Package = "",
    parameters: Parameters = None,
    remap: Remap = None,
) -> None:
    """Load a class as a node. Signed with your key; the container says why where it refuses."""
    wanted = wanted_of(plugin, node, package, parameters, remap)
    answer = obey(stack, container, lambda client: client.load(wanted))
    Screen().line(f"loaded {answer.full_node_name} as {answer.unique_id}")


@app.command()
def unload(
    node: Annotated[str, typer.Argument(help="Number, full name or name of a loaded node.")],
    stack: Stack = None,
    container: Container = None,
) -> None:
    """Unload a node while the others run."""

    async def ask(client: ComponentClient) -> Loaded:
        found = await client.find(node)
        await client.unload(found.unique_id)
        return found

    found = obey(stack, container, ask)
    Screen().line(f"unloaded {found.full_node_name} ({found.unique_id})")


@app.command()
def swap(
    node: Annotated[str, typer.Argument(help="Number, full name or name of the node to exchange.")],
    plugin: Plugin,
    stack: Stack = None,
    container: Container = None,
    package: Package = "",
    parameters: Parameters = None,
    remap: Remap = None,
) -> None:
    """Exchange a node: unload it, load PLUGIN under its name with the parameters given here, and no others."""
    wanted = wanted_of(plugin, "", package, parameters, remap)
    swapped = obey(stack, container, lambda client: client.swap(node, wanted))
    Screen().line(f"swapped {swapped.unloaded}, now {swapped.loaded.unique_id}")
    Console(highlight=False).print(durations_table(swapped))


if __name__ == "__main__":
    app()
