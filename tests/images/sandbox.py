"""Runs a command in a built image as a pod would: its own user, read-only root, no network but its own loopback."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENTER = """
set -eu
root=$1 config=$2 user=$3 overlays=$4; shift 4
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
at=/mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay "$at"
place=10
for overlay in $overlays; do
  mkdir -p "$at/opt/overlays/$place-test"
  mount --bind "$overlay" "$at/opt/overlays/$place-test"
  mount -o remount,ro,bind "$at/opt/overlays/$place-test"
  place=$((place + 10))
done
mkdir -p "$at/etc/ros2bench"
mount -o remount,ro,bind "$at"
mount -t tmpfs -o mode=1777 tmpfs "$at/tmp"
mount -t proc proc "$at/proc"
mount --bind "$config" "$at/etc/ros2bench"
mount --rbind /dev "$at/dev"
mount -t tmpfs -o mode=1777 tmpfs "$at/dev/shm"
exec setpriv --no-new-privs chroot --userspec="$user" "$at" \
  /usr/bin/env --ignore-environment --chdir=/tmp "$@"
"""
REQUEST = """
import sys, urllib.error, urllib.request
method, address, body, authorization = sys.argv[1:]
headers = {"Authorization": authorization} if authorization else {}
request = urllib.request.Request(address, body.encode() if body else None, headers, method=method)
try:
    with urllib.request.urlopen(request, timeout=10) as answer:
        status, content = answer.status, answer.read()
except urllib.error.HTTPError as error:
    status, content = error.code, error.read()
except OSError:
    status, content = 0, b""
sys.stdout.buffer.write(content + b"\\n%d" % status)
"""
LOOPBACK = (
    "ip link set lo up && ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo && echo up && exec sleep 600"
)


@dataclass(frozen=True)
class BuiltImage:
    """An image as the tests look at it.

    Attributes:
        digest: of its manifest.
        sizes: digest and bytes of each layer, not compressed.
        config: the image's configuration: User, Env, Entrypoint, Cmd, WorkingDir.
        root: its file system, mounted.
        overlays: install spaces to mount at /opt/overlays, from the base upwards.
    """

    digest: str
    sizes: Sequence[tuple[str, int]]
    config: Mapping[str, Any]
    root: Path
    overlays: Sequence[Path] = ()

    @property
    def layers(self) -> list[str]:
        """Digests of the layers, the lowest first."""
        return [digest for digest, _ in self.sizes]

    def command(self, config_folder: Path, *command: str, **environment: str) -> list[str]:
        """A command line that runs a command in the image.

        Args:
            config_folder: what the pod finds as `/etc/ros2bench`.
            command: program and arguments; they follow the image's entry point.
            environment: additions to the image's environment.
        """
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        folders = [str(self.root), str(config_folder), self.config["User"], " ".join(map(str, self.overlays))]
        inside = ["sh", "-c", ENTER, "sandbox", *folders]
        return [
            "unshare", "--mount", "--propagation", "private",
            *inside, *variables, *self.config["Entrypoint"], *command,
        ]  # fmt: skip


class Network:
    """A network namespace with nothing but a loopback device that carries multicast."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "--net", "sh", "-c", LOOPBACK], stdout=subprocess.PIPE, text=True)
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"

    @property
    def process_id(self) -> int:
        """Number of a process in this network."""
        return self._holder.pid

    def inside(self, command: Sequence[str]) -> list[str]:
        """The same command, in this network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command]

    def ask(
        self, port: int, path: str, method: str = "GET", body: str = "", authorization: str = ""
    ) -> tuple[int, bytes]:
        """An HTTP request to 127.0.0.1 in this network; status 0 if nobody answers."""
        command = [sys.executable, "-c", REQUEST, method, f"http://127.0.0.1:{port}{path}", body, authorization]
        done = subprocess.run(self.inside(command), capture_output=True, check=True)
        content, _, status = done.stdout.rpartition(b"\n")
        return int(status), content

    def close(self) -> None:
        """Remove the network."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()
