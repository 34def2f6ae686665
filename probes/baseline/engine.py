"""What runs the containers: by mounted images (`rootfs`), or docker and podman (`command_line`)."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from probes.baseline.containers import ContainerPlan
from probes.baseline.groups import Group
from probes.errors import TargetError, UsageError

ENGINES = ("buildah", "docker", "podman")
GROUPING = "buildah"
"""The engine whose containers a machine reader can tell from others."""
STOP_LIMIT_S = 10.0


class Engine(Protocol):
    """Runs containers in one network that has no way out."""

    def prepare(self, plans: Sequence[ContainerPlan]) -> None:
        """Have the images, and a network for these containers."""
        ...

    def start(self, plan: ContainerPlan) -> Group | None:
        """Start a container; returns at once, with its control group if it was given one."""
        ...

    def stop(self, name: str) -> None:
        """End a container; one that does not run is no error."""
        ...

    def is_running(self, name: str) -> bool:
        """Tell whether a container runs."""
        ...

    def said(self, name: str) -> str:
        """Give the end of what a container has printed."""
        ...

    def address(self, port: int) -> AbstractAsyncContextManager[str]:
        """Make a port of the containers' network reachable; gives its HTTP address."""
        ...

    def close(self) -> None:
        """End everything and leave nothing behind."""
        ...


def call(words: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command; gives what it prints.

    Raises:
        TargetError: It failed.
    """
    done = subprocess.run(
        list(words), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
    )
    if done.returncode:
        raise TargetError(
            f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}",
            next_step="try the command by hand, or choose another --engine",
            reason="engine_failed",
        )
    return done.stdout


def chosen_engine(wanted: str | None) -> str:
    """Check `--engine`, or take the first that this machine has.

    Raises:
        UsageError: There is none, or not the one that is wanted.
    """
    if wanted is not None and wanted not in ENGINES:
        raise UsageError(f"--engine is {wanted!r}; choices: {', '.join(ENGINES)}.", next_step="choose one of them")
    found = [name for name in ENGINES if shutil.which(name)]
    if wanted is None and found:
        return found[0]
    if wanted is None or wanted not in found:
        raise UsageError(
            f"There is no {wanted or ' and no '.join(ENGINES)} on PATH, so nothing can run the images.",
            next_step="apt-get install buildah, or install docker or podman",
        )
    return wanted


def check_platform(engine: str, platform: str | None) -> None:
    """Check that the containers of an engine can be told apart by the machine reader of `--platform`.

    Raises:
        UsageError: They cannot.
    """
    if platform is not None and engine != GROUPING:
        raise UsageError(
            f"--platform {platform} needs --engine {GROUPING}: a machine reader finds containers by the names of their "
            f"control groups, and those of {engine} are named otherwise.",
            next_step=f"apt-get install buildah and choose --engine {GROUPING} as root, or leave --platform out",
        )
