"""Where a lab keeps things: cache anyone may delete, data that only `--purge` removes, machines that `down` removes."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from lab.errors import UsageError

NAME = re.compile(r"[a-z][a-z0-9-]{0,15}")
PROJECT = Path(__file__).resolve().parent.parent


def cache_folder() -> Path:
    """Return the project's cache folder (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ros2bench"


def data_folder() -> Path:
    """Return the project's data folder (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ros2bench"


@dataclass(frozen=True)
class LabFolders:
    """The folders and files of one lab."""

    name: str
    data: Path
    cache: Path

    @property
    def root(self) -> Path:
        """Everything that belongs to this lab alone."""
        return self.data / "labs" / self.name

    @property
    def machines(self) -> Path:
        """File systems, records and logs of the machines; `down` removes them."""
        return self.root / "machines"

    @property
    def keys(self) -> Path:
        """Keys and certificates, mode 0700."""
        return self.root / "keys"

    @property
    def settings(self) -> Path:
        """Subnet and addresses, chosen once."""
        return self.root / "lab.json"

    @property
    def cluster(self) -> Path:
        """Identity of the cluster that is up; `down` removes it."""
        return self.root / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        """Administrator's kubeconfig of the cluster that is up; `down` removes it."""
        return self.root / "kubeconfig"

    @property
    def images_lock(self) -> Path:
        """Digests of the images in this lab's registry."""
        return self.root / "images.lock.json"

    @property
    def platform_images_lock(self) -> Path:
        """Digests of the third-party images in this lab's registry (docs/contracts.md, section 17)."""
        return self.root / "platform-images.json"

    @property
    def passphrase(self) -> Path:
        """Pulumi passphrase: one for all labs, because a stack file's salt belongs to one passphrase."""
        return self.data / "passphrase"

    @property
    def tools(self) -> Path:
        """Tools by name and version."""
        return self.cache / "tools"


def lab_folders(name: str) -> LabFolders:
    """Return the folders of the lab `name`.

    Raises:
        UsageError: the name cannot be part of a cgroup, interface and host name.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"--name {name!r} cannot be used: a lab's name becomes part of cgroup and interface names.",
            advice="Use 1 to 16 of a-z, 0-9 and '-', beginning with a letter.",
        )
    return LabFolders(name=name, data=data_folder(), cache=cache_folder())
