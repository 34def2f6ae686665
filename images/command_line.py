"""What the commands of this package have in common: options, exit codes, mounts of their own."""

import os
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from images.errors import BuildError
from images.lock import Lock
from images.recipes import ARCHITECTURES, PYTHON_VERSIONS
from images.registry import Registry
from images.sizes import size_table

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
OWN_MOUNTS = "ROS2BENCH_IN_OWN_MOUNTS"
DEFAULT_LOCK = Path("images.lock.json")

console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)

RegistryOption = Annotated[
    str, typer.Option(envvar="ROS2BENCH_REGISTRY", help="HOST or HOST:PORT that the images are pushed to.")
]
LockOption = Annotated[Path, typer.Option(envvar="ROS2BENCH_IMAGES_LOCK", help="Lock file to write.")]
AuthorityOption = Annotated[
    Path | None, typer.Option(envvar="ROS2BENCH_REGISTRY_CA", help="Certificate authority of a private registry.")
]
ArchitectureOption = Annotated[
    str | None,
    typer.Option(
        help="What the images are built for: amd64, or arm64 for a Jetson; on another machine than that it needs "
        "qemu-user-static. Default: this machine's."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one line of JSON.")]


@contextmanager
def mistakes_as_sentences() -> Generator[None]:
    """End the command with a sentence and a code where it cannot go on, without a traceback."""
    try:
        yield
    except BuildError as error:
        console.print(str(error), markup=False, style="red")
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        console.print("Interrupted. Finished steps are kept: run the same command to go on.")
        raise typer.Exit(EXIT_INTERRUPTED) from error


def refuse_unknown_flavour(flavour: str, ros_distro: str) -> None:
    """Refuse a combination that nothing is known about.

    Raises:
        BadParameter: names those that are.
    """
    if (flavour, ros_distro) not in PYTHON_VERSIONS:
        choices = ", ".join(f"--flavour {known} --ros-distro {distro}" for known, distro in PYTHON_VERSIONS)
        raise typer.BadParameter(f"{flavour} with {ros_distro} is not known; choices: {choices}")


def refuse_unknown_architecture(architecture: str | None) -> None:
    """Refuse an architecture that nothing is known about.

    Raises:
        BadParameter: names those that are.
    """
    if architecture is not None and architecture not in ARCHITECTURES:
        raise typer.BadParameter(
            f"--architecture {architecture} is not known; choices: {', '.join(ARCHITECTURES)}. "
            "Without it: this machine's"
        )


def references(lock: Lock, roles: list[str]) -> Mapping[str, str]:
    """References by digest of some roles of a lock."""
    return {role: f"{lock.registry}/{lock.images[role].repository}@{lock.images[role].digest}" for role in roles}


def show_sizes(registry: Registry, lock: Lock, roles: list[str]) -> None:
    """Print what some images of a registry weigh."""
    layers = {role: registry.layers(lock.images[role].repository, lock.images[role].digest) for role in roles}
    console.print(size_table(layers, "Compressed, as they travel:"))


def in_own_mounts(module: str) -> None:
    """Start a module over in mounts of its own: what buildah mounts then ends with the command."""
    if OWN_MOUNTS in os.environ:
        return
    if os.geteuid() == 0:
        program, arguments = shutil.which("unshare"), ["--mount", "--propagation", "private"]
    else:
        # Only in there an ordinary user may mount.
        program, arguments = shutil.which("buildah"), ["unshare"]
    if program is not None:
        command = [program, *arguments, sys.executable, "-m", module, *sys.argv[1:]]
        os.execve(program, command, {**os.environ, OWN_MOUNTS: "yes"})  # noqa: S606
