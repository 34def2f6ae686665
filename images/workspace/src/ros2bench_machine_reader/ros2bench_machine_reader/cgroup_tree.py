"""Where the control groups of pods and containers are, for cgroup v1, v2 and both at once.

Pods are known by UID and containers by id, in the forms of both drivers:

    kubepods/burstable/podUID/ID
    kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podU_I_D.slice/cri-containerd-ID.scope
"""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

VERSIONS = ('v1', 'v2', 'hybrid')
CONTROLLERS = ('cpuacct', 'cpu', 'memory', 'blkio')
UNIFIED_NAMES = {'cpuacct': 'cpu', 'cpu': 'cpu', 'memory': 'memory', 'blkio': 'io'}
DEEPEST = 8
MOST_FOLDERS = 20_000
ROOT_NAME = re.compile(r'(?:.*-)?kubepods(?:\.slice)?')
POD_NAME = re.compile(
    r'(?:.*-)?pod([0-9a-f]{8}(?:[-_]?[0-9a-f]{4}){3}[-_]?[0-9a-f]{12})(?:\.slice)?'
)
CONTAINER_NAME = re.compile(
    r'(?:(?!.*conmon)[A-Za-z0-9.]+-(?:[a-z]+-)*)?([0-9a-f]{64})(?:\.scope)?'
)
UID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')


@dataclass(frozen=True)
class Hierarchy:
    """A folder with groups, and how its files are to be read."""

    folder: Path
    is_unified: bool


@dataclass(frozen=True)
class Tree:
    """All hierarchies of a machine.

    Attributes:
        version: `v1`, `v2` or `hybrid` (v1 beside a unified hierarchy).
        controllers: hierarchy of each controller that the machine has, by its name in v1.
    """

    version: str
    controllers: Mapping[str, Hierarchy]

    @property
    def main(self) -> Path | None:
        """Folder in which groups are looked for; None without any."""
        for name in ('cpuacct', 'memory', 'cpu', 'blkio'):
            if name in self.controllers:
                return self.controllers[name].folder
        return None


def find_tree(root: Path) -> Tree:
    """Hierarchies below the machine's /sys/fs/cgroup.

    Raises:
        OSError: the folder cannot be read.
    """
    if (root / 'cgroup.controllers').exists():
        # Processor time is told by every group of v2, whether or not its controller is on.
        offered = (root / 'cgroup.controllers').read_text(encoding='ascii').split()
        here = Hierarchy(root, is_unified=True)
        named = {name: here for name, unified in UNIFIED_NAMES.items() if unified in offered}
        return Tree('v2', {**named, 'cpuacct': here})
    controllers = {
        name: Hierarchy(folder, is_unified=False)
        for folder in sorted(root.iterdir())
        if folder.is_dir()
        for name in folder.name.split(',')
        if name in CONTROLLERS
    }
    unified = root / 'unified'
    if not (unified / 'cgroup.controllers').exists():
        return Tree('v1', controllers)
    offered = (unified / 'cgroup.controllers').read_text(encoding='ascii').split()
    moved = {
        name: Hierarchy(unified, is_unified=True)
        for name, own in UNIFIED_NAMES.items()
        if own in offered and name not in controllers
    }
    return Tree('hybrid', {**controllers, **moved})


def find_roots(folder: Path) -> list[Path]:
    """Folders of the kubelets, relative to the hierarchy; several where machines share a kernel."""
    found: list[Path] = []
    waiting, seen = [(folder, 0)], 0
    while waiting and seen < MOST_FOLDERS:
        current, depth = waiting.pop(0)
        for child in subfolders(current):
            seen += 1
            if ROOT_NAME.fullmatch(child.name):
                found.append(child.relative_to(folder))
            elif depth < DEEPEST and not POD_NAME.fullmatch(child.name):
                waiting.append((child, depth + 1))
    return found


def find_pods(folder: Path, roots: list[Path]) -> dict[str, Path]:
    """Folder of each pod, relative to the hierarchy, by its UID."""
    found: dict[str, Path] = {}
    for root in roots:
        for child in subfolders(folder / root):
            below = [child] if POD_NAME.fullmatch(child.name) else subfolders(child)
            for pod in below:
                if name := POD_NAME.fullmatch(pod.name):
                    found[with_hyphens(name[1])] = pod.relative_to(folder)
    return found


def find_containers(folder: Path, pod: Path) -> dict[str, Path]:
    """Folder of each container of a pod, relative to the hierarchy, by its id."""
    found = {}
    for child in subfolders(folder / pod):
        if name := CONTAINER_NAME.fullmatch(child.name):
            found[name[1]] = child.relative_to(folder)
    return found


def with_hyphens(uid: str) -> str:
    """A UID as the API server writes it."""
    digits = uid.replace('_', '').replace('-', '')
    return '-'.join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def subfolders(folder: Path) -> Iterator[Path]:
    """Folders in a folder, no links; none if it is gone by now.

    Raises:
        OSError: it is there but cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return iter(())
    except OSError as error:
        if error.errno == errno.ENODEV:
            return iter(())
        raise
    return (folder / name for name in sorted(names))
