"""Builds, inspects and pushes images with buildah, in a storage of its own."""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from images.errors import BuildError
from images.steps import Steps

# chroot isolation needs no more rights than a container has itself.
ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot"}


@dataclass(frozen=True)
class Build:
    """One image to build.

    Attributes:
        name: reference in the local storage, for example `localhost/ros2bench/runtime:0123`.
        containerfile: file with the instructions.
        target: stage in it.
        context: main context.
        contexts: named contexts.
        arguments: build arguments.
    """

    name: str
    containerfile: Path
    target: str
    context: Path
    contexts: Mapping[str, Path] = field(default_factory=dict[str, Path])
    arguments: Mapping[str, str] = field(default_factory=dict[str, str])


class Buildah:
    """One storage and the commands on it.

    Args:
        storage: folder of the storage; grows with every build and may be deleted.
        steps: reports and logs.
    """

    def __init__(self, storage: Path, steps: Steps) -> None:
        self._storage = storage
        self._temporary = (
            storage / ".temporary"
        )  # buildah's own choice is /var/tmp, where a killed one leaves its files
        self._steps = steps

    def command(self, *arguments: str) -> list[str]:
        """A buildah command on this storage."""
        storage = ["--root", str(self._storage / "storage"), "--runroot", str(self._storage / "run")]
        return ["buildah", *storage, "--storage-driver", "overlay", *arguments]

    def clear_temporary(self) -> None:
        """Remove what a killed buildah has left; call it only while no other build runs."""
        if self._temporary.exists():
            shutil.rmtree(self._temporary)

    def run(self, name: str, *arguments: str) -> str:
        """Run a buildah command and return its standard output."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        return self._steps.run(name, self.command(*arguments), {**ENVIRONMENT, "TMPDIR": str(self._temporary)})

    def has(self, image: str) -> bool:
        """Whether the storage holds an image of that reference."""
        return any(image in (entry.get("names") or []) for entry in self._images())

    def _images(self) -> list[dict[str, Any]]:
        return json.loads(self.run("images", "images", "--json") or "[]") or []

    def build(self, build: Build, *, pull: bool, cached: bool = True) -> None:
        """Build an image, reproducibly: every time stamp is zero.

        Args:
            build: what to build.
            pull: whether base images may come from a registry.
            cached: whether layers of earlier builds may be used.

        Raises:
            BuildError: an instruction has failed.
        """
        named = [f"--build-context={name}={path}" for name, path in build.contexts.items()]
        arguments = [f"--build-arg={name}={value}" for name, value in build.arguments.items()]
        self.run(
            f"build-{build.target}",
            "build",
            "--format=oci",
            "--timestamp=0",
            "--pull" if pull else "--pull-never",
            "--layers",
            *([] if cached else ["--no-cache"]),
            f"--target={build.target}",
            f"--file={build.containerfile}",
            f"--tag={build.name}",
            *named,
            *arguments,
            str(build.context),
        )

    def push(self, image: str, destination: str, certificate_authority: Path | None) -> str:
        """Push an image.

        Args:
            image: reference in the local storage.
            destination: `docker://HOST:PORT/REPOSITORY:TAG` or another transport of buildah.
            certificate_authority: file of the authority that signed the registry's certificate; None: the machine's.

        Returns:
            Digest of the manifest as the destination holds it.

        Raises:
            BuildError: the destination is unreachable, not trusted, or refuses.
        """
        with tempfile.TemporaryDirectory(prefix="ros2bench-push-") as folder:
            digest_file = Path(folder) / "digest"
            options = [f"--digestfile={digest_file}"]
            if certificate_authority is not None:
                # buildah wants a folder with a file that ends in .crt.
                shutil.copy(certificate_authority, Path(folder) / "ca.crt")
                options.append(f"--cert-dir={folder}")
            self.run("push", "push", "--quiet", "--format=oci", *options, image, destination)
            if not digest_file.exists():
                raise BuildError(f"buildah pushed {image} to {destination} but told no digest.")
            return digest_file.read_text(encoding="ascii").strip()
