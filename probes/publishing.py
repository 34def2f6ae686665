"""Publishing a changed application: new images, and the bytes in them that a machine with the old ones lacks."""

import asyncio
import os
import sys
import time
from pathlib import Path

from probes.provenance import PROJECT_ROOT
from probes.registry import Image, Registry, parse_reference

PUBLISH_FAILED = "publish_failed"
LOCK_VARIABLE = "ROS2BENCH_IMAGES_LOCK"
TAIL_LINES = 8


class NotPossible(Exception):  # noqa: N818 - becomes the reason of missing values, not a failure of the run
    """The change cannot be made here; `reason` is the code that the record keeps."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def publish(patch: Path, stamp: str, roles: list[str], lock: Path) -> float:
    """Build and push the changed images, as a user would from the shell; gives the seconds that it took.

    Args:
        patch: Change of images/.
        stamp: 16 hexadecimal digits that nothing has seen.
        roles: Images to make.
        lock: File that names them.

    Raises:
        NotPossible: There is no lock or registry to start from, or the build failed.
    """
    if not os.environ.get(LOCK_VARIABLE):
        raise NotPossible(PUBLISH_FAILED, f"{LOCK_VARIABLE} names no lock of images that could be varied")
    command = [sys.executable, "-m", "images.build", "--patch", str(patch), "--stamp", stamp]
    command += ["--variant-lock", str(lock), "--json", *roles]
    began_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=PROJECT_ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        tail = "\n".join(lines[-TAIL_LINES:])
        raise NotPossible(PUBLISH_FAILED, f"`python -m images.build` ended with {process.returncode}:\n{tail}")
    return time.monotonic() - began_s


def new_bytes(before: list[Image], after: list[Image]) -> int:
    """Sum the compressed layers and configurations that the new images have and the old ones have not, each once."""
    old = {blob.digest for image in before for blob in (image.configuration, *image.layers)}
    new = {blob.digest: blob.bytes_wire for image in after for blob in (image.configuration, *image.layers)}
    return sum(size for digest, size in new.items() if digest not in old)


def compare(before: list[str], after: list[str], architecture: str) -> int:
    """Ask the registry for the bytes that the new images have and the old ones have not.

    Raises:
        RegistryProblem: It cannot tell.
    """
    with Registry(os.environ.get("ROS2BENCH_REGISTRY_CA")) as registry:
        images = [[registry.image(parse_reference(text), architecture) for text in told] for told in (before, after)]
    return new_bytes(images[0], images[1])
