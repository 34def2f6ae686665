"""Debian root file systems of flavour `wheels`, made by mmdebstrap from this machine's own apt configuration."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from images.cache import made_once
from images.errors import BuildError
from images.inputs import digest_of_texts, short
from images.steps import Steps

SUITE = "bookworm"
PLAIN_SOURCE = f"deb http://deb.debian.org/debian {SUITE} main"
RUNTIME_PACKAGES = ("libstdc++6", "python3")
BUILDER_PACKAGES = ("g++", "make", "python3", "python3-dev", "python3-distutils")
# The least of Debian's ROS 1 that runs a master and nodes in Python.
ROS1_PACKAGES = ("python3-roslaunch", "python3-rosmaster", "python3-rospy", "python3-std-msgs")
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*", "/usr/share/lintian/*")
CLEANER = Path(__file__).with_name("base") / "clean-rootfs"


def mmdebstrap_command(packages: Sequence[str], target: Path, sources: Sequence[str]) -> list[str]:
    """Command that makes a root file system with Debian's essential packages and the given ones."""
    return [
        "mmdebstrap",
        "--variant=essential",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        '--aptopt=Acquire::Retries "4"',
        f"--customize-hook={CLEANER}",
        # The hook has removed what mmdebstrap would look for, and more.
        "--skip=cleanup/apt,cleanup/mmdebstrap",
        SUITE,
        str(target),
        *sources,
    ]


def apt_sources(os_release: str) -> tuple[str, ...]:
    """Where packages come from: this machine's apt where it is the same Debian, else Debian's own address."""
    lines = os_release.splitlines()
    return () if f"VERSION_CODENAME={SUITE}" in lines and "ID=debian" in lines else (PLAIN_SOURCE,)


def make_rootfs(cache: Path, steps: Steps) -> Path:
    """Folder with `runtime.tar` and `builder.tar`, made once.

    Raises:
        BuildError: not an x86_64 machine, or mmdebstrap has failed.
    """
    return _make(cache, steps, {"runtime": RUNTIME_PACKAGES, "builder": BUILDER_PACKAGES})


def make_ros1_rootfs(cache: Path, steps: Steps) -> Path:
    """Folder with `ros1.tar`, made once.

    Raises:
        BuildError: not an x86_64 machine, or mmdebstrap has failed.
    """
    return _make(cache, steps, {"ros1": ROS1_PACKAGES})


def _make(cache: Path, steps: Steps, wanted: Mapping[str, Sequence[str]]) -> Path:
    if platform.machine() != "x86_64":
        raise BuildError(
            f"The wheels flavour exists for x86_64 only, and this machine is {platform.machine()}. "
            f"Use --flavour official."
        )
    sources = apt_sources(Path("/etc/os-release").read_text(encoding="utf-8"))

    def make(folder: Path) -> None:
        for name, packages in wanted.items():
            command = mmdebstrap_command(packages, folder / f"{name}.tar", sources)
            with steps.step(f"root file system {name}"):
                steps.run(f"rootfs-{name}", command, {"SOURCE_DATE_EPOCH": "0"})

    lists = [text for packages in wanted.values() for text in (*packages, "")]
    key = digest_of_texts(SUITE, CLEANER.read_text(encoding="utf-8"), *lists, *LEFT_OUT)
    return made_once(cache / "images" / "rootfs" / short(key), make)


def digest_of_tar(tar: Path) -> str:
    """SHA-256 of a root file system, remembered beside it."""
    remembered = tar.with_suffix(".sha256")
    if not remembered.exists():
        with tar.open("rb") as content:
            remembered.write_text(hashlib.file_digest(content, "sha256").hexdigest(), encoding="ascii")
    return f"sha256:{remembered.read_text(encoding='ascii')}"
