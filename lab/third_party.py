"""The third-party programs of a platform in the lab: their images, the lock of those, their resource types."""

from collections.abc import Mapping
from pathlib import Path

from lab import kubernetes
from lab.console import Steps
from lab.folders import LabFolders
from lab.network import LabNetwork
from lab.third_party_images import (
    built_images,
    lab_images,
    packaged_images,
    push_images,
    registry_client,
    write_lock,
)
from lab.toolchain.debian import PROGRAMS, provide_package
from lab.toolchain.pins import CUSTOM_RESOURCES, load_pins
from lab.toolchain.provide import Provided


def make_images(folders: LabFolders, network: LabNetwork, provided: Mapping[str, Provided], steps: Steps) -> None:
    """Put the distribution's programs and those that were built into the lab's registry, and write their lock."""
    with steps.step("Images of the platform's third-party programs") as said:
        unpacked = {one.package: provide_package(one.package, folders, said) for one in PROGRAMS}
        images = [*packaged_images(unpacked), *built_images(provided.values())]
        with registry_client(folders, network) as client:
            references = push_images(folders, network, images, said, client)
            references |= lab_images(network, client, load_pins().tools)
        write_lock(folders, network, references)


def make_resource_types(
    folders: LabFolders, tools: Mapping[str, Path], provided: Mapping[str, Provided], steps: Steps
) -> None:
    """Make the resource types of the programs that define some, and wait until the API server serves them.

    They are the files that the programs' own modules hold (`build.custom_resources` in pins.toml).
    """
    for name, one in provided.items():
        if not one.tool.build.custom_resources:
            continue
        doing = f"Making the resource types of {name}"
        files = str(one.folder / CUSTOM_RESOURCES)
        with steps.step(f"Resource types of {name} {one.tool.version}"):
            kubernetes.kubectl(folders, tools, "apply", "--server-side", "-f", files, doing=doing)
            waiting = ("wait", "--for=condition=Established", "--timeout=60s", "-f", files)
            kubernetes.kubectl(folders, tools, *waiting, doing=doing)
