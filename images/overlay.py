"""`python -m images.overlay`: makes an overlay image of a colcon workspace, checks its boundary, pushes it.

For users who update a package without building its base again. The overlays of the reference application are made
in the same way by `python -m images.build`.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from images.boundary import FILE
from images.cache import cache_folder
from images.command_line import (
    DEFAULT_LOCK,
    AuthorityOption,
    JsonOption,
    LockOption,
    RegistryOption,
    console,
    in_own_mounts,
    mistakes_as_sentences,
    references,
    refuse_unknown_flavour,
    show_sizes,
)
from images.errors import BuildError
from images.lock import read_lock
from images.publish import Destination, publish
from images.registry import Registry
from images.roles import OVERLAY_LIMIT, STAGES, Overlay, reference_overlays
from images.steps import Steps

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
DEFAULT_BASE = "application-overlay-base"
application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def workspace_overlay(name: str, workspace: Path, base: str, below: tuple[str, ...]) -> Overlay:
    """A user's workspace as an overlay.

    Args:
        name: short name.
        workspace: folder with the packages in `src`, and `boundary.toml`.
        base: role at the bottom.
        below: overlays in between, from the base upwards.

    Raises:
        BuildError: name or folder cannot be used.
    """
    taken = reference_overlays()
    if not NAME.fullmatch(name) or name.endswith("-carrier") or name in taken:
        raise BuildError(
            f"An overlay cannot be called {name!r}: use 1 to 31 of a-z, 0-9 and '-', beginning with a letter, not "
            f"ending in -carrier, and not {' or '.join(taken)}, which belong to the reference application."
        )
    sources = workspace.absolute() / "src"
    if not sources.is_dir():
        raise BuildError(f"{workspace} has no folder src. A colcon workspace keeps its packages there.")
    return Overlay(name, sources, workspace.absolute() / FILE, base, below)


def stacked(lower: list[str], base: str) -> dict[str, Overlay]:
    """Overlays that are named as `NAME` (of the reference application) or `NAME=WORKSPACE`, from the base upwards.

    Raises:
        BuildError: an overlay is not known.
    """
    known = reference_overlays()
    chosen: dict[str, Overlay] = {}
    for entry in lower:
        name, _, workspace = entry.partition("=")
        if workspace:
            chosen[name] = workspace_overlay(name, Path(workspace), base, tuple(chosen))
        elif name in known and known[name].base == base and known[name].below == tuple(chosen):
            chosen[name] = known[name]
        elif name in known:
            under = " on ".join((name, *reversed(known[name].below), known[name].base))
            raise BuildError(f"--on {name}: this overlay is made for another place, {under}.")
        else:
            raise BuildError(
                f"--on {entry}: no overlay of this name; choices: {', '.join(known)}, or NAME=WORKSPACE for your own."
            )
    return chosen


@application.command()
def main(
    workspace: Annotated[Path, typer.Argument(help=f"Colcon workspace: packages in src, and {FILE}.")],
    registry: RegistryOption,
    name: Annotated[str, typer.Option(help="Makes the roles overlay-NAME and overlay-NAME-carrier.")],
    base: Annotated[str, typer.Option(help=f"Role at the bottom: {', '.join(STAGES)}.")] = DEFAULT_BASE,
    on: Annotated[
        list[str] | None,
        typer.Option(help="Overlay between the base and this one: NAME, or NAME=WORKSPACE; from the base upwards."),
    ] = None,
    flavour: Annotated[str | None, typer.Option(help="wheels or official. Default: as in the lock.")] = None,
    ros_distro: Annotated[str | None, typer.Option(help="ROS distribution. Default: as in the lock.")] = None,
    lock: LockOption = DEFAULT_LOCK,
    ca: AuthorityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build the packages of WORKSPACE into an overlay image and its carrier, push both, write the lock."""
    if base not in STAGES:
        raise typer.BadParameter(f"no image has the role {base}; choices: {', '.join(STAGES)}")
    with mistakes_as_sentences():
        lower = stacked(on or [], base)
        if len(lower) >= OVERLAY_LIMIT:
            raise BuildError(f"At most {OVERLAY_LIMIT} overlays lie on a base, this one included.")
        overlay = workspace_overlay(name, workspace, base, tuple(lower))
        before = read_lock(lock)
        flavour = flavour or (before.flavour if before else "wheels")
        ros_distro = ros_distro or (before.ros_distro if before else "jazzy")
        refuse_unknown_flavour(flavour, ros_distro)
        held = Registry(registry, ca)
        # What lies below is pushed too, so that all of one command fits together.
        roles = [base, *(role for found in lower.values() for role in found.roles), *overlay.roles]
        written = publish(
            roles,
            Destination(registry=held, certificate_authority=ca, lock=lock),
            flavour=flavour,
            ros_distro=ros_distro,
            steps=Steps(cache_folder() / "images" / "logs", console),
            overlays={**lower, name: overlay},
            architecture=before.architecture if before else None,
        )
        show_sizes(held, written, roles)
    images = references(written, list(overlay.roles))
    if as_json:
        result = {"lock": str(lock.absolute()), "registry": registry, "images": images}
        print(json.dumps(result))  # noqa: T201 (the command's result)
    else:
        print("\n".join(images.values()))  # noqa: T201 (the command's result)


if __name__ == "__main__":
    in_own_mounts("images.overlay")
    application()
