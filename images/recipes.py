"""From roles and flavours to builds: the one place that knows which image is made of what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from images.buildah import Build
from images.inputs import digest_of_files, digest_of_texts, short
from images.rootfs import digest_of_tar, make_rootfs
from images.sites import make_assets, make_prefix
from images.steps import Steps

IMAGES = Path(__file__).resolve().parent
REPOSITORY_PREFIX = "ros2bench"
# Role and its stage in the Containerfile; a later pattern adds its images here.
ROLES: Mapping[str, str] = {
    "application-monolithic": "application-monolithic",
    "recorder": "recorder",
}
PYTHON_VERSIONS: Mapping[tuple[str, str], str] = {
    ("wheels", "jazzy"): "3.11",
    ("official", "humble"): "3.10",
    ("official", "jazzy"): "3.12",
    ("official", "kilted"): "3.12",
}
BASE_TARGETS = ("runtime", "builder", "assets")


@dataclass(frozen=True)
class Recipe:
    """How all images of one flavour are built.

    Attributes:
        arguments: build arguments of every build.
        bases: builds that all roles stand on.
        inputs: digest over everything that enters an image.
        pull: whether base images come from a registry.
    """

    arguments: Mapping[str, str]
    bases: tuple[Build, ...]
    inputs: str
    pull: bool

    def role(self, role: str) -> Build:
        """The build of one role."""
        return Build(
            name=f"localhost/{REPOSITORY_PREFIX}/{role}:{short(self.inputs)}",
            containerfile=IMAGES / "Containerfile",
            target=ROLES[role],
            context=IMAGES,
            arguments={
                **self.arguments,
                **{base.target.upper(): base.name for base in self.bases},
            },
        )


def make_recipe(flavour: str, ros_distro: str, cache: Path, steps: Steps) -> Recipe:
    """Fetch what a flavour is made of, as far as it is not in the cache, and say how to build it.

    Args:
        flavour: `wheels` or `official`.
        ros_distro: distribution; with `flavour` a key of `PYTHON_VERSIONS`.
        cache: cache folder.
        steps: reports.
    """
    arguments = {"ROS_DISTRO": ros_distro, "PYTHON_VERSION": PYTHON_VERSIONS[flavour, ros_distro]}
    containerfile = IMAGES / "base" / f"{flavour}.Containerfile"
    fetched: dict[str, Path] = {}
    context = IMAGES
    parts = [flavour, *arguments.values(), containerfile.read_text(encoding="utf-8")]
    if flavour == "wheels":
        requirements = IMAGES / "requirements"
        context = make_rootfs(cache, steps)
        fetched = {
            "ros-prefix": make_prefix(cache, requirements / f"ros-{ros_distro}.txt", steps, for_building=False),
            "ros-build-prefix": make_prefix(
                cache, requirements / f"ros-{ros_distro}-build.txt", steps, for_building=True
            ),
            "asset-files": make_assets(cache, requirements, steps),
        }
        parts += [digest_of_tar(context / f"{name}.tar") for name in ("runtime", "builder")]
        parts += [folder.name for folder in fetched.values()]
    else:
        parts.append(digest_of_files(IMAGES, [IMAGES / "requirements"]))
    bases_inputs = digest_of_texts(*parts)
    bases = tuple(
        Build(
            name=f"localhost/{REPOSITORY_PREFIX}/{target}:{short(bases_inputs)}",
            containerfile=containerfile,
            target=target,
            context=context,
            contexts=fetched,
            arguments=arguments,
        )
        for target in BASE_TARGETS
    )
    own = digest_of_files(IMAGES, [IMAGES / "Containerfile", IMAGES / "bin", IMAGES / "workspace"])
    return Recipe(
        arguments=arguments,
        bases=bases,
        inputs=digest_of_texts(bases_inputs, own),
        pull=flavour == "official",
    )
