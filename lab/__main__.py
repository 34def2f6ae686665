"""python -m lab: the local target that needs nothing but package registries."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from lab import lifecycle, pulumi
from lab.console import Steps, show_error
from lab.errors import LabError
from lab.folders import lab_folders
from lab.requirements import findings
from lab.state import show_state, state_document

DEFAULT_NAME = "lab"
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_show_locals=False)
Name = Annotated[str, typer.Option(envvar="ROS2BENCH_LAB", help="Name of the lab; each has its own data.")]


class ImageGroup(StrEnum):
    """Groups of images, as `python -m images.build` knows them."""

    DEMO = "demo"
    PATTERNS = "patterns"
    PLATFORM = "platform"
    ALL = "all"
    NONE = "none"


class PlatformGroup(StrEnum):
    """Which third-party programs of a platform are provided."""

    NONE = "none"
    BUILTIN = "builtin"
    ALL = "all"


PLATFORM_HELP = (
    "Third-party programs of a platform to provide: none; builtin: Prometheus, Alertmanager, node-exporter, "
    "kube-state-metrics; all: also Prometheus Operator and adapter, VPA recommender, Jaeger, Loki and promtail."
)


@app.command()
def up(
    name: Name = DEFAULT_NAME,
    subnet: Annotated[
        str | None,
        typer.Option(help="Network for the lab, for example 198.51.100.0/24. Default: a free one."),
    ] = None,
    images: Annotated[
        ImageGroup,
        typer.Option(help="Images to build: of `make demo`, of the four patterns, of the platform, all, none."),
    ] = ImageGroup.PATTERNS,
    platform: Annotated[PlatformGroup, typer.Option(help=PLATFORM_HELP)] = PlatformGroup.NONE,
    no_images: Annotated[bool, typer.Option("--no-images", help="The same as --images none.")] = False,
) -> None:
    """Start the lab, or finish starting it. Says what to type next."""
    steps = Steps()
    group = None if no_images or images is ImageGroup.NONE else images.value
    level = None if platform is PlatformGroup.NONE else platform.value
    lifecycle.up(lab_folders(name), subnet=subnet, images=group, platform=level, steps=steps)
    option = "" if name == DEFAULT_NAME else f" --name {name}"
    steps.console.print(f'\nThe lab is up. Next:\n  eval "$(python -m lab env{option})"\n  pulumi up -s monolithic')


@app.command()
def down(
    name: Name = DEFAULT_NAME,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove its images, objects, keys and Pulumi state too.")
    ] = False,
) -> None:
    """End the lab: no process, namespace, mount, cgroup or link is left. Data stay unless --purge is given."""
    lifecycle.down(lab_folders(name), purge=purge, steps=Steps())


@app.command()
def env(name: Name = DEFAULT_NAME) -> None:
    """Print the variables that point kubectl, pulumi and the probes at the lab, for a shell to evaluate."""
    lab = lifecycle.running_lab(lab_folders(name))
    if lab is None:
        raise LabError(f"Lab {name} is not up.", advice=f"python -m lab up --name {name}")
    if not lab.is_complete:
        raise LabError(f"Lab {name} has not finished starting.", advice=f"python -m lab up --name {name}")
    sys.stdout.write(pulumi.shell_exports(lab.environment))


@app.command()
def status(
    name: Name = DEFAULT_NAME, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show machines, services and addresses. Exit code 4 when the lab is not up."""
    folders = lab_folders(name)
    lab = lifecycle.running_lab(folders)
    if as_json:
        sys.stdout.write(json.dumps(state_document(folders, lab)) + "\n")
    else:
        show_state(folders, lab)
    if lab is None:
        raise LabError(f"Lab {name} is not up.", advice=f"python -m lab up --name {name}")


@app.command()
def doctor(name: Name = DEFAULT_NAME) -> None:
    """Name what this computer lacks and the command that helps. Exit code 4 if something stops the lab."""
    found = findings(lab_folders(name))
    console = Console(highlight=False, soft_wrap=True)
    for finding in found:
        mark = "[red]✗[/red]" if finding.fatal else "[yellow]![/yellow]"
        console.print(f"{mark} {finding.what}\n    → {finding.advice}")
    if not found:
        console.print("[green]✓[/green] This computer has everything that the lab needs.")
    if any(finding.fatal for finding in found):
        raise typer.Exit(LabError.exit_code)


def main() -> None:
    """Run the command line; a failure that a user can act on is a sentence, not a traceback."""
    try:
        app()
    except LabError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: type the same command again to go on\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
