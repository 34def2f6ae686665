"""What an overlay may do to the layers below it: nothing that its `boundary.toml` does not list.

An overlay comes first in every search path, so whatever it holds under a name that a lower layer uses takes that
name over, for all nodes, without a word at run time. Therefore it is refused when the overlay is built.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from images.definitions import changed, package_of
from images.errors import BuildError
from images.inventory import Inventory
from images.lock import LockedOverlay

FILE = "boundary.toml"
# Python runs these by itself at every start, whether or not something below has them.
RUN_AT_START = frozenset({"sitecustomize", "usercustomize"})


class Boundary(BaseModel):
    """What an overlay lists in `boundary.toml`; no file means nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    replaces: list[str] = Field(default_factory=list, description="Packages of lower layers that it may replace.")
    changes_interfaces: list[str] = Field(
        default_factory=list, description="Interface packages whose existing definitions it may change."
    )


def read_boundary(path: Path) -> Boundary:
    """Read `boundary.toml`.

    Raises:
        BuildError: it is no such file; the text names key and rule.
    """
    try:
        return Boundary.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Boundary()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(f"{path} cannot be read: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BuildError(
            f"{path}: {key}: {first['msg']}. It may hold replaces and changes_interfaces, each a list of names."
        ) from error


def boundary_faults(overlay: Inventory, below: Sequence[tuple[str, Inventory]], boundary: Boundary) -> list[str]:
    """What an overlay takes over from the layers below it without listing it.

    Args:
        overlay: its install space.
        below: name and inventory of the base and of each lower overlay, from the base upwards.
        boundary: what it lists.

    Returns:
        A sentence for each; none if the overlay may be built.
    """
    allowed = frozenset(boundary.replaces)
    faults = [
        f"replaces lists {name}, but the overlay holds no such package, module, library or program. Remove it."
        for name in sorted(allowed - overlay.packages - overlay.modules - overlay.libraries - overlay.programs)
    ]
    for layer, there in below:
        packages = overlay.packages & there.packages
        faults += [f"The package {name} replaces the one of {layer}." for name in sorted(packages - allowed)]
        # A package's own modules and libraries go with it.
        told = packages | allowed
        faults += [
            f"The Python module {name} hides the one of {layer}."
            for name in sorted(overlay.modules & there.modules - told)
        ]
        faults += [
            f"The library {name} hides the one of {layer}."
            for name in sorted(overlay.libraries & there.libraries - allowed)
            if not belongs_to(name, told)
        ]
        faults += [
            f"The program {name} hides the one of {layer}."
            for name in sorted(overlay.programs & there.programs - allowed)
        ]
    hidden = frozenset[str]().union(*(there.modules for _, there in below))
    faults += [
        f"The Python module {name} would run at every start of Python."
        for name in sorted(overlay.modules & RUN_AT_START - hidden - allowed)
    ]
    return faults + _interface_faults(overlay, below, boundary)


def belongs_to(library: str, packages: Iterable[str]) -> bool:
    """Whether a library is a package's own: `libNAME.so…` or `libNAME__….so…`."""
    stem = library.removeprefix("lib").partition(".so")[0]
    return any(stem == package or stem.startswith(f"{package}__") for package in packages)


def _interface_faults(overlay: Inventory, below: Sequence[tuple[str, Inventory]], boundary: Boundary) -> list[str]:
    known: dict[str, str] = {}
    dependencies: dict[str, frozenset[str]] = {}
    for _, there in below:
        known = {name: text for name, text in known.items() if package_of(name) not in there.packages}
        known |= there.definitions
        dependencies |= there.dependencies
    shared = {name: text for name, text in known.items() if package_of(name) in overlay.packages}
    faults: list[str] = []
    for name in changed(shared, overlay.definitions):
        package = package_of(name)
        now = overlay.definitions.get(name)
        what = f"The definition {name} is " + (
            "gone" if now is None else f"changed ({fields_apart(shared[name], now)})"
        )
        if package not in boundary.changes_interfaces:
            faults.append(f"{what}, and the layers below were built with it.")
        left = sorted(dependents(package, dependencies) - overlay.packages)
        if left:
            faults.append(f"{what}, and {', '.join(left)} below is not built again with it. Add it to this workspace.")
    return faults


def fields_apart(before: str, after: str) -> str:
    """Fields that only one of two normalised definitions has, or that they have in another order."""
    old, new = before.splitlines(), after.splitlines()
    gone = [f"− {line}" for line in old if line not in new]
    added = [f"+ {line}" for line in new if line not in old]
    return ", ".join([*gone, *added]) or "order of the fields"


def dependents(package: str, dependencies: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Packages that name a package, or one that does, in their `package.xml`."""
    found: set[str] = set()
    waiting = [package]
    while waiting:
        wanted = waiting.pop()
        more = {name for name, named in dependencies.items() if wanted in named} - found - {package}
        found |= more
        waiting += more
    return frozenset(found)


def used_definitions(overlay: Inventory, below: Iterable[Inventory]) -> dict[str, str]:
    """Definitions of lower overlays that the packages of an overlay were built with.

    Args:
        overlay: its install space.
        below: lower overlays, without the base.
    """
    lower = list(below)
    dependencies = {name: named for there in (*lower, overlay) for name, named in there.dependencies.items()}
    return {
        name: text
        for there in lower
        for name, text in there.definitions.items()
        if dependents(package_of(name), dependencies) & overlay.packages
    }


def upper_faults(
    name: str,
    definitions: Mapping[str, str],
    boundary: Boundary,
    others: Mapping[str, LockedOverlay],
    rebuilt: frozenset[str],
) -> list[str]:
    """What a new version of an overlay does to the overlays that were built on the version before.

    Args:
        name: the overlay.
        definitions: digests of the definitions that it now brings.
        boundary: what it lists.
        others: all overlays of the lock, by name.
        rebuilt: overlays that are built in the same command.

    Returns:
        A sentence for each fault.
    """
    faults: list[str] = []
    for other, locked in sorted(others.items()):
        packages = {package_of(definition) for definition in definitions}
        before = {key: digest for key, digest in locked.against.items() if package_of(key) in packages}
        if name not in locked.below:
            continue
        for definition in changed(before, definitions):
            if package_of(definition) not in boundary.changes_interfaces:
                faults.append(f"The definition {definition} is another one than overlay {other} was built with.")
            if other not in rebuilt:
                faults.append(
                    f"Overlay {other} was built with another definition {definition} and is not built again. "
                    f"Build it in the same command."
                )
    return faults


def require_boundary(overlay: str, path: Path, faults: Sequence[str]) -> None:
    """Refuse an overlay that has faults.

    Raises:
        BuildError: names them all, and the file in which they can be allowed.
    """
    if faults:
        shown = "\n".join(f"  {fault}" for fault in dict.fromkeys(faults))
        raise BuildError(
            f"Overlay {overlay} crosses its boundary:\n{shown}\n"
            f"Rename what is not meant to take over; list in {path} what is: "
            f'replaces = ["NAME", …] for packages, modules, libraries and programs, '
            f'changes_interfaces = ["PACKAGE", …] for definitions.'
        )
