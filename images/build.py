"""`python -m images.build`: builds the images, pushes them by digest and writes their lock.

For users and for the lab. Interrupted builds continue where they were when the same command is run again.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from images.buildah import Buildah
from images.cache import cache_folder, remove_leftovers
from images.errors import BuildError
from images.inputs import short
from images.lock import Lock, LockedImage, read_lock, with_images, write_lock
from images.recipes import PYTHON_VERSIONS, REPOSITORY_PREFIX, ROLES, Recipe, make_recipe
from images.registry import Registry
from images.steps import Steps

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
OWN_MOUNTS = "ROS2BENCH_IN_OWN_MOUNTS"
DEFAULT_LOCK = Path("images.lock.json")

console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
application = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@contextmanager
def only_build(cache: Path, steps: Steps) -> Generator[None]:
    """Hold the cache for one build at a time; waits for another one to end.

    Raises:
        BuildError: the folder cannot be written.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = (cache / "images.busy").open("w")
    except OSError as error:
        raise BuildError(f"The cache {cache} cannot be written: {error.strerror}. Check XDG_CACHE_HOME.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            steps.note(f"waiting for another image build that uses {cache} …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build_bases(recipe: Recipe, buildah: Buildah, steps: Steps, *, cached: bool = True) -> None:
    """Build what all images of a recipe stand on, as far as the storage does not hold it."""
    for base in recipe.bases:
        if not (cached and buildah.has(base.name)):
            with steps.step(f"base {base.target}"):
                buildah.build(base, pull=recipe.pull, cached=cached)


def build_role(role: str, recipe: Recipe, buildah: Buildah, steps: Steps, *, cached: bool = True) -> str:
    """Build one image on its bases; gives its reference in the local storage."""
    build = recipe.role(role)
    if not (cached and buildah.has(build.name)):
        with steps.step(f"image {role}"):
            buildah.build(build, pull=False, cached=cached)
    return build.name


def locked_already(role: str, inputs: str, earlier: Lock | None, registry: Registry) -> LockedImage | None:
    """The image of these inputs that the registry already holds, known from the lock or by its tag."""
    repository = f"{REPOSITORY_PREFIX}/{role}"
    known = earlier.images.get(role) if earlier and earlier.registry == registry.host else None
    if known and known.inputs == inputs and registry.digest(known.repository, known.digest):
        return known
    digest = registry.digest(repository, short(inputs))
    return LockedImage(repository=repository, digest=digest, inputs=inputs) if digest else None


def missing_images(lock: Lock, registry: Registry) -> list[str]:
    """References in a lock that the registry does not hold."""
    return [
        f"{registry.host}/{image.repository}@{image.digest}"
        for image in lock.images.values()
        if registry.digest(image.repository, image.digest) != image.digest
    ]


def build_images(
    roles: Sequence[str],
    *,
    registry: Registry,
    certificate_authority: Path | None,
    flavour: str,
    ros_distro: str,
    lock_path: Path,
    cached: bool = True,
    steps: Steps,
) -> Lock:
    """Build and push what the registry does not hold yet, and write the lock after each image.

    Raises:
        BuildError: any step has failed; finished images are in the lock.
    """
    cache = cache_folder()
    with only_build(cache, steps):
        remove_leftovers(cache / "images")
        lock = read_lock(lock_path)
        recipe = make_recipe(flavour, ros_distro, cache, steps)
        buildah = Buildah(cache / "containers", steps)
        buildah.clear_temporary()
        bases_built = False
        for role in roles:
            image = locked_already(role, recipe.inputs, lock, registry) if cached else None
            if image is None:
                if not bases_built:
                    build_bases(recipe, buildah, steps, cached=cached)
                    bases_built = True
                built = build_role(role, recipe, buildah, steps, cached=cached)
                repository = f"{REPOSITORY_PREFIX}/{role}"
                destination = f"docker://{registry.host}/{repository}:{short(recipe.inputs)}"
                with steps.step(f"push {role}"):
                    digest = buildah.push(built, destination, certificate_authority)
                image = LockedImage(repository=repository, digest=digest, inputs=recipe.inputs)
            else:
                steps.note(f"image {role}: the registry holds it already")
            lock = with_images(
                lock,
                registry=registry.host,
                flavour=flavour,
                ros_distro=ros_distro,
                images={role: image},
            )
            write_lock(lock_path, lock)
    if lock is None:
        raise BuildError("No role was given, so nothing was built.")
    return lock


def check_lock(lock_path: Path, registry: Registry) -> None:
    """Compare a lock with the registry.

    Raises:
        BuildError: there is no lock, or an image of it is missing.
    """
    lock = read_lock(lock_path)
    if lock is None:
        raise BuildError(f"There is no lock {lock_path}. Build the images: python -m images.build --lock {lock_path}")
    if missing := missing_images(lock, registry):
        raise BuildError(
            f"The registry {registry.host} does not hold {', '.join(missing)}, which {lock_path} names. "
            f"Build again: python -m images.build --registry {registry.host} --lock {lock_path}"
        )


@application.command()
def main(
    registry: Annotated[
        str, typer.Option(envvar="ROS2BENCH_REGISTRY", help="HOST or HOST:PORT that the images are pushed to.")
    ],
    roles: Annotated[
        list[str] | None, typer.Argument(metavar="[ROLE]...", help=f"Images to build: {', '.join(ROLES)}. All if none.")
    ] = None,
    flavour: Annotated[
        str, typer.Option(help="Base: wheels (Debian and PyPI, x86_64) or official (ros:DISTRO).")
    ] = "wheels",
    ros_distro: Annotated[str, typer.Option(help="ROS distribution.")] = "jazzy",
    lock: Annotated[Path, typer.Option(envvar="ROS2BENCH_IMAGES_LOCK", help="Lock file to write.")] = DEFAULT_LOCK,
    ca: Annotated[
        Path | None,
        typer.Option(envvar="ROS2BENCH_REGISTRY_CA", help="Certificate authority of a private registry."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Build nothing; fail if the registry lacks a locked image.")
    ] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Build every layer anew, and push.")] = False,
) -> None:
    """Build the images, push them by digest, write the lock."""
    wanted = list(dict.fromkeys(roles or ROLES))
    try:
        _refuse_unknown(wanted, flavour, ros_distro)
        held = Registry(registry, ca)
        if check:
            check_lock(lock, held)
            console.print(f"{lock}: every image is in {registry}")
            return
        written = build_images(
            wanted,
            registry=held,
            certificate_authority=ca,
            flavour=flavour,
            ros_distro=ros_distro,
            lock_path=lock,
            cached=not no_cache,
            steps=Steps(cache_folder() / "images" / "logs", console),
        )
    except BuildError as error:
        console.print(str(error), markup=False, style="red")
        raise typer.Exit(EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        console.print("Interrupted. Finished steps are kept: run the same command to go on.")
        raise typer.Exit(EXIT_INTERRUPTED) from error
    for role in wanted:
        image = written.images[role]
        print(f"{registry}/{image.repository}@{image.digest}")  # noqa: T201 (the command's result)


def _refuse_unknown(roles: Sequence[str], flavour: str, ros_distro: str) -> None:
    if unknown := sorted(set(roles) - ROLES.keys()):
        raise typer.BadParameter(f"no image has the role {', '.join(unknown)}; choices: {', '.join(ROLES)}")
    if (flavour, ros_distro) not in PYTHON_VERSIONS:
        choices = ", ".join(f"--flavour {known} --ros-distro {distro}" for known, distro in PYTHON_VERSIONS)
        raise typer.BadParameter(f"{flavour} with {ros_distro} is not known; choices: {choices}")


def in_own_mounts() -> None:
    """Start over in mounts of this command's own, as root on Linux: what buildah mounts then ends with the command."""
    unshare = shutil.which("unshare")
    if unshare is None or os.geteuid() != 0 or OWN_MOUNTS in os.environ:
        return
    command = [unshare, "--mount", "--propagation", "private", sys.executable, "-m", "images.build", *sys.argv[1:]]
    os.execve(unshare, command, {**os.environ, OWN_MOUNTS: "yes"})  # noqa: S606


if __name__ == "__main__":
    in_own_mounts()
    application()
