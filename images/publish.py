"""Builds what a registry does not hold yet, pushes it, and notes each image in the lock."""

import fcntl
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from images.boundary import boundary_faults, read_boundary, require_boundary, upper_faults, used_definitions
from images.buildah import Build, Buildah
from images.cache import cache_folder, remove_leftovers
from images.errors import BuildError
from images.inputs import digest_of_texts, short
from images.inventory import INSTALL_SPACE, Inventory, search_paths, take_inventory
from images.lock import Lock, LockedComponents, LockedImage, LockedOverlay, read_lock, with_images, write_lock
from images.recipes import REPOSITORY_PREFIX, Recipe, make_recipe
from images.registry import Registry
from images.roles import IMAGES, OVERLAY_LIMIT, ROS1, WITH_COMPONENTS, Overlay
from images.signing import operator_key, sign_manifest
from images.steps import Steps
from signing.keys import key_path, public_text

MANIFEST = "opt/ros2bench/components/manifest.json"


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where images go.

    Attributes:
        registry: asked for what it holds.
        certificate_authority: file of the authority that signed its certificate; None: the machine's own.
        lock: file that notes what was pushed.
    """

    registry: Registry
    certificate_authority: Path | None
    lock: Path


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


@dataclass
class Publisher:
    """One command's work: a recipe, a storage, a destination, and the lock as it grows.

    Attributes:
        recipe: how images are built.
        buildah: where they are built.
        destination: where they go.
        flavour: `wheels` or `official`.
        steps: reports.
        cached: whether anything of earlier builds may be used.
        overlays: overlays by name, those of the reference application and others.
        architecture: what the images are built for; None: this machine's.
    """

    recipe: Recipe
    buildah: Buildah
    destination: Destination
    flavour: str
    steps: Steps
    cached: bool = True
    overlays: Mapping[str, Overlay] = field(default_factory=dict[str, Overlay])
    architecture: str | None = None

    def __post_init__(self) -> None:
        """Go on from the lock that is there."""
        self.lock = read_lock(self.destination.lock)
        self._checked: dict[str, LockedOverlay] = {}

    def publish(self, roles: Sequence[str]) -> Lock:
        """Build and push what the registry lacks; the lock is written after each image.

        Raises:
            BuildError: any step has failed; finished images are in the lock.
        """
        rebuilt = {name for name, overlay in self.overlays.items() if set(overlay.roles) & set(roles)}
        for role in roles:
            overlay = next((found for found in self.overlays.values() if role in found.roles), None)
            build = self.recipe.overlay(overlay, self.overlays)[role] if overlay else self.recipe.role(role)
            image = self._known(role, build.inputs) if self.cached else None
            if image is None:
                checked = self._check(overlay, frozenset(rebuilt)) if overlay else None
                self.buildah.make(build, cached=self.cached)
                components = self._components(build) if role in WITH_COMPONENTS else None
                image = LockedImage(
                    repository=repository(role),
                    digest=self._push(role, build),
                    inputs=build.inputs,
                    components=components,
                    overlay=checked,
                )
            else:
                self.steps.note(f"image {role}: the registry holds it already")
            self._note(role, image)
        if self.lock is None:
            raise BuildError("No role was given, so nothing was built.")
        return self.lock

    def _known(self, role: str, inputs: str) -> LockedImage | None:
        known = locked_already(role, inputs, self.lock, self.destination.registry)
        if known and role in WITH_COMPONENTS:
            key = operator_key(key_path(os.environ))
            return known if known.components and known.components.public_key == public_text(key) else None
        is_overlay = any(role in overlay.roles for overlay in self.overlays.values())
        return None if known and is_overlay and known.overlay is None else known

    def _push(self, role: str, build: Build) -> str:
        destination = f"docker://{self.destination.registry.host}/{repository(role)}:{short(build.inputs)}"
        with self.steps.step(f"push {role}"):
            return self.buildah.push(build.name, destination, self.destination.certificate_authority)

    def _note(self, role: str, image: LockedImage) -> None:
        self.lock = with_images(
            self.lock,
            registry=self.destination.registry.host,
            flavour=self.flavour,
            ros_distro=self.recipe.arguments["ROS_DISTRO"],
            architecture=self.architecture,
            images={role: image},
            operator=public_text(operator_key(key_path(os.environ))),
        )
        write_lock(self.destination.lock, self.lock)

    def _components(self, build: Build) -> LockedComponents:
        with self.buildah.mounted(build.name) as root:
            return sign_manifest((root / MANIFEST).read_bytes(), operator_key(key_path(os.environ)))

    def _check(self, overlay: Overlay, rebuilt: frozenset[str]) -> LockedOverlay:
        """Compare an overlay with what lies below and above it, once in a command."""
        if overlay.name not in self._checked:
            require_depth(overlay)
            boundary = read_boundary(overlay.boundary)
            base, own, *lower = self._layers(overlay)
            with self.steps.step(f"boundary of overlay {overlay.name}"), ExitStack() as mounts:
                config = self.buildah.inspect(base.name).config
                root = mounts.enter_context(self.buildah.mounted(base.name))
                below = [(overlay.base, take_inventory(root, search_paths(config["Env"])))]
                for name, packages in zip(overlay.below, lower, strict=True):
                    below.append((f"overlay {name}", self._installed(packages, mounts)))
                inventory = self._installed(own, mounts)
            interfaces = digests(inventory.definitions)
            faults = boundary_faults(inventory, below, boundary)
            faults += upper_faults(overlay.name, interfaces, boundary, locked_overlays(self.lock), rebuilt)
            require_boundary(overlay.name, overlay.boundary, faults)
            self._checked[overlay.name] = LockedOverlay(
                base=overlay.base,
                below=list(overlay.below),
                packages=own.inputs,
                interfaces=interfaces,
                against=digests(used_definitions(inventory, [there for _, there in below[1:]])),
            )
        return self._checked[overlay.name]

    def _layers(self, overlay: Overlay) -> list[Build]:
        """Base, own packages, and packages of the lower overlays, all built."""
        builds = [
            self.recipe.role(overlay.base),
            self.recipe.overlay_packages(overlay, self.overlays),
            *(self.recipe.overlay_packages(self.overlays[name], self.overlays) for name in overlay.below),
        ]
        for build in builds:
            self.buildah.make(build, cached=self.cached)
        return builds

    def _installed(self, packages: Build, mounts: ExitStack) -> Inventory:
        return take_inventory(mounts.enter_context(self.buildah.mounted(packages.name)) / "install", INSTALL_SPACE)


def publish(
    roles: Sequence[str],
    destination: Destination,
    *,
    flavour: str,
    ros_distro: str,
    steps: Steps,
    cached: bool = True,
    overlays: Mapping[str, Overlay] | None = None,
    images: Path = IMAGES,
    architecture: str | None = None,
) -> Lock:
    """Build and push what the registry does not hold yet, and write the lock after each image.

    Args:
        roles: what is wanted, in this order.
        destination: where it goes.
        flavour: `wheels` or `official`.
        ros_distro: distribution; with `flavour` a key of `PYTHON_VERSIONS`.
        steps: reports.
        cached: whether anything of earlier builds may be used.
        overlays: overlays besides those of the reference application, by name.
        images: folder of Containerfiles, launchers and workspace.
        architecture: what they are built for; None: this machine's.

    Raises:
        BuildError: any step has failed; finished images are in the lock.
    """
    cache = cache_folder()
    with only_build(cache, steps):
        remove_leftovers(cache / "images")
        recipe = make_recipe(
            flavour, ros_distro, cache, steps, ros1=ROS1 in roles, images=images, architecture=architecture
        )
        buildah = Buildah(cache / "containers", steps, architecture)
        buildah.clear_temporary()
        publisher = Publisher(
            recipe, buildah, destination, flavour, steps, cached, {**recipe.overlays, **(overlays or {})}, architecture
        )
        return publisher.publish(roles)


def repository(role: str) -> str:
    """Path of a role's image in the registry."""
    return f"{REPOSITORY_PREFIX}/{role}"


