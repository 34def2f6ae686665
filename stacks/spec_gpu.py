"""The section `gpu` of a stack file: who offers GPUs, and how many an experiment may take. Plain data."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stacks.pod import Toleration
from stacks.section import Count, Mebibytes, Millicores, Name, Section

RESOURCE_NAME = r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$"

MACHINES: tuple[dict[str, str], ...] = (
    {"nvidia.com/gpu.present": "true"},
    {"feature.node.kubernetes.io/pci-10de.present": "true"},
    {"feature.node.kubernetes.io/cpu-model.vendor_id": "NVIDIA"},
)
"""Labels of a machine with a GPU: set by hand or by GPU Feature Discovery, and by Node Feature Discovery for a card and
for some Tegra processors (the terms of NVIDIA's own chart)."""


def _not_empty(sets: list[dict[str, str]]) -> list[dict[str, str]]:
    if not sets or not all(sets):
        raise ValueError("needs at least one set of labels, and none of them empty: it would mean every machine")
    return sets


class Sharing(Section):
    """Time slicing: several pods take turns on one GPU. Nothing keeps their memory apart."""

    replicas: Count = Field(default=1, description="How often each GPU is offered; 1 means that none is shared.")
    rename: bool = Field(
        default=False,
        description="Offer shared GPUs as `nvidia.com/gpu.shared`, so that whoever asks knows that they are.",
    )


class DevicePlugin(Section):
    """NVIDIA's device plugin: tells the kubelet of each machine which GPUs it has.

    Its image is `nvidia-device-plugin` of `images.platform`, or of the lock that ROS2BENCH_PLATFORM_IMAGES names.
    """

    enabled: bool = Field(default=False, description="Whether it is deployed; not where something else offers GPUs.")
    strategy: Literal["auto", "nvml", "tegra"] = Field(
        default="auto", description="How it finds GPUs: `tegra` on a Jetson, `nvml` for cards, `auto`: it looks itself."
    )
    machines: Annotated[list[dict[str, str]], AfterValidator(_not_empty)] = Field(
        default=list(MACHINES),
        description="On which machines it runs: those that have all labels of one of these sets.",
    )
    tolerations: list[Toleration] = Field(
        default=[Toleration(key="nvidia.com/gpu", operator="Exists", effect="NoSchedule")],
        description="Taints of machines that it accepts.",
    )
    sharing: Sharing = Field(default_factory=Sharing, description="Whether pods share a GPU.")
    runtime_class: Name | None = Field(
        default=None,
        description="RuntimeClass of its pods, for example `nvidia`. None: the machines' default runtime, which then "
        "has to be NVIDIA's.",
    )
    cpu_request_millicores: Millicores = Field(default=10, description="Processor time set aside.")
    memory_request_mebibytes: Mebibytes = Field(default=32, description="Memory set aside.")
    memory_limit_mebibytes: Mebibytes = Field(default=128, description="Memory at which the container is ended.")


class RuntimeClass(Section):
    """The object by which a pod asks for NVIDIA's container runtime; K3s makes it by itself."""

    enabled: bool = Field(default=False, description="Whether the stack makes it. One that is there already is kept.")
    name: Name = Field(default="nvidia", description="Its name.")
    handler: Name = Field(default="nvidia", description="Name of the runtime in the configuration of containerd.")


class GpuSettings(Section):
    """GPUs of the cluster (`devicePlugin`, `runtimeClass`: platform and dev) and what a stack may take (`quota`)."""

    device_plugin: DevicePlugin = Field(default_factory=DevicePlugin, description="Who offers GPUs.")
    runtime_class: RuntimeClass = Field(default_factory=RuntimeClass, description="NVIDIA's container runtime.")
    quota: dict[Annotated[str, Field(pattern=RESOURCE_NAME)], Annotated[int, Field(ge=0, le=1024)]] = Field(
        default_factory=dict[str, int],
        description="Most devices that the pods of an experiment may hold together, by resource name, for example "
        "`nvidia.com/gpu: 1`.",
    )

    def misplaced(self, kind: str) -> str | None:
        """Why this cannot stand in a stack of a kind; none if it can."""
        if kind == "experiment" and (self.device_plugin.enabled or self.runtime_class.enabled):
            return (
                "gpu.devicePlugin and gpu.runtimeClass are for stacks of kind platform or dev: an experiment sees no "
                "machine. Enable them there"
            )
        if kind == "platform" and self.quota:
            return "gpu.quota is for stacks of kind experiment or dev: a platform holds no GPU. Set it there"
        return None
