"""Containers without a container runtime: buildah mounts the images, chroot and a network namespace do the rest."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from probes.baseline.command_line import write_configuration
from probes.baseline.containers import ContainerPlan
from probes.baseline.engine import STOP_LIMIT_S, call
from probes.baseline.forward import forwarded
from probes.baseline.groups import ControlGroups, Group, joining
from probes.errors import TargetError, UsageError

TAIL_BYTES = 2000
FORWARD_LIMIT_S = 5.0
LOOPBACK = "ip link set lo up && ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo && echo up && exec cat"
# Arguments: root, user, folder of configuration files, then pairs: `file PATH`, `folder PATH`, `host HERE:PATH`, `--`,
# then the command. Root that sees the machine has no capabilities, as in its pod; the image's own program drops them,
# because without them nobody could change the root.
ENTER = """
set -eu
read_only() {
  while read -r _ _ _ _ place _; do
    case "$place" in "$1"|"$1"/*) mount -o remount,ro,bind "$place" ;; esac
  done < /proc/self/mountinfo
}
root=$1 user=$2 configuration=$3; shift 3
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
at=/mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay "$at"
mkdir -p "$at/proc" "$at/dev"
number=0
list=""
sees_machine=""
while [ "$1" != -- ]; do
  path=$at${2##*:}
  mkdir -p "${path%/*}"
  if [ "$1" = host ] && [ ! -d "${2%%:*}" ]; then : > "$path"; else mkdir -p "$path"; fi
  list="$list $1:$2"
  shift 2
done
shift
mount -o remount,ro,bind "$at"
mount -t proc proc "$at/proc"
mount --rbind /dev "$at/dev"
for entry in $list; do
  path=${entry##*:}
  case "$entry" in
    file:*) mount --bind "$configuration/$number" "$at$path"; mount -o remount,ro,bind "$at$path"
      number=$((number + 1)) ;;
    folder:*) mount -t tmpfs -o mode=1777 tmpfs "$at$path" ;;
    host:*) source=${entry#host:}; mount --rbind "${source%%:*}" "$at$path"; read_only "$at$path"; sees_machine=yes ;;
  esac
done
if [ "$sees_machine" ] && [ "${user%%:*}" = 0 ]; then
  exec chroot "$at" /usr/bin/setpriv --no-new-privs --inh-caps=-all --bounding-set=-all \
    /usr/bin/env --ignore-environment --chdir=/tmp "$@"
fi
exec setpriv --no-new-privs chroot --userspec="$user" "$at" /usr/bin/env --ignore-environment --chdir=/tmp "$@"
"""


@dataclass(frozen=True)
class MountedImage:
    """An image whose files can be read.

    Attributes:
        container: Name of buildah's working container.
        root: Its files.
        config: The image's configuration: User, Env, Entrypoint.
    """

    container: str
    root: Path
    config: Mapping[str, Any]


def enter_words(plan: ContainerPlan, image: MountedImage, configuration: Path) -> list[str]:
    """Command that runs a container's program on the mounted image, read-only and as the image's user.

    Args:
        plan: What runs.
        image: Where.
        configuration: Folder with a folder for each folder of configuration files, in the plan's order.
    """
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "baseline"]
    words += [str(image.root), str(image.config.get("User") or "0:0"), str(configuration)]
    words += [word for folder in plan.files for word in ("file", folder)]
    words += [word for folder in plan.writable for word in ("folder", folder)]
    words += [word for path, here in plan.host.items() for word in ("host", f"{here}:{path}")]
    words.append("--")
    words += [*image.config.get("Env", []), *(f"{name}={value}" for name, value in plan.environment.items())]
    return [*words, *(image.config.get("Entrypoint") or []), *plan.arguments]


class RootfsEngine:
    """Images mounted by buildah, programs in a chroot, all in one network namespace with a loopback device alone.

    Args:
        storage: Folder of buildah's storage; pulled images stay there.
        folder: For configuration, logs and sockets.
        certificate_authority: File of the authority that signed the registry's certificate; None: the machine's.
        groups: Gives every container a control group of its own; None: they stay in that of this program.
    """

    def __init__(
        self, storage: Path, folder: Path, certificate_authority: Path | None, groups: ControlGroups | None = None
    ) -> None:
        if os.geteuid() != 0:
            raise UsageError(
                "--engine buildah mounts images and makes a network namespace, which needs root.",
                next_step="run as root, or choose --engine docker or podman",
            )
        self.storage = storage
        self._folder = folder
        self._authority = certificate_authority
        self._groups = groups
        self._joined: dict[str, Group] = {}
        self._images: dict[str, MountedImage] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._forwards: dict[int, subprocess.Popen[bytes]] = {}
        self._network: subprocess.Popen[bytes] | None = None

    def prepare(self, plans: Sequence[ContainerPlan]) -> None:
        """Pull and mount the images, and make the network."""
        self._folder.chmod(0o755)
        self._network = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", LOOPBACK], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._network.stdout is None or self._network.stdout.readline() != b"up\n":
            raise TargetError("No network namespace could be made.", next_step="run as root", reason="engine_failed")
        for plan in plans:
            if plan.image not in self._images:
                self._images[plan.image] = self._mounted(plan.image)
            write_configuration(plan, self._folder / plan.name)
        if self._groups is not None:
            self._groups.prepare()

    def start(self, plan: ContainerPlan) -> Group | None:
        """Start a container's program in a session of its own."""
        words = enter_words(plan, self._images[plan.image], self._folder / plan.name)
        group = None
        if self._groups is not None:
            group = self._joined[plan.name] = self._groups.make()
            words = joining(group, words)
        with self._log(plan.name).open("ab") as log:
            self._running[plan.name] = subprocess.Popen(
                self._inside(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        return group

    def stop(self, name: str) -> None:
        """End a container's program as a pod is ended, and whatever it has left behind."""
        process = self._running.pop(name, None)
        if process is not None:
            _end(process)
        group = self._joined.pop(name, None)
        if self._groups is not None and group is not None:
            self._groups.remove(group)

    def is_running(self, name: str) -> bool:
        """Tell whether a container's program runs."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def said(self, name: str) -> str:
        """Give the end of the log."""
        log = self._log(name)
        return log.read_bytes()[-TAIL_BYTES:].decode(errors="replace") if log.exists() else ""

    @asynccontextmanager
    async def address(self, port: int) -> AsyncGenerator[str]:
        """Lead a local port to one of the network namespace."""
        socket = await asyncio.to_thread(self._lead, port)
        async with forwarded(socket) as address:
            yield address

    def _lead(self, port: int) -> Path:
        """Have a program in the network that leads a unix socket to a port; gives the socket."""
        socket = self._folder / f"port-{port}"
        if port not in self._forwards:
            words = self._inside([sys.executable, "-m", "probes.baseline.forward", str(socket), str(port)])
            self._forwards[port] = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
            end_s = time.monotonic() + FORWARD_LIMIT_S
            while not socket.exists():
                if time.monotonic() > end_s:
                    raise TargetError(f"Port {port} cannot be forwarded.", reason="engine_failed")
                time.sleep(0.02)
        return socket

    def close(self) -> None:
        """End every program, the network, and unmount the images."""
        for process in (*self._running.values(), *self._forwards.values()):
            _end(process)
        self._running.clear()
        if self._network is not None:
            self._network.kill()
            self._network.communicate()
        for image in self._images.values():
            self._buildah("rm", image.container)
        self._images.clear()
        if self._groups is not None:
            self._groups.close()

    def _mounted(self, reference: str) -> MountedImage:
        trust: list[str] = []
        if self._authority is not None:
            certificates = self._folder / "certificates"
            certificates.mkdir(exist_ok=True)
            (certificates / "ca.crt").write_bytes(self._authority.read_bytes())
            trust = ["--cert-dir", str(certificates)]
        container = self._buildah("from", "--quiet", *trust, reference).strip()
        root = Path(self._buildah("mount", container).strip())
        return MountedImage(container, root, json.loads(self._buildah("inspect", container))["OCIv1"]["config"])

    def _buildah(self, *words: str) -> str:
        storage = ["--root", str(self.storage / "storage"), "--runroot", str(self.storage / "run")]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot"}
        return call(["buildah", *storage, "--storage-driver", "overlay", *words], environment)

    def _inside(self, words: Sequence[str]) -> list[str]:
        if self._network is None:
            raise TargetError("The network has not been made yet.", reason="engine_failed")
        return ["nsenter", f"--net=/proc/{self._network.pid}/ns/net", *words]

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a session: its first process politely, then every process that is left in it."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
