"""Runs a command in a built image as a pod would: its own user, read-only root, no network but its own loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENTER = """
set -eu
root=$1 config=$2 user=$3; shift 3
at=/mnt
mount --bind "$root" "$at"
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
method, address, body = sys.argv[1:]
request = urllib.request.Request(address, body.encode() if body else None, method=method)
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
        layers: digests of its layers as they are pulled.
        config: the image's configuration: User, Env, Entrypoint, Cmd, WorkingDir.
        root: its file system, mounted.
    """

    digest: str
    layers: Sequence[str]
    config: Mapping[str, Any]
    root: Path

    def command(self, config_folder: Path, *command: str, **environment: str) -> list[str]:
        """A command line that runs a command in the image.

        Args:
            config_folder: what the pod finds as `/etc/ros2bench`.
            command: program and arguments; they follow the image's entry point.
            environment: additions to the image's environment.
        """
        variables = [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())]
        inside = ["sh", "-c", ENTER, "sandbox", str(self.root), str(config_folder), self.config["User"]]
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

    def inside(self, command: Sequence[str]) -> list[str]:
        """The same command, in this network."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command]

    def ask(self, port: int, path: str, method: str = "GET", body: str = "") -> tuple[int, bytes]:
        """An HTTP request to 127.0.0.1 in this network; status 0 if nobody answers."""
        command = [sys.executable, "-c", REQUEST, method, f"http://127.0.0.1:{port}{path}", body]
        done = subprocess.run(self.inside(command), capture_output=True, check=True)
        content, _, status = done.stdout.rpartition(b"\n")
        return int(status), content

    def close(self) -> None:
        """Remove the network."""
        self._holder.kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()


def read_oci(folder: Path) -> tuple[str, list[str], dict[str, Any]]:
    """Digest, layers and configuration of the one image in an OCI layout."""

    def blob(digest: str) -> Any:
        return json.loads((folder / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_text())

    (entry,) = json.loads((folder / "index.json").read_text())["manifests"]
    manifest = blob(entry["digest"])
    config = blob(manifest["config"]["digest"])["config"]
    return entry["digest"], [layer["digest"] for layer in manifest["layers"]], config


def is_root() -> bool:
    """Whether namespaces and mounts can be made."""
    return os.geteuid() == 0