def locked_already(role: str, inputs: str, earlier: Lock | None, registry: Registry) -> LockedImage | None:
    """The image of these inputs that the registry already holds, known from the lock or by its tag."""
    known = earlier.images.get(role) if earlier and earlier.registry == registry.host else None
    if known and known.inputs == inputs and registry.digest(known.repository, known.digest):
        return known
    digest = registry.digest(repository(role), short(inputs))
    return LockedImage(repository=repository(role), digest=digest, inputs=inputs) if digest else None


def missing_images(lock: Lock, registry: Registry) -> list[str]:
    """References in a lock that the registry does not hold."""
    return [
        f"{registry.host}/{image.repository}@{image.digest}"
        for image in lock.images.values()
        if registry.digest(image.repository, image.digest) != image.digest
    ]


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


def locked_overlays(lock: Lock | None) -> dict[str, LockedOverlay]:
    """Overlays of a lock, by name."""
    images = lock.images if lock else {}
    return {
        role.removeprefix("overlay-").removesuffix("-carrier"): image.overlay
        for role, image in images.items()
        if image.overlay
    }


def digests(definitions: Mapping[str, str]) -> dict[str, str]:
    """Digest of each normalised definition."""
    return {name: digest_of_texts(text) for name, text in sorted(definitions.items())}


def require_depth(overlay: Overlay) -> None:
    """Refuse more overlays than a pod mounts.

    Raises:
        BuildError: says why there is a limit.
    """
    if len(overlay.below) >= OVERLAY_LIMIT:
        raise BuildError(
            f"Overlay {overlay.name} would be number {len(overlay.below) + 1} on its base; at most {OVERLAY_LIMIT} are "
            f"mounted, because each adds a lookup to every import and a pull to every start. Join two workspaces."
        )
