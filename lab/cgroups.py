"""Cgroups of the lab's machines, on hosts with cgroup v1, v2 or both: made before the kubelet, removed by `down`."""

import time
from pathlib import Path

from lab.errors import LabError

MOUNT = Path("/sys/fs/cgroup")
V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def is_v2(mount: Path = MOUNT) -> bool:
    """Whether the host has the unified hierarchy alone."""
    return (mount / "cgroup.controllers").exists()


def hierarchies(mount: Path = MOUNT) -> list[Path]:
    """Return the root of every hierarchy: one on v2, one per controller on v1 (links between them left out)."""
    if is_v2(mount):
        return [mount]
    return sorted(p for p in mount.iterdir() if p.is_dir() and not p.is_symlink())


def group_name(lab: str, machine: str = "") -> str:
    """Return the cgroup of a lab or of one of its machines, as the kubelet's --cgroup-root wants it."""
    return f"/ros2bench-{lab}" + (f"/{machine}" if machine else "")


def make_groups(lab: str, machine: str, mount: Path = MOUNT) -> None:
    """Make a machine's cgroup in every hierarchy, with processors and memory nodes filled in.

    On v2 the controllers are passed down on the way; a controller that the host does not have is left out.
    """
    for root in hierarchies(mount):
        folder = root
        for part in group_name(lab, machine).strip("/").split("/"):
            if is_v2(mount):
                have = (folder / "cgroup.controllers").read_text().split()
                for controller in (c for c in V2_CONTROLLERS if c in have):
                    (folder / "cgroup.subtree_control").write_text(f"+{controller}")
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            if root.name == "cpuset":
                for key in ("cpuset.cpus", "cpuset.mems"):
                    (folder / key).write_text((parent / key).read_text())


def processes(lab: str, mount: Path = MOUNT) -> set[int]:
    """Return every process in the lab's cgroups."""
    found: set[int] = set()
    for root in hierarchies(mount):
        for file in (root / group_name(lab).strip("/")).rglob("cgroup.procs"):
            found.update(int(line) for line in file.read_text().split())
    return found


def remove_groups(lab: str, mount: Path = MOUNT, timeout_s: float = 10) -> None:
    """Remove the lab's cgroups, leaves first; the kernel lets go of an ended process's group a moment late.

    Raises:
        LabError: a group is still in use after `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        left: list[Path] = []
        for root in hierarchies(mount):
            top = root / group_name(lab).strip("/")
            if not top.exists():
                continue
            folders = sorted((p for p in top.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts))
            for folder in [*folders, top]:
                try:
                    folder.rmdir()
                except OSError:
                    left.append(folder)
        if not left:
            return
        if time.monotonic() > deadline:
            raise LabError(
                f"Cgroup {left[-1]} is still in use by processes {sorted(processes(lab, mount))}.",
                advice=f"Type `python -m lab down --name {lab}` again in a moment.",
            )
        time.sleep(0.1)
