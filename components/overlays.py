"""Overlay workspaces in a pod: mounted as images, or copied from a carrier image where a cluster cannot do that."""

from collections.abc import Mapping, Sequence
from typing import Literal

from components.deployment import restricted_context
from components.graph import Container, Overlay
from components.manifest import Manifest
from components.refusal import Refusal

Delivery = Literal["image-volume", "copy"]

MOUNT_ROOT = "/opt/overlays"
CARRIED_AT = "/overlay"
COPY_LIMIT_MEBIBYTES = 1024
COPY_REQUESTS = {"cpu": "50m", "memory": "32Mi"}
COPY_LIMITS = {"memory": "128Mi"}


def mount_path(position: int, overlay: Overlay) -> str:
    """Folder of an overlay: 10, 20, 30 from the base upwards, so that sorting them is stacking them."""
    return f"{MOUNT_ROOT}/{10 * (position + 1)}-{overlay.name}"


def needed_images(placed: Container, delivery: Delivery) -> tuple[str, ...]:
    """Images beside the container's own that its overlays need, as the application names them.

    Raises:
        Refusal: An overlay has to be copied but has no carrier.
    """
    if delivery == "image-volume":
        return tuple(overlay.image for overlay in placed.overlays)
    return tuple(_carrier(overlay) for overlay in placed.overlays)


def volumes(placed: Container, images: Mapping[str, str], delivery: Delivery) -> list[Manifest]:
    """Volumes of the pod that hold the overlays."""
    if delivery == "copy":
        size = {"sizeLimit": f"{COPY_LIMIT_MEBIBYTES}Mi"}
        return [{"name": volume_name(overlay), "emptyDir": dict(size)} for overlay in placed.overlays]
    return [
        {
            "name": volume_name(overlay),
            "image": {"reference": images[overlay.image], "pullPolicy": "IfNotPresent"},
        }
        for overlay in placed.overlays
    ]


def mounts(placed: Container) -> list[Manifest]:
    """Read-only mounts of the overlays in the container that uses them."""
    return [
        {"name": volume_name(overlay), "mountPath": mount_path(position, overlay), "readOnly": True}
        for position, overlay in enumerate(placed.overlays)
    ]


def init_containers(placed: Container, images: Mapping[str, str], delivery: Delivery) -> list[Manifest]:
    """Containers that copy the overlays before anything else starts; none where the cluster mounts images."""
    if delivery == "image-volume":
        return []
    return [
        {
            "name": f"copy-{overlay.name}",
            "image": images[_carrier(overlay)],
            "imagePullPolicy": "IfNotPresent",
            "command": ["cp", "-dR", f"{CARRIED_AT}/.", mount_path(position, overlay)],
            "resources": {"requests": dict(COPY_REQUESTS), "limits": dict(COPY_LIMITS)},
            "securityContext": restricted_context(),
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{"name": volume_name(overlay), "mountPath": mount_path(position, overlay)}],
        }
        for position, overlay in enumerate(placed.overlays)
    ]


def volume_name(overlay: Overlay) -> str:
    """Name of the volume of an overlay."""
    return f"overlay-{overlay.name}"


def stacked(overlays: Sequence[Overlay]) -> list[str]:
    """Folders of the overlays from the base upwards."""
    return [mount_path(position, overlay) for position, overlay in enumerate(overlays)]


def _carrier(overlay: Overlay) -> str:
    if overlay.carrier is None:
        raise Refusal(
            f"overlay {overlay.name}: this cluster cannot mount an image, and without a carrier image the overlay "
            "cannot be copied either. Write ros2bench:spec.application.images.overlays[].carrier: an image with cp "
            f"and the same install space at {CARRIED_AT}"
        )
    return overlay.carrier
