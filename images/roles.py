"""Which images there are, and which of them belong together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGES = Path(__file__).resolve().parent
OVERLAY_LIMIT = 3


@dataclass(frozen=True)
class Package:
    """A folder of colcon packages that is built in one go.

    Attributes:
        source: folder in the workspace's `src`.
        under: package that must be built before, because this one is compiled against it.
        unless_there: name of a package that is left out where the distribution has it.
    """

    source: str
    under: str | None = None
    unless_there: str = ""


@dataclass(frozen=True)
class Overlay:
    """An overlay workspace.

    Attributes:
        name: `nodes` for the roles `overlay-nodes` and `overlay-nodes-carrier`.
        sources: folder of its colcon packages.
        boundary: its `boundary.toml`.
        base: role that is at the bottom.
        below: names of the overlays between the base and this one, from the base upwards.
    """

    name: str
    sources: Path
    boundary: Path
    base: str
    below: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, str]:
        """The image that holds the install space alone, and the carrier."""
        return overlay_roles(self.name)


def overlay_roles(name: str) -> tuple[str, str]:
    """Roles of an overlay: the install space alone, and the carrier."""
    return f"overlay-{name}", f"overlay-{name}-carrier"


# The key is the name of the build; `package-KEY` in the Containerfile.
PACKAGES: Mapping[str, Package] = {
    "interfaces": Package("ros2bench_interfaces"),
    "composition-interfaces": Package("composition_interfaces", unless_there="composition_interfaces"),
    "telemetry": Package("ros2bench_telemetry"),
    "bringup": Package("ros2bench_bringup"),
    "nodes": Package("ros2bench_nodes", under="interfaces"),
    "service": Package("ros2bench_service"),
    "recorder": Package("ros2bench_recorder"),
    "machine-reader": Package("ros2bench_machine_reader"),
    "composition": Package("ros2bench_composition"),
    "examples": Package("ros2bench_examples"),
}
# Each is a stage of the Containerfile.
STAGES = (
    "application-monolithic",
    "recorder",
    "application-camera",
    "application-detector",
    "application-reader",
    "application-monitor",
    "application-composition",
    "application-overlay-base",
    "examples",
    "machine-reader",
)
WITH_COMPONENTS = frozenset({"application-composition", "examples"})
ROS1 = "ros1"
OF_PLATFORM = ("machine-reader",)


def reference_overlays(images: Path = IMAGES) -> dict[str, Overlay]:
    """Overlays of the reference application, by name.

    Args:
        images: the images folder.
    """
    source, boundary, base = images / "workspace" / "src", images / "overlays", "application-overlay-base"
    return {
        "interfaces": Overlay(
            "interfaces", source / "ros2bench_interfaces", boundary / "interfaces" / "boundary.toml", base
        ),
        "nodes": Overlay(
            "nodes", source / "ros2bench_nodes", boundary / "nodes" / "boundary.toml", base, below=("interfaces",)
        ),
    }


OVERLAY_ROLES: Mapping[str, str] = {role: name for name in reference_overlays() for role in overlay_roles(name)}
ROLES: tuple[str, ...] = (*STAGES, *OVERLAY_ROLES, ROS1)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "demo": ("application-monolithic", "recorder"),
    "patterns": tuple(role for role in ROLES if role not in {"examples", ROS1, *OF_PLATFORM}),
    "platform": OF_PLATFORM,
    "all": ROLES,
}
DEFAULT_GROUP = "patterns"


def expand(names: Iterable[str]) -> Sequence[str]:
    """Roles that are meant by names of roles and groups, each once, in the order of building.

    Raises:
        KeyError: a name is neither.
    """
    wanted: set[str] = set()
    for name in names:
        if name not in GROUPS and name not in ROLES:
            raise KeyError(name)
        wanted.update(GROUPS.get(name, (name,)))
    return [role for role in ROLES if role in wanted]
