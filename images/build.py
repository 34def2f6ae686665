"""`python -m images.build`: builds the images, pushes them by digest and writes their lock.

For users and for the lab. Interrupted builds continue where they were when the same command is run again.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from images.cache import cache_folder
from images.command_line import (
    DEFAULT_LOCK,
    ArchitectureOption,
    AuthorityOption,
    JsonOption,
    LockOption,
    RegistryOption,
    console,
    in_own_mounts,
    mistakes_as_sentences,
    references,
    refuse_unknown_architecture,
    refuse_unknown_flavour,
    show_sizes,
)
from images.publish import Destination, check_lock, publish
from images.registry import Registry
from images.roles import DEFAULT_GROUP, GROUPS, IMAGES, ROLES, expand
from images.steps import Steps
from images.variant import changed_sources, variant_lock

UNSTAMPED = "0" * 16
application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@application.command()
def main(
    registry: RegistryOption,
    roles: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ROLE]...",
            help=f"Images to build: {', '.join(ROLES)}; or a group of them: {', '.join(GROUPS)}. "
            f"Without one: {DEFAULT_GROUP}.",
        ),
    ] = None,
    flavour: Annotated[
        str, typer.Option(help="Base: wheels (Debian and PyPI, x86_64) or official (ros:DISTRO).")
    ] = "wheels",
    ros_distro: Annotated[str, typer.Option(help="ROS distribution.")] = "jazzy",
    architecture: ArchitectureOption = None,
    lock: LockOption = DEFAULT_LOCK,
    ca: AuthorityOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Build nothing; fail if the registry lacks a locked image.")
    ] = False,
    patch: Annotated[
        Path | None, typer.Option(help="Build with this patch applied to a copy of images/; needs --variant-lock.")
    ] = None,
    stamp: Annotated[
        str, typer.Option(help="16 hexadecimal digits for @STAMP@ in the patch, so that nothing has the result yet.")
    ] = UNSTAMPED,
    variant: Annotated[
        Path | None,
        typer.Option("--variant-lock", help="With --patch: lock to write, a copy of --lock with the changed images."),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every layer anew, and push.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the images, push them by digest, write the lock."""
    wanted = _known_roles(roles or [DEFAULT_GROUP])
    if (patch is None) != (variant is None):
        raise typer.BadParameter("--patch and --variant-lock belong together: one file changes, the other is written")
    refuse_unknown_flavour(flavour, ros_distro)
    refuse_unknown_architecture(architecture)
    with mistakes_as_sentences(), ExitStack() as temporary:
        held = Registry(registry, ca)
        images = IMAGES
        if patch is not None and variant is not None:
            usual, lock = variant_lock(lock, variant), variant
            flavour, ros_distro, architecture = usual.flavour, usual.ros_distro, usual.architecture
            folder = temporary.enter_context(TemporaryDirectory(prefix="ros2bench-variant-"))
            images = changed_sources(patch, stamp, Path(folder))
        if check:
            check_lock(lock, held)
            console.print(f"{lock}: every image is in {registry}")
            return
        written = publish(
            wanted,
            Destination(registry=held, certificate_authority=ca, lock=lock),
            flavour=flavour,
            ros_distro=ros_distro,
            steps=Steps(cache_folder() / "images" / "logs", console),
            cached=not no_cache,
            images=images,
            architecture=architecture,
        )
        show_sizes(held, written, wanted)
    found = references(written, wanted)
    if as_json:
        result = {"lock": str(lock.absolute()), "registry": registry, "images": found}
        print(json.dumps(result))  # noqa: T201 (the command's result)
    else:
        print("\n".join(found.values()))  # noqa: T201 (the command's result)


def _known_roles(names: list[str]) -> list[str]:
    try:
        return list(expand(names))
    except KeyError as error:
        raise typer.BadParameter(
            f"no image has the role {error.args[0]}; choices: {', '.join(ROLES)}, or a group: {', '.join(GROUPS)}"
        ) from error


if __name__ == "__main__":
    in_own_mounts("images.build")
    application()
