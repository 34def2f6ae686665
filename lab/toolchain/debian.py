"""Programs that the distribution packages, unpacked into the cache: nothing is installed on this computer.

apt downloads the package and checks its signature; `dpkg-deb -x` unpacks it; `ldd` names the shared libraries, which
are those of this computer, from the same distribution.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.commands import run
from lab.errors import LabError, MachineUnfitError
from lab.folders import LabFolders

ADVICE = "Mend apt (`apt-get update` shows why), then type the same command again."
CANDIDATE = re.compile(r"^\s+Candidate: (\S+)$", re.MULTILINE)
LIBRARY = re.compile(r"^\s+(?:(?P<name>\S+) => )?(?P<path>/\S+) \(0x[0-9a-f]+\)$")
ABSENT = re.compile(r"^\s+(\S+) => not found$", re.MULTILINE)


@dataclass(frozen=True)
class Packaged:
    """A program that becomes an image: its package, its path in it, and the folders of the package that it reads."""

    image: str
    package: str
    program: str
    data: tuple[str, ...] = ()


PROGRAMS = (
    Packaged(
        "alertmanager",
        "prometheus-alertmanager",
        "usr/bin/prometheus-alertmanager",
        data=("usr/share/prometheus/alertmanager",),
    ),
    Packaged("node-exporter", "prometheus-node-exporter", "usr/bin/prometheus-node-exporter"),
)


@dataclass(frozen=True)
class Unpacked:
    """A package's files in the cache."""

    package: str
    version: str
    folder: Path


def candidate_version(text: str) -> str | None:
    """Return the version that `apt-cache policy` would install, None if the package sources have none."""
    found = CANDIDATE.search(text)
    return None if found is None or found[1] == "(none)" else found[1]


def shared_libraries(text: str, program: Path) -> tuple[Path, ...]:
    """Return the paths of the libraries in the output of ldd(1), the loader among them, in its order.

    Raises:
        LabError: a library is not on this computer.
    """
    absent = ABSENT.findall(text)
    if absent:
        raise LabError(
            f"{program.name} needs the shared library {', '.join(absent)}, which is not on this computer.",
            advice=f"Install the package of {program.name} with its dependencies (apt-get install), then go on.",
        )
    return tuple(Path(found["path"]) for line in text.splitlines() if (found := LIBRARY.match(line)))


def find_libraries(program: Path) -> tuple[Path, ...]:
    """Return the shared libraries of a program of this computer; none for a program that needs none."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        text = run(["ldd", program], doing=f"Asking for the libraries of {program.name}", environment=environment)
    except LabError as error:
        if "not a dynamic executable" in str(error):
            return ()
        raise
    return shared_libraries(text, program)


def _candidate(package: str) -> str | None:
    environment = {**os.environ, "LC_ALL": "C"}
    text = run(["apt-cache", "policy", package], doing=f"Looking for package {package}", environment=environment)
    return candidate_version(text)


def provide_package(package: str, folders: LabFolders, said: Callable[[str], None]) -> Unpacked:
    """Return the files of the distribution's package, downloading it first if the cache lacks this version.

    Raises:
        MachineUnfitError: this computer has no apt.
        LabError: the package sources lack it, or apt fails; the message shows its last words.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise MachineUnfitError(
            f"Package {package} is needed and this computer has no apt-get.",
            advice="Leave --platform out and name the platform's images in its stack file, or resolve the published "
            "ones with `make lock-images`.",
        )
    version = _candidate(package)
    if version is None:
        said("Updating the package lists")
        run(["apt-get", "update", "-qq"], doing="Updating the package lists", advice=ADVICE, timeout_s=300)
        version = _candidate(package)
    if version is None:
        raise LabError(f"The package sources of this computer have no package {package}.", advice=ADVICE)
    home = folders.cache / "packages" / package / version.replace(":", "_")
    receipt = home / "receipt.json"
    if receipt.exists():
        return Unpacked(package, version, home)
    scratch = home.with_name(home.name + ".partial")
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    said(f"Downloading package {package} {version}")
    run(
        ["apt-get", "download", "-qq", f"{package}={version}"],
        doing=f"Downloading package {package}",
        advice=ADVICE,
        folder=scratch,
    )
    for archive in scratch.glob("*.deb"):
        run(["dpkg-deb", "-x", archive, scratch], doing=f"Unpacking {archive.name}")
        archive.unlink()
    receipt_text = json.dumps({"package": package, "version": version})
    (scratch / "receipt.json").write_text(receipt_text)
    scratch.rename(home)
    return Unpacked(package, version, home)
