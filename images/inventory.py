"""What an install space or an image offers by name: packages, Python modules, libraries, programs, definitions."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from images.definitions import read_definitions

INDEX = "share/ament_index/resource_index/packages"
# Where the loader and Python look in any case, after what the environment names.
SYSTEM_LIBRARIES = ("/lib", "/usr/lib", "/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu")
SYSTEM_MODULES = ("/usr/lib/python3.*", "/usr/lib/python3.*/lib-dynload", "/usr/lib/python3/dist-packages")
LIBRARY = re.compile(r"lib.+\.so(\.\d+)*")
MODULE = re.compile(r"[A-Za-z_]\w*")
MODULE_FILES = (".py", ".so", ".pyc")
DEPENDENCY = re.compile(r"<(?:depend|build_depend|build_export_depend|exec_depend|run_depend)\b[^>]*>\s*([^<\s]+)\s*<")


@dataclass(frozen=True)
class Inventory:
    """Names in one layer.

    Attributes:
        packages: ament packages.
        modules: top-level Python modules.
        libraries: file names of shared libraries.
        programs: names of executables on PATH.
        definitions: normalised interface definitions by `package/msg/Name`.
        dependencies: packages that each package names in its `package.xml`.
    """

    packages: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    libraries: frozenset[str] = frozenset()
    programs: frozenset[str] = frozenset()
    definitions: Mapping[str, str] = field(default_factory=dict[str, str])
    dependencies: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])


@dataclass(frozen=True)
class SearchPaths:
    """Folders in which programs look, as an image's environment names them."""

    prefixes: tuple[str, ...]
    modules: tuple[str, ...]
    libraries: tuple[str, ...]
    programs: tuple[str, ...]


# An install space, as the entry point of the images adds it to every path.
INSTALL_SPACE = SearchPaths(("/",), ("/lib/python3.*/site-packages",), ("/lib",), ("/bin",))


def search_paths(environment: Iterable[str]) -> SearchPaths:
    """Search paths of an image.

    Args:
        environment: `NAME=value`, as in the image's configuration.
    """
    values = {name: value for name, _, value in (variable.partition("=") for variable in environment)}

    def listed(name: str) -> tuple[str, ...]:
        return tuple(path for path in values.get(name, "").split(":") if path)

    return SearchPaths(
        listed("AMENT_PREFIX_PATH"),
        (*listed("PYTHONPATH"), *SYSTEM_MODULES),
        (*listed("LD_LIBRARY_PATH"), *SYSTEM_LIBRARIES),
        listed("PATH"),
    )


def take_inventory(root: Path, paths: SearchPaths) -> Inventory:
    """Read the names in a file system or an install space.

    Args:
        root: its top.
        paths: where to look in it.
    """
    prefixes = list(_folders(root, paths.prefixes))
    packages = sorted({(prefix, name) for prefix in prefixes for name in _names(prefix / INDEX)})
    definitions: dict[str, str] = {}
    dependencies: dict[str, frozenset[str]] = {}
    for prefix, package in packages:
        definitions |= read_definitions(prefix / "share", package)
        described = prefix / "share" / package / "package.xml"
        if described.is_file():
            dependencies[package] = frozenset(DEPENDENCY.findall(described.read_text(encoding="utf-8")))
    libraries = [name for folder in _folders(root, paths.libraries) for name in _names(folder)]
    return Inventory(
        packages=frozenset(name for _, name in packages),
        modules=frozenset(
            name
            for folder in _folders(root, paths.modules)
            for entry in folder.iterdir()
            if (name := module_name(entry.name, is_folder=entry.is_dir()))
        ),
        libraries=frozenset(name for name in libraries if LIBRARY.fullmatch(name)),
        programs=frozenset(name for folder in _folders(root, paths.programs) for name in _names(folder)),
        definitions=definitions,
        dependencies=dependencies,
    )


def module_name(entry: str, *, is_folder: bool) -> str | None:
    """Name under which Python imports an entry of a folder on its path; None if it does not."""
    if is_folder:
        return entry if MODULE.fullmatch(entry) and entry != "__pycache__" else None
    name = entry.partition(".")[0]
    return name if entry.endswith(MODULE_FILES) and MODULE.fullmatch(name) else None


def _folders(root: Path, paths: Sequence[str]) -> Iterator[Path]:
    for path in paths:
        for found in sorted(root.glob(path.lstrip("/"))) if path != "/" else [root]:
            if _stays_inside(root, found) and found.is_dir():
                yield found


def _stays_inside(root: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
