"""Programs that Debian and Ubuntu package: found by the file that is needed, installed if it is missing."""

import os
import shutil
from pathlib import Path

from lab.commands import run
from lab.errors import MachineUnfitError

# What must exist → the package that brings it.
NEEDED = {
    "/usr/sbin/runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/bin/buildah": "buildah",
    "/usr/bin/mmdebstrap": "mmdebstrap",
    "/usr/bin/catatonit": "catatonit",
    "/bin/busybox": "busybox-static",
    "/usr/sbin/iptables": "iptables",
    "/usr/sbin/sysctl": "procps",
    "/usr/bin/nsenter": "util-linux",
    "/usr/bin/hostname": "hostname",
    "/usr/bin/git": "git",
}
PROGRAMS = {"ip": "iproute2"}


def missing_packages() -> list[str]:
    """Return the packages whose programs this machine lacks."""
    absent = [package for file, package in NEEDED.items() if not Path(file).exists()]
    return sorted({*absent, *(package for program, package in PROGRAMS.items() if not shutil.which(program))})


def install(packages: list[str]) -> None:
    """Install packages with apt.

    Raises:
        MachineUnfitError: this machine has no apt.
        LabError: apt fails; the message shows its last words.
    """
    if not packages:
        return
    if not shutil.which("apt-get"):
        raise MachineUnfitError(
            f"These programs are missing and this machine has no apt-get: {', '.join(packages)}.",
            advice="Install them with your distribution's package manager, then type the same command again.",
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    advice = "Mend apt (`apt-get update` shows why), then type the same command again."
    run(
        ["apt-get", "update", "-qq"],
        doing="Updating the package lists",
        environment=environment,
        advice=advice,
        timeout_s=300,
    )
    run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
        doing=f"Installing {', '.join(packages)}",
        environment=environment,
        advice=advice,
        timeout_s=900,
    )
