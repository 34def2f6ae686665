"""What this computer must have before the lab starts: each check is one function that returns a finding or nothing."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import cgroups
from lab.errors import MachineUnfitError
from lab.folders import LabFolders
from lab.packages import missing_packages
from lab.toolchain.gobuild import available_memory_bytes
from lab.toolchain.pins import load_pins

MEMORY_BYTES = 4_000_000_000
DISK_BYTES = 8_000_000_000
DISK_TO_BUILD_BYTES = 28_000_000_000  # Go modules and build cache of every tool: 18 GB, measured
DISK_PER_PLATFORM_TOOL_BYTES = 3_000_000_000
SOCKET_BUFFER_BYTES = 4_194_304


@dataclass(frozen=True)
class Finding:
    """Something that this computer lacks. `fatal` ones stop `lab up`."""

    what: str
    advice: str
    fatal: bool = True


def check_system(_: LabFolders) -> Finding | None:
    """Linux on x86_64 or aarch64."""
    if platform.system() == "Linux" and platform.machine() in {"x86_64", "aarch64"}:
        return None
    return Finding(f"This is {platform.system()} on {platform.machine()}.", "The lab needs Linux on x86_64 or aarch64.")


def check_root(_: LabFolders) -> Finding | None:
    """Namespaces, mounts and veths need root."""
    if os.geteuid() == 0:
        return None
    return Finding("The lab makes namespaces and mounts, which needs root.", "Type the same command as root (sudo -E).")


def check_namespaces(_: LabFolders) -> Finding | None:
    """The kernel lets us make what a machine is made of."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return None
    made = subprocess.run(
        ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "true"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode == 0:
        return None
    return Finding(
        f"This kernel refuses new namespaces: {made.stderr.strip()}.",
        "In a container, start it privileged; on a hardened kernel, allow namespaces for root.",
    )


def check_overlay(_: LabFolders) -> Finding | None:
    """The overlay file system carries images and machines."""
    if re.search(r"\boverlay$", Path("/proc/filesystems").read_text(), re.MULTILINE):
        return None
    return Finding("This kernel does not offer the overlay file system.", "modprobe overlay")


def check_data_file_system(folders: LabFolders) -> Finding | None:
    """The data folder cannot itself be an overlay: containerd cannot put snapshots on one."""
    folder = next(p for p in (folders.root, *folders.root.parents) if p.exists())
    found = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], capture_output=True, text=True, check=False)
    if found.stdout.strip() != "overlayfs":
        return None
    return Finding(
        f"{folder} lies on an overlay file system.",
        "Set XDG_DATA_HOME to a folder on a plain disk or volume.",
    )


def check_cgroups(_: LabFolders) -> Finding | None:
    """Cgroups are mounted and writable."""
    if cgroups.MOUNT.exists() and cgroups.hierarchies() and os.access(cgroups.hierarchies()[0], os.W_OK):
        return None
    return Finding(
        f"No writable cgroups under {cgroups.MOUNT}.",
        "In a container, start it privileged with --cgroupns=host.",
    )


def check_memory(_: LabFolders) -> Finding | None:
    """Control plane, machines and application need about 4 GB."""
    have = available_memory_bytes()
    if have >= MEMORY_BYTES:
        return None
    return Finding(
        f"{have / 1e9:.1f} GB of memory are available; the lab needs {MEMORY_BYTES / 1e9:.0f} GB.",
        "Close other programs.",
    )


def missing_tools(folders: LabFolders, names: Iterable[str]) -> list[str]:
    """Return those of the pinned tools that the cache lacks."""
    tools = load_pins().tools
    return [name for name in names if not (folders.tools / name / tools[name].version / "receipt.json").exists()]


def check_disk(folders: LabFolders) -> Finding | None:
    """Tools, build caches and images need room."""
    own = [name for name, tool in load_pins().tools.items() if tool.platform is None]
    return _check_free(folders, DISK_TO_BUILD_BYTES if missing_tools(folders, own) else DISK_BYTES)


def _check_free(folders: LabFolders, needed: int) -> Finding | None:
    folder = next(p for p in (folders.cache, *folders.cache.parents) if p.exists())
    have = shutil.disk_usage(folder).free
    if have >= needed:
        return None
    return Finding(
        f"{have / 1e9:.1f} GB are free at {folder}; the lab needs {needed / 1e9:.0f} GB.",
        "Free some, or set XDG_CACHE_HOME and XDG_DATA_HOME to a larger disk.",
    )


def check_packages(_: LabFolders) -> Finding | None:
    """`lab up` installs these itself; `doctor` names them."""
    missing = missing_packages()
    if not missing:
        return None
    return Finding(
        f"Not installed yet: {', '.join(missing)}.",
        f"apt-get install -y {' '.join(missing)}   (`lab up` does it)",
        fatal=False,
    )


def check_socket_buffers(_: LabFolders) -> Finding | None:
    """Large frames over UDP need large socket buffers, which the kernel caps."""
    have = int(Path("/proc/sys/net/core/rmem_max").read_text())
    if have >= SOCKET_BUFFER_BYTES:
        return None
    return Finding(
        f"net.core.rmem_max is {have} bytes: frames of 0.9 MB will be lost at {SOCKET_BUFFER_BYTES} and below.",
        f"sysctl -w net.core.rmem_max={SOCKET_BUFFER_BYTES}   (the lab never changes it itself)",
        fatal=False,
    )


CHECKS: tuple[Callable[[LabFolders], Finding | None], ...] = (
    check_system, check_root, check_namespaces, check_overlay, check_data_file_system, check_cgroups, check_memory,
    check_disk, check_packages, check_socket_buffers,
)  # fmt: skip


def findings(folders: LabFolders) -> list[Finding]:
    """Return everything that this computer lacks."""
    return [finding for check in CHECKS if (finding := check(folders))]


def require_fit(folders: LabFolders) -> None:
    """Stop before anything is touched if this computer cannot run the lab.

    Raises:
        MachineUnfitError: with every fatal finding at once.
    """
    _stop_at([finding for finding in findings(folders) if finding.fatal])


def require_disk_for(folders: LabFolders, platform_tools: Iterable[str]) -> None:
    """Stop before anything is touched if the third-party programs of a platform do not fit on the disk.

    Raises:
        MachineUnfitError: what is free, what is needed and where.
    """
    missing = missing_tools(folders, platform_tools)
    finding = _check_free(folders, DISK_BYTES + len(missing) * DISK_PER_PLATFORM_TOOL_BYTES)
    _stop_at([finding] if finding else [])


def _stop_at(fatal: list[Finding]) -> None:
    if fatal:
        raise MachineUnfitError("\n  ".join(f.what for f in fatal), advice="\n       ".join(f.advice for f in fatal))
