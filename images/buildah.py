"""Builds, inspects and pushes images with buildah, in a storage of its own."""

import json
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from images.errors import BuildError
from images.steps import Steps

# chroot isolation needs no more rights than a container has itself.
ENVIRONMENT = {"BUILDAH_ISOLATION": "chroot"}
# The annotations would name the image that it was built on.
WITHOUT_HISTORY = (
    "--omit-history",
    "--annotation=org.opencontainers.image.base.name=",
    "--annotation=org.opencontainers.image.base.digest=",
)


@dataclass(frozen=True, kw_only=True)
class Build:
    """One image to build, and through its contexts and arguments all that must be built before.

    Attributes:
        title: what the report of the build calls it.
        name: reference in the local storage, for example `localhost/ros2bench/runtime:0123`.
        inputs: digest over everything that it is made of.
        containerfile: file with the instructions.
        target: stage in it.
        context: main context.
        contexts: named contexts: folders, or images.
        arguments: build arguments; a build stands for its name.
        ignore: file with what is left out of the main context; None: the context's own.
        pull: whether base images may come from a registry.
        without_history: leave out on what it was built; its layers are then of no use to later builds.
    """

    title: str
    name: str
    inputs: str
    containerfile: Path
    target: str
    context: Path
    contexts: "Mapping[str, Path | Build]" = field(default_factory=dict[str, "Path | Build"])
    arguments: "Mapping[str, str | Build]" = field(default_factory=dict[str, "str | Build"])
    ignore: Path | None = None
    pull: bool = False
    without_history: bool = False

    @property
    def needs(self) -> "tuple[Build, ...]":
        """What must be in the storage before."""
        values = (*self.contexts.values(), *self.arguments.values())
        return tuple(value for value in values if isinstance(value, Build))


@dataclass(frozen=True)
class StoredImage:
    """An image in the local storage.

    Attributes:
        digest: of its manifest there; layers are not compressed, so a registry holds it under another one.
        layers: digest and bytes of each layer, not compressed.
        config: User, Env, Entrypoint, Cmd, WorkingDir.
    """

    digest: str
    layers: tuple[tuple[str, int], ...]
    config: Mapping[str, Any]


class Buildah:
    """One storage and the commands on it.

    Args:
        storage: folder of the storage; grows with every build and may be deleted.
        steps: reports and logs.
        architecture: of every image that is built, as OCI names it; None: this machine's.
    """

    def __init__(self, storage: Path, steps: Steps, architecture: str | None = None) -> None:
        self._storage = storage
        self._architecture = architecture
        # buildah's own choice is /var/tmp, where a killed one leaves its files.
        self._temporary = storage / ".temporary"
        self._steps = steps
        self._held: set[str] | None = None
        self._made: set[str] = set()

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
        if self._held is None:
            listed = json.loads(self.run("images", "images", "--json") or "[]") or []
            self._held = {name for entry in listed for name in entry.get("names") or []}
        return image in self._held

    def make(self, build: Build, *, cached: bool = True) -> None:
        """Build an image and all that it needs, as far as the storage does not hold it.

        Args:
            build: what to build.
            cached: whether anything of earlier builds may be used; what this object has built itself always is.

        Raises:
            BuildError: an instruction has failed.
        """
        if build.name in self._made or (cached and self.has(build.name)):
            return
        for needed in build.needs:
            self.make(needed, cached=cached)
        with self._steps.step(build.title):
            self._build(build, cached=cached)
        self._made.add(build.name)
        if self._held is not None:
            self._held.add(build.name)

    def _build(self, build: Build, *, cached: bool) -> None:
        # Every time stamp is zero, so that the same content is the same layer.
        named = [f"--build-context={name}={_address(value)}" for name, value in build.contexts.items()]
        given = {name: value.name if isinstance(value, Build) else value for name, value in build.arguments.items()}
        self.run(
            f"build-{build.name.rpartition('/')[2].partition(':')[0]}",
            "build",
            "--format=oci",
            "--timestamp=0",
            "--pull" if build.pull else "--pull-never",
            "--layers",
            *([f"--arch={self._architecture}"] if self._architecture else []),
            *([] if cached else ["--no-cache"]),
            *([f"--ignorefile={build.ignore}"] if build.ignore else []),
            *(WITHOUT_HISTORY if build.without_history else ()),
            f"--target={build.target}",
            f"--file={build.containerfile}",
            f"--tag={build.name}",
            *named,
            *(f"--build-arg={name}={value}" for name, value in given.items()),
            str(build.context),
        )

    def inspect(self, image: str) -> StoredImage:
        """What the storage says about an image."""
        told = json.loads(self.run("inspect", "inspect", "--type", "image", image))
        layers = tuple((layer["digest"], layer["size"]) for layer in json.loads(told["Manifest"])["layers"])
        return StoredImage(told["FromImageDigest"], layers, told["OCIv1"]["config"])

    @contextmanager
    def mounted(self, image: str) -> Generator[Path]:
        """Show the files of an image in the storage, to be read only.

        Raises:
            BuildError: there is no such image, or this user may not mount.
        """
        container = self.run("from", "from", "--pull-never", image).strip()
        try:
            yield Path(self.run("mount", "mount", container).strip())
        finally:
            self.run("rm", "rm", container)

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


def _address(context: Path | Build) -> str:
    return f"container-image://{context.name}" if isinstance(context, Build) else str(context)
