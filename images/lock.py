"""The lock of images: which digest of which image a registry holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from images.errors import BuildError

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"


class _Frozen(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True, validate_by_name=True)


class LockedComponents(BaseModel):
    """The operator's signature of the list of components in an image; all values are base64."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    public_key: str = Field(description="Ed25519 key, 32 bytes.")
    signature: str = Field(description="Of `ros2bench-manifest-v1` and a line feed, followed by the manifest's bytes.")


class LockedOperator(BaseModel):
    """Whose signed calls the recorder and the machine readers obey."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    public_key: str = Field(description="Ed25519 key, 32 bytes in base64.")


class LockedOverlay(_Frozen):
    """What an overlay stands on and brings."""

    base: str = Field(description="Role at the bottom, against which it was checked.")
    below: list[str] = Field(description="Overlays between the base and this one, from the base upwards.")
    packages: str = Field(pattern=DIGEST_PATTERN, description="Digest of what its packages were built from.")
    interfaces: dict[str, str] = Field(description="Digests of the definitions that it brings, without comments.")
    against: dict[str, str] = Field(description="Digests of the definitions of lower overlays that it uses.")


class LockedImage(_Frozen):
    """One image in the registry."""

    repository: str = Field(description="Path of the image in the registry, without tag.")
    digest: str = Field(pattern=DIGEST_PATTERN, description="Digest of its manifest, as the registry holds it.")
    inputs: str = Field(pattern=DIGEST_PATTERN, description="Digest of everything that the image is made of.")
    components: LockedComponents | None = Field(default=None, description="For images from which nodes are loaded.")
    overlay: LockedOverlay | None = Field(default=None, description="For images of overlays.")


class Lock(_Frozen):
    """All images of one registry."""

    contract: Literal[1] = 1
    registry: str = Field(description="HOST or HOST:PORT.")
    flavour: Literal["wheels", "official"] = Field(description="Kind of base image.")
    ros_distro: str = Field(description="ROS distribution inside.")
    architecture: Literal["amd64", "arm64"] | None = Field(
        default=None, description="What the images were built for; none: the machine that built them."
    )
    operator: LockedOperator | None = Field(
        default=None, description="Written by every command that writes the lock; locks of earlier versions lack it."
    )
    images: dict[str, LockedImage] = Field(description="Images by role.")


def read_lock(path: Path) -> Lock | None:
    """Read a lock.

    Returns:
        The lock, or None if there is no file.

    Raises:
        BuildError: the file is no lock; the text names key and rule.
    """
    try:
        return Lock.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BuildError(
            f"{path} is no lock of images: {key}: {first['msg']}. "
            f"Delete it and build again: python -m images.build --lock {path}"
        ) from error
    except OSError as error:
        raise BuildError(f"The lock {path} cannot be read: {error.strerror}.") from error


def write_lock(path: Path, lock: Lock) -> None:
    """Write a lock in one move, so that no reader ever sees half of it.

    Raises:
        BuildError: the place cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    content = json.dumps(lock.model_dump(by_alias=True, exclude_none=True), indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(content, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise BuildError(f"The lock {path} cannot be written: {error.strerror}.") from error


def with_images(
    earlier: Lock | None,
    *,
    registry: str,
    flavour: str,
    ros_distro: str,
    images: Mapping[str, LockedImage],
    operator: str,
    architecture: str | None = None,
) -> Lock:
    """The lock after a build: other roles stay if registry, flavour, distribution and architecture are the same.

    Args:
        earlier: the lock before it.
        registry: HOST or HOST:PORT.
        flavour: kind of base image.
        ros_distro: ROS distribution inside.
        images: what was built, by role.
        operator: public key of whoever built it, in base64.
        architecture: what they were built for; None: the machine that built them.
    """
    obeyed = LockedOperator(public_key=operator)
    fresh = Lock.model_validate(
        {
            "registry": registry,
            "flavour": flavour,
            "ros_distro": ros_distro,
            "architecture": architecture,
            "operator": obeyed,
            "images": dict(images),
        }
    )
    if earlier is None or (earlier.registry, earlier.flavour, earlier.ros_distro, earlier.architecture) != (
        registry,
        flavour,
        ros_distro,
        architecture,
    ):
        return fresh
    return fresh.model_copy(update={"operator": obeyed, "images": {**earlier.images, **images}})
