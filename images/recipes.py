"""From roles and flavours to builds: the one place that knows which image is made of what."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from images.buildah import Build
from images.containerfile import ingredients
from images.errors import BuildError
from images.inputs import digest_of_files, digest_of_texts, short
from images.roles import IMAGES, OVERLAY_ROLES, PACKAGES, ROS1, Overlay, overlay_roles, reference_overlays
from images.rootfs import digest_of_tar, make_rootfs, make_ros1_rootfs
from images.sites import ASSET_LOCKS, make_assets, make_prefix
from images.steps import Steps

REPOSITORY_PREFIX = "ros2bench"
PYTHON_VERSIONS: Mapping[tuple[str, str], str] = {
    ("wheels", "jazzy"): "3.11",
    ("official", "humble"): "3.10",
    ("official", "jazzy"): "3.12",
    ("official", "kilted"): "3.12",
}

ARCHITECTURES = ("amd64", "arm64")
"""Architectures that images are built for, as OCI names them; arm64: Jetson."""
OCI_NAMES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}
WHEELS_ARCHITECTURE = "amd64"


@dataclass(frozen=True)
class Recipe:
    """How all images of one flavour are built.

    Attributes:
        images: folder of Containerfiles, launchers and workspace.
        arguments: build arguments of every build.
        runtime: operating system and ROS.
        plain: operating system and Python.
        builder: the same with compilers.
        assets: Python packages, models and pictures.
        asset_inputs: digest of each part of the assets, by its first folder in there, for example `python/recorder`.
        ros1: the image of role `ros1`, if it was asked for.
    """

    images: Path
    arguments: Mapping[str, str]
    runtime: Build
    plain: Build
    builder: Build
    assets: Build
    asset_inputs: Mapping[str, str]
    ros1: Build | None

    @cached_property
    def overlays(self) -> Mapping[str, Overlay]:
        """Overlays of the reference application."""
        return reference_overlays(self.images)

    def role(self, role: str) -> Build:
        """The build of one role."""
        if role == ROS1 and self.ros1:
            return self.ros1
        if role in OVERLAY_ROLES:
            return self.overlay(self.overlays[OVERLAY_ROLES[role]])[role]
        text = (self.images / "Containerfile").read_text(encoding="utf-8")
        needed = ingredients(text, role)
        packages = sorted(name for name, _ in needed.copied if name.startswith("package-"))
        contexts = {name: self.package(name.removeprefix("package-")) for name in packages}
        parts = sorted({asset_part(path) for name, path in needed.copied if name == "assets"})
        known = {"RUNTIME": self.runtime, "PLAIN": self.plain}
        bases = {name: base for name, base in known.items() if f"${{{name}}}" in needed.parents}
        inputs = digest_of_texts(
            needed.instructions,
            *self.arguments.values(),
            *(base.inputs for base in bases.values()),
            digest_of_files(self.images, [self.images / file for file in needed.files]),
            *(self.asset_inputs[part] for part in parts),
            *(build.inputs for build in contexts.values()),
        )
        return sealed(
            self.images,
            role,
            Build(
                title=f"image {role}",
                name=f"localhost/{REPOSITORY_PREFIX}/{role}-layers:{short(inputs)}",
                inputs=inputs,
                containerfile=self.images / "Containerfile",
                target=role,
                context=self.images,
                contexts={**contexts, **({"assets": self.assets} if parts else {})},
                arguments={**self.arguments, **bases},
            ),
        )

    def package(self, name: str) -> Build:
        """The build of packages of the workspace."""
        package = PACKAGES[name]
        under = self.package(package.under) if package.under else self.builder
        return self.packages_of(
            name, self.images / "workspace" / "src" / package.source, under, unless_there=package.unless_there
        )

    def packages_of(self, name: str, sources: Path, under: Build, *, unless_there: str = "") -> Build:
        """The build of any folder of colcon packages.

        Args:
            name: short name.
            sources: the folder.
            under: the builder, or packages that these are compiled against.
            unless_there: name of a package that is left out where the distribution has it.

        Raises:
            BuildError: there is no package in the folder.
        """
        if not any(sources.rglob("package.xml")):
            raise BuildError(
                f"{sources} holds no package.xml, so there is nothing to build. Give the workspace of colcon packages."
            )
        containerfile = self.images / "packages.Containerfile"
        tools = self.images / "bin"
        inputs = digest_of_texts(
            name,
            unless_there,
            *self.arguments.values(),
            digest_of_files(self.images, [containerfile, tools / "build-workspace"]),
            digest_of_files(sources, [sources]),
            under.inputs,
        )
        return Build(
            title=f"packages {name}",
            name=f"localhost/{REPOSITORY_PREFIX}/package-{name}:{short(inputs)}",
            inputs=inputs,
            containerfile=containerfile,
            target="package",
            context=sources,
            contexts={"tools": tools},
            arguments={**self.arguments, "NAME": name, "UNLESS_THERE": unless_there, "UNDER": under},
            ignore=containerfile.with_name(f"{containerfile.name}.dockerignore"),
        )

    def overlay(self, overlay: Overlay, others: Mapping[str, Overlay] | None = None) -> dict[str, Build]:
        """The builds of an overlay's two roles.

        Args:
            overlay: which.
            others: overlays that may lie below it, by name; None: those of the reference application.
        """
        base = self.role(overlay.base)
        packages = self.overlay_packages(overlay, others or self.overlays)
        boundary = overlay.boundary.read_text(encoding="utf-8") if overlay.boundary.exists() else ""
        alone, carrier = overlay_roles(overlay.name)
        containerfile = self.images / "overlay.Containerfile"
        # What it was checked against belongs to it: with another base it is checked again.
        inputs = digest_of_texts(
            containerfile.read_text(encoding="utf-8"), boundary, packages.inputs, base.inputs, *overlay.below
        )
        return {
            role: sealed(
                self.images,
                role,
                Build(
                    title=f"image {role}",
                    name=f"localhost/{REPOSITORY_PREFIX}/{role}-layers:{short(inputs)}",
                    inputs=inputs,
                    containerfile=containerfile,
                    target=target,
                    context=overlay.boundary.parent,
                    contexts={"package": packages},
                    arguments={"BASE": base} if target == "carrier" else {},
                ),
            )
            for role, target in ((alone, "overlay"), (carrier, "carrier"))
        }

    def overlay_packages(self, overlay: Overlay, others: Mapping[str, Overlay]) -> Build:
        """The packages of an overlay, compiled against the overlays below it."""
        under = self.builder
        for name in overlay.below:
            under = self.packages_of(name, others[name].sources, under)
        return self.packages_of(overlay.name, overlay.sources, under)


def sealed(images: Path, role: str, layers: Build) -> Build:
    """The build that a registry gets: the same layers, under a digest that depends on nothing but content.

    Args:
        images: folder of Containerfiles.
        role: name of the image.
        layers: the build of its content.
    """
    containerfile = images / "sealed.Containerfile"
    inputs = digest_of_texts(layers.inputs, containerfile.read_text(encoding="utf-8"))
    return Build(
        title=f"sealing {role}",
        name=f"localhost/{REPOSITORY_PREFIX}/{role}:{short(inputs)}",
        inputs=inputs,
        containerfile=containerfile,
        target="sealed",
        context=images,
        arguments={"LAYERS": layers},
        without_history=True,
    )


def asset_part(path: str) -> str:
    """Key in `asset_inputs` of a path in the assets: `python/NAME`, or the first folder."""
    folders = path.strip("/").split("/")
    return "/".join(folders[:2]) if folders[0] == "python" else folders[0]


def own_architecture() -> str:
    """Architecture of this machine, as OCI names it."""
    machine = platform.machine()
    return OCI_NAMES.get(machine, machine)


def make_recipe(
    flavour: str,
    ros_distro: str,
    cache: Path,
    steps: Steps,
    *,
    ros1: bool = False,
    images: Path = IMAGES,
    architecture: str | None = None,
) -> Recipe:
    """Fetch what a flavour is made of, as far as it is not in the cache, and say how to build it.

    Args:
        flavour: `wheels` or `official`.
        ros_distro: distribution; with `flavour` a key of `PYTHON_VERSIONS`.
        cache: cache folder.
        steps: reports.
        ros1: fetch what role `ros1` is made of too.
        images: folder of Containerfiles, launchers and workspace.
        architecture: a member of `ARCHITECTURES`; None: this machine's.

    Raises:
        BuildError: the flavour does not exist for the architecture.
    """
    built_for = architecture or own_architecture()
    if flavour == "wheels" and built_for != WHEELS_ARCHITECTURE:
        raise BuildError(
            f"The wheels flavour exists for {WHEELS_ARCHITECTURE} only, not for {built_for}. Use --flavour official."
        )
    arguments = {"ROS_DISTRO": ros_distro, "PYTHON_VERSION": PYTHON_VERSIONS[flavour, ros_distro]}
    containerfile = images / "base" / f"{flavour}.Containerfile"
    text = containerfile.read_text(encoding="utf-8")
    requirements = images / "requirements"
    context, fetched = images, dict[str, Path]()
    # Everything stands on these, so that no image of one architecture is ever taken for that of another.
    kind = [flavour] if built_for == WHEELS_ARCHITECTURE else [flavour, built_for]
    own = {"runtime": list(kind), "builder": list(kind), "plain": list(kind)}
    if flavour == "wheels":
        context = make_rootfs(cache, steps)
        fetched = {
            "ros-prefix": make_prefix(cache, requirements / f"ros-{ros_distro}.txt", steps, for_building=False),
            "ros-build-prefix": make_prefix(
                cache, requirements / f"ros-{ros_distro}-build.txt", steps, for_building=True
            ),
            "asset-files": make_assets(cache, requirements, steps),
        }
        for name, prefix in (("runtime", "ros-prefix"), ("builder", "ros-build-prefix")):
            own[name] += [digest_of_tar(context / f"{name}.tar"), fetched[prefix].name]
        own["plain"] += [digest_of_tar(context / "runtime.tar")]
    asset_inputs = {
        part: digest_of_texts(
            ingredients(text, "assets").instructions,
            *own["runtime"],
            *((requirements / f"{name}.txt").read_text(encoding="utf-8") for name in (lock, "source-build")),
        )
        for part, lock in ASSET_LOCKS.items()
    }
    own["assets"] = [*own["runtime"], *asset_inputs.values(), *(folder.name for folder in fetched.values())]

    def base(target: str) -> Build:
        inputs = digest_of_texts(ingredients(text, target).instructions, *arguments.values(), *own[target])
        return Build(
            title=f"base {target}",
            name=f"localhost/{REPOSITORY_PREFIX}/{target}:{short(inputs)}",
            inputs=inputs,
            containerfile=containerfile,
            target=target,
            context=context,
            contexts=fetched,
            arguments=arguments,
            pull=flavour == "official",
        )

    return Recipe(
        images=images,
        arguments=arguments,
        runtime=base("runtime"),
        plain=base("plain"),
        builder=base("builder"),
        assets=base("assets"),
        asset_inputs=asset_inputs,
        ros1=_ros1(flavour, cache, steps, images) if ros1 else None,
    )


def _ros1(flavour: str, cache: Path, steps: Steps, images: Path) -> Build:
    """ROS 1 stands on a base of its own: Debian's packages, or the last image of the ROS project."""
    files = [images / "ros1.Containerfile", images / "ros1"]
    runtime: str | Build = "docker.io/library/ros:noetic-ros-core"
    if flavour == "wheels":
        base = images / "base" / "ros1.Containerfile"
        context = make_ros1_rootfs(cache, steps)
        inputs = digest_of_texts(base.read_text(encoding="utf-8"), digest_of_tar(context / "ros1.tar"))
        runtime = Build(
            title="base ros1",
            name=f"localhost/{REPOSITORY_PREFIX}/ros1-runtime:{short(inputs)}",
            inputs=inputs,
            containerfile=base,
            target="ros1-runtime",
            context=context,
        )
    inputs = digest_of_texts(runtime if isinstance(runtime, str) else runtime.inputs, digest_of_files(images, files))
    layers = Build(
        title=f"image {ROS1}",
        name=f"localhost/{REPOSITORY_PREFIX}/{ROS1}-layers:{short(inputs)}",
        inputs=inputs,
        containerfile=images / "ros1.Containerfile",
        target="ros1",
        context=images,
        arguments={"RUNTIME": runtime},
        pull=isinstance(runtime, str),
    )
    return sealed(images, ROS1, layers)
