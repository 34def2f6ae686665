"""Control groups like those of pods, in which a machine reader finds the containers of a baseline.

A group is named as a kubelet and a runtime would, below a folder of this run alone, in every hierarchy that counts:

    /sys/fs/cgroup/ros2bench-baseline-0f3a9c21/kubepods/podUID/ID                              (v2)
    /sys/fs/cgroup/{cpuacct,memory,blkio}/ros2bench-baseline-0f3a9c21/kubepods/podUID/ID       (v1)

They only count: nothing is limited, and `cpu` of v1, which divides processors between groups, is left alone unless the
machine mounts it together with `cpuacct`.
"""

import os
import secrets
import signal
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probes.baseline.containers import NAME
from probes.errors import TargetError

MOUNT = Path("/sys/fs/cgroup")
COUNTING = frozenset({"cpuacct", "memory", "blkio"})
UNIFIED_COUNTING = frozenset({"memory", "io"})
"""Processor time is counted by every group of v2."""
CONTROLLERS, PASSED_DOWN, PROCESSES = "cgroup.controllers", "cgroup.subtree_control", "cgroup.procs"
REMOVAL_LIMIT_S = 5.0
POLL_S = 0.02
# A group that cannot be joined is removed: its counters would say zero, where nothing is known.
JOIN = f"""
while [ "$1" != -- ]; do
  echo $$ > "$1/{PROCESSES}" || rmdir "$1"
  shift
done
shift
exec "$@"
"""


@dataclass(frozen=True)
class Group:
    """The control group of a container.

    Attributes:
        pod_uid: UID of the pod that machine readers take it for.
        container_id: Identifier of the container in it.
        folders: Where it is, in each hierarchy.
    """

    pod_uid: str
    container_id: str
    folders: tuple[Path, ...]


def joining(group: Group, words: Sequence[str]) -> list[str]:
    """Command that joins a group before it becomes another command, so that all of that is counted."""
    return ["sh", "-c", JOIN, NAME, *map(str, group.folders), "--", *words]


def hierarchies(mount: Path) -> list[Path]:
    """Give the folders in which groups are made: one for v2, for v1 one for each controller that counts."""
    if (mount / CONTROLLERS).exists():
        return [mount]
    # Links between them are other names of the same hierarchy.
    folders = sorted(each for each in mount.iterdir() if each.is_dir() and not each.is_symlink())
    return [each for each in folders if COUNTING & {*each.name.split(",")} or UNIFIED_COUNTING & _controllers(each)]


def pass_down(folder: Path) -> None:
    """Have the groups below one of v2 count, too; those of v1 do by themselves.

    Raises:
        OSError: The kernel refuses it.
    """
    if offered := UNIFIED_COUNTING & _controllers(folder):
        (folder / PASSED_DOWN).write_text(" ".join(f"+{name}" for name in sorted(offered)), encoding="ascii")


class ControlGroups:
    """The groups of one run; what cannot be made is missing in its record.

    Args:
        note: Shows a sentence to the user.
        mount: Where the machine has its hierarchies.
    """

    def __init__(self, note: Callable[[str], None], mount: Path = MOUNT) -> None:
        self._note = note
        self._mount = mount
        self._name = f"ros2bench-{NAME}-{secrets.token_hex(4)}"
        self._own: list[Path] = []
        self._pods: list[Path] = []
        self._groups: list[Group] = []

    def prepare(self) -> None:
        """Make the folders of this run: a machine reader looks for new ones every ten seconds only."""
        try:
            found = hierarchies(self._mount)
        except OSError as error:
            self._note(f"{self._mount} has no control groups ({error.strerror}): what containers use is missing")
            return
        for hierarchy in found:
            own = hierarchy / self._name
            self._own.append(own)
            if self._made(own) and self._made(own / "kubepods"):
                self._pods.append(own / "kubepods")
            if (own / CONTROLLERS).exists() and (uncounted := UNIFIED_COUNTING - _controllers(own)):
                names = " and ".join(sorted(uncounted))
                self._note(f"{hierarchy / PASSED_DOWN} does not name {names}: what containers use of it is missing")

    def make(self) -> Group:
        """Make the group of a container that is about to start."""
        uid, identifier = str(uuid.uuid4()), secrets.token_hex(32)
        folders = [place / f"pod{uid}" / identifier for place in self._pods]
        # In v2 a group has processes, or passes down what counts.
        made = [each for each in folders if self._made(each.parent) and self._made(each, passes_down=False)]
        group = Group(uid, identifier, tuple(made))
        self._groups.append(group)
        return group

    def remove(self, group: Group) -> None:
        """End what is left in a group, and remove it.

        Raises:
            TargetError: Something in it does not end.
        """
        for place in self._pods:
            for folder in _places(place, group):
                remove_group(folder)
        self._groups.remove(group)

    def close(self) -> None:
        """Remove every group that was made, and no other.

        Raises:
            TargetError: Something in one does not end.
        """
        problem: TargetError | None = None
        for own in self._own:
            pods = own / "kubepods"
            try:
                for folder in (*(each for group in self._groups for each in _places(pods, group)), pods, own):
                    remove_group(folder)
            except TargetError as error:
                problem = error
        for known in (self._groups, self._own, self._pods):
            known.clear()
        if problem is not None:
            raise problem

    def _made(self, folder: Path, *, passes_down: bool = True) -> bool:
        try:
            folder.mkdir()
            if passes_down:
                pass_down(folder)
        except OSError as error:
            self._note(f"control group {folder} cannot be made ({error.strerror}): what it would count is missing")
            return False
        return True


def _places(pods: Path, group: Group) -> tuple[Path, Path]:
    """Give the folders of a container and of its pod, in the order in which they can be removed."""
    pod = pods / f"pod{group.pod_uid}"
    return pod / group.container_id, pod


def remove_group(folder: Path, limit_s: float = REMOVAL_LIMIT_S) -> None:
    """Remove a group with all that still runs in it; one that is gone is no error.

    Raises:
        TargetError: It is still used after the limit.
    """
    end_s = time.monotonic() + limit_s
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > end_s:
                raise TargetError(
                    f"Control group {folder} cannot be removed ({error.strerror}); processes in it: "
                    f"{', '.join(map(str, _processes(folder))) or 'none'}.",
                    next_step=f"rmdir {folder}",
                    reason="engine_failed",
                ) from None
            for pid in _processes(folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            # The kernel lets go of an ended process's group a moment late.
            time.sleep(POLL_S)
        else:
            return


def _processes(folder: Path) -> list[int]:
    try:
        listed = [int(line) for line in (folder / PROCESSES).read_text(encoding="ascii").split()]
    except OSError:
        return []
    # The kernel lists processes of other PID namespaces as 0, which a signal would take for everybody here.
    return [pid for pid in listed if pid > 0]


def _controllers(folder: Path) -> frozenset[str]:
    try:
        return frozenset((folder / CONTROLLERS).read_text(encoding="ascii").split())
    except OSError:
        return frozenset()
